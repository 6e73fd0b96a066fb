"""Mistakes as a new user makes them: one clear line, a non-zero exit, no traceback."""

import functools
import json
import math
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgehip.channels import ANGLES
from edgehip.events import PortOpened
from edgehip.messages import Angles, Description
from edgehip.model_card import read_model, without_card, write_model
from edgehip.recording import RecordingReader
from edgehip.sinks.recorder import Recorder
from edgehip.wire import encode
from edgehip.zero import Profile
from tests.programs import PATIENCE_S, running, until_at_rest
from tests.programs import edgehip as command_of
from tests.pty_device import PtyDevice
from tests.streams import synthetic_walk

MODELS = Path(__file__).resolve().parents[1] / "edgehip" / "models"


def edgehip(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_of(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=cwd,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["strem"], "did you mean 'stream'"),
        (["stream"], "Missing option '--port'"),
        (["stream", "--prot", "x"], "'--port'"),
        (["stream", "--port", "/dev/ttyNOPE"], "there is no such port"),
        (["stream", "--port", ""], "name is empty"),
        (["stream", "--port", "text.txt"], "it is no serial port"),
        (["stream", "--port", "."], "it is no serial port"),
        (["stream", "--port", "/dev/null"], "--port replay:FILE"),
        (["stream", "--port", "loop://", "--port", "loop://"], "the same port twice"),
        (["stream", "--port", "synthetic:", "--baud", "-1"], "'--baud'"),
        (["stream", "--port", "foo://x"], "protocol 'foo' not known"),
        (["stream", "--port", "socket://127.0.0.1:1"], "nobody listens"),
        (["stream", "--port", "synthetic:", "--body-mass", "nan"], "not a finite number"),
        (["stream", "--port", "synthetic:", "--deadline", "inf"], "not a finite number"),
        (
            ["stream", "--port=synthetic:", "--calibrate=standing", "--profile=no/folder.json"],
            "no/folder.json: cannot be written",
        ),
        (["stream", "--port", "synthetic:?cadance=3"], "unknown option 'cadance'"),
        (["stream", "--port", "synthetic:?cadence_spm=fast"], "cadence_spm='fast'"),
        (["stream", "--port", "replay:none.rec"], "none.rec: cannot be read: No such file"),
        (["stream", "--port", "replay:text.txt"], "not one good frame"),
        (["stream", "--port", "replay:text.txt?speed=0"], "neither a positive number nor 'max'"),
        (["stream", "--port", "replay:text.txt", "--format", "lines"], "not one good line"),
        (
            ["stream", "--port", "replay:left.csv", "--format", "lines"],
            "the header 'time,hip_flexion_l,hip_flexion_r' cannot be used: 'time' names no unit",
        ),
        (["stream", "--port", "synthetic:", "--model", "none"], "there are: hip-cycle"),
        (["stream", "--port", "synthetic:", "--model", "none.onnx"], "none.onnx: cannot be read"),
        (["stream", "--port", "synthetic:", "--model", "text.txt"], "ends in .onnx or .tflite"),
        (["stream", "--port", "synthetic:", "--model", "text.onnx"], "no edgehip card"),
        (["stream", "--port", "synthetic:", "--model", "short.tflite"], "truncated"),
        (["stream", "--port", "synthetic:", "--model", "bent.tflite"], "do not match the card"),
        (["stream", "--port", "synthetic:", "--body-mass", "72kg"], "'72kg' is not a valid number"),
        (["stream", "--port", "synthetic:", "--body-mass", "-3"], "not in the range"),
        (["stream", "--port", "synthetic:", "--profile", "none.json"], "--calibrate' makes one"),
        (
            ["stream", "--port", "synthetic:", "--profile", "text.txt"],
            "not a personal-zero profile",
        ),
        (["stream", "--port", "synthetic:", "--record", "text.txt"], "exists already"),
        (["stream", "--port", "synthetic:", "--record", "no/folder.rec"], "cannot be written"),
        (["models", "none"], "there are: hip-cycle"),
        (["models", ""], "no such file, and no bundled model"),
        (["stream", "--port=synthetic:", "--record", ""], "'--record': is empty"),
        (["stream", "--port=synthetic:", "--profile", ""], "'--profile': is empty"),
        (["stream", "--port=synthetic:", "--output=csv", "--no-curves"], "with --output csv"),
        (["stream", "--port=synthetic:", "--rate=100", "--format=lines"], "with --format lines"),
        (["stream", "--port=replay:text.txt", "--rate=100"], "no device is there to ask"),
        (["stream", "--port=synthetic:", "--send=replay:text.txt"], "txt: no device is there"),
        (["emulate"], "Choose from: cortex-m, avr, ble; see"),
        (["stream", "--port=synthetic:", "--outputs", "glmed"], "nothing without --estimates sam"),
        (["stream", "--port=synthetic:", "--no-correction"], "without --estimates cycle,sample"),
        (["stream", "--port=synthetic:", "--sample-model", "x"], "nothing without --estimates s"),
        (["stream", "--port=synthetic:", "--time-unit", "us"], "nothing without --format lines"),
        (["stream", "--port=synthetic:", "--baud=9600"], "that is no serial port"),
        (["stream", "--port=replay:text.txt", "--baud=9600"], "that is no serial port"),
        (
            ["stream", "--port=synthetic:", "--body-height=1.8", "--model=anybody.tflite"],
            "not heed it",
        ),
        (
            ["stream", "--port=synthetic:", "--estimates=sample", "--body-mass=72"],
            "without --estimates cycle or a cue in N or Nm",
        ),
        (
            ["stream", "--port=synthetic:", "--cue=peak glmed_r > 1 N/kg", "--output=csv"],
            "with --output csv, which holds none, and no --send",
        ),
        (["stream", "--port=synthetic:", "--cue=glmed_r > 1 N/kg"], "give --estimates sample"),
        (
            ["stream", "--port=synthetic:", *["--cue=peak glmed_r > 1 N/kg"] * 257, "--send=x"],
            "257 cues are more than the 256 that --send can tell a device apart",
        ),
        (
            ["stream", "--port=synthetic:", "--calibrate=standing", "--profile=a", "--record=./a"],
            "names the same file as --profile",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello\n" * 500)
    (tmp_path / "left.csv").write_text("time,hip_flexion_l,hip_flexion_r\n" + "10,1,2\n" * 500)
    (tmp_path / "text.onnx").write_text("hello\n" * 500)
    model = (MODELS / "hip-cycle.tflite").read_bytes()
    card, content, _ = read_model(MODELS / "hip-cycle.tflite")
    graph = without_card(content, "hip-cycle")
    write_model(tmp_path / "anybody.tflite", graph, replace(card, reference_height_m=None))
    (tmp_path / "short.tflite").write_bytes(model[:-1000])
    (tmp_path / "bent.tflite").write_bytes(model[:5000] + b"\xff" + model[5001:])
    done = edgehip(*arguments, cwd=tmp_path)
    *summary, last = done.stderr.splitlines()
    assert done.returncode in (1, 2)
    assert last.startswith("edgehip: ")
    assert complaint in last
    assert all(line.startswith(("strides", "samples", "faults", "replay")) for line in summary)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["models", "closed/x.tflite"], "closed/x.tflite: cannot be read: Permission denied"),
        (["models", "closed/x"], "no such file, and no bundled model of that name"),
        (["stream", "--port", "replay:closed/x"], "closed/x: cannot be read: Permission denied"),
        (
            ["stream", "--port=synthetic:", "--calibrate=strides", "--profile=closed/me.json"],
            "no permission",
        ),
        (["stream", "--port=synthetic:", "--record=closed/x"], "cannot be written: Permission"),
        (["stream", "--port", "port"], "join the port's group"),
    ],
)
def test_what_is_not_permitted_is_one_clear_line(
    arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0)
    (tmp_path / "port").touch(0)
    # Nothing is forbidden to root, unless it gives its powers away.
    powerless = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*powerless, sys.executable, "-m", "edgehip", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=tmp_path,
        check=False,
    )
    closed.chmod(0o700)
    assert done.returncode == 1
    assert done.stderr.startswith("edgehip: ")
    assert done.stderr.count("\n") == 1
    assert complaint in done.stderr


