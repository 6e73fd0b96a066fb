"""What no single sample shows: walks too slow, or strange as a whole, flagged at every sample."""

import dataclasses
import functools

import numpy as np
import pytest

from edgehip import Pipeline, load_model, snapshot
from edgehip.backends import Tensor
from edgehip.channels import ANGLES, angles_of
from edgehip.cues import parse_cue
from edgehip.cycles import MAX_STRIDE_S
from edgehip.estimators.walk_watch import FROZEN_S, FROZEN_WHOLE_S, REST_S, WalkWatch
from edgehip.events import CueChange, Flag, HipEstimate, HipSampleEstimate
from edgehip.model import Model
from edgehip.model_card import RangeCard, ZeroCard
from edgehip.pipeline import Event
from edgehip.zero import Profile
from tests.sample_model import leaky_model
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, synthetic_walk

STAND_S = 2.0
MODEL = load_model()


def run(walk: Walk, model: Model | None = MODEL, sample_model: Model | None = None) -> list[Event]:
    # The leaky model doubts nothing by itself.
    pipeline = Pipeline(model, sample_model=sample_model or leaky_model())
    return [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]


def flagged_s(events: list[Event]) -> np.ndarray:
    """Return the times of samples that are out of range."""
    samples = (event for event in events if isinstance(event, HipSampleEstimate))
    return np.array([one.time_s for one in samples if Flag.OUT_OF_RANGE in one.flags])


def walk_of(duration_s: float, **parameters: float) -> Walk:
    """Return a synthetic walk as sensors measure it: only one that hangs has no noise."""
    return synthetic_walk(duration_s, **{"noise_deg": 0.1} | parameters)


def frozen(walk: Walk, begins_s: float, ends_s: float) -> Walk:
    """Return a walk in which the hub of the sensors repeats what it measured last."""
    hangs = (walk.time_s >= begins_s) & (walk.time_s < ends_s)
    walk.angles_deg[hangs] = walk.angles_deg[hangs][0]
    return walk


def lifting(hip: float, knee: float, in_turn: bool) -> Walk:
    """Return somebody who flexes both legs, at once or in turn, and comes back each time."""
    time_s = np.arange(0.0, 20.0, 0.01)
    angles_deg = np.random.default_rng(0).normal(0.0, 0.3, (len(time_s), 10))
    for places, turn in (((0, 6), 0.0), ((3, 8), 0.5 if in_turn else 0.0)):
        phase = (0.8 * time_s + turn) % 1.0
        lift = np.where(phase < 0.45, 0.5 - 0.5 * np.cos(2 * np.pi * phase / 0.45), 0.0)
        angles_deg[:, places] += lift[:, None] * (hip, knee)
    return Walk(time_s, angles_deg)


@pytest.mark.parametrize("cadence_spm", [20, 30, 40, 45])
@pytest.mark.parametrize("model", [MODEL, None], ids=["both", "samples only"])
def test_who_walks_too_slowly_for_strides_is_out_of_range(
    cadence_spm: float, model: Model | None
) -> None:
    events = run(walk_of(30.0, cadence_spm=cadence_spm, stand_s=STAND_S), model)
    assert not any(isinstance(event, HipEstimate) for event in events)
    flagged = flagged_s(events)
    assert STAND_S + MAX_STRIDE_S < flagged[0] < STAND_S + 2.5 * MAX_STRIDE_S
    assert len(flagged) == pytest.approx(100 * (30.0 - flagged[0]), abs=2)


@pytest.mark.parametrize("cadence_spm", [55, 180])
def test_strides_of_another_duration_than_the_training_peoples_show_at_every_sample(
    cadence_spm: float,
) -> None:
    events = run(walk_of(20.0, cadence_spm=cadence_spm, stand_s=STAND_S))
    first = next(event for event in events if isinstance(event, HipEstimate))
    assert first.out_of_range == ("stride_s",)
    flagged = flagged_s(events)
    assert first.confirmed_s < flagged[0] < first.confirmed_s + 0.015
    assert len(flagged) == pytest.approx(100 * (20.0 - flagged[0]), abs=2)


