"""Samples that cannot be, or come in no order: counted, and nothing is trusted for them."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from edgehip import Pipeline, parse_cue
from edgehip.cycles import MAX_SAMPLES
from edgehip.events import (
    Chunk,
    CueChange,
    Fault,
    Flag,
    HipSampleEstimate,
    JointAngleSample,
    LinkFault,
)
from edgehip.messages import Angles
from edgehip.model import Model
from edgehip.pipeline import Event
from edgehip.wire import encode
from tests.pipelines import estimates, run, told
from tests.sample_model import leaky_model
from tests.streams import Walk, synthetic_walk


def test_a_clock_that_crawls_fills_no_memory(model: Model) -> None:
    pipeline = Pipeline(model, sample_model=leaky_model())
    sample = JointAngleSample(0.0, (0.0,) * 10, 0)
    assert pipeline.estimators.by_sample is not None
    assert pipeline.estimators.agreement is not None
    estimate = pipeline.estimators.by_sample.feed(sample)
    for i in range(MAX_SAMPLES + 100):
        pipeline.cycles.add(replace(sample, time_s=i * 1e-6))
        pipeline.estimators.agreement.add(replace(estimate, time_s=i * 1e-6))
    assert len(pipeline.cycles.state.samples) == MAX_SAMPLES
    assert len(pipeline.estimators.agreement.state.recent) == MAX_SAMPLES


@pytest.mark.parametrize(
    ("angle", "fault"), [(math.nan, "incomplete"), (400.0, "bad_value"), (-400.0, "bad_value")]
)
def test_one_sample_that_cannot_be_does_not_end_all_strides(
    model: Model, walk: Walk, angle: float, fault: str
) -> None:
    samples = list(walk.samples())
    samples[400] = replace(samples[400], angles_deg=(angle,) * 10)
    pipeline = Pipeline(model)
    events = [event for sample in samples for event in pipeline.feed_sample(sample)]
    found = estimates(events)
    assert len(found) == len(estimates(run(Pipeline(model), walk)))
    assert [e.fault for e in events if isinstance(e, LinkFault)] == [fault]
    bridged = {e.samples_lost for e in found if e.start_s < walk.time_s[400] < e.end_s}
    assert bridged == {1}
    assert not any(np.isnan(c).any() for e in found for c in e.moments_nm_per_kg.values())


@pytest.mark.parametrize("time_s", [math.nan, math.inf, -math.inf, 2.5e14, -1e10])
def test_a_time_that_is_none_is_a_fault_and_nothing_is_trusted_for_it(time_s: float) -> None:
    cues = [parse_cue("glmed_r > -1 N/kg")]
    pipeline = Pipeline(None, sample_model=leaky_model(), cues=cues)
    angles = (1.0,) * 10
    for _ in range(3):
        assert pipeline.feed_sample(JointAngleSample(time_s, angles, 0)) == [
            LinkFault(Fault.BAD_VALUE, 1, 0)
        ]
    events = [
        event
        for i in range(60)
        for event in pipeline.feed_sample(
            JointAngleSample(time_s if i == 40 else i / 100, (1.0 + i % 2,) * 10, 0)
        )
    ]
    now = [event for event in events if isinstance(event, HipSampleEstimate)]
    assert [Flag.WARMING_UP in e.flags for e in now] == [True] * 20 + [False] * 39
    assert [e.time_s for e in now if Flag.SAMPLES_LOST in e.flags] == [0.0, 0.41]
    assert [e.on for e in events if isinstance(e, CueChange)] == [True]


@pytest.mark.parametrize("begin_s", [1e9, 2.5e14, -2.5e14])
def test_times_so_large_that_small_steps_are_none_end(begin_s: float) -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    for i in range(20):
        sample = JointAngleSample(begin_s + i / 32, (1.0 + i % 2,) * 10, i * 10_000_000)
        events = pipeline.feed_sample(sample)
        assert any(isinstance(e, HipSampleEstimate) for e in events) == (begin_s == 1e9)


def test_a_host_clock_that_leaps_by_ages_ends_nothing_for_ever() -> None:
    """A recording may claim so; a device's time goes on by the host's where its own leapt."""
    pipeline, events = Pipeline(None, sample_model=leaky_model()), list[Event]()
    for i in range(20):
        frame = encode(Angles((1.0 + i % 2,) * 10), i, 31_250 * max(i - 1, 0))
        came_ns = 240_737_488_355_328 * 10**9 + 31_250_000 * i if i else 0
        events += pipeline.feed(Chunk(frame, came_ns))
    faults = [e.fault for e in events if isinstance(e, LinkFault)]
    assert faults == [Fault.CLOCK_JUMP, *[Fault.BAD_VALUE] * 19]
    assert sum(isinstance(e, HipSampleEstimate) for e in events) == 1


def test_a_sample_given_again_or_too_late_is_counted_and_changes_nothing(
    model: Model, walk: Walk
) -> None:
    samples = list(walk.samples())
    often: list[JointAngleSample] = []
    for i, sample in enumerate(samples):
        often += [sample] if i % 40 else [sample, sample]
        if i % 50 == 49:
            often.append(samples[i - 5])
    one, other = Pipeline(model), Pipeline(model)
    expected = [event for sample in samples for event in one.feed_sample(sample)]
    events = [event for sample in often for event in other.feed_sample(sample)]
    faults = [event.fault for event in events if isinstance(event, LinkFault)]
    assert Counter(faults) == {"duplicate": 20, "reordered": 16}
    assert told([e for e in events if not isinstance(e, LinkFault)]) == told(expected)
    assert len(estimates(expected)) > 5


def test_a_clock_that_goes_back_far_begins_anew(model: Model, walk: Walk) -> None:
    samples = list(walk.samples())
    pipeline = Pipeline(model)
    for sample in samples[:400]:
        pipeline.feed_sample(sample)
    events = [e for sample in samples[250:] for e in pipeline.feed_sample(sample)]
    assert [e.fault for e in events if isinstance(e, LinkFault)] == ["restart"]
    for side in ("l", "r"):
        first = next(estimate for estimate in estimates(events) if estimate.side == side)
        assert Flag.FIRST_AFTER_GAP in first.flags
        assert first.start_s > samples[250].time_s


@pytest.mark.parametrize(
    ("how", "for_s"),
    [("put back", 0.08), ("put back", 0.9), ("stood still", 0.07), ("stood still", 0.9)],
)
def test_what_a_clock_does_not_tell_of_lies_in_no_estimate_that_is_trusted(
    model: Model, how: str, for_s: float
) -> None:
    """Put back by a time server, say: by their times, samples go on where they were."""
    walk = synthetic_walk(12.0, stand_s=0.5)
    pipeline = Pipeline(model, sample_model=leaky_model())
    began_s = walk.time_s[600]

    def by_that_clock(sample: JointAngleSample) -> JointAngleSample:
        since_s = sample.time_s - began_s
        if since_s < 0.0:
            return sample
        off_s = for_s if how == "put back" else min(since_s + 0.01, for_s)
        return replace(sample, time_s=sample.time_s - off_s)

    before, after = (
        [event for sample in part for event in pipeline.feed_sample(by_that_clock(sample))]
        for part in (list(walk.samples())[:600], list(walk.samples())[600:])
    )
    faults = [event.fault for event in after if isinstance(event, LinkFault)]
    assert faults[-1] == Fault.RESTART
    assert set(faults[:-1]) <= {Fault.REORDERED, Fault.DUPLICATE}
    assert any(estimate.trusted for estimate in estimates(before))
    for side in ("l", "r"):
        first = next(estimate for estimate in estimates(after) if estimate.side == side)
        assert Flag.FIRST_AFTER_GAP in first.flags
    now = [event for event in after if isinstance(event, HipSampleEstimate)]
    assert [Flag.WARMING_UP in e.flags for e in now[:21]] == [True] * 20 + [False]
