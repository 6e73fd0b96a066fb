"""Text lines to samples: order, loss and clocks, where only the times tell of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip.channels import ANGLES
from edgehip.events import BytesMissing, Chunk, Fault, LinkFault, PortOpened
from edgehip.lines import LineDecoder, TimeUnit
from edgehip.receiver import Receiver
from tests.receiving import LINE, MS, at_pace, feed


def test_lines_without_a_header_are_milliseconds() -> None:
    text = "".join(LINE.format(10 * i) for i in range(5)).encode()
    samples, faults = feed(Receiver(LineDecoder()), (text, 0))
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04])
    assert samples[0].angles_deg == (1.5,) * 10
    assert not faults


def test_quoted_numbers_are_numbers() -> None:
    samples, faults = feed(
        Receiver(LineDecoder()), (LINE.format('"10"').replace("1.5", '"1.5"').encode(), 0)
    )
    assert [s.angles_deg for s in samples] == [(1.5,) * 10]
    assert not faults


@pytest.mark.parametrize("said", [b"IMU ready\n", b"boot: 3, reset by pin\n", b"go, go, go\n"])
def test_what_a_device_says_besides_is_counted_and_no_header(said: bytes) -> None:
    receiver = Receiver(LineDecoder())
    samples, faults = feed(receiver, (said + LINE.format(0).encode() + said, 0))
    assert len(samples) == 1
    assert faults == {Fault.BAD_LINE: 2}


def test_lines_are_accounted_for_as_far_as_they_can_be() -> None:
    good = [LINE.format(10 * i).encode() for i in range(60)]
    receiver = Receiver(LineDecoder())
    sent = [b"3,4.5\n", *good[:20], b"nonsense\n", *good[25:40], good[39], good[38], *good[40:]]
    sent.insert(10, b"x" * 2000 + b"\n")
    receiver.feed(PortOpened(0, "here"))
    samples, faults = feed(receiver, *at_pace(sent))
    assert len(samples) == 55
    assert faults == {
        Fault.BAD_LINE: 1,  # the first, cut line is not held against the device
        Fault.OVERLONG: 1,
        Fault.LOST: 5,
        Fault.DUPLICATE: 1,
        Fault.REORDERED: 1,
    }


@pytest.mark.parametrize("unit", ["us", "ms", "s"])
@pytest.mark.parametrize("time", ["1e305", "1e308", "1e400", "1e20", "nan", "-1", "9" * 400])
def test_an_absurd_time_is_a_bad_line_and_the_clock_stays_sharp(unit: TimeUnit, time: str) -> None:
    good = [LINE.format(1 + i).encode() for i in range(5)]
    sent = [b"\n", LINE.format(time).encode(), *good]
    samples, faults = feed(Receiver(LineDecoder(unit)), *at_pace(sent))
    assert faults == {Fault.BAD_LINE: 1}
    assert len({s.time_s for s in samples}) == 5


@pytest.mark.parametrize("late", [4, 8])
def test_a_line_printed_late_does_not_make_every_later_one_look_lost(late: int) -> None:
    times = [10 * i + (late if i == 30 else 0) for i in range(200)]
    pieces = at_pace([LINE.format(time).encode() for time in times])
    samples, faults = feed(Receiver(LineDecoder()), *pieces)
    assert len(samples) == 200
    assert faults[Fault.LOST] <= 1
    assert set(faults) <= {Fault.LOST}


@pytest.mark.parametrize("period_ms", [5, 20])
def test_another_rate_of_lines_is_soon_no_loss(period_ms: int) -> None:
    times = [*range(0, 1000, 10), *range(1000, 1000 + 200 * period_ms, period_ms)]
    _, faults = feed(Receiver(LineDecoder()), *at_pace([LINE.format(t).encode() for t in times]))
    assert faults[Fault.LOST] <= 8


@pytest.mark.parametrize("garbled_ms", [5, 95_000])
def test_a_garbled_time_of_a_line_is_no_restart(garbled_ms: int) -> None:
    """Nothing but the line's neighbours shows that a digit of its time is wrong."""
    times = [5000 + 10 * i for i in range(60)]
    garbled = {20, 40, 41}
    lines = [
        LINE.format(garbled_ms + (0 if i == 41 else 7000 if i == 40 else 0) if i in garbled else t)
        for i, t in enumerate(times)
    ]
    samples, faults = feed(Receiver(LineDecoder()), *at_pace([line.encode() for line in lines]))
    kept = [t for i, t in enumerate(times) if i not in garbled]
    assert [round(s.time_s * 1000) - round(samples[0].time_s * 1000) for s in samples] == [
        t - times[0] for t in kept
    ]
    assert faults == {Fault.BAD_VALUE: 3, Fault.LOST: 3}
    assert [s.samples_lost for s in samples if s.samples_lost] == [1, 2]


