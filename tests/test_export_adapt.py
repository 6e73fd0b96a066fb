"""A model adapted to one person: by labelled strides, in a file that everything else can use."""

import base64
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip import Pipeline, load_model
from edgehip.channels import MOMENTS, MUSCLES
from edgehip.errors import DatasetError, EdgehipError, ModelFileError, ModelInputError
from edgehip.events import HipEstimate
from edgehip.model import Model
from edgehip.model_file import read_model, without_card, write_model
from edgehip_export.acquaintance import meet, remember
from edgehip_export.adapt import share
from edgehip_export.answers import answers
from edgehip_export.commands.adapt import adapt
from edgehip_export.commands.evaluate import evaluate
from edgehip_export.commands.export import export
from edgehip_export.comparison_strides import normal_strides
from edgehip_export.copies import as_text, copies_among, copies_of, from_text, traces
from edgehip_export.dataset import read_cohort
from edgehip_export.strides import resample
from tests.export_cohort import cohort_arrays, write_cohort
from tests.shared_data import SHARED, needs_shared_data
from tests.streams import synthetic_walk
from tests.workstation import figures, run
from tests.workstation import refused as one_line

STRIDES = normal_strides(4)
STRIDE_S = np.array([1.0, 1.1, 1.2, 1.3], np.float32)
HEIGHT_M = 1.36
"""Four fifths of the height that the bundled models know."""
MET = "the model was adapted by strides of every one of its 1 people: give walks that it never saw"
OWN = np.sin(np.linspace(0.0, 2.0 * np.pi, 180))[:, None]
"""What the person adds to what a body of the models' height has: a curve over the cycle."""


@pytest.fixture(scope="module")
def usual() -> Model:
    return load_model("hip-cycle")


def session(path: Path, usual: Model, target: str, own: np.ndarray, **changes: Any) -> Path:
    """Write strides of somebody who is as the model says but for something of their own.

    ``own`` is in shares of each output's mean size, (180, 1) or one such per stride.
    """
    name, unit = f"{target}_n{'m' if target == 'moments' else ''}_per_kg", HEIGHT_M / 1.7
    strides = changes.get("X", STRIDES)
    count = len(strides)
    others = {
        "stride_s": np.resize(STRIDE_S, count),
        "body_height_m": np.full(count, HEIGHT_M, np.float32),
    }
    said = answers(usual.engine.run, usual.card, strides, others)[name]
    scale = unit if target == "moments" else 1.0
    per_kg = said + scale * 0.3 * own * abs(said).mean((0, 1))
    arrays = cohort_arrays(people=["P1"], strides_each=count, target=target) | {  # type: ignore[arg-type]
        "X": strides,
        "Y": per_kg * 50.0,
        "weight_kg": np.full(count, 50.0),
        "height_m": np.full(count, HEIGHT_M),
        "stride_s": others["stride_s"],
    }
    return write_cohort(path, **(arrays | changes))


@pytest.fixture
def moments(tmp_path: Path, usual: Model) -> Path:
    return session(tmp_path / "moments.npz", usual, "moments", OWN)


@pytest.fixture
def forces(tmp_path: Path, usual: Model) -> Path:
    return session(tmp_path / "forces.npz", usual, "forces", OWN**2)


def refused(error: type[EdgehipError], *words: object) -> str:
    return one_line(adapt, error, *words)


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_what_is_a_persons_own_is_added_from_then_on(
    suffix: str, tmp_path: Path, usual: Model, moments: Path, forces: Path
) -> None:
    mine = tmp_path / f"me{suffix}"
    result = run(adapt, "hip-cycle", moments, forces, "-o", mine)
    assert result.exit_code == 0, result.output
    for target in ("moments", "forces"):
        before, after = (
            float(figures(result, f"{target}, {how}")[0])
            for how in ("as the model is", "adapted by the other strides")
        )
        # All strides lack the same: of it remains what is not believed of so few.
        assert after == pytest.approx((1 - share(3)) * before, rel=0.1)
    adapted = load_model(mine)
    assert adapted.card.personal is not None
    assert (adapted.card.personal.strides, adapted.card.personal.body_height_m) == (4, HEIGHT_M)
    assert adapted.card.personal.body_mass_kg == 50.0
    others = {"stride_s": STRIDE_S, "body_height_m": np.full(4, HEIGHT_M, np.float32)}
    said, tells = (answers(m.engine.run, m.card, STRIDES, others) for m in (usual, adapted))
    added = tells["moments_nm_per_kg"] - said["moments_nm_per_kg"]
    size = abs(said["moments_nm_per_kg"]).mean((0, 1))
    np.testing.assert_allclose(
        added, np.broadcast_to(share(4) * 0.8 * 0.3 * OWN * size, added.shape), atol=2e-3
    )
    assert tells["forces_n_per_kg"].min() >= 0.0
    spread, as_before = (each["moment_spread_nm_per_kg"] for each in (tells, said))
    np.testing.assert_allclose(spread, as_before, atol=1e-5)


