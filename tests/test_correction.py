"""What finished strides teach the answers that cannot wait: by phase, bounded, and not for ever."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgehip import Pipeline, load_model
from edgehip.channels import MOMENTS, MUSCLES, SIDES, Side
from edgehip.estimators.correction import (
    EASE_S,
    GAIN,
    MEMORY_STRIDES,
    STEP_FADES,
    STRIDE_FADES,
    Correction,
)
from edgehip.events import DISTRUST, Flag, HipEstimate, HipSampleEstimate, InitialContact
from tests.sample_model import leaky_model
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, synthetic_walk

STRIDE_S = 1.1
STEP_S = 0.01


def sample(time_s: float, value: float = 0.0) -> HipSampleEstimate:
    """Return an estimate whose every moment and force is ``value``."""
    moments = {side: np.full(len(MOMENTS), value, np.float32) for side in SIDES}
    forces = {side: np.full(len(MUSCLES), value, np.float32) for side in SIDES}
    return HipSampleEstimate(time_s, moments, forces, "none", (), (), 0)


def stride(
    number: float,
    *flags: Flag,
    side: Side = "r",
    amplitude: float = 0.3,
    spread: float | None = 9.0,
    forces: bool = True,
    stride_s: float = STRIDE_S,
) -> HipEstimate:
    """Return stride ``number`` of a walk, all of whose curves are the same sine."""
    curve = (amplitude * np.sin(2 * np.pi * np.linspace(0, 1, 180))).astype(np.float32)
    muscles = MUSCLES if forces else ()
    wide = np.full(180, spread or 0.0, np.float32)
    start_s = (number + 1) * STRIDE_S - stride_s
    return HipEstimate(
        side=side,
        start_s=start_s,
        end_s=start_s + stride_s,
        confirmed_s=start_s + stride_s + 0.03,
        foot_off_s=None,
        cadence_spm=120.0 / stride_s,
        moments_nm_per_kg=dict.fromkeys(MOMENTS, curve),
        forces_n_per_kg=dict.fromkeys(muscles, curve + np.float32(1.0)),
        moment_spread_nm_per_kg=dict.fromkeys(MOMENTS if spread else (), wide),
        force_spread_n_per_kg=dict.fromkeys(muscles if spread else (), wide),
        body_mass_kg=None,
        body_height_m=None,
        zero="none",
        flags=flags,
        out_of_range=(),
        samples_lost=0,
        received_ns=0,
    )


def walk_on(correction: Correction, number: int, value: float = 0.0) -> list[HipSampleEstimate]:
    """Return stride ``number``'s estimates from a model that always says ``value``.

    Half-way the left foot comes to the ground, from whose strides nothing is to be learnt.
    """
    told: list[HipSampleEstimate] = []
    for place in range(110):
        if place == 55:
            correction.learn(stride(number - 0.5, side="l"), [])
        told.append(correction.correct(sample(number * STRIDE_S + place * STEP_S, value)))
    return told


def taught(strides: int = 1, value: float = 0.0, **options: Any) -> Correction:
    """Return what has seen a walk begin, and then so many strides to learn from."""
    correction = Correction()
    for number in range(-2, strides):
        told = walk_on(correction, number, value)
        flags = (Flag.FIRST_AFTER_GAP,) if number < 0 else ()
        correction.learn(stride(number, *flags, **options), told)
    return correction


def right_flexion(estimates: list[HipSampleEstimate]) -> np.ndarray:
    return np.array([e.moments_nm_per_kg["r"][0] for e in estimates])


def eased(estimates: list[HipSampleEstimate]) -> np.ndarray:
    """Return what is told once the last stride's lesson has come in."""
    return right_flexion(estimates)[round(EASE_S / STEP_S) :]