@pytest.mark.parametrize("cadence_spm", [55, 180])
def test_a_per_sample_model_alone_can_say_which_strides_it_knows(cadence_spm: float) -> None:
    walk = walk_of(20.0, cadence_spm=cadence_spm, stand_s=STAND_S)
    knows = leaky_model()
    stride_s = RangeCard((0.75,), (2.0,))
    card = dataclasses.replace(knows.card, ranges=knows.card.ranges | {"stride_s": stride_s})
    flagged = flagged_s(run(walk, None, dataclasses.replace(knows, card=card)))
    assert len(flagged) == pytest.approx(100 * (20.0 - flagged[0]), abs=2)
    assert flagged[0] < STAND_S + 2.5 * MAX_STRIDE_S
    assert len(flagged_s(run(walk, None))) == 0


@pytest.mark.parametrize("stride_s", [(1.2, 2.0), (0.5, 1.0)])
def test_a_stride_must_be_of_a_duration_that_either_model_knows(
    stride_s: tuple[float, float],
) -> None:
    walk = walk_of(10.0, stand_s=STAND_S)  # of 1.1 s, which the whole-cycle model knows
    knows = leaky_model()
    span = RangeCard(stride_s[:1], stride_s[1:])
    card = dataclasses.replace(knows.card, ranges=knows.card.ranges | {"stride_s": span})
    assert len(flagged_s(run(walk))) == 0
    flagged = flagged_s(run(walk, MODEL, dataclasses.replace(knows, card=card)))
    assert len(flagged) == pytest.approx(100 * (10.0 - flagged[0]), abs=2)


def test_strides_that_move_like_nobodys_show_at_every_sample() -> None:
    events = run(lifting(70.0, 80.0, in_turn=True))
    strides = [event for event in events if isinstance(event, HipEstimate)]
    assert all((stride.out_of_range_score or 0.0) > 1.0 for stride in strides)
    flagged = flagged_s(events)
    assert len(flagged) == pytest.approx(100 * (20.0 - strides[0].confirmed_s), abs=2)


@pytest.mark.parametrize("score", [0.9, 1.1])
def test_a_stride_that_the_model_does_not_know_shows_at_the_samples_after_it(score: float) -> None:
    class Scoring:
        name = MODEL.engine.name

        def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
            *loads, told = MODEL.engine.run(*inputs)
            return *loads, np.full_like(told, score)

    events = run(walk_of(8.0, stand_s=STAND_S), dataclasses.replace(MODEL, engine=Scoring()))
    (first, *_) = (event for event in events if isinstance(event, HipEstimate))
    flagged = flagged_s(events)
    if score > 1.0:
        assert first.confirmed_s <= flagged[0] < first.confirmed_s + 0.02
        assert flagged[-1] > 7.9
    else:
        assert len(flagged) == 0


@pytest.mark.parametrize(("hip", "knee", "in_turn"), [(20.0, 30.0, False), (15.0, 30.0, True)])
def test_legs_that_move_without_a_stride_are_out_of_range(
    hip: float, knee: float, in_turn: bool
) -> None:
    flagged = flagged_s(run(lifting(hip, knee, in_turn)))
    assert MAX_STRIDE_S < flagged[0] < MAX_STRIDE_S + 1.0
    assert len(flagged) == pytest.approx(100 * (20.0 - flagged[0]), abs=2)


@pytest.mark.parametrize("cadence_spm", [60, 75, 110, 150])
@pytest.mark.parametrize("pause_s", [1.6, 4.0])
def test_who_walks_and_pauses_is_never_out_of_range(cadence_spm: float, pause_s: float) -> None:
    walk = walk_of(40.0, cadence_spm=cadence_spm, walk_s=7.0, pause_s=pause_s, noise_deg=0.3)
    assert len(flagged_s(run(walk))) == 0
    assert len(flagged_s(run(walk, None))) == 0


