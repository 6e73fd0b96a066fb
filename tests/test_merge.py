"""Two devices with their own clocks become one stream of ten angles."""

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip.channels import ANGLES, angles_of
from edgehip.events import Fault, JointAngleSample, LinkChange, LinkFault, LinkState
from edgehip.merge import BRIDGE_S, WAIT_NS, WAIT_S, Device, Merged, Merger
from edgehip.walker import Walker, WalkerParameters

Arrival = tuple[Device, JointAngleSample, int]
START_NS = 5_000_000_000


def leg(
    device: Device, seconds: float, *, rate_hz: float = 100.0, phase_s: float = 0.0
) -> list[Arrival]:
    """One leg's samples; its clock is its own, its host times are those of the walk."""
    mine = angles_of("r" if device == 0 else "l")
    walk = Walker(WalkerParameters(stand_s=0.5, rate_hz=1000.0))
    every = round(1000.0 / rate_hz)
    skip = round(phase_s * 1000.0)
    arrivals: list[Arrival] = []
    for truth in itertools.islice(walk, skip, round(seconds * 1000), every):
        angles = tuple(a if i in mine else math.nan for i, a in enumerate(truth.angles_deg))
        host_ns = START_NS + round(truth.time_s * 1e9)
        device_s = truth.time_s * (1 + 50e-6 * device) + 1000.0 * device
        arrivals.append((device, JointAngleSample(device_s, angles, host_ns), host_ns))
    return arrivals


def merge(arrivals: Iterable[Arrival]) -> list[Merged]:
    merger = Merger(("right leg", "left leg"))
    return [found for arrival in arrivals for found in merger.feed(*arrival)]


def in_order(*legs: list[Arrival]) -> list[Arrival]:
    return sorted(itertools.chain(*legs), key=lambda arrival: arrival[2])


def samples(found: list[Merged]) -> list[JointAngleSample]:
    return [f for f in found if isinstance(f, JointAngleSample)]


def without(arrivals: list[Arrival], start_s: float, end_s: float) -> list[Arrival]:
    """Leave out an interval; the sample after it knows how many are missing."""
    low, high = START_NS + start_s * 1e9, START_NS + end_s * 1e9
    kept = [a for a in arrivals if not low <= a[2] < high]
    missing = len(arrivals) - len(kept)
    return [
        (d, JointAngleSample(s.time_s, s.angles_deg, s.received_ns, missing), h)
        if h == min(a[2] for a in kept if a[2] >= high)
        else (d, s, h)
        for d, s, h in kept
    ]


def changes(found: list[Merged]) -> list[tuple[LinkState, str]]:
    return [(f.state, f.detail) for f in found if isinstance(f, LinkChange)]


def test_two_legs_make_a_person() -> None:
    found = merge(in_order(leg(0, 6.0), leg(1, 6.0, rate_hz=62.5, phase_s=0.003)))
    merged = samples(found)
    assert merged == found
    truth = {
        round(s.time_s, 3): s
        for s in itertools.islice(Walker(WalkerParameters(stand_s=0.5, rate_hz=1000.0)), 6000)
    }
    assert len(merged) >= 595
    for sample in merged:
        # The leading device's own times and angles are kept as they are.
        expected = np.array(truth[round(sample.time_s, 3)].angles_deg)
        actual = np.array(sample.angles_deg)
        right, left = list(angles_of("r")), list(angles_of("l"))
        np.testing.assert_array_equal(actual[right], expected[right])
        # Linear interpolation over 16 ms of a swinging knee.
        np.testing.assert_allclose(actual[left], expected[left], atol=0.35)
    assert all(sample.samples_lost == 0 for sample in merged)


RIGHT, LEFT = leg(0, 1.0), leg(1, 1.0, phase_s=0.004)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 8)), max_size=60))
def test_bursts_change_nothing(bursts: list[tuple[int, int]]) -> None:
    """However the two streams are interleaved within the limit, the samples are the same."""
    queues = ([*RIGHT], [*LEFT])
    mixed: list[Arrival] = []
    for device, size in [*bursts, *[(0, 1), (1, 1)] * 100]:
        for _ in range(size):
            ahead = queues[device] and queues[1 - device]
            if ahead and queues[device][0][2] - queues[1 - device][0][2] > 0.9 * WAIT_NS:
                break
            mixed += queues[device][:1]
            del queues[device][:1]
    assert len(mixed) == len(RIGHT) + len(LEFT)
    found = merge(mixed)
    assert changes(found) == []
    assert samples(found) == samples(merge(in_order(RIGHT, LEFT)))


