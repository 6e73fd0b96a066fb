"""Estimates at every sample: any rate, no look-ahead, state kept and reset, compared, cued."""

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
from edgehip.channels import ANGLES, MIRROR, MUSCLES, SIDES, Side
from edgehip.cues import Cues, parse_cue
from edgehip.errors import ArgumentError, CueError, ModelInputError, SnapshotError
from edgehip.estimators.cycle import CycleEstimator
from edgehip.estimators.sample import SampleEstimator
from edgehip.events import (
    CueChange,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    InitialContact,
    LinkState,
)
from edgehip.model_card import RangeCard
from edgehip.sinks.records import sample_record
from edgehip.zero import Profile
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


# Cues


def estimate(value: float, time_s: float, *flags: Flag) -> HipSampleEstimate:
    moments = {"l": np.zeros(3, np.float32), "r": np.zeros(3, np.float32)}
    forces = {"l": np.zeros(14, np.float32), "r": np.zeros(14, np.float32)}
    forces["r"][10] = value
    return HipSampleEstimate(time_s, moments, forces, "none", flags, (), 0)  # type: ignore[arg-type]


def switched(text: str, values: list[float], step_s: float = 0.01) -> list[tuple[int, bool]]:
    cues = Cues([parse_cue(text)])
    told = []
    for i, value in enumerate(values):
        told += [(i, change.on) for change in cues.feed(estimate(value, i * step_s))]
    return told


def test_a_cue_switches_at_its_threshold() -> None:
    values = [0.0, 11.9, 12.1, 13.0, 11.9, 12.1]
    assert switched("glmed_r > 12 N/kg", values) == [(2, True), (4, False), (5, True)]
    assert switched("glmed_r < 12 N/kg", values) == [(0, True), (2, False), (4, True), (5, False)]


def test_hysteresis_holds_a_cue_on() -> None:
    values = [12.5, 11.5, 12.5, 10.9, 12.5]
    assert switched("glmed_r > 12 N/kg, hysteresis=1", values) == [(0, True), (3, False), (4, True)]


def test_a_cue_rests_after_it_went_off() -> None:
    values = [13.0, 0.0, 13.0, 13.0, 13.0, 13.0]
    text = "glmed_r > 12 N/kg, refractory_s=0.025"
    assert switched(text, values) == [(0, True), (1, False), (4, True)]


def test_a_cue_does_not_rest_until_a_clock_that_began_anew_is_where_it_was() -> None:
    cues = Cues([parse_cue("glmed_r > 12 N/kg, refractory_s=2")])
    for value, time_s in ((13.0, 1000.0), (0.0, 1000.5)):
        assert len(cues.feed(estimate(value, time_s))) == 1
    assert not cues.feed(estimate(13.0, 1002.0))
    assert [change.on for change in cues.feed(estimate(13.0, 1.0))] == [True]


@pytest.mark.parametrize("flag", [Flag.WARMING_UP, Flag.OUT_OF_RANGE])
def test_no_cue_stays_on_without_trust(flag: Flag) -> None:
    cues = Cues([parse_cue("glmed_r > 12 N/kg")])
    assert not cues.feed(estimate(20.0, 0.0, flag))
    assert [c.on for c in cues.feed(estimate(20.0, 0.01))] == [True]
    (off,) = cues.feed(estimate(20.0, 0.02, flag))
    assert not off.on
    assert off.flags == (flag,)
    assert [c.on for c in cues.feed(estimate(20.0, 0.03))] == [True]
    (off,) = cues.all_off(0.04, 0)
    assert off.flags == (Flag.LINK_DOWN,)
    assert not cues.feed(estimate(float("nan"), 0.05))


def test_newtons_need_the_body_mass() -> None:
    cue = parse_cue("glmed_r > 840 N, hysteresis=70", body_mass_kg=70.0)
    assert (cue.threshold, cue.hysteresis) == (12.0, 1.0)
    with pytest.raises(CueError, match="--body-mass"):
        parse_cue("glmed_r > 840 N")


@pytest.mark.parametrize("mass_kg", [-70.0, 0.0, math.nan, 1e6])
@pytest.mark.parametrize("text", ["peak glmed_r > 500 N", "glmed_r > 12 N/kg"])
def test_no_cue_is_of_a_body_that_nobody_has(text: str, mass_kg: float) -> None:
    with pytest.raises(ArgumentError, match=r"a body's mass is 5 to 350 kg|a finite number"):
        parse_cue(text, mass_kg)


