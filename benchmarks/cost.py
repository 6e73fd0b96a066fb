"""What streaming costs: start-up, memory, disk and processor, and how far it scales.

``python -m benchmarks.cost [--quick] [--json FILE] [--sample-model FILE]`` measures the real
``edgehip stream``. The device's side of each pseudo-terminal runs in this process and is not
counted.
"""

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.device import Program, sample_models, streaming
from benchmarks.machine import ROOT, cores, cpu_s, memory_mib, only_core
from benchmarks.report import Cell, Check, Report, Table, run_program
from benchmarks.timing import distribution, ticks
from edgehip.events import Chunk
from edgehip.model import load_model
from edgehip.pipeline import Pipeline
from tests.streams import Walk, synthetic_walk

RATE_HZ: Final = 100.0
RATES_HZ: Final = (500, 1000, 2000, 4000, 8000, 16000, 32000)
DEVICES: Final = (1, 4, 8, 16, 32, 64, 128, 256, 512)
QUICK_STEP: Final = 3
"""Of the rates and numbers of devices, a quick run tries every third."""
LATE_MS: Final = 20.0
"""A stream falls behind when records come later than this after their last byte."""
SENT_SHARE: Final = 0.95
"""A device that is held up to less of its rate has filled the terminal."""
PACKED: Final = ("edgehip", "export/edgehip_export", "firmware_bridge/edgehip_firmware_bridge")
"""What goes into the wheel."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--sample-model", type=Path, action="append", default=[])


def measure(arguments: argparse.Namespace) -> Report:
    """Measure everything."""
    report = Report()
    models = sample_models(arguments.sample_model)[:1]
    if not models:
        report.left_out.append("per-sample estimates: no per-sample model is bundled")
    voices: dict[str, Sequence[str]] = {"cycle": ("--estimates", "cycle")}
    for model in models:
        voices["cycle,sample"] = ("--estimates", "cycle,sample", "--sample-model", str(model))
    report.tables.append(_start_up(voices, 3 if arguments.quick else 15))
    report.add(_at_100_hz(voices, 5.0 if arguments.quick else 60.0))
    report.tables.append(_disk())
    step = QUICK_STEP if arguments.quick else 1
    report.add(_highest_rate(voices, RATES_HZ[::step], 1.0 if arguments.quick else 10.0))
    report.add(_one_process(models, DEVICES[::step], 1.0 if arguments.quick else 10.0))
    return report


def _start_up(voices: dict[str, Sequence[str]], times: int) -> Table:
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


def _at_100_hz(voices: dict[str, Sequence[str]], duration_s: float) -> Report:
    walk = synthetic_walk(duration_s, stand_s=0.5, noise_deg=0.2)
    rows: list[list[Cell]] = []
    report = Report()
    for name, chosen in voices.items():
        with streaming(*chosen, "--output", "jsonl") as program:
            pid = program.process.pid
            began_cpu_s, began_s = cpu_s(pid), time.monotonic()
            program.play(_timed(walk), lambda *_: None, lambda *_: None)
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


def _timed(walk: Walk, speed: float = 1.0) -> list[tuple[float, bytes]]:
    times = (walk.time_s / speed).tolist()
    return list(zip(times, walk.frames(), strict=True))


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


def _highest_rate(
    voices: dict[str, Sequence[str]], rates_hz: Sequence[int], duration_s: float
) -> Report:
    """Raise the rate on one core until the stream falls behind."""
    rows: list[list[Cell]] = []
    report = Report()
    for name, chosen in voices.items():
        for rate_hz in rates_hz:
            # The walk is a walk of 500 Hz at most, told faster: as many samples, more strides.
            walk = synthetic_walk(max(duration_s * rate_hz / 500, 5.0), stand_s=0.5, rate_hz=500.0)
            options = ("--output", "jsonl", "--no-curves", "--outputs", "hip_flexion_r")
            with only_core(cores()[0]), streaming(*chosen, *options) as program:
                sent_hz = _send(program, walk, rate_hz / 500)
                said = program.finish()
            p99_ms = _said_ms(said, "byte in to sample out" if "," in name else "byte in to est")
            kept = p99_ms is not None and p99_ms < LATE_MS and "overrun" not in said
            kept &= sent_hz > SENT_SHARE * rate_hz
            rows.append([name, rate_hz, sent_hz, p99_ms, "yes" if kept else "no"])
            if not kept:
                break
    columns = (
        "estimates",
        "samples/s",
        "really sent",
        "p99 byte in to estimate out (ms)",
        "keeps up",
    )
    note = f"on one core together with the device; keeping up is a p99 under {LATE_MS:g} ms"
    report.tables.append(Table("How many samples a second one core sustains", columns, rows, note))
    return report


def _send(program: Program, walk: Walk, speed: float) -> float:
    """Play a walk; return how many frames a second were really written."""
    written_ns: list[int] = []
    program.play(_timed(walk, speed), lambda _, ns: written_ns.append(ns), lambda *_: None)
    return 1e9 * (len(walk) - 1) / (written_ns[-1] - written_ns[0])


def _said_ms(said: str, row: str) -> float | None:
    """Return a p99 from the summary's table."""
    for line in said.splitlines():
        if line.strip().startswith(row):
            return float(line.split()[-2])
    return None


def _one_process(models: list[Path], most: Sequence[int], duration_s: float) -> Report:
    """Feed more and more pipelines in one thread, each 100 times a second."""
    walk = synthetic_walk(max(duration_s, 4.0), stand_s=0.0, noise_deg=0.2)
    frames = walk.frames()
    cycle_model = load_model()
    sample_model = load_model(models[0]) if models else None
    rows: list[list[Cell]] = []
    for devices in most:
        pipelines = [Pipeline(cycle_model, sample_model=sample_model) for _ in range(devices)]
        since_due_ms, began_s = [], time.process_time()
        for number, due_ns in enumerate(ticks(RATE_HZ, duration_s)):
            for place, pipeline in enumerate(pipelines):
                # Not all people put down their feet at once.
                at = (number + 7 * place) % len(frames)
                pipeline.feed(Chunk(frames[at], due_ns))
            since_due_ms.append((time.perf_counter_ns() - due_ns) / 1e6)
        late = sum(ms > 1e3 / RATE_HZ for ms in since_due_ms)
        share = 100 * (time.process_time() - began_s) / duration_s
        rows.append([devices, share, distribution(since_due_ms)[2], late])
        if late > len(since_due_ms) // 100:
            break
    columns = (
        "devices",
        "% of a core",
        "p99 due to done (ms)",
        f"late of {round(100 * duration_s)}",
    )
    kinds = "both kinds of estimate" if models else "whole-cycle estimates"
    machine = f"the machine has {len(cores())} cores, and processes share nothing"
    note = f"pipelines in one thread, {kinds}; {machine}"
    return Report([Table("How many 100 Hz devices one process sustains", columns, rows, note)])


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
