"""A link that drops, repeats, swaps, flips and babbles: counted exactly, nothing wrong accepted."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import Pipeline, load_model
from edgehip.cycles import MAX_BRIDGED_GAP_S
from edgehip.events import Chunk, Fault, HipEstimate, LinkFault
from edgehip.messages import Description
from tests.streams import Injected, Walk, hurt, recut, synthetic_walk

GARBLED = (
    Fault.BAD_COBS,
    Fault.BAD_CRC,
    Fault.BAD_LENGTH,
    Fault.BAD_VERSION,
    Fault.BAD_TYPE,
    Fault.OVERLONG,
)
_MODEL = load_model()
_WALK = synthetic_walk(10.0, stand_s=0.5, noise_deg=0.2)


def run(injected: Injected, seed: int) -> tuple[Counter[Fault], list[HipEstimate]]:
    pipeline = Pipeline(_MODEL)
    sizes = np.random.default_rng(seed).integers(1, 90, 2000).tolist()
    faults: Counter[Fault] = Counter()
    estimates = []
    for chunk in recut(b"".join(injected.pieces), sizes):
        for event in pipeline.feed(Chunk(chunk.data, 0)):
            if isinstance(event, LinkFault):
                faults[event.fault] += event.count
            elif isinstance(event, HipEstimate):
                estimates.append(event)
    return faults, estimates


def check(injected: Injected, walk: Walk, seed: int) -> list[HipEstimate]:
    faults, estimates = run(injected, seed)
    assert faults[Fault.LOST] - faults[Fault.REORDERED] == injected.dropped
    assert faults[Fault.REORDERED] == injected.reordered
    assert faults[Fault.DUPLICATE] == injected.duplicated
    assert sum(faults[fault] for fault in GARBLED) == injected.garbled
    assert not faults[Fault.RESTART]
    assert not faults[Fault.CLOCK_JUMP]
    had = walk.time_s[injected.delivered]
    gaps = [(a, b) for a, b in itertools.pairwise(had.tolist()) if b - a > MAX_BRIDGED_GAP_S]
    for estimate in estimates:
        assert not any(a < estimate.end_s and b > estimate.start_s for a, b in gaps)
        first = np.flatnonzero(had <= estimate.start_s)[-1]
        last = np.flatnonzero(had >= estimate.end_s)[0]
        sent = injected.delivered[last] - injected.delivered[first]
        assert estimate.samples_lost == sent - (last - first)
    return estimates


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 0.05, 0.2]))
def test_everything_at_once_is_counted_exactly(seed: int, share: float) -> None:
    check(hurt(_WALK.frames(), seed, share=share), _WALK, seed)


def test_five_percent_loss_costs_no_stride_and_little_accuracy() -> None:
    clean = run(hurt(_WALK.frames(), 0, share=0.0), 0)[1]
    rng = np.random.default_rng(1)
    frames = [f for f in _WALK.frames() if rng.random() > 0.05]
    pipeline = Pipeline(_MODEL)
    lossy = [
        event
        for frame in frames
        for event in pipeline.feed(Chunk(frame, 0))
        if isinstance(event, HipEstimate)
    ]
    assert [e.side for e in lossy] == [e.side for e in clean]
    for one, other in zip(clean, lossy, strict=True):
        assert other.start_s == pytest.approx(one.start_s, abs=0.02)
        for name, curve in one.moments_nm_per_kg.items():
            assert np.sqrt(np.mean((curve - other.moments_nm_per_kg[name]) ** 2)) < 0.05


@given(st.binary(max_size=2000))
def test_noise_alone_makes_no_estimate_and_no_exception(noise: bytes) -> None:
    events = Pipeline(_MODEL).feed(Chunk(noise, 0))
    assert all(isinstance(event, LinkFault | Description) for event in events)