def test_the_next_stride_is_answered_as_the_last_one_was_in_hindsight() -> None:
    told = walk_on(taught(), 1)
    wanted = GAIN * 0.3 * np.sin(2 * np.pi * np.arange(len(told)) * STEP_S / STRIDE_S)
    np.testing.assert_allclose(eased(told), wanted[10:], atol=0.015)
    for estimate in told[1:]:
        assert list(estimate.own_moments_nm_per_kg) == ["r"]
        assert (estimate.own_moments_nm_per_kg["r"] == 0.0).all()
        assert (estimate.moments_nm_per_kg["l"] == 0.0).all()


def test_the_models_own_part_is_not_learnt_twice() -> None:
    once, often = (eased(walk_on(taught(n, value=0.2), n, 0.2)) for n in (1, 12))
    np.testing.assert_allclose(once, often, atol=0.012)


def test_an_odd_stride_counts_as_one_of_a_few() -> None:
    correction = taught(MEMORY_STRIDES)
    odd = stride(MEMORY_STRIDES, amplitude=0.7)
    correction.learn(odd, walk_on(correction, MEMORY_STRIDES))
    peak = right_flexion(walk_on(correction, MEMORY_STRIDES + 1)).max()
    assert peak == pytest.approx(GAIN * (0.3 + 0.4 / MEMORY_STRIDES), abs=0.01)


def test_muscles_only_pull_and_the_models_own_answer_is_kept() -> None:
    told = walk_on(taught(amplitude=2.0, value=0.5), 1, value=0.5)[1:]
    for estimate in told:
        assert (estimate.forces_n_per_kg["r"] >= 0.0).all()
        assert (estimate.own_forces_n_per_kg["r"] == 0.5).all()
    assert any((estimate.forces_n_per_kg["r"] == 0.0).all() for estimate in told)


def test_no_more_is_added_than_the_better_model_admits_itself() -> None:
    told = right_flexion(walk_on(taught(6, spread=0.1), 6))
    assert np.abs(told).max() == pytest.approx(0.1, abs=1e-6)
    unsaid = taught(6, spread=None)
    assert not right_flexion(walk_on(unsaid, 6)).any()


@pytest.mark.parametrize("stride_s", [1.1, 0.9, 1.3])
@pytest.mark.parametrize("spread", [9.0, 0.1])
def test_nothing_jumps_when_it_begins_or_when_a_step_comes_early_or_late(
    stride_s: float, spread: float
) -> None:
    correction = taught(0)
    correction.learn(stride(0, spread=spread), walk_on(correction, 0))
    told: list[HipSampleEstimate] = []
    ends_s = STRIDE_S
    for _ in range(3):
        begins_s, ends_s = ends_s, ends_s + stride_s
        for place in range(round(stride_s / STEP_S)):
            time_s = begins_s + (place + 3) * STEP_S  # a contact is told 30 ms late
            if place == 45:
                correction.learn(ending(time_s - 0.03, stride_s, "l", spread), [])
            told.append(correction.correct(sample(time_s)))
        correction.learn(ending(ends_s, stride_s, "r", spread), [])
    moments = right_flexion(told)
    most = min(GAIN * 0.3, spread)
    assert 0.9 * most < np.abs(moments[-100:]).max()
    assert np.abs(moments).max() < most * 1.001
    natural = GAIN * 0.3 * 2 * np.pi * STEP_S / min(stride_s, STRIDE_S)
    assert np.abs(np.diff(moments)).max() < natural + 2 * most * STEP_S / EASE_S


def ending(end_s: float, stride_s: float, side: Side, spread: float) -> HipEstimate:
    shape = stride(0, side=side, stride_s=stride_s, spread=spread)
    return replace(shape, start_s=end_s - stride_s, end_s=end_s)


@pytest.mark.parametrize("steps", [0, 1])
def test_a_step_that_is_overdue_ends_it_smoothly(steps: int) -> None:
    correction = taught()
    since_s = np.arange(0.0, 2.0 * STRIDE_S, 0.002)
    told = []
    for place, time_s in enumerate(since_s.tolist()):
        if steps and place == 280:  # a last step of the other foot, in time
            correction.learn(stride(0.5, side="l"), [])
        told.append(correction.correct(sample(STRIDE_S + time_s)))
    moments = right_flexion(told)
    assert np.abs(np.diff(moments)).max() < 0.02
    assert moments[since_s < 0.5 * STRIDE_S].max() > 0.9 * GAIN * 0.3
    assert (moments[since_s > (STEP_FADES[1] + 0.51 * steps) * STRIDE_S] == 0.0).all()


