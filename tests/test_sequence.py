"""Old frames sent again are told from a device that started again, though both look the same."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip.events import Fault
from edgehip.sequence import FIRST, WINDOW, SequenceTracker

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
    if before > first + FIRST:  # so far back no device repeats itself to zero
        assert found[Fault.DUPLICATE] == 0
    assert found[Fault.DUPLICATE] + found[None] == 299


@pytest.mark.parametrize("numbers", [[99] * 500, [98, *[99] * 499]])
def test_one_frame_sent_for_ever_is_no_new_device(numbers: list[int]) -> None:
    times_ns = arrivals(500, 3_000 * MS, 1.0, 0.0)
    assert orders(walked(100), numbers, times_ns) == {Fault.DUPLICATE: 500}


def test_a_few_frames_sent_again_slowly_are_no_new_device() -> None:
    """Over a link that has hardly come back, one at a time."""
    times_ns = [3_000 * MS + i * 100 * MS for i in range(8)]
    assert orders(walked(100), range(92, 100), times_ns) == {Fault.DUPLICATE: 8}


def test_a_late_frame_that_comes_twice_is_late_once() -> None:
    numbers = [0, 1, 3, 2, 2, 4]
    found = orders(SequenceTracker(), numbers, arrivals(6, 0, 1.0, 0.0))
    assert found == {None: 4, Fault.REORDERED: 1, Fault.DUPLICATE: 1}


def test_what_was_lost_before_one_start_does_not_hide_the_next() -> None:
    tracker = SequenceTracker()
    # Of its first life much is lost; of the third, what was there first is not heard.
    lives = [[0, *range(600, 700)], range(200), range(5, 200)]
    found = [
        [
            tracker.feed(number, 1_000 * life + number * PERIOD_US, number * PERIOD_US * 1000)[0]
            for number in numbers
        ]
        for life, numbers in enumerate(lives)
    ]
    assert found[1] == [Fault.RESTART, *[None] * 199]
    assert found[2] == [Fault.RESTART, *[None] * 194]


def test_what_was_lost_long_ago_does_not_hide_a_restart() -> None:
    tracker = SequenceTracker()
    for sequence in [*range(50), *range(1050, 30_000)]:
        tracker.feed(sequence, 10_000 * sequence, 10_000_000 * sequence)
    order, _ = tracker.feed(60, 600_000, 10_000_000 * 30_000)
    assert order is Fault.RESTART