def test_who_stands_is_not_out_of_range() -> None:
    still = walk_of(60.0, stand_s=100.0, noise_deg=1.0, drift_deg_per_min=10.0)
    assert len(flagged_s(run(still))) == 0
    sway_deg = 2.0 * np.sin(2 * np.pi * 0.4 * still.time_s)
    still.angles_deg[:, [0, 3, 6, 8]] += sway_deg[:, None] * (1, -1, 1, 1)
    assert len(flagged_s(run(still))) == 0


@pytest.mark.parametrize("cadence_spm", [40, 50])
def test_who_stands_after_a_slow_walk_is_not_out_of_range(cadence_spm: float) -> None:
    bouts = {"cadence_spm": cadence_spm, "walk_s": 10.0, "pause_s": 6.0, "stand_s": STAND_S}
    walk, exact = walk_of(36.0, **bouts), synthetic_walk(36.0, **bouts)
    flagged = flagged_s(run(walk))
    quiet = np.abs(np.diff(exact.angles_deg, axis=0)).max(axis=1) == 0.0
    began = np.flatnonzero(quiet[1:] & ~quiet[:-1]) + 1
    assert len(began) == 2
    for stands_s in walk.time_s[began]:
        assert ((flagged > stands_s - 1.0) & (flagged < stands_s)).any()
        assert not ((flagged > stands_s + REST_S + 0.5) & (flagged < stands_s + 6.0)).any()


def test_back_at_a_pace_that_is_known_it_is_trusted_again() -> None:
    slow, usual = (walk_of(14.0, cadence_spm=spm, stand_s=0.0, walk_s=10.0) for spm in (40, 110))
    walk = Walk(
        np.concatenate([slow.time_s[:1000], 10.0 + usual.time_s]),
        np.concatenate([slow.angles_deg[:1000], usual.angles_deg]),
    )
    events = run(walk)
    strides = [event for event in events if isinstance(event, HipEstimate)]
    sides_s = {one.side: one.confirmed_s for one in reversed(strides)}
    assert flagged_s(events)[-1] == pytest.approx(max(sides_s.values()), abs=0.015)


def test_who_rested_after_a_slow_walk_sets_out_afresh() -> None:
    """What the last strides before the rest were says nothing of those after it."""
    slow = walk_of(10.0, cadence_spm=50, stand_s=STAND_S, walk_s=6.0, pause_s=60.0)
    usual = walk_of(10.0, cadence_spm=110, stand_s=4.0)
    angles_deg = np.concatenate([slow.angles_deg, usual.angles_deg])
    flagged = flagged_s(run(Walk(np.arange(len(angles_deg)) / 100, angles_deg)))
    assert ((flagged > 6.0) & (flagged < 8.0)).sum() > 150  # it sets out again at 14 s
    assert not (flagged > 12.0).any()


def test_no_cue_is_on_while_it_is_out_of_range() -> None:
    cue = parse_cue("glmed_r > -1 N/kg")  # which every sample that is trusted switches on
    pipeline = Pipeline(MODEL, sample_model=leaky_model(), cues=[cue])
    walk = walk_of(16.0, cadence_spm=40, stand_s=STAND_S)
    events = [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]
    on, off = (event for event in events if isinstance(event, CueChange))
    assert on.on
    assert off.flags == (Flag.OUT_OF_RANGE,)
    assert off.time_s == flagged_s(events)[0]