def test_a_foot_whose_contact_is_overdue_is_not_answered_from_long_ago() -> None:
    correction = taught()
    for half in range(1, 5):  # only the other foot comes to the ground
        correction.learn(stride(half * 0.5, side="l"), [])
        now = correction.correct(sample(STRIDE_S * (1.15 + 0.5 * half)))
        assert bool(now.own_moments_nm_per_kg) == (0.15 + 0.5 * half < STRIDE_FADES[1])


@pytest.mark.parametrize("flag", sorted({*DISTRUST, Flag.SAMPLES_LOST}))
def test_a_stride_not_to_be_trusted_teaches_nothing(flag: Flag) -> None:
    correction = taught(0)
    correction.learn(stride(0, flag), walk_on(correction, 0))
    assert not right_flexion(walk_on(correction, 1)).any()
    correction.learn(stride(1), [])  # a model that was warming up
    assert not right_flexion(walk_on(correction, 2)).any()
    strange = [replace(e, flags=(Flag.OUT_OF_RANGE,)) for e in walk_on(correction, 3)[:20]]
    correction.learn(stride(3), strange + walk_on(correction, 3)[20:])
    assert not right_flexion(walk_on(correction, 4)).any()


@pytest.mark.parametrize("flag", sorted(DISTRUST))
def test_a_stride_not_to_be_trusted_ends_what_was_learnt_until_one_is(flag: Flag) -> None:
    correction = taught()
    correction.learn(stride(1, flag, stride_s=2.3), walk_on(correction, 1))
    assert not eased(walk_on(correction, 2)).any()
    correction.learn(stride(2, flag, amplitude=0.9), walk_on(correction, 2))
    assert not eased(walk_on(correction, 3)).any()
    correction.learn(stride(3), walk_on(correction, 3))
    assert eased(walk_on(correction, 4)).max() == pytest.approx(GAIN * 0.3, abs=0.012)


def test_a_model_that_warms_up_is_left_alone_and_then_corrected_smoothly() -> None:
    correction = taught()
    walk_on(correction, 1)
    correction.learn(stride(1), [])
    times = 2 * STRIDE_S + np.arange(0.1, 0.6, STEP_S)
    told = []
    for time_s in times.tolist():
        now = sample(time_s, 0.5)
        if 0.2 < time_s - 2 * STRIDE_S < 0.3:
            cold = replace(now, flags=(Flag.WARMING_UP,))
            assert correction.correct(cold) is cold
        else:
            told.append(correction.correct(now))
    moments = right_flexion(told)
    assert moments[0] > 0.5 + 0.12 * GAIN
    first_warm = 10
    assert moments[first_warm : first_warm + 2].max() < 0.5 + 0.1 * GAIN
    assert moments[first_warm + 12] > 0.5 + 0.17 * GAIN


def test_a_contact_that_closes_no_stride_leaves_the_phase_unknown() -> None:
    correction = taught()
    assert eased(walk_on(correction, 1)).any()
    correction.lose_step(InitialContact("r", 2 * STRIDE_S, 2 * STRIDE_S + 0.03))
    assert not eased(walk_on(correction, 2)).any()


def test_a_contact_that_closes_no_stride_ends_the_correction_without_a_step() -> None:
    correction, told = taught(), []
    for place in range(60):
        time_s = STRIDE_S + place * STEP_S
        if place == 30:  # where most is added
            correction.lose_step(InitialContact("r", time_s - 0.03, time_s))
        told.append(correction.correct(sample(time_s)))
    moments = right_flexion(told)
    assert moments[29] > 0.9 * GAIN * 0.3
    assert np.abs(np.diff(moments)).max() < 0.2 * GAIN * 0.3
    assert moments[-1] == 0.0


