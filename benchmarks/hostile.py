"""What hostile files and values do: refused in one line, in bounded time and memory.

``python -m benchmarks.hostile [--quick] [--json FILE]`` makes each of them and hands it to the real
``edgehip`` in a process of its own, whose time and memory are watched. Hostile values amid a good
walk are not refused but left out and counted, and the walk is estimated all the same.
"""

import argparse
import json
import os
import re
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from benchmarks import npz_bombs
from benchmarks.hostile_flatbuffers import TFLITE
from benchmarks.hostile_graphs import ONNX
from benchmarks.machine import ROOT
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip.card_json import card_to_json
from edgehip.model import DEFAULT_CYCLE_MODEL, DEFAULT_SAMPLE_MODEL, bundled_files
from edgehip.model_card import ModelCard
from edgehip.model_file import (
    CARD_KEY,
    OFFSET_DIGITS,
    OFFSET_KEY,
    metadata_entry,
    read_model,
    write_model,
)
from edgehip.recording import MAGIC, header
from edgehip.zero import Profile
from tests.streams import synthetic_walk

AT_MOST_S: Final = 30.0
AT_MOST_MIB: Final = 500.0
HOSTILE_LINES: Final = b"0,nan,inf,-inf,1e999,1,2,3,4,5,6\n-1,1,2,3,4,5,6,7,8,9,10\n" * 99
TEN: Final = ",1,2,3,4,5,6,7,8,9,10"
AMID: Final = {
    "angles of NaN and infinity": "{between_ms},nan,inf,-inf,1,2,3,4,5,6,7",
    "angles of 1e308 degrees": "{between_ms}" + 10 * ",1e308",
    "time stamps of 1e300": f"1e300{TEN}",
    "time stamps of -1e18": f"-1e18{TEN}",
    "time stamps of NaN": f"nan{TEN}",
    "lines of 100 kB": "1," * 50_000,
}
ENDLESS: Final = (
    "with a loop that never ends",
    "that multiplies for hours",
    "of functions that unfold to 2^40",
)
WALK: Final = "synthetic:?speed=max&duration_s=4"


def measure(arguments: argparse.Namespace) -> Report:
    """Try everything."""
    rows: list[list[Cell]] = []
    report = Report()
    with TemporaryDirectory() as name:
        for what, command in _cases(Path(name), arguments.quick):
            status, told, took_s, most_mib = _try(command)
            said = told.rpartition("\n")[2]  # after what a stream that began says at its end
            rows.append([what, status, took_s, most_mib, said.replace(name, "...")])
            held = status in (1, 2) and said.startswith("edgehip: ")
            held &= "Traceback" not in told
            held &= took_s < AT_MOST_S and most_mib < AT_MOST_MIB
            claim = f"{what}: refused in one line, in bounded time and memory"
            report.checks.append(Check(claim, held, f"{took_s:.1f} s, {most_mib:.0f} MiB"))
        columns = ("what", "exit", "s", "MiB at most", "told")
        report.tables.append(Table("Hostile input to the command", columns, rows))
        report.add(_amid_a_walk(Path(name)))
    return report


def _amid_a_walk(folder: Path) -> Report:
    """Hide hostile lines in a good walk: they are left out, and nothing else is."""
    rows: list[list[Cell]] = []
    report = Report()
    walk = synthetic_walk(12.0, stand_s=0.5)
    good = [
        ",".join(map(str, [1e3 * t, *angles]))
        for t, angles in zip(walk.time_s.tolist(), walk.angles_deg.tolist(), strict=True)
    ]
    for what, line in AMID.items():
        lines = [
            text
            for t_s, row in zip(walk.time_s.tolist(), good, strict=True)
            for text in (row, line.format(between_ms=1e3 * t_s + 5))
        ]
        path, out = folder / "amid.csv", folder / "amid.jsonl"
        path.write_text("\n".join(lines) + "\n")
        with out.open("wb") as kept:
            command = ["stream", "--port", f"replay:{path}?speed=max", "--format", "lines"]
            tried = _try([*command, "--estimates", "cycle,sample", "--output", "jsonl"], kept)
        status, told, took_s, most_mib = tried
        # No number in a record may be anything that JSON does not know.
        records = [json.loads(text, parse_constant=_refuse) for text in out.open()]
        times_s = [one["time_s"] for one in records if one["record"] == "sample"]
        strides = sum(one["record"] == "estimate" for one in records)
        said = " ".join(re.findall(r"samples +(.*)", told))
        rows.append([what, len(good), len(times_s), strides, took_s, most_mib, said])
        held = status == 0 and "Traceback" not in told and len(times_s) == len(good)
        held &= times_s == sorted(set(times_s)) and strides > 0
        held &= took_s < AT_MOST_S and most_mib < AT_MOST_MIB
        claim = f"{what} after every sample of a walk: every sample is estimated, they are not"
        text = f"{len(times_s)} of {len(good)} estimated, {strides} strides, exit {status}"
        report.checks.append(Check(claim, held, text))
    columns = ("what", "samples", "estimated", "strides", "s", "MiB at most", "told")
    report.tables.append(Table("Hostile lines amid a walk", columns, rows))
    return report