@pytest.mark.parametrize("cut", [150, 430, 640, 900])
def test_a_state_saved_and_resumed_doubts_the_same(cut: int) -> None:
    walk = frozen(walk_of(12.0, cadence_spm=40, stand_s=STAND_S), 4.0, 5.0)
    samples = list(walk.samples())
    first, second, uncut = (Pipeline(None, sample_model=leaky_model()) for _ in range(3))
    expected = [e for sample in samples for e in uncut.feed_sample(sample)]
    events = [e for sample in samples[:cut] for e in first.feed_sample(sample)]
    snapshot.restore(second, snapshot.save(first))
    events += [e for sample in samples[cut:] for e in second.feed_sample(sample)]
    assert flagged_s(events).tolist() == flagged_s(expected).tolist() != []


def test_after_a_gap_nothing_is_doubted_for_what_was_before() -> None:
    walk = walk_of(16.0, cadence_spm=40, stand_s=STAND_S)
    kept = (walk.time_s < 9.0) | (walk.time_s > 9.4)
    flagged = flagged_s(run(Walk(walk.time_s[kept], walk.angles_deg[kept])))
    assert ((flagged > 8.0) & (flagged < 9.0)).sum() > 90
    assert not ((flagged > 9.0) & (flagged < 9.4 + MAX_STRIDE_S)).any()
    assert ((flagged > 14.0) & (flagged < 16.0)).sum() > 190


