"""Estimates at every sample: any rate, no look-ahead, state kept and reset, compared."""

import dataclasses
import functools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import Pipeline, load_model, snapshot
from edgehip.backends import Engine, Tensor
from edgehip.channels import ANGLES, MIRROR, SIDES, Side
from edgehip.cues import parse_cue
from edgehip.errors import ModelInputError
from edgehip.estimators.cycle import CycleEstimator
from edgehip.estimators.sample import SampleEstimator
from edgehip.events import CueChange, Flag, HipEstimate, HipSampleEstimate, LinkState
from edgehip.model_card import RangeCard
from edgehip.sinks.records import sample_record
from edgehip.zero import Profile
from tests.pipelines import run as run_pipeline
from tests.sample_model import KEEP, LeakyEngine, leaky_model, scored_model
from tests.streams import Walk, synthetic_walk

RATES_HZ = (50.0, 60.0, 100.0, 148.0, 200.0, 500.0)


def run(walk: Walk, estimator: SampleEstimator | None = None) -> list[HipSampleEstimate]:
    estimator = estimator or SampleEstimator(leaky_model())
    return [estimator.feed(sample) for sample in walk.samples()]


def traces(estimates: list[HipSampleEstimate]) -> tuple[np.ndarray, np.ndarray]:
    """Times (N,), and both hips' moments and forces (N, 34)."""
    times = np.array([e.time_s for e in estimates])
    rows = [
        np.concatenate(
            [part[side] for side in SIDES for part in (e.moments_nm_per_kg, e.forces_n_per_kg)]
        )
        for e in estimates
    ]
    return times, np.array(rows)


def test_on_the_grid_it_is_the_network_itself() -> None:
    walk = synthetic_walk(3.0, stand_s=0.5)
    hidden = np.zeros((2, 10), np.float32)
    for angles, estimate in zip(walk.angles_deg, run(walk), strict=True):
        both = np.stack([angles[list(MIRROR)], angles]).astype(np.float32)
        hidden = KEEP * hidden + (1 - KEEP) * both
        assert np.allclose(estimate.moments_nm_per_kg["l"], hidden[0, :3] / 10, atol=1e-5)
        assert np.allclose(estimate.forces_n_per_kg["r"][:10], np.abs(hidden[1]), atol=1e-4)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_rate_gives_the_same_answer(rate_hz: float) -> None:
    """Within two percent of the outputs' spread, as 50 samples a second leave out what they do."""
    reference_s, reference = traces(run(synthetic_walk(5.0, stand_s=0.5)))
    times, outputs = traces(run(synthetic_walk(5.0, stand_s=0.5, rate_hz=rate_hz)))
    assert len(times) == pytest.approx(5.0 * rate_hz, abs=2)
    compared = np.array([np.interp(times, reference_s, column) for column in reference.T]).T
    error = np.sqrt(np.mean((outputs - compared) ** 2, axis=0)) / reference.std(axis=0)
    assert np.max(error) < 0.02


def test_jittered_times_give_the_same_answer() -> None:
    rng = np.random.default_rng(0)
    exact = synthetic_walk(5.0, stand_s=0.5, rate_hz=500.0)
    picks = np.unique(np.clip(np.arange(0, 2500, 5) + rng.integers(-2, 3, 500), 0, 2499))
    jittered = Walk(exact.time_s[picks], exact.angles_deg[picks])
    reference_s, reference = traces(run(synthetic_walk(5.0, stand_s=0.5)))
    times, outputs = traces(run(jittered))
    compared = np.array([np.interp(times, reference_s, column) for column in reference.T]).T
    error = np.sqrt(np.mean((outputs - compared) ** 2, axis=0)) / reference.std(axis=0)
    assert np.max(error) < 0.03


