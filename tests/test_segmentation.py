"""Gait events from joint angles: on a walker whose events are known, and on recorded walks."""

import copy
import itertools
import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import segmentation as benchmark
from benchmarks.gait_recordings import PERTURBATIONS, Recording, load_children, load_recordings
from benchmarks.gait_scores import KINDS, Kind, Summary, score, score_recording, summarise
from edgehip.channels import MIRROR, SIDES, Side, angles_of, opposite
from edgehip.events import FootOff, InitialContact, JointAngleSample
from edgehip.segmentation import GaitSegmenter, SegmentationParameters
from edgehip.walker import Walker, WalkerParameters
from tests.shared_data import SHARED, needs_shared_data

Event = InitialContact | FootOff
EVENTS: tuple[type[Event], ...] = (InitialContact, FootOff)


def walk(
    parameters: WalkerParameters, seconds: float
) -> tuple[list[JointAngleSample], list[InitialContact | FootOff]]:
    """Return what a walker does, and when its feet truly came down and went up."""
    samples: list[JointAngleSample] = []
    events: list[Event] = []
    for sample in itertools.takewhile(lambda one: one.time_s <= seconds, Walker(parameters)):
        samples.append(JointAngleSample(sample.time_s, sample.angles_deg, received_ns=0))
        events += sample.events
    return samples, events


@cache
def a_walk() -> tuple[JointAngleSample, ...]:
    """Return half a minute of somebody who walks, pauses and walks on, a little unevenly."""
    parameters = WalkerParameters(
        walk_s=9.0, pause_s=2.0, noise_deg=0.2, stride_variability_percent=2.0, seed=1
    )
    return tuple(walk(parameters, 30.0)[0])


def events_in(samples: Iterable[JointAngleSample]) -> list[Event]:
    segmenter = GaitSegmenter()
    return [event for sample in samples for event in segmenter.feed(sample)]


@cache
def events_in_the_walk() -> list[Event]:
    return events_in(a_walk())


def times(events: Iterable[Event], kind: type[Event], side: Side) -> np.ndarray:
    return np.array([one.time_s for one in events if type(one) is kind and one.side == side])


def moved(sample: JointAngleSample, angles_deg: np.ndarray) -> JointAngleSample:
    return JointAngleSample(sample.time_s, tuple(angles_deg.tolist()), received_ns=0)


@pytest.mark.parametrize("cadence_spm", [60.0, 80.0, 110.0, 145.0, 180.0])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 333.0])
def test_every_step_is_found_once_at_any_cadence_and_rate(
    cadence_spm: float, rate_hz: float
) -> None:
    samples, true = walk(WalkerParameters(cadence_spm=cadence_spm, rate_hz=rate_hz), 22.0)
    found = events_in(samples)
    for kind, side in itertools.product(EVENTS, SIDES):
        expected, got = times(true, kind, side), times(found, kind, side)
        expected = expected[(expected > 4.1) & (expected < 21.0)]
        # The walker slows one adult's curves down and speeds them up, so its lead is not a
        # person's; it must be the same in every stride.
        offset_s = np.median([got[np.argmin(abs(got - at))] - at for at in expected])
        assert abs(offset_s) < 0.1
        got = got[(got > expected[0] - 0.1) & (got < expected[-1] + 0.1)]
        assert len(got) == len(expected)
        np.testing.assert_allclose(got - offset_s, expected, atol=0.004)


def test_the_rate_does_not_matter() -> None:
    def found(rate_hz: float) -> list[Event]:
        return events_in(walk(WalkerParameters(rate_hz=rate_hz), 20.0)[0])

    reference = found(500.0)
    for rate_hz in (50.0, 60.0, 148.0):
        events = found(rate_hz)
        for kind, side in itertools.product(EVENTS, SIDES):
            np.testing.assert_allclose(
                times(events, kind, side), times(reference, kind, side), atol=0.006
            )