@pytest.mark.parametrize(
    "name", ["hip_flexion_r", "hip_rotation_l", "knee_angle_r", "ankle_angle_l"]
)
@pytest.mark.parametrize("noise_deg", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("model", [MODEL, None], ids=["both", "samples only"])
def test_an_angle_that_hangs_is_named_and_shows_at_every_sample(
    name: str, noise_deg: float, model: Model | None
) -> None:
    walk = walk_of(16.0, stand_s=STAND_S)
    hangs_s = 8.0
    hangs = (walk.time_s > hangs_s) & (walk.time_s < 12.0)
    place = ANGLES.index(name)
    noise = np.random.default_rng(0).normal(0.0, noise_deg, hangs.sum())
    walk.angles_deg[hangs, place] = walk.angles_deg[hangs, place][0] + noise
    events = run(walk, model)
    flagged = flagged_s(events)
    assert hangs_s < flagged[0] < hangs_s + 2.5
    assert 12.0 < flagged[-1] < 12.0 + 2.5
    assert len(flagged) == pytest.approx(100 * (flagged[-1] - flagged[0]), abs=2)
    for stride in (event for event in events if isinstance(event, HipEstimate)):
        share = (min(stride.end_s, 12.0) - max(stride.start_s, hangs_s)) / stride.stride_s
        if share == 1.0 or share < 0.5:
            assert (stride.out_of_range == (name,)) == (share == 1.0)


def keeping(hip: float, knee: float, left: bool = True) -> Walk:
    """Return somebody who keeps a posture."""
    walk = walk_of(6.0, stand_s=60.0)
    walk.angles_deg[:, [0, 3] if left else [0]] += hip
    walk.angles_deg[:, [6, 8] if left else [6]] += knee
    return walk


@pytest.mark.parametrize(
    ("hip", "knee", "left"), [(40.0, 80.0, True), (35.0, 40.0, True), (50.0, 60.0, False)]
)
def test_a_posture_that_is_no_standing_is_out_of_range(hip: float, knee: float, left: bool) -> None:
    assert len(flagged_s(run(keeping(hip, knee, left), None))) == 600


def test_what_is_doubted_for_two_reasons_is_flagged_once() -> None:
    events = run(keeping(100.0, 0.0), None)  # beyond the model's range, and in no standing
    assert {
        e.flags.count(Flag.OUT_OF_RANGE) for e in events if isinstance(e, HipSampleEstimate)
    } == {1}


def test_who_measured_a_zero_stands_where_it_says() -> None:
    askew = keeping(30.0, 0.0)  # by how the sensors sit
    assert len(flagged_s(run(askew, None, load_model("hip-sample")))) == 600
    profile = Profile("standing", tuple(askew.angles_deg.mean(axis=0).tolist()), 600)
    watch = WalkWatch()
    watch.set_zero(profile)
    pipeline = Pipeline(None, sample_model=leaky_model())
    pipeline.watch = watch
    events = [event for sample in askew.samples() for event in pipeline.feed_sample(sample)]
    assert len(flagged_s(events)) == 0


def test_who_measured_a_zero_walks_upright_however_the_sensors_sit() -> None:
    walk = walk_of(8.0, stand_s=STAND_S)
    askew_deg = np.zeros(10)
    askew_deg[[0, 3]], askew_deg[[6, 8]] = 30.0, 20.0
    walk.angles_deg[:] += askew_deg
    pipeline = Pipeline(None, sample_model=leaky_model())
    assert len(flagged_s(run(walk, None))) > 500
    pipeline.watch.set_zero(Profile("standing", tuple(askew_deg.tolist()), 600))
    events = [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]
    assert len(flagged_s(events)) == 0


def test_without_a_zero_people_stand_as_the_model_says() -> None:
    knows = leaky_model()
    standing_deg = tuple(30.0 if "hip_flexion" in name else 0.0 for name in ANGLES)
    zero = ZeroCard(standing_deg, (0.0,) * 10, 0.0)
    model = dataclasses.replace(knows, card=dataclasses.replace(knows.card, zero=zero))
    assert len(flagged_s(run(keeping(30.0, 0.0), None, model))) == 0
    assert len(flagged_s(run(keeping(0.0, 0.0), None, model))) == 600


def test_a_zero_of_strides_does_not_say_how_one_stands() -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    pipeline.watch.set_zero(Profile("strides", (30.0,) * 10, 10))
    still = walk_of(6.0, stand_s=60.0)
    events = [event for sample in still.samples() for event in pipeline.feed_sample(sample)]
    assert len(flagged_s(events)) == 0


def test_a_squat_is_out_of_range_while_it_lasts() -> None:
    walk = walk_of(20.0, stand_s=60.0)
    lift = np.where(walk.time_s < 8.0, np.sin(np.pi * walk.time_s / 4.0) ** 2, 0.0)
    walk.angles_deg[:, [0, 3]] += 45.0 * lift[:, None]
    walk.angles_deg[:, [6, 8]] += 65.0 * lift[:, None]
    flagged = flagged_s(run(walk, None))
    assert 1.0 < flagged[0] < 2.0
    assert len(flagged) == pytest.approx(100 * (flagged[-1] - flagged[0]), abs=2)
    assert 7.5 < flagged[-1] < 8.0 + REST_S


@functools.cache
def flagged_as_recorded(name: str) -> list[float]:
    return list(flagged_s(run(recorded_walk(name), None)))


@needs_shared_data
@pytest.mark.parametrize("hip_off_deg", [-10.0, 10.0])
@pytest.mark.parametrize("knee_off_deg", [-10.0, 10.0])
@pytest.mark.parametrize("name", ["Sub01_EMGBaseline", "Sub04_EMGStiffKnee", "Sub06_CSBaseline"])
def test_people_stand_and_walk_with_sensors_askew(
    name: str, hip_off_deg: float, knee_off_deg: float
) -> None:
    walk = recorded_walk(name)
    walk.angles_deg[:, [0, 3]] += hip_off_deg
    walk.angles_deg[:, [6, 8]] += knee_off_deg
    assert flagged_s(run(walk, None)).tolist() == flagged_as_recorded(name)


ONE_LEG_S = 6.0


def one_leg(kind: str) -> Walk:
    """Return a walk of which only the right leg is seen from ``ONE_LEG_S`` on."""
    walk = walk_of(20.0, stand_s=STAND_S)
    left = np.array(angles_of("l"))
    still = np.random.default_rng(1).normal(0.0, 0.2, (len(walk), 5))
    if kind == "never moves":
        walk.angles_deg[:, left] = still
    slips = walk.time_s >= ONE_LEG_S
    if kind == "slips off":
        walk.angles_deg[np.ix_(slips, left)] = [12.0, 3.0, -4.0, 20.0, 5.0] + still[slips]
    if kind == "stands on the other":  # which gives way a little each time
        sway = np.sin(2 * np.pi * 110 / 120 * walk.time_s[slips])[:, None]
        walk.angles_deg[np.ix_(slips, left)] = still[slips] + sway * [2.0, 2.0, 1.0, 1.5, 1.0]
    return walk


@pytest.mark.parametrize("kind", ["never moves", "slips off", "stands on the other"])
@pytest.mark.parametrize("model", [MODEL, None], ids=["both", "samples only"])
def test_one_leg_does_not_walk_without_the_other(kind: str, model: Model | None) -> None:
    events = run(one_leg(kind), model)
    begins_s = STAND_S if kind == "never moves" else ONE_LEG_S
    flagged = flagged_s(events)
    assert begins_s < flagged[0] < begins_s + 2.5
    assert len(flagged) == pytest.approx(100 * (20.0 - flagged[0]), abs=2)
    strides = [event for event in events if isinstance(event, HipEstimate)]
    later = [one for one in strides if one.start_s > begins_s]
    assert len(later) > 10 or model is None
    assert all(Flag.OUT_OF_RANGE in one.flags for one in later)
    assert all("knee_angle_l" in one.out_of_range for one in later)


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 500.0])
@pytest.mark.parametrize("stand_s", [STAND_S, 30.0], ids=["walking", "standing"])
def test_angles_of_which_none_changes_any_more_hold_no_cue(stand_s: float, rate_hz: float) -> None:
    walk = frozen(walk_of(16.0, stand_s=stand_s, rate_hz=rate_hz), 8.0, 14.0)
    cue = parse_cue("glmed_r > -1 N/kg")  # which every sample that is trusted switches on
    pipeline = Pipeline(None, sample_model=leaky_model(), cues=[cue])
    events = [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]
    flagged = flagged_s(events)
    assert flagged[0] == pytest.approx(8.0 + FROZEN_S, abs=1.5 / rate_hz)
    assert flagged[-1] == pytest.approx(14.0, abs=1.5 / rate_hz)
    assert len(flagged) == pytest.approx(rate_hz * (flagged[-1] - flagged[0]), abs=2)
    on, off, on_again = (event for event in events if isinstance(event, CueChange))
    assert (on.on, off.on, on_again.on) == (True, False, True)
    assert off.flags == (Flag.OUT_OF_RANGE,)