@pytest.mark.parametrize("rate_hz", [148.0, 500.0])
def test_what_changes_steadily_is_answered_between_the_grids_points_as_on_them(
    rate_hz: float,
) -> None:
    """Between them the network is asked for the next one, where the angles will be by then."""

    def turning(rate_hz: float) -> Walk:
        times = np.arange(round(2.0 * rate_hz)) / rate_hz
        return Walk(times, np.outer(times, np.linspace(-40.0, 40.0, 10)))

    reference_s, reference = traces(run(turning(100.0)))
    times, outputs = traces(run(turning(rate_hz)))
    known = (times > 0.2) & (times < reference_s[-1])
    for output, expected in zip(outputs.T, reference.T, strict=True):
        at_times = np.interp(times, reference_s, expected)
        assert output[known] == pytest.approx(at_times[known], abs=1e-3)


@given(st.integers(10, 300), st.integers(0, 2**32))
@settings(max_examples=20)
def test_the_future_changes_nothing(cut: int, seed: int) -> None:
    walk = synthetic_walk(3.0, stand_s=0.3, rate_hz=148.0)
    other = walk.angles_deg.copy()
    other[cut:] += np.random.default_rng(seed).normal(0, 20, other[cut:].shape)
    one, two = run(walk)[:cut], run(Walk(walk.time_s, np.clip(other, -170, 170)))[:cut]
    assert np.array_equal(traces(one)[1], traces(two)[1])


def test_it_warms_up_after_every_gap_and_says_so() -> None:
    walk = synthetic_walk(3.0, stand_s=0.3)
    kept = np.concatenate([np.arange(150), np.arange(160, 300)])
    estimates = run(Walk(walk.time_s[kept], walk.angles_deg[kept]))
    warming = [Flag.WARMING_UP in e.flags for e in estimates]
    expected = [t < 0.195 or 1.595 < t < 1.795 for t in walk.time_s[kept]]
    assert warming == expected


def test_a_short_gap_is_bridged_in_time() -> None:
    walk = synthetic_walk(3.0, stand_s=0.3)
    kept = np.array([i for i in range(300) if i % 30 not in (7, 8, 9)])
    reference = traces(run(walk))[1]
    bridged = run(Walk(walk.time_s[kept], walk.angles_deg[kept]))
    outputs = traces(bridged)[1]
    error = np.sqrt(np.mean((outputs - reference[kept]) ** 2, axis=0)) / reference.std(axis=0)
    assert np.max(error) < 0.02
    assert not any(Flag.WARMING_UP in e.flags for e in bridged[30:])


def test_what_is_foreign_is_named() -> None:
    walk = synthetic_walk(1.0, stand_s=0.3)
    walk.angles_deg[50, 2] = 120.0
    estimates = run(walk)
    assert estimates[50].out_of_range == ("hip_rotation_r",)
    assert Flag.OUT_OF_RANGE in estimates[50].flags
    assert Flag.OUT_OF_RANGE not in estimates[51].flags


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("joint", ["knee_angle_r", "knee_angle_l"])
def test_an_angle_that_is_foreign_to_either_hip_is_named(side: Side, joint: str) -> None:
    """The same network answers for the other hip, and sees the legs exchanged."""
    high = [90.0] * len(ANGLES)
    high[ANGLES.index("knee_angle_l")] = 60.0
    model = leaky_model()
    ranges = {"angles_deg": RangeCard((-90.0,) * len(ANGLES), tuple(high))}
    card = dataclasses.replace(model.card, side=side, ranges=ranges)
    walk = synthetic_walk(1.0, stand_s=0.3)
    walk.angles_deg[50, ANGLES.index(joint)] = 70.0
    estimates = run(walk, SampleEstimator(dataclasses.replace(model, card=card)))
    assert [e.out_of_range for e in estimates if e.out_of_range] == [(joint,)]