@pytest.mark.parametrize(
    ("number", "threshold"),
    [("+12", 12.0), ("1e-1", 0.1), ("-1.5E+1", -15.0), (".5", 0.5), ("3.", 3.0)],
)
def test_a_cue_takes_numbers_as_they_are_written(number: str, threshold: float) -> None:
    cue = parse_cue(f"hip_flexion_l<{number}Nm/kg,hysteresis=+2e-1")
    assert (cue.threshold, cue.hysteresis) == (threshold, 0.2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "write it like"),
        ("glmed > 12 N/kg", "write it like"),
        ("glmed_r = 12 N/kg", "write it like"),
        ("glmed_r > 12", "write it like"),
        ("gluteus_r > 12 N/kg", "no output 'gluteus'"),
        ("glmed_r > 12 Nm/kg", "is in N/kg or N"),
        ("hip_flexion_l > 1 N/kg", "is in Nm/kg or Nm"),
        ("glmed_r > 12 N/kg, histeresis=1", "unknown 'histeresis'"),
        ("glmed_r > 1.2.3 N/kg", "'1.2.3' is no number"),
        ("glmed_r > 1e999 N/kg", "'1e999' is too large"),
        ("glmed_r > 1e N/kg", "write it like"),
        ("glmed_r >= 12 N/kg", "write '>' for '>='"),
        ("glmed_r <= 12 N/kg", "write '<' for '<='"),
        ("glmed_r > 12 N/kg, hysteresis=1, hysteresis=5", "hysteresis is there twice"),
        ("glmed_r > 12 N/kg, hysteresis=-1", "hysteresis is negative"),
    ],
)
def test_a_cue_that_is_not_understood_says_how_to_write_it(text: str, complaint: str) -> None:
    with pytest.raises(CueError, match=complaint):
        parse_cue(text)


def test_a_peak_cue_follows_strides_and_ends_with_the_walk() -> None:
    cue = parse_cue("peak glmed_r > 3 N/kg")
    pipeline = Pipeline(_MODEL, cues=[cue])
    walk = synthetic_walk(14.0, stand_s=1.0, walk_s=6.0, pause_s=60.0)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    changes = [e for e in events if isinstance(e, CueChange)]
    assert [c.on for c in changes] == [True, False]
    assert changes[0].value > 3
    assert changes[1].flags == (Flag.NOT_WALKING,)
    # The first stride after a start is not trusted with a cue.
    strides = [e for e in events if isinstance(e, HipEstimate) and e.side == "r"]
    assert changes[0].time_s == strides[1].confirmed_s


@pytest.mark.parametrize("pause_s", [0.2, 0.5, 1.0])
def test_no_peak_cue_rests_on_a_stride_that_holds_a_stop(pause_s: float) -> None:
    cue = parse_cue("peak glmed_r > 1 N/kg")
    pipeline = Pipeline(_MODEL, cues=[cue])
    walk = synthetic_walk(14.0, stand_s=1.0, walk_s=4.0, pause_s=pause_s)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    strides = [e for e in events if isinstance(e, HipEstimate) and e.side == "r"]
    stops = [place for place, stride in enumerate(strides) if stride.stride_s > 1.5]
    assert stops
    doubted = {0, *stops, *(place + 1 for place in stops)}
    for place, stride in enumerate(strides):
        assert (Flag.FIRST_AFTER_GAP in stride.flags) == (place in doubted)
    ons = [e.time_s for e in events if isinstance(e, CueChange) and e.on]
    trusted = [stride.confirmed_s for p, stride in enumerate(strides) if p not in doubted]
    assert set(ons) <= set(trusted)
    assert ons[0] == strides[1].confirmed_s


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("sign", "<>")
def test_a_cue_on_peaks_looks_at_the_extremes_of_its_own_hips_strides(
    side: Side, sign: str
) -> None:
    threshold = 0.3 if sign == ">" else -0.3
    cue = parse_cue(f"peak hip_flexion_{side} {sign} {threshold} Nm/kg")
    pipeline, found = Pipeline(_MODEL, cues=[cue]), list[HipEstimate | CueChange]()
    for sample in synthetic_walk(8.0, stand_s=1.0).samples():
        events = pipeline.feed_sample(sample)
        found += [e for e in events if isinstance(e, HipEstimate | CueChange)]
    (on,) = (event for event in found if isinstance(event, CueChange))
    strides = [e for e in found if isinstance(e, HipEstimate) and e.side == side]
    first = next(e for e in strides if Flag.FIRST_AFTER_GAP not in e.flags)
    curve = first.moments_nm_per_kg["hip_flexion"]
    assert curve.min() < -0.3 < 0.3 < curve.max()
    assert (on.on, on.time_s) == (True, first.confirmed_s)
    assert on.value == pytest.approx(curve.max() if sign == ">" else curve.min())


