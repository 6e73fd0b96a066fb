"""What a recording is worth after the process, the disk or the file itself died.

``python -m benchmarks.crash [--quick] [--times N] [--json FILE]`` kills ``edgehip stream
--record`` (SIGKILL) at random moments and reads what it left: every frame older than a second must
be there, and replaying must work. Then the disk is full (a limit on the file's size; on a real
small file system where the rights allow to mount one), the folder read-only, the file deleted.
A killed process is not a power cut: what the kernel holds is synced twice a second.
"""

import argparse
import contextlib
import itertools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.device import timed
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip.events import JointAngleSample
from edgehip.model import load_model
from edgehip.pipeline import Pipeline
from edgehip.receiver import Receiver
from edgehip.recording import RecordingReader
from tests.pty_device import PtyDevice
from tests.streams import Walk, synthetic_walk

SAFE_AFTER_S: Final = 1.0
SMALL_BYTES: Final = 16 * 1024
AT_ONCE: Final = 4


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--times", type=int, help="how often to kill (default 100; quick 8)")


def measure(arguments: argparse.Namespace) -> Report:
    """Kill, fill, forbid and delete."""
    report = Report()
    times = arguments.times or (8 if arguments.quick else 100)
    with TemporaryDirectory() as folder:
        report.add(_killed(Path(folder), times))
        report.add(_troubles(Path(folder)))
    return report


@dataclass(frozen=True, slots=True)
class Remains:
    """What one killed recording held, of what was sent."""

    sent: int
    safe: int
    held: int
    in_order: bool
    torn_bytes: int


def _killed(folder: Path, times: int) -> Report:
    walk = synthetic_walk(8.0, stand_s=0.2, noise_deg=0.2)
    rng = random.Random(0)
    lives_s = [rng.uniform(1.2, 6.0) for _ in range(times)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = (folder / f"{number}.rec" for number in itertools.count())
        found = list(pool.map(partial(_kill, walk), lives_s, jobs))
    lost = sum(one.held < one.safe for one in found)
    worst = max(one.sent - one.held for one in found)
    wrong = sum(not one.in_order for one in found)
    row: list[Cell] = [times, sum(one.sent for one in found), sum(one.safe for one in found)]
    row += [sum(one.held for one in found), worst, sum(one.torn_bytes > 0 for one in found)]
    columns = ("killed", "frames sent", "older than 1 s", "recorded", "most missing", "torn ends")
    table = Table("Killed while recording at 100 Hz", columns, [row])
    claim = f"killed {times} times: every frame older than a second is there, and replays"
    text = f"{lost} recordings lack one, {wrong} hold another; at most {worst} frames were missing"
    return Report([table], [Check(claim, not lost and not wrong, text)])


def _kill(walk: Walk, life_s: float, path: Path) -> Remains:
    written_s: list[float] = []
    with _recording(path) as (process, device):
        began_s = time.monotonic()
        for at_s, frame in timed(walk):
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            if time.monotonic() - began_s > life_s:
                break
            device.write(frame)
            written_s.append(time.monotonic())
        process.kill()
        killed_s = time.monotonic()
        process.wait()
    reader, receiver = RecordingReader(path), Receiver()
    pipeline = Pipeline(load_model())
    held = []
    for item in reader:
        pipeline.feed(item)
        found = receiver.feed(item)
        held += [event.angles_deg for event in found if isinstance(event, JointAngleSample)]
    reader.close()
    sent = [tuple(angles) for angles in walk.angles_deg.tolist()]
    safe = sum(killed_s - at_s > SAFE_AFTER_S for at_s in written_s)
    in_order = held == sent[: len(held)] and pipeline.state.samples == len(held)
    return Remains(len(written_s), safe, len(held), in_order, reader.torn_bytes)


@contextlib.contextmanager
def _recording(
    path: Path, limit_bytes: int | None = None
) -> Iterator[tuple["subprocess.Popen[str]", PtyDevice]]:
    """Run ``edgehip stream --record`` on a new device, until it has begun to record."""

    def limit() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    with TemporaryDirectory() as folder:
        device = PtyDevice(Path(folder))
        command = [sys.executable, "-m", "edgehip", "stream", "--port", str(device.port)]
        process = subprocess.Popen(
            [*command, "--record", str(path), "--output", "jsonl", "--no-curves"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit if limit_bytes is not None else None,
        )
        try:
            ends_s = time.monotonic() + 20.0
            while b"\0" not in device.read() and process.poll() is None:
                if time.monotonic() > ends_s:
                    raise RuntimeError("edgehip stream did not start")
                time.sleep(0.01)
            yield process, device
        finally:
            process.kill()
            process.communicate()
            device.close()


def _troubles(folder: Path) -> Report:
    rows: list[list[Cell]] = []
    report = Report()
    walk = synthetic_walk(5.0, stand_s=0.2)
    cases: dict[str, Callable[[], tuple[int, str]]] = {
        "the file may not grow": lambda: _live(walk, folder / "limited.rec", SMALL_BYTES),
        "the file is deleted": lambda: _live(walk, folder / "deleted.rec", delete=True),
        "the folder is missing": lambda: _live(walk, folder / "none" / "x.rec"),
        "the folder is read-only": lambda: _read_only(walk, folder),
        "the disk is full": lambda: _full(walk, folder),
    }
    for name, case in cases.items():
        try:
            code, said = case()
            said = said.replace(str(folder), "...")
        except OSError as error:
            report.left_out.append(f"{name}: cannot be had here ({error})")
            continue
        lines = said.splitlines()
        told = list(dict.fromkeys(line for line in lines if line.startswith("edgehip: ")))
        rows.append([name, code, " / ".join(told) or "nothing"])
        held = code == 1 and len(told) == 1 and "Traceback" not in said
        # It is told when it happens, and again at the end.
        held = held and lines[0] == lines[-1] == told[0]
        if "samples" in said:  # it ran: then nothing that came may be lost on the way to estimates
            held &= f"samples    {len(walk)}; frames lost 0 " in said
        claim = f"{name}: told in one line at once, and the samples go on to be estimated"
        report.checks.append(Check(claim, held, " / ".join(told) or "nothing was told"))
    report.tables.append(
        Table("When a recording cannot be written", ("when", "exit", "told"), rows)
    )
    return report


def _live(
    walk: Walk, path: Path, limit_bytes: int | None = None, delete: bool = False
) -> tuple[int, str]:
    """Stream a walk; return the exit status and what was said."""
    with _recording(path, limit_bytes) as (process, device):
        if delete:
            path.unlink()
        device.play(timed(walk), speed=4.0)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20.0)
    return process.returncode, said


def _read_only(walk: Walk, folder: Path) -> tuple[int, str]:
    closed = folder / "closed"
    closed.mkdir()
    if os.geteuid() == 0:  # may write everywhere, but not to a file system mounted read-only
        with _mounted(closed, "ro"):
            return _live(walk, closed / "x.rec")
    closed.chmod(0o500)
    try:
        return _live(walk, closed / "x.rec")
    finally:
        closed.chmod(0o700)


def _full(walk: Walk, folder: Path) -> tuple[int, str]:
    small = folder / "small"
    small.mkdir()
    with _mounted(small, f"size={SMALL_BYTES}"):
        return _live(walk, small / "x.rec")


@contextlib.contextmanager
def _mounted(folder: Path, how: str) -> Iterator[None]:
    """Mount a file system of its own on a folder.

    Raises
    ------
    OSError
        If that is not permitted.
    """
    if shutil.which("mount") is None:
        raise OSError("there is no mount")
    command = ["mount", "-t", "tmpfs", "-o", how, "edgehip-benchmark", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