@pytest.mark.parametrize("period_s", [0.02, 0.1, 0.2])
def test_a_sensor_slower_than_its_link_does_not_hang(period_s: float) -> None:
    walk = walk_of(20.0, stand_s=10.0, rate_hz=200.0)
    measured = np.round(walk.time_s / period_s, 6).astype(int) * round(200 * period_s)
    assert len(flagged_s(run(Walk(walk.time_s, walk.angles_deg[measured]), None))) == 0


def in_whole_degrees(duration_s: float, **parameters: float) -> Walk:
    """Return a walk whose angles are told in whole degrees, with the sway that shows in them."""
    walk = walk_of(duration_s, **{"noise_deg": 0.02} | parameters)
    sway_deg = 0.6 * np.sin(2 * np.pi * 0.25 * walk.time_s)
    return Walk(walk.time_s, np.round(walk.angles_deg + sway_deg[:, None]))


def longest_still_s(walk: Walk) -> float:
    """Return for how long at most no angle changes."""
    changes = np.any(np.diff(walk.angles_deg, axis=0) != 0.0, axis=1)
    return float(np.diff(walk.time_s[1:][changes]).max())


def test_who_stands_still_in_whole_degrees_is_not_out_of_range() -> None:
    bouts = {"stand_s": 6.0, "walk_s": 8.0, "pause_s": 5.0}
    walk, exact = in_whole_degrees(60.0, **bouts), synthetic_walk(60.0, **bouts)
    quiet = np.abs(np.diff(exact.angles_deg, axis=0)).max(axis=1) == 0.0
    began_s = walk.time_s[np.flatnonzero(quiet[1:] & ~quiet[:-1]) + 1]
    assert len(began_s) == 4
    assert longest_still_s(walk) > 2 * FROZEN_S

    def while_standing(walk: Walk) -> np.ndarray:
        """Return the times of samples that are doubted well after a stop."""
        flagged = flagged_s(run(walk, None))
        after_s = flagged[:, None] - np.array([0.0, *began_s])
        well_after: np.ndarray = ((after_s > 2.0) & (after_s < 5.0)).any(axis=1)
        return np.compress(well_after, flagged)

    assert len(while_standing(walk)) == 0
    walk.angles_deg[150, 2] += 0.1
    assert len(while_standing(walk)) > 0


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 500.0])
@pytest.mark.parametrize("cadence_spm", [50.0, 110.0, 160.0])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
def test_whole_degrees_that_hang_in_a_walk_hold_no_cue(
    phase: float, cadence_spm: float, rate_hz: float
) -> None:
    walk = in_whole_degrees(14.0, stand_s=STAND_S, cadence_spm=cadence_spm, rate_hz=rate_hz)
    hangs_s = 8.0 + phase * 120.0 / cadence_spm
    flagged = flagged_s(run(frozen(walk, hangs_s, 99.0), None))
    flagged = flagged[flagged > hangs_s]
    assert flagged[0] < hangs_s + FROZEN_S + 2.5 / rate_hz
    assert len(flagged) == pytest.approx(rate_hz * (14.0 - flagged[0]), abs=2)