def test_lines_that_waited_while_a_link_stalled_have_their_own_times() -> None:
    lines = [LINE.format(10 * i).encode() for i in range(600)]
    pieces = [(line, max(i, 500 if i > 100 else 0) * 10 * MS) for i, line in enumerate(lines)]
    samples, faults = feed(Receiver(LineDecoder()), *pieces)
    assert [s.time_s for s in samples] == pytest.approx([i * 0.01 for i in range(600)])
    assert not set(faults) - {Fault.DELAYED}


@pytest.mark.parametrize("still_ms", [70, 130, 200, 5000])
@pytest.mark.parametrize("copies", [1, 3])
def test_lines_whose_clock_stood_still_are_not_old_once_it_goes_on(
    still_ms: int, copies: int
) -> None:
    lines = [LINE.format(10 * i - min(max(10 * i - 990, 0), still_ms)) for i in range(1000)]
    receiver = Receiver(LineDecoder())
    samples, faults = feed(receiver, *at_pace([copies * line.encode() for line in lines]))
    repeats = still_ms // 10
    assert faults == {Fault.DUPLICATE: copies * repeats + (copies - 1) * (1000 - repeats)} | {
        Fault.RESTART: 1
    }
    assert [s.time_s for s in samples[:101]] == pytest.approx(
        [*(i * 0.01 for i in range(100)), 1.0 + still_ms / 1000]
    )
    assert max(s.late_ns for s in samples) == 0


