"""Old frames sent again are told from a device that started again, though both look the same."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from edgehip.events import Fault
from edgehip.sequence import WINDOW, SequenceTracker

PERIOD_US = 10_000
MS = 1_000_000


def orders(
    tracker: SequenceTracker, numbers: Sequence[int], times_ns: Sequence[int]
) -> Counter[Fault | None]:
    """Feed frames of a device that does the same after every start, received at these times."""
    return Counter(
        tracker.feed(number, 77 + number * PERIOD_US, time_ns)[0]
        for number, time_ns in zip(numbers, times_ns, strict=True)
    )


def arrivals(count: int, begin_ns: int, speed: float, interval_ms: float) -> list[int]:
    """Return when frames arrive that are sent at a multiple of the device's pace, in bursts."""
    burst_ns = max(1, round(interval_ms * MS))
    sent = (round(i * PERIOD_US * 1000 / speed) for i in range(count))
    return [begin_ns + -(-each // burst_ns) * burst_ns for each in sent]


def walked(count: int) -> SequenceTracker:
    tracker = SequenceTracker()
    found = orders(tracker, range(count), arrivals(count, 0, 1.0, 0.0))
    assert found == {None: count}
    return tracker


intervals_ms = st.floats(0.0, 100.0)


@given(st.integers(1, WINDOW), st.floats(2.0, 1000.0), intervals_ms)
def test_however_much_a_device_repeats_after_a_reconnect_it_did_not_start_again(
    repeated: int, speed: float, interval_ms: float
) -> None:
    tracker = walked(WINDOW + 500)
    numbers = range(WINDOW + 500 - repeated, WINDOW + 600)
    found = orders(tracker, numbers, arrivals(len(numbers), 12_000 * MS, speed, interval_ms))
    assert found == {Fault.DUPLICATE: repeated, None: 100}


@given(st.integers(150, WINDOW), st.floats(0.97, 1.03), intervals_ms, st.integers(0, 5))
def test_a_device_that_does_the_same_after_a_start_is_soon_seen_to_have_started(
    before: int, pace: float, interval_ms: float, first: int
) -> None:
    numbers = range(first, first + 300)
    times_ns = arrivals(len(numbers), 5_000 * MS, pace, interval_ms)
    found = orders(walked(before), numbers, times_ns)
    assert found[Fault.RESTART] == 1
    assert found[Fault.DUPLICATE] <= 8 + 10 * interval_ms * 1000 / PERIOD_US
    assert found[Fault.DUPLICATE] + found[None] == 299


def test_one_frame_sent_for_ever_is_no_new_device() -> None:
    times_ns = arrivals(500, 3_000 * MS, 1.0, 0.0)
    assert orders(walked(100), [99] * 500, times_ns) == {Fault.DUPLICATE: 500}


def test_what_was_lost_long_ago_does_not_hide_a_restart() -> None:
    tracker = SequenceTracker()
    for sequence in [*range(50), *range(1050, 30_000)]:
        tracker.feed(sequence, 10_000 * sequence, 10_000_000 * sequence)
    order, _ = tracker.feed(60, 600_000, 10_000_000 * 30_000)
    assert order is Fault.RESTART
