"""Angles that leap as no joint turns: not used, told, and nothing of them lasts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgehip import Pipeline, load_model, snapshot
from edgehip.channels import ANGLES
from edgehip.events import Fault, Flag, HipEstimate, HipSampleEstimate, LinkFault
from edgehip.pipeline import Event
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, synthetic_walk

KNEE, HIP = ANGLES.index("knee_angle_l"), ANGLES.index("hip_flexion_r")


def fresh() -> Pipeline:
    return Pipeline(load_model(), sample_model=load_model("hip-sample"), correct=False)


def run(walk: Walk, cut: int | None = None) -> list[Event]:
    """Return what frames of a walk bring about, saved and resumed at one of them."""
    pipeline, events = fresh(), list[Event]()
    for i, chunk in enumerate(walk.chunks()):
        if i == cut:
            saved = snapshot.save(pipeline)
            pipeline = fresh()
            snapshot.restore(pipeline, saved)
        events += pipeline.feed(chunk)
    return events


def faults(events: list[Event]) -> Counter[Fault]:
    return Counter(e.fault for e in events if isinstance(e, LinkFault))


def by_time(events: Sequence[Event]) -> dict[float, HipSampleEstimate]:
    return {e.time_s: e for e in events if isinstance(e, HipSampleEstimate)}


def farthest(events: Sequence[Event], others: Sequence[Event]) -> float:
    """Return by how much trusted moments of samples differ at the most, in Nm/kg."""
    other = by_time(others)
    return max(
        float(np.abs(e.moments_nm_per_kg[side] - other[t].moments_nm_per_kg[side]).max())
        for t, e in by_time(events).items()
        for side in ("l", "r")
        if e.trusted
    )


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
@pytest.mark.parametrize(("angle", "leap_deg"), [(KNEE, 40.0), (KNEE, -40.0), (HIP, -30.0)])
def test_a_sample_whose_sensor_erred_is_told_and_changes_nothing_that_is_trusted(
    rate_hz: float, angle: int, leap_deg: float
) -> None:
    walk = synthetic_walk(9.0, rate_hz=rate_hz, noise_deg=0.1)
    hurt = Walk(walk.time_s, walk.angles_deg.copy())
    at = [round(s * rate_hz) for s in (5.0, 6.3, 7.7)]
    hurt.angles_deg[at, angle] += leap_deg
    expected, events = run(walk), run(hurt, at[1] + 1)
    assert faults(events) == {Fault.BAD_VALUE: 3}
    assert farthest(events, expected) < 0.1
    assert by_time(expected).keys() - by_time(events).keys() == {i / rate_hz for i in at}
    told = [t for t, e in by_time(events).items() if Flag.SAMPLES_LOST in e.flags]
    assert told == [pytest.approx((i + 1) / rate_hz) for i in at]
    strides = [e for e in events if isinstance(e, HipEstimate)]
    assert len(strides) == sum(isinstance(e, HipEstimate) for e in expected)
    assert sum(e.samples_lost for e in strides) == 2 * 3  # in a stride of either foot


def test_an_angle_that_has_leapt_for_long_is_where_it_is_but_all_begins_anew() -> None:
    """A sensor that slipped: what it measures now has no connection with what it did."""
    walk = synthetic_walk(9.0, noise_deg=0.1)
    walk.angles_deg[600:, HIP] += 60.0
    events = run(walk)
    refused = faults(events)[Fault.BAD_VALUE]
    assert 0.05 <= refused / 100.0 <= 0.07
    after = [e for t, e in by_time(events).items() if t >= 6.0]
    assert after[0].time_s == pytest.approx((600 + refused) / 100.0)
    assert all(Flag.WARMING_UP in e.flags for e in after[:60])
    assert not any(
        isinstance(e, HipEstimate) and e.start_s < 6.0 < e.end_s and e.trusted for e in events
    )


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 500.0])
def test_no_movement_of_legs_is_taken_for_an_error(rate_hz: float) -> None:
    """Nor one with samples missing in it, nor one of a sensor slower than its link."""
    walk = synthetic_walk(6.0, rate_hz=rate_hz, cadence_spm=150.0, noise_deg=0.5)
    measured = np.arange(len(walk)) // round(rate_hz / 50.0) * round(rate_hz / 50.0)
    kept = np.random.default_rng(0).random(len(walk)) > 0.2
    walk = Walk(walk.time_s[kept], walk.angles_deg[measured][kept])
    pipeline = Pipeline(load_model())
    events = [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]
    assert faults(events) == {}


@needs_shared_data
def test_what_erred_in_a_recorded_walk_is_left_out() -> None:
    """Four times an IMU's angles leap by up to 50 degrees, and are back with the next sample."""
    walk = recorded_walk()
    pipeline = fresh()
    samples = list(walk.samples())
    events = [event for sample in samples for event in pipeline.feed_sample(sample)]
    assert faults(events) == {Fault.BAD_VALUE: 4}
    erred = sorted(set(walk.time_s.tolist()) - by_time(events).keys())
    without, pipeline = list[Event](), fresh()
    for before, sample, after in zip(samples, samples[1:], samples[2:], strict=False):
        if sample.time_s in erred:
            both = np.array([before.angles_deg, after.angles_deg])
            sample = replace(sample, angles_deg=tuple(both.mean(axis=0).tolist()))
        without += pipeline.feed_sample(sample)
    assert farthest(events[1:-1], without) < 0.1