def test_each_hip_has_its_spread_and_the_stranger_hip_the_score() -> None:
    walk = synthetic_walk(1.0, stand_s=0.3)
    walk.angles_deg[:, [0, 3]] = 2.0
    walk.angles_deg[40, 3] = 15.0  # left hip flexion: the mirrored body's right
    walk.angles_deg[60, 0] = walk.angles_deg[70, 3] = -90.0
    estimates = run(walk, SampleEstimator(scored_model()))
    for estimate in estimates:
        for side in SIDES:
            moments = estimate.moments_nm_per_kg[side]
            np.testing.assert_allclose(
                estimate.moment_spread_nm_per_kg[side], np.abs(moments) / 2, rtol=1e-6
            )
            assert estimate.force_spread_n_per_kg[side].shape == (14,)
    assert estimates[30].out_of_range_score == pytest.approx(0.2)
    assert Flag.OUT_OF_RANGE not in estimates[30].flags
    assert estimates[40].out_of_range_score == pytest.approx(1.5)
    assert estimates[40].out_of_range == ()
    assert Flag.OUT_OF_RANGE in estimates[40].flags
    for place in (60, 70):  # a score of either hip that is not a number
        assert Flag.OUT_OF_RANGE in estimates[place].flags
    assert Flag.OUT_OF_RANGE not in estimates[80].flags
    assert run(walk)[30].out_of_range_score is None


class _Answerless:
    """An engine whose outputs at one place are no numbers."""

    name = "answerless"

    def __init__(self, engine: Engine, place: int, number: float) -> None:
        self.engine, self.place, self.number = engine, place, number

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = self.engine.run(*inputs)
        outputs[self.place].flat[-1] = self.number
        return outputs


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_what_is_no_number_is_not_to_be_acted_upon(place: int, number: float) -> None:
    leaky = leaky_model()
    silent = dataclasses.replace(leaky, engine=_Answerless(leaky.engine, place, number))
    walk = synthetic_walk(1.0, stand_s=0.3)
    assert run(walk, SampleEstimator(leaky))[-1].trusted
    assert not any(e.trusted for e in run(walk, SampleEstimator(silent)))

    mute = dataclasses.replace(_MODEL, engine=_Answerless(_MODEL.engine, place, number))
    for model, is_trusted in ((_MODEL, True), (mute, False)):
        pipeline = Pipeline(model)
        strides = [
            event
            for sample in synthetic_walk(8.0, stand_s=1.0).samples()
            for event in pipeline.feed_sample(sample)
            if isinstance(event, HipEstimate)
        ]
        assert len(strides) > 8
        assert any(stride.trusted for stride in strides) == is_trusted


def test_samples_say_when_no_zero_is_taken_out() -> None:
    model = load_model("hip-sample")
    zero = model.card.zero
    assert zero is not None
    sample = next(synthetic_walk(0.5).samples())
    for profile, lacks in (
        (None, True),
        (Profile("standing", zero.standing_deg, 300), False),
        (Profile("strides", zero.stride_mean_deg, 10), zero.strength == 0.0),
    ):
        (told,) = Pipeline(None, sample_model=model, profile=profile).feed_sample(sample)
        assert isinstance(told, HipSampleEstimate)
        assert (Flag.NO_ZERO in told.flags) == lacks


def test_a_spread_is_written_where_it_is_asked_for() -> None:
    walk = synthetic_walk(0.5, stand_s=0.3)
    estimate = run(walk, SampleEstimator(scored_model()))[-1]
    record = sample_record(estimate, LinkState.LIVE, ("hip_flexion_l", "hip_flexion_spread_l"))
    moment = record["hip_flexion_l_nm_per_kg"]
    assert record["hip_flexion_spread_l_nm_per_kg"] == pytest.approx(abs(moment) / 2, abs=1e-4)
    without = sample_record(run(walk)[-1], LinkState.LIVE, ("glmed_spread_r",))
    assert without["glmed_spread_r_n_per_kg"] is None


