"""The workstation's commands, as somebody uses them."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgehip.errors import DatasetError, EdgehipError, ModelFileError, ModelInputError, ParityError
from edgehip.model import bundled_files, bundled_models, load_model
from edgehip.model_report import describe
from edgehip_export import parity
from edgehip_export.acquaintance import Acquaintance, digests, meet, remember
from edgehip_export.answers import answers
from edgehip_export.commands import evaluate, export, import_, train
from edgehip_export.comparison_strides import normal_strides
from edgehip_export.dataset import read_cohort
from edgehip_export.export import export_onnx
from edgehip_export.export_model import Limits
from edgehip_export.parity import normalised_error
from edgehip_export.progress_bar import ProgressBar
from edgehip_export.quantize import PRECISIONS
from edgehip_export.split import hold_out
from edgehip_export.trained import load_trained
from tests.export_cohort import SIXTY, cohort_arrays, write_cohort
from tests.small_disk import room_for
from tests.test_export_checkpoint import synthetic
from tests.test_export_engines import CARD, Tiny


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "LATENCY_BUDGET_S", 0.0)


def run(command: object, *words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])  # type: ignore[arg-type]


def refused(command: object, error: type[EdgehipError], *words: object) -> str:
    """Return the one line a command refuses with."""
    result = run(command, *words)
    assert isinstance(result.exception, error), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


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


def figures(result: Result, name: str) -> list[str]:
    """Return RMSE, MAE and R² of a line of the printed table."""
    lines = [line for line in result.output.splitlines() if line.startswith(f"{name} ")]
    return lines[0].split()[-3:]


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


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a cohort of twenty people and a model that was trained on sixteen of them."""
    folder = tmp_path_factory.mktemp("twenty")
    cohort = write_cohort(folder / "cohort.npz", people=SIXTY[:20])
    result = run(train, "lstm", cohort, "-o", folder / "run", "--most-epochs", 1)
    assert result.exit_code == 0, result.output
    return cohort, folder / "run" / "model.pt"


def held(cohort: Path) -> dict[str, Any]:
    with np.load(cohort) as arrays:
        return dict(arrays)


def part(cohort: Path, path: Path, kept: NDArray[Any], **changes: NDArray[Any]) -> Path:
    """Write some strides of a cohort, with other values."""
    arrays = held(cohort) | changes
    strides = len(arrays["X"])
    np.savez(path, **{k: v[kept] if len(v) == strides else v for k, v in arrays.items()})
    return path


def test_people_are_known_by_their_strides_not_by_their_ids(
    tmp_path: Path, twenty: tuple[Path, Path]
) -> None:
    cohort, model = twenty
    out = ("-o", tmp_path / "out")
    who = held(cohort)["subject_id"]
    tested = load_trained(model).networks[0].provenance["test_subjects"]
    everybody, first = np.ones(len(who), bool), np.r_[True, who[1:] != who[:-1]]
    renamed = part(cohort, tmp_path / "renamed.npz", everybody, subject_id=np.char.add(who, "x"))
    for path, whom, missing in (
        (renamed, "12 strides of 4 held-out people", False),
        (part(cohort, tmp_path / "few.npz", first), "4 strides of 4 held-out people", False),
        (part(cohort, tmp_path / "9.npz", who != tested[0]), "9 strides of 3 held-out", True),
    ):
        result = run(evaluate, model, path, *out)
        assert whom in result.output
        assert "left out: 16 others, 16 of them trained the model" in result.output
        assert ("missing: 1 of the 4 people held out" in result.output) is missing
        assert ("stored" in result.output) is not missing
    others = write_cohort(tmp_path / "same-ids.npz", people=SIXTY[:20], seed=9)
    result = run(evaluate, model, others, *out)
    assert "60 strides of 20 people\n" in result.output
    assert "20 of them have ids of people whom" in result.output
    assert "stored" not in result.output
    elsewhere = write_cohort(tmp_path / "elsewhere.npz", people=["A1", "A2"])
    assert "have ids" not in run(evaluate, model, elsewhere, *out).output
    noise = np.random.default_rng(0).normal(0, 0.01, (60, 180, 10))
    filtered = held(cohort)["X"] + noise.astype(np.float32)
    for kept, people in ((everybody, 20), (~np.isin(who, tested), 16)):
        path = part(cohort, tmp_path / "filtered.npz", kept, X=filtered)
        result = run(evaluate, model, path, *out)
        assert f"{people} of them have ids of people whom the model was trained" in result.output
        assert "if they are the same people, filtered" in result.output
    trained = part(cohort, tmp_path / "trained.npz", ~np.isin(who, tested))
    message = "was trained on every one of its 16 people: give others"
    assert message in refused(evaluate, DatasetError, model, trained, *out)
    assert message in refused(export, DatasetError, model, *out, "--strides", trained)