def test_uneven_and_missing_samples_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    samples = walk(WalkerParameters(rate_hz=500.0), 20.0)[0]
    steps = rng.choice([1, 2, 4, 5, 7, 9, 25], 5000)  # 2 ms to 50 ms
    uneven = [samples[i] for i in np.cumsum(steps) if i < len(samples)]
    found, reference = events_in(uneven), events_in(samples)
    for kind, side in itertools.product(EVENTS, SIDES):
        got, expected = times(found, kind, side)[1:], times(reference, kind, side)[1:]
        assert len(got) == len(expected)
        np.testing.assert_allclose(got, expected, atol=0.03)


def test_an_event_is_confirmed_soon_after_it_happened_and_never_before() -> None:
    clock_s = 0.0
    segmenter = GaitSegmenter()
    delays_s = []
    for sample in a_walk():
        for event in segmenter.feed(sample):
            assert event.confirmed_s == sample.time_s
            assert event.time_s < event.confirmed_s
            delays_s.append(event.confirmed_s - event.time_s)
        assert sample.time_s >= clock_s
        clock_s = sample.time_s
    assert len(delays_s) > 60
    assert np.median(delays_s) <= 0.04


def test_the_events_of_a_foot_alternate_and_move_on() -> None:
    found = events_in(a_walk())
    for side in SIDES:
        own = [event for event in found if event.side == side]
        assert len(own) > 30
        for before, after in itertools.pairwise(own):
            assert after.time_s > before.time_s
            paused = after.time_s - before.time_s > SegmentationParameters().pause_s
            assert type(after) is not type(before) or paused


def test_whoever_stands_makes_no_step() -> None:
    parameters = WalkerParameters(stand_s=100.0, noise_deg=1.0, drift_deg_per_min=10.0)
    segmenter = GaitSegmenter()
    for sample in walk(parameters, 60.0)[0]:
        assert segmenter.feed(sample) == []
        assert not segmenter.walking


def still_moving(hip: float, knee: float, in_turn: bool) -> list[JointAngleSample]:
    """Return somebody who flexes both legs, at once or in turn, and comes back each time."""
    noise = np.random.default_rng(0)
    samples = []
    for time_s in np.arange(0.0, 30.0, 0.01):
        angles_deg = noise.normal(0.0, 0.3, 10)
        for side, turn in (("r", 0.0), ("l", 0.5 if in_turn else 0.0)):
            phase = (0.8 * time_s + turn) % 1.0
            lift = 0.5 - 0.5 * np.cos(2.0 * np.pi * phase / 0.45) if phase < 0.45 else 0.0
            hip_at, _, _, knee_at, _ = angles_of(side)  # type: ignore[arg-type]
            angles_deg[[hip_at, knee_at]] += lift * np.array([hip, knee])
        samples.append(JointAngleSample(float(time_s), tuple(angles_deg.tolist()), 0))
    return samples


@pytest.mark.parametrize(
    ("hip", "knee", "in_turn"),
    [(60.0, 80.0, False), (90.0, 90.0, False), (15.0, 30.0, True), (20.0, 40.0, True)],
    ids=["squats", "sits down", "turns on the spot", "turns, lifting its feet"],
)
def test_what_brings_the_feet_back_is_no_stride(hip: float, knee: float, in_turn: bool) -> None:
    assert events_in(still_moving(hip, knee, in_turn)) == []


@pytest.mark.parametrize("pause_s", [1.5, 4.0, 20.0])
def test_walking_resumed_after_a_pause_is_recognised_within_two_strides(pause_s: float) -> None:
    parameters = WalkerParameters(walk_s=8.0, pause_s=pause_s, noise_deg=0.3)
    samples, true = walk(parameters, 61.0)
    found = events_in(samples)
    for side in SIDES:
        expected, got = times(true, InitialContact, side), times(found, InitialContact, side)
        expected, got = expected[expected < 60.5], got[got < 60.5]
        starts = np.flatnonzero(np.diff(expected, prepend=-10.0) > 1.5)
        assert len(starts) >= 2
        late = [i for i, at in enumerate(expected) if np.min(abs(got - at)) > 0.06]
        assert all(i in starts for i in late)
        assert len(got) == len(expected)