def test_a_foot_that_landed_is_not_overdue_though_its_stride_is_not_trusted() -> None:
    correction = taught()
    correction.learn(stride(0.5, Flag.OUT_OF_RANGE, side="l"), [])
    now = correction.correct(sample(1.9 * STRIDE_S))
    assert now.moments_nm_per_kg["r"][0] == pytest.approx(
        -GAIN * 0.3 * np.sin(0.2 * np.pi), abs=0.02
    )


def test_what_is_not_a_number_teaches_nothing() -> None:
    correction = taught()
    before = eased(walk_on(correction, 1))
    nan = np.full(180, np.nan, np.float32)
    for number, broken in enumerate(
        [
            stride(1, amplitude=np.nan),
            replace(stride(2), forces_n_per_kg=dict.fromkeys(MUSCLES, nan)),
            replace(stride(3), force_spread_n_per_kg=dict.fromkeys(MUSCLES, nan)),
        ],
        start=1,
    ):
        correction.learn(broken, walk_on(correction, number))
    correction.learn(stride(4), walk_on(correction, 4, value=np.nan))
    np.testing.assert_allclose(eased(walk_on(correction, 5)), before, atol=0.012)


def test_a_model_of_moments_corrects_moments() -> None:
    told = walk_on(taught(forces=False), 1, value=0.4)
    assert right_flexion(told).max() > 0.5
    assert all((e.forces_n_per_kg["r"] == np.float32(0.4)).all() for e in told)


def test_a_gap_a_reset_and_another_zero_begin_anew() -> None:
    walk = synthetic_walk(16.0, stand_s=1.0)
    kept = np.r_[0:1000, 1040:1600]  # the cable is out for 0.4 s
    pipeline = Pipeline(load_model(), sample_model=load_model("hip-sample"), calibrate="strides")
    told, zeroed_s = [], 0.0
    for one in Walk(walk.time_s[kept], walk.angles_deg[kept]).samples():
        for event in pipeline.feed_sample(one):
            if isinstance(event, HipSampleEstimate):
                told.append(event)
            elif not zeroed_s and pipeline.state.calibration is None:
                zeroed_s = one.time_s
    sides = {e.time_s: len(e.own_moments_nm_per_kg) for e in told}
    first_zeroed = next(e for e in told if e.time_s > zeroed_s)
    assert Flag.WARMING_UP in first_zeroed.flags  # its memory was of other angles
    assert max(sides[t] for t in sides if t < zeroed_s) == 2
    for begun_s in (zeroed_s + STEP_S / 2, 10.4 - STEP_S / 2):
        assert all(sides[t] == 0 for t in sides if begun_s < t < begun_s + 1.0)
    assert max(sides[t] for t in sides if t > 14.0) == 2


def test_whoever_does_not_want_it_gets_the_models_own_answers() -> None:
    samples = list(synthetic_walk(8.0, stand_s=1.0).samples())
    both, one = (
        Pipeline(load_model(), sample_model=leaky_model(), correct=False),
        Pipeline(None, sample_model=leaky_model()),
    )
    for each in samples:
        (now,) = one.feed_sample(each)[:1]
        (other,) = (e for e in both.feed_sample(each) if isinstance(e, HipSampleEstimate))
        assert isinstance(now, HipSampleEstimate)
        assert str(now) == str(other)


@needs_shared_data
def test_on_a_recorded_walk_the_voices_come_nearer() -> None:
    """Each stride is compared with what its samples were told before it was finished."""
    walk = recorded_walk()
    walk = Walk(walk.time_s[:6000], walk.angles_deg[:6000])
    squares = {}
    for correct in (False, True):
        pipeline = Pipeline(load_model(), sample_model=load_model("hip-sample"), correct=correct)
        events = [e for one in walk.samples() for e in pipeline.feed_sample(one)]
        strides = [e for e in events if isinstance(e, HipEstimate)]
        off = [e.sample_moment_rmse_nm_per_kg for e in strides[6:]]
        squares[correct] = np.mean([one**2 for one in off if one is not None])
    assert squares[True] < 0.6 * squares[False]