def test_a_cue_looks_at_samples_or_at_strides() -> None:
    """What only the other kind of estimate says switches nothing."""
    cues = [parse_cue("iliopsoas_r > 10 N/kg"), parse_cue("peak glmed_r > 15 N/kg")]
    pipeline = Pipeline(_MODEL, sample_model=leaky_model(), correct=False, cues=cues)
    walk = synthetic_walk(8.0, stand_s=1.0)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    strides = [e for e in events if isinstance(e, HipEstimate)]
    samples = [e for e in events if isinstance(e, HipSampleEstimate)]
    assert max(e.forces_n_per_kg["iliopsoas"].max() for e in strides) > 10.0
    assert max(e.forces_n_per_kg["r"][MUSCLES.index("glmed")] for e in samples) > 15.0
    assert not any(isinstance(e, CueChange) for e in events)


def test_a_cue_on_what_a_model_does_not_give_is_off() -> None:
    cues = Cues([parse_cue("peak glmed_r > 1 N/kg")])
    pipeline = Pipeline(_MODEL)
    walk = synthetic_walk(8.0, stand_s=1.0)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    last = [e for e in events if isinstance(e, HipEstimate) and e.side == "r"][-1]
    (on,) = cues.feed(last)
    (off,) = cues.feed(dataclasses.replace(last, forces_n_per_kg={}))
    assert (on.on, off.on, off.flags) == (True, False, (Flag.OUT_OF_RANGE,))


@pytest.mark.parametrize("kind", ["slow", "gaps"])
def test_no_peak_cue_outlives_the_strides_it_rests_on(kind: str) -> None:
    usual = synthetic_walk(30.0, stand_s=0.0)
    slow = synthetic_walk(30.0, cadence_spm=43, stand_s=0.0)
    angles_deg = usual.angles_deg.copy()
    if kind == "slow":  # from a contact of the right foot on steps are found, but no strides
        angles_deg[808:] = slow.angles_deg[383 : 383 + len(usual) - 808]
    kept = np.ones(len(usual), bool)
    if kind == "gaps":  # in every stride
        kept = (usual.time_s < 8.0) | (usual.time_s % 0.7 > 0.1)
    pipeline = Pipeline(_MODEL, cues=[parse_cue("peak glmed_r > 1 N/kg")])
    samples = Walk(usual.time_s[kept], angles_deg[kept]).samples()
    events = [e for sample in samples for e in pipeline.feed_sample(sample)]
    on, off = (e for e in events if isinstance(e, CueChange))
    assert on.on
    assert off.flags == ((Flag.OUT_OF_RANGE if kind == "slow" else Flag.FIRST_AFTER_GAP),)
    assert 8.0 < off.time_s < 12.5
    assert any(isinstance(e, InitialContact) and e.time_s > 25.0 for e in events)


@pytest.mark.parametrize(
    "others",
    [
        ["glmed_r > 12 N/kg"],
        ["glmed_r > 12 N/kg", "glmed_l > 11 N/kg"],
        ["glmed_l > 12 N/kg", "glmed_r > 12 N/kg"],
        [],
    ],
)
def test_a_cue_that_is_on_is_never_resumed_as_another(others: list[str]) -> None:
    def pipeline(texts: list[str]) -> Pipeline:
        return Pipeline(None, sample_model=leaky_model(), cues=[parse_cue(t) for t in texts])

    texts = ["glmed_r > 12 N/kg", "glmed_l > 12 N/kg"]
    first = pipeline(texts)
    first.cues.state.cues[0].on = True
    saved = snapshot.save(first)
    other = pipeline(others)
    before = snapshot.save(other)
    with pytest.raises(SnapshotError, match="other cues"):
        snapshot.restore(other, saved)
    assert snapshot.save(other) == before
    same = pipeline(texts)
    snapshot.restore(same, saved)
    assert snapshot.save(same) == saved


def test_estimates_that_no_stride_is_compared_with_are_not_kept() -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    sizes = []
    for place, sample in enumerate(synthetic_walk(8.0, stand_s=1.0).samples()):
        pipeline.feed_sample(sample)
        if place in (400, 799):  # the last few seconds' samples are there
            sizes.append(len(snapshot.save(pipeline)))
    assert max(sizes) < 1.05 * min(sizes)
    assert "HipSampleEstimate" not in snapshot.save(pipeline)


def test_a_cue_in_newtons_is_not_resumed_for_another_body() -> None:
    light, heavy = (
        Pipeline(None, sample_model=leaky_model(), cues=[parse_cue("glmed_r > 800 N", mass_kg)])
        for mass_kg in (50.0, 100.0)
    )
    with pytest.raises(SnapshotError, match="other cues"):
        snapshot.restore(heavy, snapshot.save(light))


def test_json_knows_no_other_flags_than_the_frames() -> None:
    from edgehip.messages import ESTIMATE_FLAGS

    assert tuple(str(flag) for flag in Flag) == ESTIMATE_FLAGS
    assert json.dumps(list(Flag)) == json.dumps(list(ESTIMATE_FLAGS))


_MODEL = load_model()
_WALK = synthetic_walk(7.2, stand_s=1.0)
