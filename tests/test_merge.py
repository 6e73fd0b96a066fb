"""Two devices with their own clocks become one stream of ten angles."""

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip.channels import ANGLES, angles_of
from edgehip.cycles import MAX_BRIDGED_GAP_S
from edgehip.events import Fault, JointAngleSample, LinkChange, LinkFault, LinkState
from edgehip.merge import WAIT_NS, Device, Merged, Merger
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


def unmatched(found: list[Merged]) -> int:
    """Return how many samples were not completed; nothing else may be wrong."""
    faults = [f for f in found if isinstance(f, LinkFault)]
    assert all(fault.fault is Fault.UNMATCHED for fault in faults)
    return sum(fault.count for fault in faults)


def changes(found: list[Merged]) -> list[tuple[LinkState, str]]:
    return [(f.state, f.detail) for f in found if isinstance(f, LinkChange)]


def test_two_legs_make_a_person() -> None:
    found = merge(in_order(leg(0, 6.0), leg(1, 6.0, rate_hz=62.5, phase_s=0.003)))
    merged = samples(found)
    assert unmatched(found) == len(found) - len(merged) == 1  # it began sooner than the other
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
    assert longest <= WAIT_NS / 1e7 + 2
    merged = samples(found)
    (gap,) = [(a, b) for a, b in itertools.pairwise(merged) if b.time_s - a.time_s > 0.2]
    assert gap[0].time_s == pytest.approx(3.0, abs=0.02)
    assert gap[1].time_s == pytest.approx(6.0, abs=0.02)
    # 300 samples of either leg are missing: the right one's dropped, the left one's never came.
    assert gap[1].samples_lost + merged[merged.index(gap[1]) + 1].samples_lost >= 299
    assert unmatched(found) == pytest.approx(300, abs=2)
    # Every sample of the first device is taken, is counted, or waits.
    assert len(merged) + unmatched(found) + len(merger.state.waiting[0]) == len(right)


def test_a_device_that_falls_behind_little_by_little_does_not_come_and_go() -> None:
    def arrived_ns(arrival: Arrival) -> float:
        device, _, host_ns = arrival
        since_s = (host_ns - START_NS) / 1e9
        return host_ns + device * 0.08e9 * min(since_s, 8.0 - since_s)

    found = merge(sorted([*leg(0, 8.0), *leg(1, 8.0)], key=arrived_ns))
    assert [state for state, _ in changes(found)] == [LinkState.STALE, LinkState.LIVE]


def test_a_stalled_first_device_is_told_and_the_merging_goes_on() -> None:
    merger = Merger(("right leg", "left leg"))
    found: list[Merged] = []
    for arrival in in_order(without(leg(0, 10.0), 3.0, 6.0), leg(1, 10.0)):
        found += merger.feed(*arrival)
        assert max(map(len, merger.state.waiting)) <= WAIT_NS / 1e7 + 2
    assert [state for state, _ in changes(found)] == [LinkState.STALE, LinkState.LIVE]
    assert "right leg" in changes(found)[0][1]
    assert len(samples(found)) == pytest.approx(700, abs=3)
    assert unmatched(found) <= 2


@pytest.mark.parametrize("device", [0, 1])
def test_a_device_that_never_comes_is_told(device: Device) -> None:
    found = merge(leg(device, 5.0))
    ((state, detail),) = changes(found)
    assert state is LinkState.STALE
    waits_at_most = WAIT_NS / 1e7 + 1
    assert unmatched(found) == pytest.approx(500 - waits_at_most if device == 0 else 0, abs=1)
    assert ("left leg" if device == 0 else "right leg") in detail
    assert samples(found) == []


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0, 250.0])
@pytest.mark.parametrize("lost", [1, 3, 5])
def test_every_sample_across_a_short_gap_of_the_second_device_tells_of_it(
    rate_hz: float, lost: int
) -> None:
    left = leg(1, 4.0, phase_s=0.005)
    right = leg(0, 4.0, rate_hz=rate_hz)
    found = merge(in_order(right, without(left, 2.0, 2.0 + lost / 100)))
    merged = samples(found)
    assert changes(found) == []
    assert len(merged) == pytest.approx(4 * rate_hz, abs=3)
    across = [s for s in merged if 1.995 < s.time_s < 2.005 + lost / 100]
    assert len(across) == pytest.approx((lost + 1) * rate_hz / 100, abs=1)
    assert all(sample.samples_lost for sample in across)
    told = [sample for sample in merged if sample.samples_lost]
    # What the samples across the gap are too few to tell, the next one does.
    assert told[: len(across)] == across
    assert len(told) <= len(across) + 1
    assert sum(sample.samples_lost for sample in told) == max(lost, len(across))


