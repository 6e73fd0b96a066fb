"""Whoever reads what a command writes: slowly, no more, or not at all."""

import functools
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgehip.recording import RecordingReader
from tests.programs import PATIENCE_S, edgehip, running, until_at_rest
from tests.pty_device import PtyDevice
from tests.streams import synthetic_walk

MODELS = Path(__file__).resolve().parents[1] / "edgehip" / "models"


def test_a_reader_that_leaves_ends_the_stream(tmp_path: Path) -> None:
    command = f"{sys.executable} -m edgehip stream --port 'synthetic:?stand_s=0.2' | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=PATIENCE_S)
    assert '"record":"link"' in done.stdout
    assert "Traceback" not in done.stderr
    assert "strides" in done.stderr


@pytest.mark.parametrize(
    ("redirection", "status", "ends"),
    [("> /dev/full", 1, ": No space left on device"), ("| head -1", 0, "missed")],
)
def test_a_view_nobody_can_see_ends(redirection: str, status: int, ends: str) -> None:
    stream = ("stream", "--port", "synthetic:", "--output", "view")
    soon = {"edgehip.sinks.view.DUMB_REFRESH_S": 0.5}
    command = f"{shlex.join(edgehip(*stream, constants=soon))} {redirection}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == status
    assert done.stderr.rstrip().endswith(ends)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("redirection", "complaint"),
    [("> /dev/full", "cannot be written: No space left"), (">&-", "standard output is closed")],
)
def test_records_that_cannot_be_written_are_an_error(redirection: str, complaint: str) -> None:
    command = f"{sys.executable} -m edgehip stream --port 'synthetic:?speed=max' {redirection}"
    done = subprocess.run(
        command, shell=True, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 1
    assert complaint in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "reader was slow" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["models"], ["models", "hip-cycle"]]
)
def test_what_cannot_be_printed_is_one_clear_line(arguments: list[str]) -> None:
    told = functools.partial(
        subprocess.run,
        edgehip(*arguments),
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
    )
    with open("/dev/full", "wb") as full:
        done = told(stdout=full)
    assert done.returncode == 1
    assert done.stderr == "edgehip: standard output: cannot be written: No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    done = told(stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""  # whoever stopped reading knows


def test_a_closed_standard_error_is_never_what_is_opened_next(tmp_path: Path) -> None:
    """The recording would get its number, and what inference engines announce."""
    port = "synthetic:?stand_s=3600&duration_s=1"
    command = f"{sys.executable} -m edgehip stream --port '{port}' --record walk.rec <&- 2>&-"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, stdout=subprocess.PIPE, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0
    assert b'"link":"live"' in done.stdout
    reader = RecordingReader(tmp_path / "walk.rec")
    assert len(list(reader)) > 50
    assert reader.torn_bytes == 0
    reader.close()


