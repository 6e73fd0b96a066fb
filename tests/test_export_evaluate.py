"""``edgehip evaluate``: whom a model has met, and how well it knows the others."""

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
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgehip.errors import DatasetError, ModelInputError
from edgehip.model import load_model
from edgehip_export import parity
from edgehip_export.acquaintance import Acquaintance, digests, meet, remember
from edgehip_export.answers import answers
from edgehip_export.commands.evaluate import evaluate
from edgehip_export.commands.export import export
from edgehip_export.commands.train import train
from edgehip_export.comparison_strides import normal_strides
from edgehip_export.dataset import read_cohort
from edgehip_export.export import export_onnx
from edgehip_export.split import hold_out
from edgehip_export.trained import load_trained
from tests.export_cohort import SIXTY, cohort_arrays, write_cohort
from tests.test_export_checkpoint import synthetic
from tests.test_export_engines import CARD, Tiny
from tests.workstation import figures, refused, run


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "LATENCY_BUDGET_S", 0.0)


@pytest.fixture
def moments(tmp_path: Path) -> Path:
    return synthetic(tmp_path / "jm.pt")


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