def test_a_sample_at_the_edge_of_a_gap_has_nothing_to_tell_of_it() -> None:
    merged = samples(merge(in_order(leg(0, 4.0), without(leg(1, 4.0), 2.0, 2.05))))
    told = [round(sample.time_s, 3) for sample in merged if sample.samples_lost]
    assert told == [2.0, 2.01, 2.02, 2.03, 2.04]


@pytest.mark.parametrize("lost_s", [0.06, 0.09, 0.2])
def test_a_longer_gap_of_the_second_device_is_not_bridged(lost_s: float) -> None:
    """What is too long for one device's samples is too long for two devices'."""
    assert lost_s + 0.01 > MAX_BRIDGED_GAP_S
    found = merge(in_order(leg(0, 4.0), without(leg(1, 4.0, phase_s=0.005), 2.0, 2.0 + lost_s)))
    merged = samples(found)
    assert changes(found) == []
    times = [sample.time_s for sample in merged]
    longest_s = max(b - a for a, b in itertools.pairwise(times))
    assert longest_s == pytest.approx(lost_s + 0.02, abs=0.005)
    # Of either leg: the right one's were dropped, the left one's never came.
    assert sum(sample.samples_lost for sample in merged) == pytest.approx(200 * lost_s, abs=2)


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
@pytest.mark.parametrize("late_ms", [20, 200])
def test_a_timebase_that_learns_better_does_no_harm(device: Device, late_ms: int) -> None:
    """A mapped time that goes back is not interpolated with those placed by the old mapping."""
    arrivals = in_order(leg(0, 4.0), leg(1, 4.0))
    late = [
        (d, s, h + (late_ms * 1_000_000 if d == device and h < START_NS + 2e9 else 0))
        for d, s, h in arrivals
    ]
    merger = Merger()
    found = [one for arrival in late for one in merger.feed(*arrival)]
    merged = samples(found)
    times = [sample.time_s for sample in merged]
    assert times == sorted(set(times))
    assert len(merged) >= 395 - late_ms / 5
    assert len(merged) + unmatched(found) + len(merger.state.waiting[0]) == 400
    assert sum(sample.samples_lost for sample in merged) <= 4 + late_ms / 10
    left = list(angles_of("l"))
    walk = itertools.islice(Walker(WalkerParameters(stand_s=0.5, rate_hz=1000.0)), 4000)
    truth = {round(s.time_s, 3): np.array(s.angles_deg)[left] for s in walk}
    for sample in merged:
        if sample.time_s > 2.005:  # when the first comes that is placed by the new one
            actual = np.array(sample.angles_deg)[left]
            np.testing.assert_allclose(actual, truth[round(sample.time_s, 3)], atol=0.35)


def test_a_reset_forgets_everything() -> None:
    merger = Merger()
    arrivals = in_order(leg(0, 1.0), leg(1, 1.0))
    first = [found for arrival in arrivals for found in merger.feed(*arrival)]
    assert merger.reset() == []
    for arrival in leg(0, 0.05):
        assert merger.feed(*arrival) == []
    assert unmatched(merger.reset()) == 5
    assert [found for arrival in arrivals for found in merger.feed(*arrival)] == first


@pytest.mark.parametrize("later", [0, 1])
def test_a_merged_sample_came_when_the_later_of_its_two_did_and_is_as_late(later: int) -> None:
    arrivals = [
        (d, JointAngleSample(s.time_s, s.angles_deg, h + (7 if d == later else 5), 0, late_ns), h)
        for d, s, h in in_order(leg(0, 2.0), leg(1, 2.0))
        for late_ns in [7 if d == later else 5]
    ]
    merged = samples(merge(arrivals))
    assert {s.late_ns for s in merged} == {7}
    assert {s.received_ns - START_NS - round(s.time_s * 1e9) for s in merged} == {7}