def test_letters_that_a_terminal_lacks_do_not_keep_the_rest_from_it(tmp_path: Path) -> None:
    model = (MODELS / "hip-cycle.tflite").read_bytes()
    for name, encoding in ((b"h\xc3\xbcfte.tflite", "ascii"), (b"h\xff.tflite", "utf-8")):
        (tmp_path / os.fsdecode(name)).write_bytes(model)
        done = subprocess.run(
            [sys.executable, "-m", "edgehip", "models", name],
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            cwd=tmp_path,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"moments_nm_per_kg 1x180x3" in done.stdout


def test_a_slow_reader_delays_no_sample_and_what_it_misses_is_counted(tmp_path: Path) -> None:
    device = PtyDevice(tmp_path)
    walk = synthetic_walk(60.0, stand_s=0.5, cadence_spm=150.0)
    command = edgehip("stream", "--port", str(device.port))
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        device.wait_for_greeting(process)
        # Nobody reads standard output: a pipe holds few of these long records.
        device.play(zip(walk.time_s.tolist(), walk.frames(), strict=True), speed=30)
        device.wait_until_taken(process)
        process.terminate()
        err = process.stderr.read()
    device.close()
    assert "Traceback" not in err
    assert f"samples    {len(walk)}; frames lost 0 " in err
    assert "records dropped: the reader was slow" in err


def test_a_reader_that_stalls_still_learns_that_a_cue_went_off(tmp_path: Path) -> None:
    """Hundreds of samples of standing come after it: they are what it may miss."""
    device = PtyDevice(tmp_path)
    walk = synthetic_walk(16.0, stand_s=0.5, walk_s=6.0, pause_s=60.0)
    command = edgehip("stream", "--port", str(device.port), "--estimates", "cycle,sample")
    command += ["--cue", "peak glmed_r > 1 N/kg"]
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        device.wait_for_greeting(process)
        device.play(zip(walk.time_s.tolist(), walk.frames(), strict=True), speed=4)
        device.wait_until_taken(process)
        process.terminate()
        records = [json.loads(line) for line in process.stdout]
        err = process.stderr.read()
    device.close()
    assert "records dropped: the reader was slow" in err
    cues = [record["on"] for record in records if record["record"] == "cue"]
    # A busy machine may let the walk itself pause long enough that the cue is not trusted.
    assert cues == [True, False] * (len(cues) // 2) != []


@pytest.mark.parametrize("ending", ["interrupt", "duration", "end"])
def test_the_last_record_of_a_cue_is_that_it_is_off(ending: str) -> None:
    port = "synthetic:?speed=max&duration_s=5" if ending == "end" else "synthetic:"
    command = edgehip("stream", "--port", port, "--estimates", "sample")
    command += ["--outputs", "glmed_r", "--cue", "glmed_r > 0 N/kg"]
    command += ["--duration", "2"] if ending == "duration" else []
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        cues = []
        for line in process.stdout:
            record = json.loads(line)
            if record["record"] == "cue":
                cues.append(record)
                if ending == "interrupt" and record["on"]:
                    process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    # A busy machine may let a live walk pause long enough that the cue is not trusted.
    assert [cue["on"] for cue in cues] == [True, False] * (len(cues) // 2) != []
    assert cues[-1]["flags"] == ["link_down"]


def test_ctrl_c_ends_a_stream_whose_reader_has_stopped_reading() -> None:
    command = edgehip("stream", "--port", "synthetic:?speed=max")
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        head = os.read(process.stdout.fileno(), 10)
        until_at_rest(process)  # it waits for its reader by now
        process.send_signal(signal.SIGINT)
        err = process.stderr.read().decode()
        assert process.wait() == 0
        whole = (head + process.stdout.read()).count(b"\n")
    written = sum(int(n) for n in re.findall(r"(\d+) (?:left|right)", err)) + 1  # and link: live
    dropped = int(re.findall(r"(\d+) records dropped", err)[0])
    assert whole + dropped == written


@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.08, 0.15, 0.2, 0.3])
def test_ctrl_c_is_quiet_at_any_moment(delay_s: float) -> None:
    """From the moment it is taken care of, packages still loading or not."""
    code = (
        "import sys\n"
        "from edgehip import cli, interrupts\n"
        "sys.argv = ['edgehip', 'stream', '--port', 'synthetic:']\n"
        "take = interrupts.signal.signal\n"
        "def take_first(number, handler):\n"
        "    interrupts.signal.signal = take\n"
        "    take(number, handler)\n"
        "    sys.stderr.write('here\\n')\n"
        "interrupts.signal.signal = take_first\n"
        "cli.main()\n"
    )
    command = [sys.executable, "-c", code]
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == b"here\n"
        time.sleep(delay_s * random.uniform(0.9, 1.1))
        process.send_signal(signal.SIGINT)
        told = process.stderr.read().decode().strip()
    # Once it streams, it stops and sums up.
    assert (process.returncode, told) == (130, "") or (
        process.returncode == 0 and told.startswith("strides")
    )