def test_what_a_build_changes_is_not_taken_for_the_persons_own_and_remembered(
    tmp_path: Path, usual: Model
) -> None:
    heavy = {"body_height_m": np.full(4, 1.8, np.float32), "body_mass_kg": np.full(4, 85, "f4")}
    known = {"stride_s": STRIDE_S}
    said = answers(usual.engine.run, usual.card, STRIDES, known | heavy)["moments_nm_per_kg"]
    own = 0.3 * OWN * abs(said).mean((0, 1))
    changes = {"Y": (said + own) * 85, "weight_kg": np.full(4, 85.0), "height_m": np.full(4, 1.8)}
    strides = session(tmp_path / "heavy.npz", usual, "moments", OWN, **changes)
    assert run(adapt, "hip-cycle", strides, "-o", tmp_path / "me.tflite").exit_code == 0
    adapted = load_model(tmp_path / "me.tflite")
    assert adapted.card.personal is not None
    assert adapted.card.personal.body_mass_kg == 85.0
    for told in (known, known | heavy):
        now = answers(adapted.engine.run, adapted.card, STRIDES, told)["moments_nm_per_kg"]
        np.testing.assert_allclose(now - said, (share(4) * own)[None].repeat(4, 0), atol=2e-3)


def test_a_stream_knows_the_person_by_the_file(
    tmp_path: Path, usual: Model, moments: Path, forces: Path
) -> None:
    mine = tmp_path / "me.tflite"
    assert run(adapt, "hip-cycle", moments, forces, "-o", mine).exit_code == 0
    adapted = load_model(mine)
    walk = synthetic_walk(6.0)

    def strides(model: Model, height_m: float | None) -> list[HipEstimate]:
        pipeline = Pipeline(
            model, sample_model=load_model("hip-sample"), correct=False, body_height_m=height_m
        )
        events = [event for chunk in walk.chunks() for event in pipeline.feed(chunk)]
        return [event for event in events if isinstance(event, HipEstimate)]

    told, known, everybodys = (
        strides(adapted, HEIGHT_M),
        strides(adapted, None),
        strides(usual, HEIGHT_M),
    )
    assert len(told) == len(known) == len(everybodys) > 4
    assert adapted.card.personal is not None
    offsets = adapted.card.personal.offsets
    for one, other, plain in zip(told, known, everybodys, strict=True):
        assert other.body_height_m == HEIGHT_M
        # The per-sample voice knows the height as well, though nobody told it.
        assert other.sample_moment_rmse_nm_per_kg == one.sample_moment_rmse_nm_per_kg
        for place, name in enumerate(MOMENTS):
            assert np.array_equal(one.moments_nm_per_kg[name], other.moments_nm_per_kg[name])
            own = 0.8 * np.array(offsets["moments_nm_per_kg"])[:, place]
            np.testing.assert_allclose(
                one.moments_nm_per_kg[name], plain.moments_nm_per_kg[name] + own, atol=1e-4
            )
        for place, name in enumerate(MUSCLES):
            own = np.array(offsets["forces_n_per_kg"])[:, place]
            wanted = np.maximum(plain.forces_n_per_kg[name] + own, 0.0)
            np.testing.assert_allclose(one.forces_n_per_kg[name], wanted, atol=1e-3)