def test_a_stalled_second_device_is_told_once_and_nobody_waits() -> None:
    right, left = leg(0, 10.0), leg(1, 10.0)
    merger = Merger(("right leg", "left leg"))
    found: list[Merged] = []
    longest = 0
    for arrival in in_order(right, without(left, 3.0, 6.0)):
        found += merger.feed(*arrival)
        longest = max(longest, *map(len, merger.state.waiting))
    assert changes(found) == [
        (LinkState.STALE, "left leg sends nothing, or too late"),
        (LinkState.LIVE, "left leg is back"),
    ]
    assert longest <= WAIT_S * 100 + 2
    merged = samples(found)
    (gap,) = [(a, b) for a, b in itertools.pairwise(merged) if b.time_s - a.time_s > 2 * BRIDGE_S]
    assert gap[0].time_s == pytest.approx(3.0, abs=0.02)
    assert gap[1].time_s == pytest.approx(6.0, abs=0.02)
    # 300 samples of either leg are missing: the right one's dropped, the left one's never came.
    assert gap[1].samples_lost + merged[merged.index(gap[1]) + 1].samples_lost >= 299
    assert merger.dropped == pytest.approx(300, abs=2)


def test_a_stalled_first_device_is_told_and_the_merging_goes_on() -> None:
    merger = Merger(("right leg", "left leg"))
    found: list[Merged] = []
    for arrival in in_order(without(leg(0, 10.0), 3.0, 6.0), leg(1, 10.0)):
        found += merger.feed(*arrival)
        assert max(map(len, merger.state.waiting)) <= WAIT_S * 100 + 2
    assert [state for state, _ in changes(found)] == [LinkState.STALE, LinkState.LIVE]
    assert "right leg" in changes(found)[0][1]
    assert len(samples(found)) == pytest.approx(700, abs=3)
    assert merger.dropped <= 2


@pytest.mark.parametrize("device", [0, 1])
def test_a_device_that_never_comes_is_told(device: Device) -> None:
    found = merge(leg(device, 5.0))
    ((state, detail),) = changes(found)
    assert state is LinkState.STALE
    assert ("left leg" if device == 0 else "right leg") in detail
    assert samples(found) == []


def test_a_short_gap_of_the_second_device_is_bridged_and_counted() -> None:
    found = merge(in_order(leg(0, 4.0), without(leg(1, 4.0), 2.0, 2.05)))
    merged = samples(found)
    assert changes(found) == []
    assert len(merged) >= 398
    assert sum(sample.samples_lost for sample in merged) == 5


def test_a_longer_gap_of_the_second_device_is_not_bridged() -> None:
    found = merge(in_order(leg(0, 4.0), without(leg(1, 4.0), 2.0, 2.2)))
    merged = samples(found)
    assert changes(found) == []
    times = [sample.time_s for sample in merged]
    assert max(b - a for a, b in itertools.pairwise(times)) == pytest.approx(0.21, abs=0.02)
    assert sum(sample.samples_lost for sample in merged) >= 20 + 19


def test_an_angle_that_neither_measures_is_reported() -> None:
    right = leg(0, 0.1)
    blind = [
        (d, JointAngleSample(s.time_s, (math.nan,) * len(ANGLES), s.received_ns), h)
        for d, s, h in leg(1, 0.1)
    ]
    found = merge(in_order(right, blind))
    assert found
    assert all(isinstance(f, LinkFault) and f.fault is Fault.INCOMPLETE for f in found)


@pytest.mark.parametrize("device", [0, 1])
def test_a_timebase_that_learns_better_does_no_harm(device: Device) -> None:
    """A mapped time that goes back is not interpolated with those placed by the old mapping."""
    arrivals = in_order(leg(0, 4.0), leg(1, 4.0))
    late = [
        (d, s, h + (20_000_000 if d == device and h < START_NS + 2e9 else 0))
        for d, s, h in arrivals
    ]
    merged = samples(merge(late))
    times = [sample.time_s for sample in merged]
    assert times == sorted(set(times))
    assert len(merged) >= 390
    assert sum(sample.samples_lost for sample in merged) <= 6


def test_a_reset_forgets_everything() -> None:
    merger = Merger()
    arrivals = in_order(leg(0, 1.0), leg(1, 1.0))
    first = [found for arrival in arrivals for found in merger.feed(*arrival)]
    merger.reset()
    assert [found for arrival in arrivals for found in merger.feed(*arrival)] == first


def test_a_merged_sample_is_as_late_as_the_later_of_its_two() -> None:
    arrivals = [
        (d, JointAngleSample(s.time_s, s.angles_deg, s.received_ns, 0, 7 if d else 5), h)
        for d, s, h in in_order(leg(0, 2.0), leg(1, 2.0))
    ]
    assert {s.late_ns for s in samples(merge(arrivals))} == {7}