@pytest.mark.parametrize("rate_hz", [50, 100, 200, 500])
@pytest.mark.parametrize("still_ms", [70, 100, 130])
def test_a_clock_that_stood_still_for_longer_than_is_bridged_is_told_at_every_rate(
    rate_hz: int, still_ms: int
) -> None:
    sent_us = range(0, 3_000_000, 1_000_000 // rate_hz)
    told_us = [us - min(max(us - 999_999, 0), 1000 * still_ms) for us in sent_us]
    pieces = [
        (LINE.format(told).encode(), us * 1000) for told, us in zip(told_us, sent_us, strict=True)
    ]
    _, faults = feed(Receiver(LineDecoder("us")), *pieces)
    assert faults[Fault.RESTART] == 1
    assert set(faults) == {Fault.DUPLICATE, Fault.RESTART}


@pytest.mark.parametrize("link", ["notifications", "jitter", "gaps"])
@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("rate_hz", [50, 100, 500])
def test_no_link_makes_a_clock_stand_still(rate_hz: int, copies: int, link: str) -> None:
    """Nor one whose sensor is slower than its lines, so that each time comes several times."""
    rng = np.random.default_rng(0)
    sent_us = np.arange(0, 60_000_000, 1_000_000 // rate_hz)
    told_us = sent_us[np.arange(len(sent_us)) // copies * copies]
    came_us = sent_us
    if link == "notifications":  # one connection event in ten fails
        events_us = np.arange(0, 61_000_000, 30_000)
        events_us = events_us[rng.random(len(events_us)) > 0.1]
        came_us = events_us[np.searchsorted(events_us, sent_us)]
    elif link == "jitter":
        came_us = np.maximum.accumulate(sent_us + rng.integers(0, 40_000, len(sent_us)))
    else:
        kept = sent_us % 6_000_000 > 90_000
        told_us, came_us = told_us[kept], came_us[kept]
    pieces = [
        (LINE.format(told).encode(), came * 1000)
        for told, came in zip(told_us.tolist(), came_us.tolist(), strict=True)
    ]
    samples, faults = feed(Receiver(LineDecoder("us")), *pieces)
    assert len(samples) > 50 * rate_hz / copies
    assert Fault.RESTART not in faults


@pytest.mark.parametrize("back_ms", [70, 150, 240, 900])
def test_lines_whose_clock_was_put_back_go_on_as_after_a_new_start(back_ms: int) -> None:
    """By their times alone, those before it and those after it would be of one movement."""
    lines = [LINE.format(10 * i - (back_ms if i > 99 else 0)) for i in range(1000)]
    samples, faults = feed(Receiver(LineDecoder()), *at_pace([line.encode() for line in lines]))
    again = back_ms // 10
    assert faults == {Fault.REORDERED: again - 1, Fault.DUPLICATE: 1, Fault.RESTART: 1}
    assert [s.time_s for s in samples[:101]] == pytest.approx(
        [*(i * 0.01 for i in range(100)), 1.0 + back_ms / 1000]
    )
    assert max(s.late_ns for s in samples) == 0


def test_lines_that_come_again_all_at_once_are_of_a_clock_that_went_on() -> None:
    lines = [LINE.format(10 * i).encode() for i in range(200)]
    pieces = at_pace(lines[:100])
    pieces += [(b"".join(lines[40:100]), pieces[-1][1] + MS)]
    pieces += at_pace(lines)[100:]
    samples, faults = feed(Receiver(LineDecoder()), *pieces)
    assert faults == {Fault.REORDERED: 59, Fault.DUPLICATE: 1}
    assert [s.time_s for s in samples] == pytest.approx([i * 0.01 for i in range(200)])


@pytest.mark.parametrize("stalled_ms", [0, 300, 3000])
def test_lines_that_repeat_what_a_slower_sensor_measured_are_of_a_clock_that_goes_on(
    stalled_ms: int,
) -> None:
    sent_ms = [10 * i for i in range(600)]
    lines = [LINE.format(at_ms // 50 * 50) for at_ms in sent_ms]
    came_ms = [max(at_ms, 2020 + stalled_ms) if at_ms > 2020 else at_ms for at_ms in sent_ms]
    pieces = [(line.encode(), at * MS) for line, at in zip(lines, came_ms, strict=True)]
    samples, faults = feed(Receiver(LineDecoder()), *pieces)
    assert set(faults) == {Fault.DUPLICATE}
    assert [s.time_s for s in samples] == pytest.approx([i * 0.05 for i in range(120)])


def test_a_restarted_printer_of_lines_is_recognised() -> None:
    lines = [LINE.format(5000 + 10 * i).encode() for i in range(10)]
    lines += [LINE.format(10 * i).encode() for i in range(10)]
    pieces = [(line, (10 * i + (2000 if i >= 10 else 0)) * MS) for i, line in enumerate(lines)]
    samples, faults = feed(Receiver(LineDecoder()), *pieces)
    assert len(samples) == 20
    assert faults == {Fault.RESTART: 1}
    times = [s.time_s for s in samples]
    assert times == sorted(times)


def numbered(count: int) -> list[bytes]:
    """Lines that show what they are put together from: every angle of one is the same."""
    return [
        f"{123_000 + 10 * i},{','.join([f'{(10.25 + i) % 90:.2f}'] * 10)}\n".encode()
        for i in range(count)
    ]


@given(st.integers(0, 80), st.booleans(), st.booleans())
def test_the_rest_of_a_line_does_not_pass_for_one(cut: int, headed: bool, overrun: bool) -> None:
    """Cut in its first number it would be whole, with another time or angle."""
    receiver = Receiver(LineDecoder())
    lines = numbered(9)
    receiver.feed(PortOpened(0, "x"))
    if headed:
        receiver.feed(Chunk(",".join(["time_ms", *ANGLES]).encode() + b"\n", 0))
        first, faults = feed(receiver, *at_pace(lines[:2]))
        assert (len(first), faults) == (2, {})
        # Bytes that wait when some are dropped are not put together with what comes after.
        receiver.feed(Chunk(lines[2][:10], 25 * MS))
        gap = BytesMissing(30 * MS, 3) if overrun else PortOpened(30 * MS, "again")
        (*told,) = receiver.feed(gap)
        assert told == ([LinkFault(Fault.OVERRUN, 3, 30 * MS)] if overrun else [])
    pieces = [(lines[3][cut % len(lines[3]) :], 33 * MS), *at_pace(lines)[4:]]
    samples, faults = feed(receiver, *pieces)
    assert [s.angles_deg for s in samples] == [(14.25 + i,) * 10 for i in range(5)]
    assert set(faults) <= {Fault.LOST}


@pytest.mark.parametrize("off_ms", [90, 400, 900, 5_000, -400])
def test_one_garbled_time_makes_no_other_line_late(off_ms: int) -> None:
    receiver, late_ns = Receiver(LineDecoder()), list[int]()
    for i in range(300):
        time_ms = 10_000 + 10 * i + (off_ms if i == 100 else 0)
        receiver.feed(Chunk(LINE.format(time_ms).encode(), i * 10 * MS))
        late_ns += receiver.late_ns
    assert len(late_ns) >= 290
    assert max(late_ns) < 125 * MS