def test_whom_a_model_has_met_is_told_by_every_stride(tmp_path: Path) -> None:
    cohort = read_cohort(write_cohort(tmp_path / "a.npz", people=["A", "B", "C"]))
    model = {
        "test_strides": remember(cohort, ["A"]),
        "training_strides": remember(cohort, ["B"]),
        "test_subjects": ["A"],
        "training_subjects": ["B"],
    }
    assert meet(model, cohort) == Acquaintance(("A",), ("B",), ("C",), 0, 0, "strides")
    subjects = np.where(cohort.subjects == "C", "C", "A and B")
    joined = replace(cohort, subjects=subjects)
    assert meet(model, joined) == Acquaintance((), ("A and B",), ("C",), 1, 0, "strides")
    of_b = (cohort.subjects == "B")[:, None, None]
    filtered = replace(cohort, angles_deg=cohort.angles_deg + np.float32(0.01) * of_b)
    partly = meet(model, filtered)
    assert partly == Acquaintance(("A",), (), ("B", "C"), 0, 1, "strides")
    assert not any("have ids" in note for note in partly.notes())  # A alone is judged
    nothing = np.zeros((1, 180, 10), np.float32)
    assert digests(nothing) == digests(-nothing)


def test_the_folder_of_an_evaluation_says_what_was_evaluated(
    tmp_path: Path, twenty: tuple[Path, Path]
) -> None:
    cohort, model = twenty
    result = run(evaluate, model, cohort, "-o", tmp_path)
    about = json.loads((tmp_path / "metrics.json").read_text())
    provenance = load_trained(model).networks[0].provenance
    assert about["model"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert about["cohort"]["sha256"] == hashlib.sha256(cohort.read_bytes()).hexdigest()
    assert about["cohort"]["people"] == sorted(provenance["test_subjects"])
    assert about["held_out_only"] is True
    assert len(about["trained_the_model"]) == 16
    assert about["errors"]["stored, pooled"]["R2"] == provenance["test_metrics_overall"]["R2"]
    assert about["errors"]["pooled"]["RMSE"] == pytest.approx(
        provenance["test_metrics_overall"]["RMSE"], rel=1e-5
    )
    assert about["cohort"]["unit"] == "Nm/kg"
    assert "\nNm/kg  " in result.output
    assert set(about["errors"]) >= {f"subject-mean, {c}" for c in ("slow", "med", "fast")}
    for name, errors in about["errors"].items():
        printed = [f"{errors[key]:.4f}" for key in ("RMSE", "MAE", "R2")]
        assert figures(result, name) == printed
    with (tmp_path / "peaks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["strides"] for row in rows] == ["12"] * 3
    for row in rows:
        assert float(row["lower_limit"]) < float(row["bias"]) < float(row["upper_limit"])


def table(path: Path) -> dict[str, dict[str, str]]:
    """Return a table's rows by their first cell."""
    with path.open() as file:
        return {next(iter(row.values())): row for row in csv.DictReader(file)}


def by_hand(truth: NDArray[Any], answer: NDArray[Any]) -> list[str]:
    off = answer - truth
    r2 = 1 - (off**2).sum() / ((truth - truth.mean()) ** 2).sum()
    return [f"{x:.4f}" for x in (np.sqrt((off**2).mean()), np.abs(off).mean(), r2)]


def means(parts: Sequence[list[str]]) -> NDArray[Any]:
    return np.asarray(np.array(parts, float).mean(axis=0))


def test_every_table_agrees_with_a_computation_by_hand(
    tmp_path: Path, twenty: tuple[Path, Path]
) -> None:
    cohort, model = twenty
    run(evaluate, model, cohort, "-o", tmp_path)
    about = json.loads((tmp_path / "metrics.json").read_text())
    assert about["held_out_missing"] == 0
    assert about["told_by"] == "strides"
    arrays = held(cohort)
    mine = np.isin(arrays["subject_id"], about["cohort"]["people"])
    who, label = arrays["subject_id"][mine], arrays["speed_label"][mine]
    truth = (arrays["Y"] / arrays["weight_kg"][:, None, None])[mine].astype(float)
    with torch.no_grad():
        module = load_trained(model).networks[0].module()
        answer = module(torch.from_numpy(arrays["X"][mine])).numpy().astype(float)

    def of_people(chosen: NDArray[Any], output: Any = slice(None)) -> dict[str, list[str]]:
        parts = {str(p): chosen & (who == p) for p in np.unique(who[chosen])}
        return {p: by_hand(truth[a][..., output], answer[a][..., output]) for p, a in parts.items()}

    errors, subject_mean = ("RMSE", "MAE", "R2"), "subject_mean_"
    everything = np.ones(len(who), bool)
    rows = table(tmp_path / "metrics_per_subject.csv")
    assert {p: [row[e] for e in errors] for p, row in rows.items()} == of_people(everything)
    rows = table(tmp_path / "metrics_by_cadence.csv")
    assert list(rows) == ["overall", "fast", "med", "slow"]
    for cadence, row in rows.items():
        parts = of_people(everything if cadence == "overall" else label == cadence)
        found = [float(row[subject_mean + e]) for e in errors]
        np.testing.assert_allclose(found, means(list(parts.values())), atol=2e-4)
    for index, (name, row) in enumerate(table(tmp_path / "metrics_per_output.csv").items()):
        assert [row[e] for e in errors] == by_hand(truth[..., index], answer[..., index]), name
        found = [float(row[subject_mean + e]) for e in errors]
        parts = of_people(everything, index)
        np.testing.assert_allclose(found, means(list(parts.values())), atol=2e-4)
    for index, row in enumerate(table(tmp_path / "peaks.csv").values()):
        wanted, given = truth[..., index], answer[..., index]
        highest = wanted.max(1).mean() >= -wanted.min(1).mean()
        assert row["peak"] == ("max" if highest else "min")
        peak = np.max if highest else np.min
        off = peak(given, axis=1) - peak(wanted, axis=1)
        half = 1.96 * off.std(ddof=1)
        sizes = [peak(wanted, axis=1).mean(), off.mean(), off.mean() - half, off.mean() + half]
        keys = ("reference_mean", "bias", "lower_limit", "upper_limit")
        assert [float(row[key]) for key in keys] == pytest.approx(sizes, abs=6e-5)


def test_an_export_is_judged_on_the_people_left_out(
    tmp_path: Path, twenty: tuple[Path, Path]
) -> None:
    cohort, model = twenty
    run(export, model, "-o", tmp_path, "--to", "onnx", "--form", "step", "--strides", cohort)
    (report,) = json.loads((tmp_path / "lstm-moments-step.parity.json").read_text()).values()
    stored = load_trained(model).networks[0].provenance["test_metrics_overall"]
    found = report["parity"]["accuracy"]["moments_nm_per_kg"]
    assert found["rmse_of_source"] == pytest.approx(stored["RMSE"], rel=1e-4)
    assert found["r2"] == pytest.approx(stored["R2"], rel=1e-4)


def test_names_with_signs_of_formulas_are_drawn(tmp_path: Path, moments: Path) -> None:
    cohort = write_cohort(tmp_path / "a$x_$b^{.npz", people=["A"], strides_each=2)
    result = run(evaluate, moments, cohort, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    with (tmp_path / "out" / "peaks.csv").open() as file:
        assert {row["lower_limit"] for row in csv.DictReader(file)} == {""}


def test_a_long_title_stays_in_the_picture(
    tmp_path: Path, moments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(figure: Figure, *_: object, **__: object) -> None:
        figure.draw_without_rendering()
        title = figure.texts[0].get_window_extent()
        seen.append(title.width < figure.bbox.width)

    monkeypatch.setattr(Figure, "savefig", look)
    cohort = write_cohort(tmp_path / f"{'HOSPITAL_' * 20}.npz", people=["A"])
    run(evaluate, moments, cohort, "-o", tmp_path / "out")
    assert seen == [True, True]


def test_a_person_whose_reference_does_not_vary_leaves_the_others_a_mean(
    tmp_path: Path, moments: Path
) -> None:
    arrays = cohort_arrays(people=["A", "B", "C"])
    arrays["Y"][:4] = 70.0  # all of A's, and B's slow one
    cohort = write_cohort(tmp_path / "c.npz", people=["A", "B", "C"], Y=arrays["Y"])
    result = run(evaluate, moments, cohort, "-o", tmp_path)
    for name, people in (("subject-mean", 1), ("subject-mean, slow", 2), ("subject-mean, fast", 1)):
        line = next(li for li in result.output.splitlines() if li.startswith(f"{name}  "))
        assert line.endswith(f"  (R² without {people} whose reference does not vary)")
    with (tmp_path / "metrics_per_output.csv").open() as file:
        for row in csv.DictReader(file):
            assert np.isfinite(float(row["subject_mean_R2"]))
            assert row["subject_mean_R2_undefined_people"] == "1"
    with (tmp_path / "metrics_by_cadence.csv").open() as file:
        left_out = {r["speed"]: r["subject_mean_R2_undefined_people"] for r in csv.DictReader(file)}
    assert left_out == {"overall": "1", "slow": "2", "med": "1", "fast": "1"}
    plain = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert plain["errors"]["subject-mean"]["R2_undefined_people"] == 1


def test_a_checkpoint_without_strides_goes_by_ids_and_says_so(tmp_path: Path) -> None:
    model = synthetic(tmp_path / "jm.pt", test_subjects=list(hold_out(SIXTY)))
    cohort = write_cohort(tmp_path / "cohort.npz", people=SIXTY[:8], strides_each=1)
    trained = part(cohort, tmp_path / "six.npz", np.arange(8) < 5)
    for path, whom, held_out in (
        (cohort, "2 strides of 2 held-out people", True),
        (trained, "5 strides of 5 people", False),
    ):
        result = run(evaluate, model, path, "-o", tmp_path / "out")
        assert whom in result.output
        assert "told by their ids alone" in result.output
        assert ("missing: 10 of the 12" in result.output) is held_out
        assert ("5 of them have ids of people who trained" in result.output) is not held_out


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
    monkeypatch.setattr("edgehip_export.commands.Limits", lambda: strict)
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


def test_bundled_model_is_evaluated_by_its_name(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort.npz", people=SIXTY[:2], strides_each=1)
    result = run(evaluate, "hip-cycle", cohort, "-o", tmp_path / "out")
    assert "hip-cycle: 2 strides of 2 people" in result.output
    assert "not of new people if yours are among them" in result.output
    own = load_model("hip-cycle").card.metrics["by_laboratory"]["fukuchi_tm"]["moments"]
    assert figures(result, "left out, fukuchi_tm") == [f"{x:.4f}" for x in own.values()]
    labels = {"speed_label": np.array(["uphill", "uphill"])}
    other = write_cohort(tmp_path / "other.npz", people=SIXTY[:2], strides_each=1, **labels)
    told = write_cohort(
        tmp_path / "told.npz", people=SIXTY[:2], strides_each=1, stride_s=np.ones(2), **labels
    )
    for name in ("hip-cycle", "hip-sample"):
        line = refused(evaluate, ModelInputError, name, other, "-o", tmp_path / "out")
        assert "neither a key stride_s nor the cadence labels slow, med, fast" in line
        assert run(evaluate, name, told, "-o", tmp_path / "out").exit_code == 0


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


def test_a_file_is_compared_with_all_it_wants_to_know(tmp_path: Path) -> None:
    made = Tiny().requires_grad_(False)
    made.forces.weight *= 10  # as large as a hip's, or its answers are no labels
    export_onnx(made, CARD, tmp_path / "tiny.onnx")
    tiny, strides = load_model(tmp_path / "tiny.onnx"), normal_strides(4)
    known = {
        "body_height_m": np.linspace(0.6, 2.5, 4, dtype=np.float32),
        "stride_s": np.linspace(0.7, 1.5, 4, dtype=np.float32),
    }
    forces = answers(tiny.engine.run, tiny.card, strides, known)["forces_n_per_kg"]
    arrays = cohort_arrays(people=SIXTY[:4], strides_each=1, target="forces") | {
        "X": strides,
        "Y": forces * 70,
        "weight_kg": np.full(4, 70.0),
        "height_m": known["body_height_m"],
        "speed_label": np.full(4, "uphill"),
    }
    cohort = write_cohort(tmp_path / "untold.npz", **arrays)
    words = (tmp_path / "tiny.onnx", "--to", "onnx", "--precision", "fp16", "-o", tmp_path / "out")
    line = refused(export, ModelInputError, *words, "--strides", cohort)
    assert "untold.npz has neither a key stride_s nor the cadence labels" in line
    told = write_cohort(tmp_path / "told.npz", **arrays, stride_s=known["stride_s"])
    assert run(export, *words, "--strides", told).exit_code == 0
    report = json.loads((tmp_path / "out" / "tiny.parity.json").read_text())
    accuracy = report["tiny-fp16.onnx"]["parity"]["accuracy"]["forces_n_per_kg"]
    assert accuracy["r2_of_source"] > 0.9999
    result = run(evaluate, tmp_path / "tiny.onnx", told, "-o", tmp_path / "evaluated")
    assert figures(result, "pooled")[-1] == "1.0000"


@pytest.mark.parametrize("name", ["hip-cycle", "hip-sample"])
def test_a_person_of_another_height_is_evaluated_in_his_own_time(name: str, tmp_path: Path) -> None:
    model, strides = load_model(name), normal_strides(4)
    taller = np.array([0.7, 0.9, 1.0, 1.15])
    known = load_model("hip-cycle").card.body_mass_index
    assert known is not None
    mass_kg = known.reference_kg_per_m2 * (1.7 * taller) ** 2  # all of the same build
    stride_s = np.array([1.0, 1.1, 1.2, 1.3], np.float32)
    usual = answers(model.engine.run, model.card, strides, {"stride_s": stride_s})
    arrays = cohort_arrays(people=SIXTY[:4], strides_each=1) | {
        "X": strides,
        "Y": usual["moments_nm_per_kg"] * (taller * mass_kg)[:, None, None],
        "weight_kg": mass_kg,
        "height_m": 1.7 * taller,
        "stride_s": stride_s * np.sqrt(taller),
    }
    result = run(evaluate, name, write_cohort(tmp_path / "c.npz", **arrays), "-o", tmp_path / "out")
    assert figures(result, "pooled")[-1] == "1.0000"
    arrays["height_m"] = np.full(4, 1.7)
    untold = write_cohort(tmp_path / "untold.npz", **arrays)
    result = run(evaluate, name, untold, "-o", tmp_path / "untold")
    assert float(figures(result, "pooled")[-1]) < 0.99


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