def test_walking_is_true_while_somebody_walks() -> None:
    parameters = WalkerParameters(walk_s=10.0, pause_s=6.0)
    segmenter = GaitSegmenter()
    state: dict[float, bool] = {}
    samples, true = walk(parameters, 18.0)
    for sample in samples:
        segmenter.feed(sample)
        state[round(sample.time_s, 2)] = segmenter.walking
    contacts_s = [event.time_s for event in true if isinstance(event, InitialContact)]
    assert not state[1.5]
    assert all(
        walking for at, walking in state.items() if contacts_s[1] + 0.1 < at < contacts_s[-1]
    )
    assert not any(walking for at, walking in state.items() if at > contacts_s[-1] + 2.5)


@given(st.lists(st.floats(-40.0, 40.0), min_size=10, max_size=10))
def test_the_zeros_of_the_angles_do_not_matter(zeros_deg: list[float]) -> None:
    samples = a_walk()[:800]
    shifted = [moved(one, np.array(one.angles_deg) + np.array(zeros_deg)) for one in samples]
    found, reference = events_in(shifted), events_in(samples)
    assert [(type(one), one.side) for one in found] == [(type(one), one.side) for one in reference]
    np.testing.assert_allclose(
        [one.time_s for one in found], [one.time_s for one in reference], atol=1e-6
    )


def test_both_legs_are_treated_alike() -> None:
    mirrored = [moved(one, np.array(one.angles_deg)[list(MIRROR)]) for one in a_walk()]

    def by_time(events: list[Event]) -> list[tuple[float, str, Side]]:
        return sorted((one.time_s, type(one).__name__, one.side) for one in events)

    assert by_time(events_in(mirrored)) == [
        (at, kind, opposite(side)) for at, kind, side in by_time(events_in(a_walk()))
    ]


@given(st.integers(0, len(a_walk())))
def test_a_state_saved_anywhere_goes_on_with_the_same_events(cut: int) -> None:
    samples = a_walk()
    first, second = GaitSegmenter(), GaitSegmenter()
    found = [event for sample in samples[:cut] for event in first.feed(sample)]
    second.state = copy.deepcopy(first.state)
    for sample in samples[cut : cut + 50]:  # what the first does now is nothing to the second
        first.feed(sample)
    found += [event for sample in samples[cut:] for event in second.feed(sample)]
    assert found == events_in_the_walk()


def test_a_long_gap_is_a_new_beginning() -> None:
    samples = a_walk()
    after = samples[900:]
    segmenter = GaitSegmenter()
    for sample in samples[:860]:
        segmenter.feed(sample)
    assert segmenter.walking
    found = [event for sample in after for event in segmenter.feed(sample)]
    assert found == events_in(after)


def test_reset_forgets_everything() -> None:
    segmenter = GaitSegmenter()
    for sample in a_walk()[:1000]:
        segmenter.feed(sample)
    segmenter.reset()
    assert segmenter.state == GaitSegmenter().state
    assert not segmenter.walking


def test_a_clock_that_stands_still_or_goes_back_is_a_new_beginning() -> None:
    samples = a_walk()[:1000]
    segmenter = GaitSegmenter()
    for sample in samples:
        segmenter.feed(sample)
    assert segmenter.feed(samples[-1]) == []
    assert not segmenter.walking
    assert [event for one in samples for event in segmenter.feed(one)] == events_in(samples)


def test_the_detector_can_be_tuned() -> None:
    strict = GaitSegmenter(SegmentationParameters(least_step_deg=400.0))
    assert all(strict.feed(sample) == [] for sample in a_walk())


@cache
def recordings(group: str) -> list[Recording]:
    return [one for one in load_recordings(SHARED / "data") if one.group == group]


def summary_of(recording: Recording, kind: Kind) -> Summary:
    return summarise(one for (what, _), one in score_recording(recording).items() if what == kind)