def _refuse(constant: str) -> None:
    raise ValueError(f"a record holds {constant}")


def _try(command: list[str], out: IO[bytes] | None = None) -> tuple[int, str, float, float]:
    """Return exit status, what was told, seconds, and the most memory in MiB."""
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgehip", *command],
        stdout=out or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=_bounded,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace").strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    return process.returncode, said, time.monotonic() - began_s, usage.ru_maxrss / 1024


def _bounded() -> None:
    """End a process that would run for ever."""
    resource.setrlimit(resource.RLIMIT_CPU, (30, 30))


def _cases(folder: Path, quick: bool) -> Iterator[tuple[str, list[str]]]:
    def file(name: str, content: bytes) -> str:
        (folder / name).write_bytes(content)
        return str(folder / name)

    def stream(*options: str, port: str = WALK) -> list[str]:
        return ["stream", "--port", port, "--output", "jsonl", *options]

    card, content, _ = read_model(bundled_files(DEFAULT_CYCLE_MODEL)["tflite"])
    for what, changed in _cards(card):
        written = _write_unchecked(folder / f"{what.replace(' ', '-')}.tflite", content, changed)
        yield f"model with {what}", stream("--model", written)
    yield "model cut short", stream("--model", file("cut.tflite", content[: len(content) // 2]))
    yield "model of 3 bytes", stream("--model", file("tiny.onnx", b"abc"))
    yield "model that is a folder", stream("--model", _folder_at(folder / "folder.onnx"))
    yield "model that never ends", stream("--model", _link_at(folder / "zero.onnx", "/dev/zero"))
    for what, graph in graphs(card, content, quick):
        path = folder / f"graph.{what.partition(' ')[0].lower()}"
        write_model(path, graph, card)
        yield what, stream("--model", str(path))
    sample = bundled_files(DEFAULT_SAMPLE_MODEL)["tflite"]
    for what, changed in _rates(sample):
        written = _write_unchecked(folder / f"{what}.tflite", sample.read_bytes(), changed)
        yield f"model with {what}", stream("--estimates", "sample", "--sample-model", written)
    profile = Profile("standing", (0.0,) * 10, 300)
    for what, text in _profiles(profile):
        yield f"profile with {what}", stream("--profile", file("p.json", text.encode()))
    yield "profile that never ends", stream("--profile", _link_at(folder / "p2.json", "/dev/zero"))
    yield "profile at ../../etc/passwd", stream("--profile", f"{folder}/../../etc/passwd")
    yield "profile over /etc/passwd", stream("--calibrate", "standing", "--profile", "/etc/passwd")
    yield "profile that is a folder", stream("--profile", str(folder))
    recordings: dict[str, bytes] = {
        "recording without items": header({}),
        "recording with a header of 1 MB": MAGIC + b"{" * 1_000_000,
        "recording of one record of 4 GB": header({}) + struct.pack("<IQB", 2**32 - 1, 0, 0) * 9,
    }
    for what, held in recordings.items():
        yield what, stream(port=f"replay:{file('r.rec', held)}?speed=max")
    yield "recording that never ends", stream(port=f"replay:{_link_at(folder / 'z', '/dev/zero')}")
    yield (
        "angles that are not numbers",
        stream("--format", "lines", port=f"replay:{file('nan.csv', HOSTILE_LINES)}?speed=max"),
    )
    if find_spec("torch") is not None:
        for what, write_bomb in list(npz_bombs.HOSTILE.items())[:: 5 if quick else 1]:
            write_bomb(folder / "bomb.npz")
            evaluate = ["evaluate", "hip-cycle", str(folder / "bomb.npz")]
            yield f"data set with {what}", [*evaluate, "-o", str(folder / "evaluated")]
        npz_bombs.HOSTILE["1 GiB of zeros"](folder / "bomb.pt")
        imports = ["import", str(folder / "bomb.pt"), "-o", str(folder / "imported.pt")]
        yield "checkpoint with 1 GiB of zeros", imports
    for option in ("--body-mass", "--body-height", "--duration", "--deadline", "--rate"):
        for value in ("nan", "-1e308"):
            yield f"{option} {value}", stream(option, value)


def _folder_at(path: Path) -> str:
    """Make a folder where a file should be."""
    path.mkdir()
    return str(path)


def _link_at(path: Path, target: str) -> str:
    """Make a link to a device that is no file."""
    path.symlink_to(target)
    return str(path)


def _cards(card: ModelCard) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a card, and its JSON."""
    plain = json.loads(card_to_json(card))

    def changed(change: Callable[[dict[str, object]], object]) -> str:
        copy = json.loads(json.dumps(plain))
        change(copy)
        return json.dumps(copy)

    huge = [1, 2**40, 10]
    yield "a huge shape", changed(lambda c: c["inputs"][0].update(shape=huge))  # type: ignore[index]
    yield "a huge cycle", changed(lambda c: c.update(samples_per_cycle=10**15))
    yield (
        "a range of NaN",
        changed(
            lambda c: c.update(ranges={"angles_deg": {"low": [float("nan")] * 3, "high": [0.0]}})
        ),
    )
    state = {"name": "state.x", "shape": [2**20, 2**20], "channels": []}
    yield "a state of 4 TB", changed(lambda c: c["inputs"].append(state))  # type: ignore[attr-defined]
    state_2 = state | {"shape": [9] * 100_000}
    yield "a state of 100000 axes", changed(lambda c: c["inputs"].append(state_2))  # type: ignore[attr-defined]
    yield "nested brackets", "[" * 500_000


def _rates(path: Path) -> Iterator[tuple[str, str]]:
    """Yield absurd rates of a per-sample model, and its card's JSON."""
    card, _, _ = read_model(path)
    for rate_hz in (1e300, 1e-300, float("nan")):
        plain = json.loads(card_to_json(card)) | {"rate_hz": rate_hz}
        yield f"a rate of {rate_hz:g} Hz", json.dumps(plain)


def _write_unchecked(path: Path, content: bytes, card_json: str) -> str:
    """Write a model file whose card was never checked."""
    size = int(content[-OFFSET_DIGITS:])
    body = metadata_entry(CARD_KEY, card_json.encode())
    digits = str(size).zfill(OFFSET_DIGITS).encode()
    trailer = metadata_entry(OFFSET_KEY, digits)
    path.write_bytes(content[:size] + body + trailer)
    return str(path)


def graphs(card: ModelCard, content: bytes, quick: bool = False) -> Iterator[tuple[str, bytes]]:
    """Yield what a graph does, ``ONNX`` or ``TFLite`` first, and the graph.

    Parameters
    ----------
    content
        Of a sound TFLite model with that card.
    quick
        Leave out those that would run for ever, but for one.
    """
    if find_spec("onnx") is not None:
        for what, make in ONNX.items():
            if not quick or what not in ENDLESS:
                yield f"ONNX graph {what}", make(card)
    if find_spec("ai_edge_litert") is not None:
        for what, change in TFLITE.items():
            yield f"TFLite graph {what}", change(content[: int(content[-OFFSET_DIGITS:])])


def _profiles(profile: Profile) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a profile, and its text."""
    text = profile.to_json()
    yield "NaN", text.replace("0.0", "NaN", 1)
    yield "infinity", text.replace("0.0", "1e999", 1)
    yield "a huge number", text.replace("0.0", "9" * 5000, 1)
    yield "a foreign method", text.replace("standing", "../../etc/passwd")
    yield "nested brackets", "[" * 60_000


if __name__ == "__main__":
    run_program(__name__, measure)