def test_one_call_per_hip_and_sample_on_the_grid_two_off_it() -> None:
    for rate_hz, most in ((100.0, 2.0), (500.0, 2.4), (50.0, 4.0)):
        model = leaky_model()
        assert isinstance(model.engine, LeakyEngine)
        walk = synthetic_walk(2.0, rate_hz=rate_hz)
        run(walk, SampleEstimator(model))
        assert model.engine.calls / len(walk) <= most + 0.02


def test_a_cycle_model_does_not_pass_for_a_sample_model() -> None:
    with pytest.raises(ModelInputError, match=r"--model .*kind 'sample'"):
        SampleEstimator(load_model())
    model = leaky_model()
    card = dataclasses.replace(model.card, outputs=model.card.outputs[::-1])
    with pytest.raises(ModelInputError, match="in this order"):
        SampleEstimator(dataclasses.replace(model, card=card))
    scored = scored_model().card
    one_spread = tuple(t for t in scored.outputs if t.name != "force_spread_n_per_kg")
    with pytest.raises(ModelInputError, match="both spreads or neither"):
        SampleEstimator(
            dataclasses.replace(model, card=dataclasses.replace(scored, outputs=one_spread))
        )
    card = dataclasses.replace(model.card, resets_at_contact=True)
    for estimator in (SampleEstimator, CycleEstimator):
        with pytest.raises(ModelInputError, match=r"very instant of .*whole-cycle form"):
            estimator(dataclasses.replace(model, card=card))


def test_both_voices_are_compared_stride_by_stride() -> None:
    pipeline = Pipeline(load_model(), sample_model=leaky_model())
    samples = list(synthetic_walk(8.0, stand_s=1.0).samples())
    events = [e for sample in samples for e in pipeline.feed_sample(sample)]
    assert sum(isinstance(e, HipSampleEstimate) for e in events) == len(samples)
    cycles = [e for e in events if isinstance(e, HipEstimate)]
    now = {s.time_s: s for s in events if isinstance(s, HipSampleEstimate)}
    for cycle in cycles:
        inside = [s for t, s in now.items() if cycle.start_s <= t < cycle.end_s]
        squares = []
        for s in inside:
            place = (s.time_s - cycle.start_s) / cycle.stride_s * 179
            for k, curve in enumerate(cycle.moments_nm_per_kg.values()):
                reference = np.interp(place, np.arange(180), curve)
                squares.append((s.moments_nm_per_kg[cycle.side][k] - reference) ** 2)
        assert cycle.sample_moment_rmse_nm_per_kg == pytest.approx(np.sqrt(np.mean(squares)), 1e-5)
        assert cycle.sample_force_rmse_n_per_kg is not None


def both_voices() -> Pipeline:
    cue = parse_cue("hip_flexion_r > 0.3 Nm/kg, hysteresis=0.05")
    return Pipeline(_MODEL, sample_model=leaky_model(), cues=[cue])


@functools.cache
def told_uncut() -> list[str]:
    uncut = both_voices()
    return [str(e) for sample in _WALK.samples() for e in uncut.feed_sample(sample)]


@settings(max_examples=10)
@given(st.integers(1, 700))
def test_both_voices_resume_from_a_saved_state_bit_for_bit(cut: int) -> None:
    samples = list(_WALK.samples())
    first, second = both_voices(), both_voices()
    events = [str(e) for sample in samples[:cut] for e in first.feed_sample(sample)]
    snapshot.restore(second, snapshot.save(first))
    events += [str(e) for sample in samples[cut:] for e in second.feed_sample(sample)]
    assert events == told_uncut()


class _SlowEngine(LeakyEngine):
    """Forgets within 20 s only."""

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        angles, hidden = inputs
        hidden = np.float32(0.9995) * hidden + np.float32(0.0005) * angles[0]
        forces = np.abs(hidden[:, None, [*range(10), *range(4)]])
        return hidden[:, None, :3] / np.float32(10), forces, hidden