SOON = {"edgehip.diagnosis.HOPELESS_S": 0.5, "edgehip.diagnosis.HEADER_WITHIN_S": 1.0}


def told_of(tmp_path: Path, pieces: Iterable[bytes], *options: str) -> str:
    """Return the last line said about a device that sends these pieces, ten milliseconds apart."""
    device = PtyDevice(tmp_path)
    command = command_of("stream", "--port", str(device.port), *options, constants=SOON)
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
    done = edgehip("stream", "--port", "replay:silent.rec?speed=max", cwd=tmp_path)
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


def test_a_model_of_the_other_engine_names_the_extra(tmp_path: Path) -> None:
    """As on a device where only the light engine is installed."""
    code = (
        "import sys\n"
        "sys.modules['onnxruntime'] = None\n"
        f"sys.argv = ['edgehip', 'models', {str(MODELS / 'hip-cycle.onnx')!r}]\n"
        "from edgehip.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert "pip install 'edgehip[onnx]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_ends_the_stream(tmp_path: Path) -> None:
    command = f"{sys.executable} -m edgehip stream --port 'synthetic:?stand_s=0.2' | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=PATIENCE_S)
    assert '"record":"link"' in done.stdout
    assert "Traceback" not in done.stderr
    assert "strides" in done.stderr


def test_the_time_is_up_even_if_nobody_walks() -> None:
    done = edgehip("stream", "--port", "synthetic:?stand_s=3600", "--duration", "0.3")
    assert done.returncode == 0
    assert "strides    0 left, 0 right" in done.stderr


@pytest.mark.parametrize(
    ("redirection", "status", "ends"),
    [("> /dev/full", 1, ": No space left on device"), ("| head -1", 0, "missed")],
)
def test_a_view_nobody_can_see_ends(redirection: str, status: int, ends: str) -> None:
    stream = ("stream", "--port", "synthetic:", "--output", "view")
    soon = {"edgehip.sinks.view.DUMB_REFRESH_S": 0.5}
    command = f"{shlex.join(command_of(*stream, constants=soon))} {redirection}"
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
        command_of(*arguments),
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


def test_a_calibration_that_was_not_finished_is_told(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=1&duration_s=4&speed=max"
    done = edgehip(
        "stream", "--port", port, "--calibrate", "strides", "--profile", "me.json", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "not written: the stream ended before there were 10" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "me.json").exists()


def test_a_calibration_for_no_file_that_was_not_finished_is_told(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=10&duration_s=2&speed=max"
    done = edgehip("stream", "--port", port, "--calibrate", "standing", cwd=tmp_path)
    assert done.returncode == 0
    wants = "the stream ended before there were 3 s of quiet standing"
    assert f"zero       none: {wants}" in done.stderr.splitlines()


def test_dead_sensors_make_no_zero(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=60&noise_deg=0&duration_s=6&speed=max"
    done = edgehip(
        "stream", "--port", port, "--calibrate", "standing", "--profile", "me.json", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "standing, and no angle changes any more" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "me.json").exists()


@pytest.mark.parametrize("warned", [True, False])
def test_an_old_zero_is_warned_of_where_the_sensors_are_worn_now(
    tmp_path: Path, warned: bool
) -> None:
    port = "synthetic:" if warned else "synthetic:?speed=max"
    profile = Profile("standing", (0.0,) * 10, 300, "2024-05-06T12:00:00+00:00")
    (tmp_path / "me.json").write_text(profile.to_json())
    done = edgehip(
        *("stream", "--port", port, "--profile", "me.json", "--duration", "0"), cwd=tmp_path
    )
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    complaint = "edgehip: me.json: this zero was measured on 2024-05-06 ("
    assert lines[0].startswith(complaint) is warned
    assert "zero       standing (300 samples, 2024-05-06)" in lines


def test_a_mistake_leaves_no_empty_recording_behind(tmp_path: Path) -> None:
    Path(tmp_path / "far.json").write_text(Profile("standing", (100.0,) * 10, 300).to_json())
    done = edgehip(
        *("stream", "--port", "synthetic:", "--record", "walk.rec", "--profile", "far.json"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "check that each sensor" in done.stderr
    assert not (tmp_path / "walk.rec").exists()


def test_a_slow_reader_delays_no_sample_and_what_it_misses_is_counted(tmp_path: Path) -> None:
    device = PtyDevice(tmp_path)
    walk = synthetic_walk(60.0, stand_s=0.5, cadence_spm=150.0)
    command = command_of("stream", "--port", str(device.port))
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
    command = command_of("stream", "--port", str(device.port), "--estimates", "cycle,sample")
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
    command = command_of("stream", "--port", port, "--estimates", "sample")
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
    command = command_of("stream", "--port", "synthetic:?speed=max")
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


def test_without_a_command_the_commands_are_listed() -> None:
    done = edgehip()
    assert done.returncode == 2
    assert done.stderr == edgehip("--help").stdout


@pytest.mark.parametrize("command", ["stream", "devices", "models", "emulate", "--version"])
def test_help_is_there(command: str) -> None:
    done = edgehip(command, *([] if command == "--version" else ["--help"]))
    assert done.returncode == 0
    assert done.stdout.strip()


def test_nothing_in_the_working_directory_hides_a_bundled_model(tmp_path: Path) -> None:
    (tmp_path / "hip-cycle").mkdir()
    (tmp_path / "hip-sample").write_text("notes")
    for name in ("hip-cycle", "hip-sample"):
        shown = edgehip("models", name, cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert f"edgehip/models/{name}.tflite" in shown.stdout
        refused = edgehip("models", f"./{name}", cwd=tmp_path)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr


def test_a_name_with_its_ending_is_a_file_where_there_is_one(tmp_path: Path) -> None:
    assert str(MODELS) in edgehip("models", "hip-cycle.tflite", cwd=tmp_path).stdout
    mine = tmp_path / "hip-cycle.tflite"
    mine.write_bytes((MODELS / "hip-sample.tflite").read_bytes())
    assert edgehip("models", mine.name, cwd=tmp_path).stdout.startswith(f"{mine} (")
    mine.write_bytes(b"nothing")
    assert f"edgehip: {mine}: " in edgehip("models", mine.name, cwd=tmp_path).stderr


def test_the_bundled_models_are_listed() -> None:
    done = edgehip("models")
    assert done.returncode == 0
    assert "hip-cycle.tflite" in done.stdout
    assert edgehip("models", "hip-sample.onnx").stdout.startswith(str(MODELS / "hip-sample.onnx"))
    shown = edgehip("models", "hip-cycle")
    assert "moments_nm_per_kg 1x180x3" in shown.stdout
