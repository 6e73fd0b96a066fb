"""What is lost of a walk: bridged and told where it is short, never estimated where it is long."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgehip import Pipeline
from edgehip.events import (
    BrokenCycle,
    Chunk,
    Flag,
    HipSampleEstimate,
    JointAngleSample,
    LinkFault,
    PortLost,
    PortOpened,
)
from edgehip.model import Model
from tests.pipelines import estimates, run
from tests.sample_model import leaky_model
from tests.streams import Walk, synthetic_walk


@pytest.mark.parametrize(("rate_hz", "lost"), [(50.0, 2), (100.0, 5)])
def test_the_stated_number_of_lost_samples_is_always_bridged(
    model: Model, rate_hz: float, lost: int
) -> None:
    rng = np.random.default_rng(1)
    walk = synthetic_walk(20.0, stand_s=1.0, rate_hz=rate_hz)
    jitter_s = rng.integers(-500, 500, len(walk)) * 1e-6
    kept = np.arange(len(walk)) % 40 >= lost
    gappy = Walk((walk.time_s + jitter_s)[kept], walk.angles_deg[kept])
    events = run(Pipeline(model), gappy)
    assert len(estimates(events)) >= 20
    assert not [event for event in events if isinstance(event, BrokenCycle)]


def test_a_device_whose_clock_stood_still_while_it_was_away_was_away(
    model: Model, walk: Walk
) -> None:
    """Its numbers and times go on as if nothing had been, but the walk went on without it."""
    kept = np.r_[0:430, 470:800]
    walk = Walk(walk.time_s[: len(kept)], walk.angles_deg[kept])
    before, after = walk.chunks()[:430], walk.chunks()[430:]
    back_ns = before[-1].received_ns + 3 * 10**9
    lost, back = PortLost(back_ns - 2 * 10**9, "gone"), PortOpened(back_ns, "back")
    later = [replace(chunk, received_ns=chunk.received_ns + 3 * 10**9) for chunk in after]
    pipeline = Pipeline(model, sample_model=leaky_model())
    items: list[Chunk | PortOpened | PortLost]
    items = [PortOpened(0, "here"), *before, lost, back, *later]
    events = [event for item in items for event in pipeline.feed(item)]
    assert not any(isinstance(event, LinkFault) for event in events)
    for side in ("l", "r"):
        first = next(e for e in estimates(events) if e.side == side and e.end_s > 4.3)
        assert first.start_s > 4.29
        assert Flag.FIRST_AFTER_GAP in first.flags
    now = [e for e in events if isinstance(e, HipSampleEstimate) and Flag.WARMING_UP in e.flags]
    assert [e.time_s for e in now if e.time_s > 1.0] == pytest.approx(np.arange(4.3, 4.495, 0.01))


def without(walk: Walk, gone: Callable[[float], bool]) -> list[JointAngleSample]:
    kept, lost = [], 0
    for sample in walk.samples():
        if gone(sample.time_s):
            lost += 1
            continue
        kept.append(JointAngleSample(sample.time_s, sample.angles_deg, sample.received_ns, lost))
        lost = 0
    return kept


def test_single_lost_samples_are_bridged_and_told(model: Model, walk: Walk) -> None:
    clean = estimates(run(Pipeline(model), walk))
    pipeline = Pipeline(model)
    samples = without(walk, lambda t: round(t * 100) % 20 == 7)
    bridged = estimates([e for s in samples for e in pipeline.feed_sample(s)])
    assert len(bridged) == len(clean)
    for one, other in zip(clean, bridged, strict=True):
        assert Flag.SAMPLES_LOST in other.flags
        assert other.samples_lost == pytest.approx(other.stride_s * 5, abs=1)
        for name, curve in one.moments_nm_per_kg.items():
            assert np.max(np.abs(curve - other.moments_nm_per_kg[name])) < 0.1


def test_one_lost_sample_is_told_of_the_strides_it_lies_in_and_of_no_other(
    model: Model, walk: Walk
) -> None:
    pipeline = Pipeline(model)
    samples = without(walk, lambda t: round(t * 100) == 507)
    found = estimates([e for s in samples for e in pipeline.feed_sample(s)])
    lossy = [e for e in found if e.start_s < walk.time_s[507] < e.end_s]
    assert [e.side for e in lossy] in (["l", "r"], ["r", "l"])
    for estimate in found:
        assert estimate.samples_lost == (estimate in lossy)
        assert (Flag.SAMPLES_LOST in estimate.flags) == (estimate in lossy)


@pytest.mark.parametrize("gap_s", [0.08, 0.15, 0.6, 3.0])
def test_a_stride_with_a_gap_is_never_estimated(model: Model, gap_s: float) -> None:
    walk = synthetic_walk(14.0, stand_s=1.0)
    pipeline = Pipeline(model)
    samples = without(walk, lambda t: 5.0 < t < 5.0 + gap_s)
    events = [e for s in samples for e in pipeline.feed_sample(s)]
    for estimate in estimates(events):
        assert estimate.end_s <= 5.0 + 0.001 or estimate.start_s >= 5.0 + gap_s - 0.02
    if gap_s < 0.25:
        assert any(isinstance(event, BrokenCycle) for event in events)
    after = [e for e in estimates(events) if e.start_s > 5.0]
    assert Flag.FIRST_AFTER_GAP in after[0].flags
    # Walking is recognised again within two strides.
    assert min(e.start_s for e in after) < 5.0 + gap_s + 2 * after[0].stride_s