@pytest.mark.parametrize(("hangs_s", "after_s"), [(0.0, FROZEN_S), (8.0, FROZEN_WHOLE_S)])
def test_whole_degrees_that_hang_in_standing_are_out_of_range_in_the_end(
    hangs_s: float, after_s: float
) -> None:
    walk = frozen(in_whole_degrees(30.0, stand_s=60.0), hangs_s, 99.0)
    since_s = walk.time_s[1:][np.any(np.diff(walk.angles_deg, axis=0) != 0.0, axis=1)]
    flagged = flagged_s(run(walk, None))
    flagged = flagged[flagged > hangs_s]
    began_s = since_s[-1] if len(since_s) else 0.0
    assert flagged[0] == pytest.approx(began_s + after_s, abs=0.015)
    assert len(flagged) == pytest.approx(100 * (30.0 - flagged[0]), abs=2)


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "walks_s"),
    [("Sub01_EMGStiffKnee", 2.49), ("Sub03_EMGBaseline", 1.37), ("Sub07_EMGBaseline", 1.03)],
)
@pytest.mark.parametrize("digits", [1, 2])
def test_nobody_stands_so_still_that_no_angle_changes(
    name: str, walks_s: float, digits: int
) -> None:
    walk = recorded_walk(name)
    still_deg = np.round(walk.angles_deg[(walk.time_s > 0.24) & (walk.time_s < walks_s)], digits)
    there_and_back = np.concatenate([still_deg, still_deg[::-1]] * 10)
    walk = Walk(np.arange(len(there_and_back)) / 100, there_and_back)
    assert len(flagged_s(run(walk, None))) == 0


@needs_shared_data
def test_a_recorded_walk_is_doubted_only_after_strides_that_are_out_of_range() -> None:
    walk = recorded_walk("Sub06_CSBaseline")
    events = run(walk)
    strides = [event for event in events if isinstance(event, HipEstimate)]
    strange = [one for one in strides if (one.out_of_range_score or 0.0) > 1.0]
    assert 0 < len(strange) < 0.02 * len(strides)
    flagged = flagged_s(events)
    assert len(flagged) > 0
    for time_s in flagged:
        assert any(
            one.confirmed_s < time_s < one.confirmed_s + 1.2 * one.stride_s for one in strange
        )
