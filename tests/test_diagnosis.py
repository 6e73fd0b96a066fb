"""Why nothing comes of a stream: the likely mistake is named, in one line."""

import math
import os
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from edgehip.channels import ANGLES
from edgehip.events import PortOpened
from edgehip.messages import Angles, Description
from edgehip.sinks.recorder import Recorder
from edgehip.wire import encode
from tests.programs import edgehip, finished, running
from tests.pty_device import PtyDevice

SOON = {"edgehip.diagnosis.HOPELESS_S": 0.5, "edgehip.diagnosis.HEADER_WITHIN_S": 1.0}


def told_of(tmp_path: Path, pieces: Iterable[bytes], *options: str) -> str:
    """Return the last line said about a device that sends these pieces, ten milliseconds apart."""
    device = PtyDevice(tmp_path)
    command = edgehip("stream", "--port", str(device.port), *options, constants=SOON)
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        for piece in pieces:
            if process.poll() is not None:
                break
            device.write(piece)
            time.sleep(0.01)
        else:
            raise AssertionError("the program did not complain")
        lines: list[str] = process.stderr.read().decode().splitlines()
    device.close()
    assert process.returncode == 1
    return lines[-1]


LINE = ",".join(["{}"] + ["1.25"] * 10) + "\n"


def test_a_wrong_baud_rate_is_suspected(tmp_path: Path) -> None:
    assert "check --baud" in told_of(tmp_path, (os.urandom(36) for _ in range(1000)))


def test_text_where_frames_were_expected_is_recognised(tmp_path: Path) -> None:
    lines = (LINE.format(10 * i).encode() for i in range(1000))
    assert "try --format lines" in told_of(tmp_path, lines)


def test_a_header_that_cannot_be_used_is_told_while_the_device_goes_on(tmp_path: Path) -> None:
    def left_first() -> Iterator[bytes]:
        for i in range(3000):
            if i % 50 == 0:
                yield f"time,{','.join(reversed(ANGLES))}\n".encode()
            yield LINE.format(10 * i).encode()

    line = told_of(tmp_path, left_first(), "--format", "lines")
    assert line.startswith("edgehip: the header 'time,ankle_angle_l,")
    assert "'time' names no unit of time; a header has time_us, time_ms or time_s" in line


def test_a_header_that_was_missed_is_thought_of(tmp_path: Path) -> None:
    lines = (f"{10 * i},1.25,2.5,3.75,5.0\n".encode() for i in range(1000))
    line = told_of(tmp_path, lines, "--format", "lines")
    assert "as a header says, which must come again if it was missed" in line


@pytest.mark.parametrize("as_lines", [True, False])
def test_angles_that_count_to_360_are_told_from_a_wrong_baud_rate(
    tmp_path: Path, as_lines: bool
) -> None:
    angles = (355.0,) * 10
    lines = (",".join(map(str, [10 * i, *angles])).encode() + b"\n" for i in range(1000))
    frames = (encode(Angles(angles), i, 10_000 * i) for i in range(1000))
    format_ = "lines" if as_lines else "frames"
    line = told_of(tmp_path, lines if as_lines else frames, "--format", format_)
    assert "beyond 180 degrees" in line
    assert "--baud" not in line


def test_a_recording_of_silence_is_not_taken_for_text(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "silent.rec", {})
    recorder.add(PortOpened(0, "test"))
    recorder.close()
    done = finished("stream", "--port", "replay:silent.rec?speed=max", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing came" in done.stderr.splitlines()[-1]


def test_a_device_with_six_angles_is_told_which_are_missing(tmp_path: Path) -> None:
    six = sum(1 << ANGLES.index(name) for name in ANGLES if name.startswith("hip"))
    angles = tuple(1.0 if name.startswith("hip") else math.nan for name in ANGLES)

    def hips_only(describes_itself: bool) -> Iterator[bytes]:
        for i in range(1000):
            if describes_itself and i % 50 == 0:
                yield encode(Description(100.0, six, "hips only", "1"), 2 * i, 0)
            yield encode(Angles(angles), 2 * i + 1, 10_000 * i)

    for describes_itself in (True, False):
        line = told_of(tmp_path, hips_only(describes_itself))
        for name in ("knee_angle_r", "ankle_angle_r", "knee_angle_l", "ankle_angle_l"):
            assert name in line
        assert "hip_flexion" not in line


@pytest.mark.parametrize(("ticks_per_s", "hint"), [(1e6, "microseconds"), (1.0, "seconds")])
def test_times_in_another_unit_are_noticed(tmp_path: Path, ticks_per_s: float, hint: str) -> None:
    started_s = time.monotonic()
    lines = (
        LINE.format(round((time.monotonic() - started_s) * ticks_per_s, 3)).encode()
        for _ in range(1000)
    )
    line = told_of(tmp_path, lines, "--format", "lines")
    assert hint in line
    assert "--time-unit" in line
