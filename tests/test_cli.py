"""Mistakes as a new user makes them: one clear line, a non-zero exit, no traceback."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgehip.model_card import PersonalCard
from edgehip.model_file import read_model, without_card, write_model
from edgehip.zero import Profile
from tests.programs import PATIENCE_S, finished

MODELS = Path(__file__).resolve().parents[1] / "edgehip" / "models"


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
    write_model(
        tmp_path / "anybody.tflite",
        graph,
        replace(card, reference_height_m=None, body_mass_index=None),
    )
    (tmp_path / "short.tflite").write_bytes(model[:-1000])
    (tmp_path / "bent.tflite").write_bytes(model[:5000] + b"\xff" + model[5001:])
    done = finished(*arguments, cwd=tmp_path)
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


def test_the_time_is_up_even_if_nobody_walks() -> None:
    done = finished("stream", "--port", "synthetic:?stand_s=3600", "--duration", "0.3")
    assert done.returncode == 0
    assert "strides    0 left, 0 right" in done.stderr


def test_a_calibration_that_was_not_finished_is_told(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=1&duration_s=4&speed=max"
    done = finished(
        "stream", "--port", port, "--calibrate", "strides", "--profile", "me.json", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "not written: the stream ended before there were 10" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "me.json").exists()


def test_a_calibration_for_no_file_that_was_not_finished_is_told(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=10&duration_s=2&speed=max"
    done = finished("stream", "--port", port, "--calibrate", "standing", cwd=tmp_path)
    assert done.returncode == 0
    wants = "the stream ended before there were 3 s of quiet standing"
    assert f"zero       none: {wants}" in done.stderr.splitlines()


def test_dead_sensors_make_no_zero(tmp_path: Path) -> None:
    port = "synthetic:?stand_s=60&noise_deg=0&duration_s=6&speed=max"
    done = finished(
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
    done = finished(
        *("stream", "--port", port, "--profile", "me.json", "--duration", "0"), cwd=tmp_path
    )
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    complaint = "edgehip: me.json: this zero was measured on 2024-05-06 ("
    assert lines[0].startswith(complaint) is warned
    assert "zero       standing (300 samples, 2024-05-06)" in lines


def test_a_mistake_leaves_no_empty_recording_behind(tmp_path: Path) -> None:
    Path(tmp_path / "far.json").write_text(Profile("standing", (100.0,) * 10, 300).to_json())
    done = finished(
        *("stream", "--port", "synthetic:", "--record", "walk.rec", "--profile", "far.json"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "check that each sensor" in done.stderr
    assert not (tmp_path / "walk.rec").exists()


def test_without_a_command_the_commands_are_listed() -> None:
    done = finished()
    assert done.returncode == 2
    assert done.stderr == finished("--help").stdout


@pytest.mark.parametrize("command", ["stream", "devices", "models", "emulate", "--version"])
def test_help_is_there(command: str) -> None:
    done = finished(command, *([] if command == "--version" else ["--help"]))
    assert done.returncode == 0
    assert done.stdout.strip()


def test_nothing_in_the_working_directory_hides_a_bundled_model(tmp_path: Path) -> None:
    (tmp_path / "hip-cycle").mkdir()
    (tmp_path / "hip-sample").write_text("notes")
    for name in ("hip-cycle", "hip-sample"):
        shown = finished("models", name, cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert f"edgehip/models/{name}.tflite" in shown.stdout
        refused = finished("models", f"./{name}", cwd=tmp_path)
        assert refused.returncode != 0
        assert "Traceback" not in refused.stderr


def test_a_name_with_its_ending_is_a_file_where_there_is_one(tmp_path: Path) -> None:
    assert str(MODELS) in finished("models", "hip-cycle.tflite", cwd=tmp_path).stdout
    mine = tmp_path / "hip-cycle.tflite"
    mine.write_bytes((MODELS / "hip-sample.tflite").read_bytes())
    assert finished("models", mine.name, cwd=tmp_path).stdout.startswith(f"{mine} (")
    mine.write_bytes(b"nothing")
    assert f"edgehip: {mine}: " in finished("models", mine.name, cwd=tmp_path).stderr


def test_a_persons_model_says_whose_it_is_and_whose_it_is_not(tmp_path: Path) -> None:
    card, content, _ = read_model(MODELS / "hip-cycle.tflite")
    none = ((0.0,) * 3,) * 180
    personal = PersonalCard({"moments_nm_per_kg": none}, 2, 1.69, 65.0)
    me = tmp_path / "me.tflite"
    write_model(me, without_card(content, "hip-cycle"), replace(card, personal=personal))
    whose = (
        "moments adapted to one person of 1.69 m and 65 kg, by 2 strides; intervals are as wide "
        "as everybody's still"
    )
    assert f"personal: {whose}\n" in finished("models", str(me)).stdout

    def told(*options: str) -> list[str]:
        port = ("--port", "synthetic:?speed=max&duration_s=3", "--model", str(me))
        done = finished("stream", *port, "--no-curves", "--output", "jsonl", *options)
        assert done.returncode == 0, done.stderr
        lines = done.stderr.splitlines()
        return [line for line in lines if line.startswith("edgehip: ")]

    first = f"edgehip: {me}: {whose}"
    assert told() == [first]
    assert told("--body-height", "1.7", "--body-mass", "66") == [first]
    other = f"edgehip: {me}: was adapted to a body"
    one, two = told("--body-height", "1.2")
    assert (one, two.startswith(f"{other} of 1.69 m (here 1.2): if this is")) == (first, True)
    one, two = told("--body-mass", "80")
    assert (one, two.startswith(f"{other} of 65 kg (here 80): if this is")) == (first, True)
    uncorrected = ("--estimates", "cycle,sample", "--no-correction")
    assert told(*uncorrected) == [f"{first}; samples are everybody's with --no-correction"]


def test_a_body_whose_index_nobody_of_training_had_is_told_at_start() -> None:
    port = ("stream", "--port", "synthetic:?speed=max&duration_s=3", "--output", "jsonl")

    def doubts(*body: str) -> list[str]:
        done = finished(*port, "--no-curves", "--body-mass", *body)
        assert done.returncode == 0, done.stderr
        return [line for line in done.stderr.splitlines() if line.startswith("edgehip: ")]

    assert doubts("86", "--body-height", "1.82") == doubts("120") == []
    assert doubts("30", "--body-height", "1.3") == []  # a child's index means something else
    (line,) = doubts("120", "--body-height", "1.7")
    assert line.startswith("edgehip: 120 kg at 1.7 m are 42 kg/m2, which nobody had from whom")


def test_the_bundled_models_are_listed() -> None:
    done = finished("models")
    assert done.returncode == 0
    assert "hip-cycle.tflite" in done.stdout
    assert finished("models", "hip-sample.onnx").stdout.startswith(str(MODELS / "hip-sample.onnx"))
    shown = finished("models", "hip-cycle")
    assert "moments_nm_per_kg 1x180x3" in shown.stdout