def test_moments_alone_leave_forces_as_they_are(
    tmp_path: Path, usual: Model, moments: Path
) -> None:
    mine = tmp_path / "me.tflite"
    assert run(adapt, "hip-cycle", moments, "-o", mine).exit_code == 0
    adapted = load_model(mine)
    others = {"stride_s": STRIDE_S, "body_height_m": np.full(4, HEIGHT_M, np.float32)}
    said, tells = (answers(m.engine.run, m.card, STRIDES, others) for m in (usual, adapted))
    np.testing.assert_array_equal(said["forces_n_per_kg"], tells["forces_n_per_kg"])


def test_one_stride_is_enough_and_is_believed_less(tmp_path: Path, usual: Model) -> None:
    arrays = dict(np.load(session(tmp_path / "four.npz", usual, "moments", OWN)))
    one = tmp_path / "one.npz"
    np.savez(
        one, **{k: v[:1] if k not in ("in_cols", "out_cols") else v for k, v in arrays.items()}
    )
    result = run(adapt, "hip-cycle", one, "-o", tmp_path / "me.tflite")
    assert result.exit_code == 0, result.output
    assert "one stride: nothing is there to tell how well others are met" in result.output
    assert share(1) < share(2) < share(100) < 0.85


def test_walks_in_several_files_are_taken_together(
    tmp_path: Path, usual: Model, moments: Path
) -> None:
    other = session(tmp_path / "other.npz", usual, "moments", OWN, X=normal_strides(4, seed=5))
    mine = tmp_path / "people" / "me.onnx"
    assert run(adapt, "hip-cycle", moments, other, "-o", mine).exit_code == 0
    personal = load_model(mine).card.personal
    assert personal is not None
    assert personal.strides == 8


def test_who_adapted_a_model_does_not_judge_it(tmp_path: Path, moments: Path) -> None:
    mine = tmp_path / "me.tflite"
    assert run(adapt, "hip-cycle", moments, "-o", mine).exit_code == 0
    line = one_line(evaluate, DatasetError, mine, moments, "-o", tmp_path / "out")
    assert line == f"{moments}: {MET}"