@pytest.mark.parametrize("cut", [None, 1660])
def test_long_standing_ends_the_networks_memory_and_nobody_sees_it(cut: int | None) -> None:
    def fresh() -> Pipeline:
        cue = parse_cue(
            "hip_flexion_r > -1 Nm/kg"
        )  # which every sample that is trusted switches on
        model = dataclasses.replace(leaky_model(), engine=engine)
        return Pipeline(None, sample_model=model, cues=[cue])

    engine = _SlowEngine()
    pipeline = fresh()
    walk = synthetic_walk(30.0, stand_s=1.0, walk_s=5.0, pause_s=60.0, noise_deg=0.1)
    events, calls = [], []
    for i, sample in enumerate(walk.samples()):
        if i == cut:  # while the fresh memory warms up
            saved = snapshot.save(pipeline)
            pipeline = fresh()
            snapshot.restore(pipeline, saved)
        events += pipeline.feed_sample(sample)
        calls.append(engine.calls)
    assert calls[-1] - calls[-101] == 200  # one memory for each hip, as ever
    samples = [event for event in events if isinstance(event, HipSampleEstimate)]
    assert not any(one.flags for one in samples[20:])
    assert [event.on for event in events if isinstance(event, CueChange)] == [True]
    knee = np.array([one.forces_n_per_kg["r"][6] for one in samples])
    assert knee[1500] > 1.0
    renewed = int(np.argmin(np.diff(knee))) + 1
    assert 1600 < renewed < 1900
    assert knee[renewed:].max() < 0.02


def test_every_long_standing_ends_the_networks_memory() -> None:
    model = dataclasses.replace(leaky_model(), engine=_SlowEngine())
    walk = synthetic_walk(46.0, stand_s=1.0, walk_s=5.0, pause_s=18.0, noise_deg=0.1)
    events = run_pipeline(Pipeline(None, sample_model=model), walk)
    samples = [event for event in events if isinstance(event, HipSampleEstimate)]
    knee = np.array([one.forces_n_per_kg["r"][6] for one in samples])
    for standing in (slice(650, 1600), slice(2950, 3900)):
        assert knee[standing].min() > 1.0
    for fresh in (slice(1900, 2400), slice(4200, 4600)):
        assert knee[fresh].max() < 0.02


def test_a_memory_that_ends_in_long_standing_leaves_no_gap_in_the_answers() -> None:
    """A fresh one that has not warmed up yet would tell of angles of nearly zero."""
    walk = synthetic_walk(30.0, stand_s=1.0, walk_s=5.0, pause_s=60.0, noise_deg=0.05)
    pipeline = Pipeline(None, sample_model=leaky_model())
    events = run_pipeline(pipeline, Walk(walk.time_s, walk.angles_deg + 10.0))
    samples = [event for event in events if isinstance(event, HipSampleEstimate)]
    assert pipeline.state.rested
    hip = np.array([one.value("hip_flexion_r") for one in samples[1000:]])
    assert np.ptp(hip) < 0.05 < 0.9 < hip.min()


def test_estimates_that_no_stride_is_compared_with_are_not_kept() -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    sizes = []
    for place, sample in enumerate(synthetic_walk(8.0, stand_s=1.0).samples()):
        pipeline.feed_sample(sample)
        if place in (400, 799):  # the last few seconds' samples are there
            sizes.append(len(snapshot.save(pipeline)))
    assert max(sizes) < 1.05 * min(sizes)
    assert "HipSampleEstimate" not in snapshot.save(pipeline)


def test_json_knows_no_other_flags_than_the_frames() -> None:
    from edgehip.messages import ESTIMATE_FLAGS

    assert tuple(str(flag) for flag in Flag) == ESTIMATE_FLAGS
    assert json.dumps(list(Flag)) == json.dumps(list(ESTIMATE_FLAGS))


_MODEL = load_model()


_WALK = synthetic_walk(7.2, stand_s=1.0)
