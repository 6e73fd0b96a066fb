"""What streaming one device costs: start-up, memory, disk and processor.

``python -m benchmarks.cost [--quick] [--json FILE] [--sample-model FILE]`` measures the real
``edgehip stream``. The device's side of the pseudo-terminal runs in this process and is not
counted.
"""

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.device import sample_model_option, streaming, timed, voices_with
from benchmarks.machine import ROOT, cpu_s, memory_mib
from benchmarks.report import Cell, Check, Report, Table, run_program
from benchmarks.timing import distribution
from tests.streams import synthetic_walk

PACKED: Final = ("edgehip", "export/edgehip_export", "firmware_bridge/edgehip_firmware_bridge")
"""What goes into the wheel."""


def measure(arguments: argparse.Namespace) -> Report:
    """Measure everything."""
    report = Report()
    voices = voices_with(arguments.sample_model)
    report.left_out.append("estimates per joule: nothing here measures energy")
    report.tables.append(_start_up(voices, 3 if arguments.quick else 15))
    report.add(_at_100_hz(voices, 5.0 if arguments.quick else 60.0))
    report.tables.append(_disk())
    return report


def _start_up(voices: Mapping[str, Sequence[str]], times: int) -> Table:
    rows: list[list[Cell]] = []
    for name, chosen in voices.items():
        first_s = []
        for _ in range(times):
            began_s = time.perf_counter()
            command = [sys.executable, "-m", "edgehip", "stream", *chosen, "--output", "jsonl"]
            with subprocess.Popen(
                [*command, "--port", "synthetic:?speed=max&stand_s=0.5&duration_s=8"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if json.loads(line)["record"] in ("estimate", "sample"):
                        break
                first_s.append(time.perf_counter() - began_s)
                process.kill()
        p50, *_, most = distribution(first_s)
        rows.append([name, times, p50, most])
    note = "seconds; the walker needs no time to walk here, so this is the program's own"
    return Table(
        "From the command to the first estimate",
        ("estimates", "starts", "median", "max"),
        rows,
        note,
    )


def _at_100_hz(voices: Mapping[str, Sequence[str]], duration_s: float) -> Report:
    walk = synthetic_walk(duration_s, stand_s=0.5, noise_deg=0.2)
    rows: list[list[Cell]] = []
    report = Report()
    for name, chosen in voices.items():
        with streaming(*chosen, "--output", "jsonl") as program:
            pid = program.process.pid
            began_cpu_s, began_s = cpu_s(pid), time.monotonic()
            program.play(timed(walk))
            share = (cpu_s(pid) - began_cpu_s) / (time.monotonic() - began_s)
            resident, most = memory_mib(pid), memory_mib(pid, "VmHWM")
            loaded = "torch" in Path(f"/proc/{pid}/maps").read_text()
            program.finish()
        rows.append([name, 100 * share, resident, most])
        claim = f"{name}: PyTorch is not loaded"
        report.checks.append(Check(claim, not loaded, "loaded" if loaded else "not in its memory"))
    columns = ("estimates", "% of a core", "MiB resident", "MiB at most")
    report.tables.append(Table("One device at a true 100 Hz", columns, rows))
    return report


def _disk() -> Table:
    """Add up what installing edgehip brings, as installed here."""
    sizes: dict[str, int] = {}
    wanted = ["edgehip"]
    while wanted:
        name = wanted.pop()
        if name in sizes:
            continue
        found = importlib.metadata.distribution(name)
        sizes[name] = sum(
            Path(str(file.locate())).stat().st_size
            for file in found.files or ()
            if file.suffix != ".pyc" and Path(str(file.locate())).is_file()
        )
        for text in found.requires or ():
            needed = re.match(r"[\w.-]+", text)
            if needed and ";" not in text and _installed(needed[0].lower()):
                wanted.append(needed[0].lower())
    sizes["edgehip"] = sum(
        path.stat().st_size
        for folder in PACKED
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    )
    rows: list[list[Cell]] = [[name, size / 2**20] for name, size in sizes.items()]
    rows.sort(key=lambda row: -float(row[1] or 0))
    rows.append(["together", sum(sizes.values()) / 2**20])
    note = "without byte code; the packages edgehip requires, extras left out"
    return Table("Installed size", ("package", "MiB"), rows, note)


def _installed(name: str) -> bool:
    return any(True for _ in importlib.metadata.distributions(name=name))


if __name__ == "__main__":
    run_program(__name__, measure, options=sample_model_option)
