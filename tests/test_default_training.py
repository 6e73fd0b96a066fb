"""How edgehip's own models come about, step by step."""

import dataclasses

import numpy as np
import pytest
import torch

from edgehip.model_card import ZeroCard
from edgehip_export import default_evaluate, default_workshop
from edgehip_export.default_build import PRIOR, fit_build
from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_evaluate import Fold, answers, folds, gathered, left_out
from edgehip_export.default_fit import DISTILLED, chances, distil
from edgehip_export.default_foreign import cycle_score
from edgehip_export.default_lessons import AT_ONCE, FAR, NEAR, Lessons
from edgehip_export.default_movement import fit_movement
from edgehip_export.default_spread import COVERAGE, fit_spread
from edgehip_export.default_student import Student
from edgehip_export.default_teacher import TeacherStrides
from edgehip_export.strides import POINTS, Array, Strides
from tests.made_up_strides import OUTPUTS, batch, made_up


def test_people_left_out_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the teacher made of their movements is poison: a network that drew it would know."""
    strides = made_up({"a": 4, "b": 4})
    hidden = {"a/0", "b/2"}
    rest = strides.take(~np.isin(strides.person, list(hidden)))
    shown = batch(strides)
    parents = np.stack([strides.person, np.roll(strides.person, 5)], axis=1)
    poisoned = torch.from_numpy(np.isin(parents, list(hidden)).any(1))
    teacher = TeacherStrides(shown, parents)
    for part in (shown.angles_deg, shown.loads, shown.stride_s):
        part[poisoned] = torch.nan
    assert not teacher.without(hidden).strides.angles_deg.isnan().any()
    for name in ("STUDENT", "RECURRENT", "DISTILLED", "PUPIL"):
        protocol = getattr(default_workshop, name)
        quick = dataclasses.replace(protocol, steps=2, samples=120, lessons=20)
        monkeypatch.setattr(default_workshop, name, quick)
    zero = ZeroCard((0.0,) * 10, (0.0,) * 10, 0.0)
    workshop = default_workshop.Workshop(strides, zero, teacher, seed=0)
    estimates = workshop.models(rest, hidden).estimates()
    assert set(estimates) == {"cycle", "sample"}
    assert all(np.isfinite(estimate(rest)).all() for estimate in estimates.values())


def test_what_is_said_of_people_left_out_comes_back_in_their_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What other tests imported may have threads, which forking forbids.
    monkeypatch.setattr(default_evaluate, "cores", lambda: 1)
    strides = made_up({"a": 1, "b": 3}, each=2)
    every = list(folds(strides))
    assert len(every) > 2

    def ask(fold: Fold) -> dict[str, dict[str, Array]]:
        def estimate(held: Strides) -> Array:
            return held.loads

        def shown(held: Strides, mean_deg: torch.Tensor) -> Strides:
            wanted = strides.take(~fold.held).mean_angles_deg
            np.testing.assert_array_equal(mean_deg.numpy(), wanted)
            return held

        return answers(strides, fold, {"model": estimate}, {"shown": shown})

    done: list[str] = []
    found = gathered(strides, left_out(every, ask, done.append))
    np.testing.assert_array_equal(found["model"]["shown"], strides.loads)
    assert done == [fold.name for fold in every]


def test_lessons_are_new_each_time_and_say_what_the_teacher_says_of_them() -> None:
    strides = made_up({"a": 4, "b": 4})
    shown = batch(strides)
    parents = np.stack([strides.person, strides.person], axis=1)

    def teacher(angles_deg: torch.Tensor, stride_s: torch.Tensor) -> torch.Tensor:
        swing = torch.sin(torch.linspace(0.0, 2.0 * torch.pi, POINTS))[:, None]
        return (angles_deg.std(1, keepdim=True) * swing / stride_s[:, None])[..., :1].expand(
            -1, -1, OUTPUTS
        )

    lessons = Lessons(TeacherStrides(shown, parents), teacher, FAR)
    random = torch.Generator().manual_seed(0)
    first, second = lessons.lend(64, random), lessons.lend(64, random)
    assert not torch.isclose(first.angles_deg, second.angles_deg).all(-1).any()
    known = teacher(first.angles_deg, first.stride_s[:, None])
    torch.testing.assert_close(first.loads, known, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first.angles_deg[:, 0], first.angles_deg[:, -1], atol=1e-3, rtol=0)
    spread = first.angles_deg.std(0).mean()
    assert spread > 1.2 * shown.angles_deg.std(0).mean()
    many = lessons.many(AT_ONCE + 1, random)
    assert many.angles_deg.shape == (AT_ONCE + 1, POINTS, 10)
    # This teacher does not see the zero, so its pupil is not told of wrong ones.
    known = teacher(many.angles_deg, many.stride_s[:, None])
    torch.testing.assert_close(many.loads, known, atol=1e-3, rtol=1e-3)
    assert many.stride_s.std() > 1.2 * first.stride_s.std()
    zero, usual = (lesson.angles_deg.mean(1).std(0).mean() for lesson in (many, first))
    assert zero > 1.2 * usual


def test_near_lessons_are_more_like_what_people_do() -> None:
    shown = batch(made_up({"a": 4, "b": 4}))
    strides = TeacherStrides(shown, np.full((8, 2), "a/0"))
    apart = []
    for reach in (NEAR, FAR):
        lessons = Lessons(strides, lambda angles_deg, stride_s: angles_deg[..., :1], reach)
        made = lessons.many(200, torch.Generator().manual_seed(0)).angles_deg
        moved, known = (part - part.mean(1, keepdim=True) for part in (made, shown.angles_deg))
        apart.append(torch.cdist(moved.flatten(1), known.flatten(1)).min(1).values.mean())
    assert apart[0] < 0.8 * apart[1]


def test_what_is_distilled_says_what_the_lessons_say() -> None:
    lessons = batch(made_up({"a": 12}))
    found = distil(lessons, dataclasses.replace(DISTILLED, steps=150), 0)
    with torch.no_grad():
        told = found(lessons.angles_deg, lessons.stride_s[:, None])
    usual = lessons.loads.mean(0, keepdim=True)
    assert (told - lessons.loads).std() < 0.3 * (usual - lessons.loads).std()
    assert not found.training


def test_the_student_does_not_see_the_zero_of_the_angles() -> None:
    student = Student(CycleNetwork().eval(), torch.arange(10.0))
    angles, stride_s = torch.randn(2, POINTS, 10).cumsum(1), torch.tensor([[1.0], [1.2]])
    moved = student(angles + 7.0 * torch.randn(2, 1, 10), stride_s)
    torch.testing.assert_close(moved, student(angles, stride_s), atol=1e-3, rtol=1e-3)


def test_the_spread_covers_what_it_states_though_errors_grow_with_the_load() -> None:
    strides = made_up({"a": 8, "b": 8})
    rng = np.random.default_rng(0)
    reference = np.abs(rng.standard_normal((len(strides), POINTS, OUTPUTS))).astype(np.float32) * 3
    error = rng.standard_normal(reference.shape) * (0.2 + 0.3 * reference)
    estimate = (reference + error).astype(np.float32)
    reference[: len(strides) // 4, :, 3:] = np.nan
    half = np.arange(len(strides)) % 2 == 0
    spread = fit_spread(estimate[half], reference[half], strides.take(half))
    width = spread.half_width(torch.from_numpy(estimate[~half])).numpy()
    missed = np.abs(estimate - reference)[~half]
    inside = np.where(np.isfinite(missed), missed <= width, np.nan)
    assert np.nanmean(inside) == pytest.approx(COVERAGE, abs=0.03)


def test_the_spread_allows_for_a_laboratory_that_is_unlike_the_others() -> None:
    strides = made_up({"a": 2, "b": 2, "strange": 2}, each=2)
    rng = np.random.default_rng(0)
    size = np.where(strides.lab == "strange", 4.0, 1.0)[:, None, None]
    estimate = np.zeros((len(strides), POINTS, OUTPUTS), np.float32)
    reference = (size * rng.standard_normal(estimate.shape)).astype(np.float32)
    fitted = fit_spread(estimate, reference, strides).base
    inside = np.quantile(np.abs(reference), COVERAGE)
    assert float(fitted.mean()) > 2.0 * inside


def test_the_score_of_what_training_people_do_is_low_and_of_what_nobody_does_high() -> None:
    strides = made_up({"a": 12, "b": 12, "c": 12})
    movement = fit_movement(strides, chances(strides), 6)
    held = [strides.person == person for person in strides.people]
    score = cycle_score(strides, movement, 1.0, held)
    angles, stride_s = (torch.from_numpy(a) for a in (strides.angles_deg, strides.stride_s))
    stride_s = stride_s[:, None]
    usual = score(movement(angles, stride_s))
    assert usual.shape == (len(strides), 1)
    assert float(usual.median()) < 0.9
    for strange in ((4.0 * angles, stride_s), (angles, stride_s / 4.0), (angles + 90.0, stride_s)):
        assert float(score(movement(*strange)).median()) > 1.0


def test_what_a_build_changes_is_learnt_from_people_left_out_and_shrunk() -> None:
    """Each is heavier or lighter than usual, and bears in proportion more than their angles say."""
    strides = made_up({"lab": 12})
    person = np.arange(len(strides)) // 4
    heavier = np.linspace(-0.25, 0.25, 12)[person]
    height_m = np.linspace(1.55, 1.95, 12)[person].astype(np.float32)
    slope = np.sin(np.arange(POINTS))[:, None] * np.ones(OUTPUTS)
    added = heavier[:, None, None] * slope
    taller = (height_m / 1.7)[:, None, None]
    known = dataclasses.replace(
        strides,
        moments=((strides.moments + added[..., :3]) * taller).astype(np.float32),
        forces=(strides.forces + added[..., 3:]).astype(np.float32),
        body_mass_kg=(22.0 * np.exp(heavier) * height_m**2).astype(np.float32),
        body_height_m=height_m,
    )
    shown: list[tuple[set[str], set[str]]] = []

    def without_build(rest: Strides, held: Strides) -> Array:
        shown.append((set(rest.people), set(held.people)))
        return strides.take(strides.person == held.person[0]).loads

    build = fit_build(known, without_build)
    assert build is not None
    assert all(len(held) == 1 and not rest & held for rest, held in shown)
    assert build.usual == pytest.approx(22.0, rel=1e-3)
    squares = (np.linspace(-0.25, 0.25, 12) ** 2).sum()
    np.testing.assert_allclose(build.slope, slope * squares / (squares + PRIOR), atol=1e-3)
    # Whoever is beyond all of them is taken for the heaviest, and somebody unknown for usual.
    one = known.take(np.zeros(4, int))
    mass_kg = np.array([22.0, 22.0 * np.exp(0.25), 90.0, np.nan]) * one.body_height_m**2
    others = dataclasses.replace(one, body_mass_kg=mass_kg.astype(np.float32))
    usual, heaviest, beyond, unknown = build.added(others)
    assert abs(usual).max() < 1e-4
    np.testing.assert_allclose(heaviest, 0.25 * build.slope, atol=1e-3)
    np.testing.assert_allclose(beyond, heaviest, atol=1e-3)
    assert not unknown.any()


def test_no_build_is_made_of_nobodys_mass() -> None:
    strides = made_up({"lab": 4})
    assert fit_build(strides, lambda rest, held: held.loads) is None
