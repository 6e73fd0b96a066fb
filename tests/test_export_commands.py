"""The workstation's commands, as somebody uses them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from edgehip.errors import DatasetError, ModelFileError, ParityError
from edgehip.model import bundled_files, bundled_models, load_model
from edgehip.model_report import describe
from edgehip_export import parity
from edgehip_export.answers import answers
from edgehip_export.commands.evaluate import evaluate
from edgehip_export.commands.export import export
from edgehip_export.commands.import_ import import_
from edgehip_export.commands.train import train
from edgehip_export.comparison_strides import normal_strides
from edgehip_export.export_model import Limits
from edgehip_export.parity import normalised_error
from edgehip_export.progress_bar import ProgressBar
from edgehip_export.quantize import PRECISIONS
from tests.export_cohort import SIXTY, write_cohort
from tests.small_disk import room_for
from tests.test_export_checkpoint import synthetic
from tests.workstation import figures, refused, run


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "LATENCY_BUDGET_S", 0.0)


def test_an_interrupt_is_told_on_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(bar: ProgressBar, _: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "show", interrupted)
    cohort = write_cohort(tmp_path / "cohort.npz", people=SIXTY[:10])
    result = run(train, "lstm", cohort, "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "\ninterrupted: the same command goes on from here" in result.output
    monkeypatch.undo()
    result = run(train, "LSTM", cohort, "-o", tmp_path / "run", "--most-epochs", 1)
    assert "most_epochs 300 there, 1 here" in str(result.exception)


@pytest.fixture
def moments(tmp_path: Path) -> Path:
    return synthetic(tmp_path / "jm.pt")


def test_data_set_to_trained_to_evaluated(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort.npz", people=SIXTY[:10])
    run_folder = tmp_path / "run"
    words = ("lstm", cohort, "-o", run_folder, "--most-epochs", 1)
    result = run(train, *words)
    assert result.exit_code == 0, result.output
    assert "30 strides of 10 people, moments, not the release (https://doi.org/" in result.output
    assert "speed,n_trials,n_subjects" in result.output
    trained = result
    result = run(evaluate, run_folder, cohort, "-o", tmp_path / "on-test")
    assert "6 strides of 2 held-out people" in result.output
    for name in ("pooled", "subject-mean"):
        assert figures(result, name) == figures(result, f"stored, {name}")
        assert figures(result, name) == figures(trained, name)
    others = write_cohort(tmp_path / "others.npz", people=["P1", "P2", "P3"], seed=7)
    result = run(evaluate, run_folder / "model.pt", others, "-o", tmp_path / "external")
    assert "9 strides of 3 people" in result.output
    assert "stored" not in result.output
    for name in ("curves.png", "peaks.png"):
        assert (tmp_path / "external" / name).read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "external" / "metrics_per_output.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["output"] for row in rows] == ["hip_flexion", "hip_adduction", "hip_rotation"]


def test_checkpoints_to_files_that_can_be_evaluated(tmp_path: Path, moments: Path) -> None:
    forces = synthetic(tmp_path / "mf.pt", target="forces")
    result = run(import_, forces, moments, "-o", tmp_path / "both.pt")
    assert "gait2hip60-lstm, moments and forces" in result.output
    line = refused(import_, ModelFileError, tmp_path / "both.pt", "-o", tmp_path / "again.pt")
    assert "is a model of edgehip already: evaluate and export take it as it is" in line
    strides = [
        write_cohort(tmp_path / f"{t}.npz", target=t, people=SIXTY[:2], strides_each=1)
        for t in ("moments", "forces")
    ]
    words = (tmp_path / "both.pt", "-o", tmp_path / "files", "--strides", *strides)
    result = run(
        export, *words, "--to", "onnx", "tflite", "--precision", "fp32", "int8", "--form", "step"
    )
    assert result.exit_code == 0, result.output
    names = [f"gait2hip60-lstm-step-{p}.{f}" for f in ("onnx", "tflite") for p in ("fp32", "int8")]
    assert [line.split()[-1] for line in result.output.splitlines()[1:5]] == names
    assert "'edgehip stream' knows it only later, and runs cycle forms" in result.output
    found = []
    for name in ("both.pt", f"files/{names[0]}", f"files/{names[2]}"):
        result = run(evaluate, tmp_path / name, strides[0], "-o", tmp_path / "evaluated")
        found.append(figures(result, "pooled"))
    assert found[0] == found[1] == found[2]


def test_trained_models_of_two_targets_make_one(tmp_path: Path) -> None:
    for target in ("moments", "forces"):
        cohort = write_cohort(tmp_path / f"{target}.npz", people=SIXTY[:10], target=target)
        run(train, "lstm", cohort, "-o", tmp_path / target, "--most-epochs", 1)
    models = [tmp_path / target / "model.pt" for target in ("forces", "moments")]
    words = ("-o", tmp_path, "--to", "onnx", "--form", "step")
    assert run(export, *models, *words).exit_code == 0
    card = load_model(tmp_path / "lstm-step-fp32.onnx").card
    assert [t.name for t in card.outputs[:2]] == ["moments_nm_per_kg", "forces_n_per_kg"]
    assert max(map(len, describe(card).splitlines())) < 400
    named = (*words, "--name", "mine")
    assert run(export, models[0], *named).exit_code == 0
    assert "mine-step-fp32.onnx: was made of another model" in refused(
        export, ModelFileError, models[1], *named
    )
    assert "2 networks are for moments" in refused(
        export, ModelFileError, models[1], models[1], *words
    )


def test_file_beyond_the_limit_is_named(
    tmp_path: Path, moments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (moments, "-o", tmp_path, "--to", "onnx", "--form", "step", "--precision", "int8")
    line = refused(export, ParityError, *words, "--error-limit", 1e-6)
    assert "1 of 1 files not written, first" in line
    assert "is above 0.00%, the limit for int8 (--error-limit and --any-error" in line
    strict = Limits(dict.fromkeys(PRECISIONS, 1e-6))
    monkeypatch.setattr("edgehip_export.commands.export.Limits", lambda: strict)
    refused(export, ParityError, *words)
    assert not list(tmp_path.glob("*.onnx"))
    assert run(export, *words, "--any-error").exit_code == 0
    assert len(list(tmp_path.glob("*.onnx"))) == 1


def test_bad_input_is_one_line(tmp_path: Path, moments: Path) -> None:
    text = tmp_path / "text.pt"
    text.write_text("no model\n")
    radians = write_cohort(tmp_path / "rad.npz", X=np.zeros((24, 180, 10), np.float32))
    good = write_cohort(tmp_path / "good.npz", target="forces")
    out = ("-o", tmp_path / "out")
    imported = ("-o", tmp_path / "out.pt")
    assert "is not a PyTorch checkpoint" in refused(import_, ModelFileError, text, *imported)
    assert "must end in .pt" in run(import_, moments, *out).output
    assert "cannot be exported together" in run(export, "hip-cycle", moments, *out).output
    assert "is not a PyTorch checkpoint" in refused(export, ModelFileError, text, *out)
    for command, words in ((evaluate, (good,)), (export, ())):
        line = refused(command, ModelFileError, tmp_path, *words, *out)
        assert "is a folder without model.pt" in line
    assert "looks like radians" in refused(evaluate, DatasetError, moments, radians, *out)
    assert "gives no forces" in refused(evaluate, ModelFileError, moments, good, *out)
    assert "looks like radians" in refused(train, DatasetError, "lstm", radians, *out)
    others = write_cohort(tmp_path / "others.npz", seed=3)
    line = refused(export, DatasetError, moments, *out, "--strides", good, others)
    assert "holds other strides than" in line
    assert run(train, "gru", good, *out).exit_code == 2
    assert run(export, moments, *out, "--to", "pdf").exit_code == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["hip-cycle", "--form", "step"], "--form: does nothing with a model file"),
        (["hip-cycle", "--stride-s", 1.2], "--stride-s: does nothing with a model file"),
        (["x.pt", "--stride-s", 1.2], "--stride-s: does nothing without --form step"),
        (["hip-cycle", "hip-sample", "--name", "a"], "one name cannot be that of several"),
        (["hip-cycle", "--name", "a/b"], "'a/b' cannot be the name of a file"),
        (["x.pt", "--form", "step", "--stride-s", 0], "0.0 is not in the range"),
        (["x.pt", "--any-error", "--error-limit", 1], "--error-limit: does nothing with --any-e"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words: list[object], complaint: str) -> None:
    result = run(export, *words, "-o", "none")
    assert result.exit_code == 2
    assert complaint in result.output
    assert not Path("none").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, moments: Path) -> None:
    model, cohort = tmp_path / "model.pt", write_cohort(tmp_path / "cohort.npz")
    model.write_text("precious")
    words = ("lstm", cohort, "-o", tmp_path / "run")
    with room_for(2000):
        imported, trained = run(import_, moments, "-o", model), run(train, *words)
    for result, path in ((imported, model), (trained, tmp_path / "run" / "state.pt")):
        assert isinstance(result.exception, OSError)
        assert result.exception.filename == str(path)
    assert model.read_text() == "precious"
    assert {path.name for path in tmp_path.rglob("*")} == {
        *("jm.pt", "model.pt", "cohort.npz", "run", "config.json", "run.lock")
    }


def test_a_run_of_a_bundled_models_name_is_told_from_it(
    tmp_path: Path, moments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cohort = write_cohort(tmp_path / "cohort.npz", people=SIXTY[:2], strides_each=1)
    (tmp_path / "hip-cycle").mkdir()
    (tmp_path / "hip-cycle" / "model.pt").write_bytes(moments.read_bytes())
    told = "hip-cycle: the bundled model, not what lies here (./hip-cycle)"
    fp16 = ("--to", "onnx", "--precision", "fp16", "--any-error", "-o", "files")
    for command, words in ((evaluate, (cohort, "-o", "out")), (export, fp16)):
        bundled, own = run(command, "hip-cycle", *words), run(command, "./hip-cycle", *words)
        assert bundled.exit_code == own.exit_code == 0, bundled.output + own.output
        assert told in bundled.stderr
        assert told not in own.stderr
    assert {path.name for path in Path("files").glob("*.onnx")} == {
        *("hip-cycle-fp16.onnx", "gait2hip60-lstm-moments-fp16.onnx")
    }
    model = json.loads((tmp_path / "out" / "metrics.json").read_text())["model"]
    assert model["file"] == "model.pt"


@pytest.mark.parametrize("bundled", bundled_models(), ids=lambda path: path.name)
def test_a_bundled_model_is_brought_to_other_precisions(bundled: Path, tmp_path: Path) -> None:
    format = bundled.suffix.removeprefix(".")
    run(export, bundled.stem, "-o", tmp_path, "--to", format, "--precision", "fp16", "int8")
    whole, stride = load_model(bundled), normal_strides(3)
    right = answers(whole.engine.run, whole.card, stride)
    # Of where the feet are in two samples in a row the difference is taken: it bears no rounding.
    rounded = 0.03 if whole.card.kind == "sample" else 0.08
    limits = {"fp16": (0.005, 0.9), "int8": (rounded, 0.35)}
    for precision, (most_error, most_size) in limits.items():
        small = load_model(tmp_path / f"{bundled.stem}-{precision}{bundled.suffix}")
        assert small.card.precision == precision
        assert small.card.metrics["parity"]["size_ratio"] < most_size
        found = answers(small.engine.run, small.card, stride)
        assert max(normalised_error(found[n], right[n]) for n in right) < most_error


def test_what_is_not_offered_is_said_and_the_rest_written(tmp_path: Path) -> None:
    words = ("hip-cycle", "-o", tmp_path, "--to", "tflite", "--precision", "int8-static", "fp16")
    assert "1 of 2 files not written" in refused(export, ParityError, *words)
    assert (tmp_path / "hip-cycle-fp16.tflite").exists()
    report = json.loads((tmp_path / "hip-cycle.parity.json").read_text())
    assert "export that" in report["hip-cycle-int8-static.tflite"]["refusal"]


def test_a_model_file_stays_of_its_format_and_is_made_smaller_once(tmp_path: Path) -> None:
    onnx = bundled_files("hip-sample")["onnx"]
    words = ("-o", tmp_path, "--precision", "fp16")
    assert "give --to onnx" in refused(export, ModelFileError, onnx, *words, "--to", "tflite")
    assert run(export, onnx, *words, "--to", "onnx").exit_code == 0
    halved = tmp_path / "hip-sample-fp16.onnx"
    message = refused(export, ModelFileError, halved, *words, "--to", "onnx")
    assert "is of fp16 already" in message
    assert "no bundled model of that name" in refused(export, ModelFileError, "hip-cycles", *words)


def test_model_file_describes_itself(tmp_path: Path, moments: Path) -> None:
    """A released checkpoint can be exported at once."""
    words = ("--to", "onnx", "--form", "step", "--stride-s", 1.2)
    assert run(export, moments, "-o", tmp_path, *words).exit_code == 0
    text = describe(load_model(tmp_path / "gait2hip60-lstm-moments-step-fp32.onnx").card)
    for part in (
        "licence: MIT",
        "sample by sample at 150 Hz, state reset at every initial contact",
        "inputs: angles_deg 1x1x10, state.moments_h 2x1x128",
        "knee_angle_r ",
        "citation: Zhang et al.",
        "normalised_error: ",
    ):
        assert part in text