@pytest.mark.parametrize("kept", ["strides", "ids"])
def test_an_adapted_model_still_knows_who_trained_it(
    kept: str, tmp_path: Path, usual: Model, moments: Path
) -> None:
    them = session(
        tmp_path / "them.npz",
        usual,
        "moments",
        OWN,
        X=normal_strides(4, seed=5),
        subject_id=np.array(["P2", "P2", "P3", "P4"]),
    )
    cohort = read_cohort(them)
    trained, tested = (
        {"strides": remember(cohort, [who]), "ids": [who]}[kept] for who in ("P2", "P3")
    )
    word = {"strides": "strides", "ids": "subjects"}[kept]
    card, content, _ = read_model(Path(usual.path))
    own = {f"training_{word}": trained, f"test_{word}": tested}
    base, mine = tmp_path / "base.tflite", tmp_path / "me.tflite"
    write_model(
        base,
        without_card(content, usual.path),
        replace(card, training=card.training | {"moments": own}),
    )
    assert run(adapt, base, moments, "-o", mine).exit_code == 0
    both: dict[str, Any] = {}
    with np.load(moments) as one, np.load(them) as other:
        for key in one:
            whole = key in ("in_cols", "out_cols")
            both[key] = one[key] if whole else np.concatenate([one[key], other[key]])
    np.savez(tmp_path / "both.npz", **both)
    result = run(evaluate, mine, tmp_path / "both.npz", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "me: 1 strides of 1 held-out people" in result.output
    assert "left out: 3 others, 2 of them trained the model" in result.output
    assert "adapted to one person, and meant for nobody else" in result.output
    about = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert about["cohort"]["people"] == ["P3"]
    assert sorted(about["trained_the_model"]) == ["P1", "P2"]


def test_no_stride_of_a_long_walk_is_forgotten(tmp_path: Path, usual: Model) -> None:
    # More than are kept of those who train a network.
    long = session(tmp_path / "long.npz", usual, "moments", OWN, X=normal_strides(80))
    mine = tmp_path / "me.tflite"
    assert run(adapt, "hip-cycle", long, "-o", mine).exit_code == 0
    known, walk = load_model(mine).card.training["moments"], read_cohort(long)
    assert not any(meet(known, walk.of(np.array([place]))).judged for place in range(80))


def cut_anew(strides: np.ndarray, earlier: float, later: float) -> np.ndarray:
    """Return strides that begin and end at other points of the same walk."""
    walk = np.concatenate([strides[:, -41:-1], strides, strides[:, 1:41]], axis=1)  # it repeats
    at = np.linspace(40 + earlier, 219 + later, 180)
    points = np.arange(walk.shape[1])
    return np.array(
        [np.stack([np.interp(at, points, curve) for curve in one.T], -1) for one in walk],
        np.float32,
    )


@pytest.mark.parametrize(("earlier", "later"), [(-1.6, -1.6), (0.0, 1.6), (5.0, -3.0)])
def test_strides_cut_anew_from_other_contacts_are_known(
    earlier: float, later: float, tmp_path: Path, usual: Model, moments: Path
) -> None:
    strides = cut_anew(STRIDES, earlier, later)
    anew = session(tmp_path / "anew.npz", usual, "moments", OWN, X=strides)
    mine = tmp_path / "me.tflite"
    line = refused(DatasetError, "hip-cycle", moments, anew, "-o", mine)
    assert "4 of 8 strides are there a second time" in line
    assert run(adapt, "hip-cycle", moments, "-o", mine).exit_code == 0
    line = one_line(evaluate, DatasetError, mine, anew, "-o", tmp_path / "out")
    assert line == f"{anew}: {MET}"


@needs_shared_data
def test_neighbours_of_a_steady_walk_are_not_taken_for_each_other() -> None:
    strides = []
    for path in sorted((SHARED / "data" / "other_labs").glob("fukuchi_tm__*__*.npz")):
        with np.load(path) as saved:
            cuts = [
                (float(start), float(end)) for leg, start, end in saved["strides"] if leg == "r"
            ]
            strides += [
                resample(np.linspace(start, end, 180), saved["t"], saved["X"])
                for start, end in cuts
            ]
    with np.load(SHARED / "data" / "walking" / "treadmill_angles_events_20s.npz") as saved:
        strides += [
            resample(np.linspace(*ends, 180), saved["t"], saved["X"])
            for ends in pairwise(saved["HS_r"])
        ]
    assert len(strides) > 20
    assert copies_among(np.array(strides)) == 0
    kept = traces(np.array(strides))
    np.testing.assert_array_equal(from_text(as_text(kept)), kept)


BYTES = st.one_of(st.binary(), st.binary(min_size=480, max_size=480), st.just(bytes(480)))


@given(st.one_of(st.text(), BYTES.map(lambda b: base64.urlsafe_b64encode(b).decode())))
def test_any_word_holds_traces_or_none(word: str) -> None:
    strides = np.zeros((2, 180, 10), np.float32)
    for trace in from_text(word):
        assert copies_of(trace, strides).shape == (2,)


def test_another_precision_stays_the_persons(tmp_path: Path, moments: Path) -> None:
    mine = tmp_path / "me.tflite"
    assert run(adapt, "hip-cycle", moments, "-o", mine).exit_code == 0
    words = (mine, "--to", "tflite", "--precision", "fp16", "-o", tmp_path)
    result = run(export, *words)
    assert result.exit_code == 0, result.output
    small, whole = load_model(tmp_path / "me-fp16.tflite"), load_model(mine)
    assert small.card.personal == whole.card.personal


@pytest.mark.parametrize(("times", "is_told"), [(0.4536, True), (0.8, False), (2.5, True)])
def test_labels_of_another_size_than_anybodys_are_told(
    times: float, is_told: bool, tmp_path: Path, usual: Model
) -> None:
    heavier = {"weight_kg": np.full(4, 50.0 / times)}
    for target in ("moments", "forces"):
        path = session(tmp_path / f"{target}.npz", usual, target, 0.1 * OWN, **heavier)
        result = run(adapt, "hip-cycle", path, "-o", tmp_path / "me.tflite")
        assert result.exit_code == 0, result.output
        told = re.search(rf"{target} are (\S+) times what the model says", result.output)
        assert (told is not None) is is_told
        assert not told or float(told[1]) == pytest.approx(times, rel=0.05)


def test_strides_that_disagree_of_the_person_change_nothing(tmp_path: Path, usual: Model) -> None:
    signs = np.array([1.0, -1.0, 1.0, -1.0])[:, None, None]
    torn = session(tmp_path / "torn.npz", usual, "moments", OWN * signs)
    mine = tmp_path / "me.tflite"
    line = refused(DatasetError, "hip-cycle", torn, "-o", mine)
    assert "does not hold from one to the next" in line
    assert not mine.exists()


def test_no_stride_judges_itself(tmp_path: Path, moments: Path, forces: Path) -> None:
    mine = tmp_path / "me.tflite"
    line = refused(DatasetError, "hip-cycle", moments, forces, moments, "-o", mine)
    assert "4 of 8 strides are there a second time" in line
    assert not mine.exists()


def test_what_cannot_be_adapted_is_said_in_a_line(
    tmp_path: Path, usual: Model, moments: Path, forces: Path
) -> None:
    mine = tmp_path / "me.tflite"
    two = session(
        tmp_path / "two.npz", usual, "moments", OWN, subject_id=np.array(["P1", "P1", "P2", "P2"])
    )
    line = refused(DatasetError, "hip-cycle", two, "-o", mine)
    assert line.startswith(f"{two}: strides of 2 people (P1, P2), and a model is adapted to one")
    other = session(tmp_path / "other.npz", usual, "moments", OWN, subject_id=np.full(4, "P2"))
    line = refused(DatasetError, "hip-cycle", moments, other, "-o", mine)
    assert line.startswith(f"{moments}, {other}: strides of 2 people (P1, P2)")
    line = refused(DatasetError, "hip-cycle", two, "-o", mine, "--subject", "P3")
    assert "nobody is called 'P3'; there are: P1, P2" in line
    line = refused(DatasetError, "hip-cycle", moments, two, "-o", mine, "--subject", "P2")
    assert "nobody is called 'P2'; there are: P1" in line
    tall = session(tmp_path / "tall.npz", usual, "moments", OWN, height_m=np.full(4, 1.8))
    line = refused(DatasetError, "hip-cycle", moments, tall, "-o", mine)
    assert (
        line == f"{moments}, {tall}: height_m is 1.36, 1.8 of one person: put right what is wrong"
    )
    heavy = session(tmp_path / "heavy.npz", usual, "forces", OWN, weight_kg=np.full(4, 65.0))
    line = refused(DatasetError, "hip-cycle", moments, heavy, "-o", mine)
    assert line.startswith(f"{moments}, {heavy}: weight_kg is 50 to 65 of one person")
    line = refused(DatasetError, "hip-cycle", moments, moments.parent / "none.npz", "-o", mine)
    assert "no such file" in line
    line = refused(ModelInputError, "hip-sample", moments, "-o", mine)
    assert "adapt a whole-cycle model" in line
    line = refused(ModelFileError, "hip-cicle", moments, "-o", mine)
    assert "hip-cicle: no such file, and no bundled model of that name" in line
    line = refused(ModelFileError, "hip-cycle", moments, "-o", tmp_path / "me.pt")
    assert "must end in .onnx or .tflite" in line
    arrays = dict(np.load(moments))
    arrays.pop("stride_s")
    arrays["speed_label"] = np.full(4, "uphill")
    np.savez(tmp_path / "untimed.npz", **arrays)
    line = refused(ModelInputError, "hip-cycle", tmp_path / "untimed.npz", "-o", mine)
    assert "wants each stride's duration" in line
    assert not mine.exists()
    assert run(adapt, "hip-cycle", two, "-o", mine, "--subject", "P2").exit_code == 0
    line = refused(ModelInputError, mine, moments, "-o", tmp_path / "again.tflite")
    assert "is one person's already" in line
    base = tmp_path / "base.tflite"
    base.write_bytes(Path(usual.path).read_bytes())
    line = refused(ModelFileError, base, moments, "-o", tmp_path / "." / "base.tflite")
    assert line == f"{base}: is the model to start from, and everybody's: name another file"
    assert base.read_bytes() == Path(usual.path).read_bytes()
    line = refused(ModelFileError, mine, moments, "-o", tmp_path / "again.onnx")
    assert "must end in .tflite" in line