@needs_shared_data
@pytest.mark.parametrize(
    ("group", "kind", "least_f1"),
    [
        ("normal", "contact", 0.995),
        ("normal", "foot off", 0.98),
        ("stiff knee", "contact", 0.98),
        ("stiff knee", "foot off", 0.98),
    ],
)
def test_each_recorded_walk_from_the_first_step_on(group: str, kind: Kind, least_f1: float) -> None:
    assert recordings(group)
    for recording in recordings(group):
        summary = summary_of(recording, kind)
        assert summary.events > 30
        assert summary.f1 >= least_f1, recording.name
        assert summary.sd_ms <= 15.0, recording.name
        assert summary.delay_median_ms <= 40.0, recording.name
        assert summary.delay_p95_ms <= 42.0, recording.name


@needs_shared_data
@pytest.mark.parametrize("kind", KINDS)
def test_each_overground_step(kind: Kind) -> None:
    own = [score_recording(one) for one in recordings("overground")]
    summary = summarise(one for each in own for (what, _), one in each.items() if what == kind)
    assert summary.events > 50
    assert summary.f1 == 1.0
    assert summary.delay_median_ms <= 40.0


@needs_shared_data
@pytest.mark.parametrize("kind", KINDS)
def test_slow_strides_in_which_the_foot_hovers(kind: Kind) -> None:
    (slow,) = [one for one in recordings("other labs") if "WBDS19" in one.name]
    assert slow.stride_s > 1.8
    summary = summary_of(slow, kind)
    assert summary.f1 == 1.0
    assert abs(summary.offset_ms) <= 30.0


@needs_shared_data
@pytest.mark.parametrize("kind", KINDS)
def test_no_bias_against_the_force_plates(kind: Kind) -> None:
    own = [score_recording(one) for one in recordings("overground")]
    summary = summarise(one for each in own for (what, _), one in each.items() if what == kind)
    assert abs(summary.offset_ms) <= 10.0


@needs_shared_data
def test_children_s_strides_are_found_one_by_one() -> None:
    own = [score_recording(one) for one in load_children(SHARED / "data")]
    summary = summarise(one for each in own for one in each.values())
    assert summary.events > 300
    assert summary.f1 == 1.0
    assert abs(summary.offset_ms) <= 20.0


@needs_shared_data
@pytest.mark.parametrize(
    "name", ["50 Hz", "noise 0.5 deg", "zeros off by 15 deg", "all angles x 0.6", "150 steps/min"]
)
def test_recorded_walks_made_harder(name: str) -> None:
    chosen = [recordings("normal")[0], recordings("stiff knee")[1]]
    own = [score_recording(PERTURBATIONS[name](one)) for one in chosen]
    for kind in KINDS:
        summary = summarise(one for each in own for (what, _), one in each.items() if what == kind)
        assert summary.f1 >= 0.97


def test_scores_count_each_event_once_and_none_for_the_cut() -> None:
    true_s, found_s = [1.0, 2.0, 3.0, 4.01], [1.05, 2.05, 2.5, 3.045, 4.03]
    result = score(true_s, found_s, [at + 0.03 for at in found_s], start_s=0.5, end_s=4.0)
    assert (result.matched, result.missed, result.extra) == (3, 0, 1)
    assert result.offset_s == pytest.approx(0.05)
    late = score(true_s, [1.05, 2.05, 3.05, 3.9], [0.0] * 4, start_s=0.5, end_s=4.0)
    assert (late.matched, late.missed, late.extra) == (3, 0, 1)


def test_the_benchmark_says_where_it_looked_for_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark.main(["--data", str(tmp_path)]) == 2
    assert f"no recordings in {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize("sway_hz", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("sway_deg", [4.0, 6.0])
def test_hips_that_sway_over_straight_knees_do_not_walk(sway_deg: float, sway_hz: float) -> None:
    segmenter = GaitSegmenter()
    for i in range(3000):
        hip = sway_deg * math.sin(2 * math.pi * sway_hz * i / 100)
        angles = (hip, 0.0, 0.0, -hip, 0.0, 0.0, 3.0, 0.0, 3.0, 0.0)
        assert segmenter.feed(JointAngleSample(i / 100, angles, 0)) == []
