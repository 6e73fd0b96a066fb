"""Frames to samples: order, loss, clocks, and what is said of each."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip.channels import ANGLES
from edgehip.events import (
    BytesMissing,
    Chunk,
    Fault,
    JointAngleSample,
    LinkFault,
    PortLost,
    PortOpened,
)
from edgehip.lines import LineDecoder
from edgehip.messages import Description, Start
from edgehip.receiver import Receiver
from edgehip.wire import encode
from tests.receiving import LINE, MS, ZEROS, at_pace, feed, frame


def test_an_undisturbed_link_loses_nothing() -> None:
    samples, faults = feed(Receiver(), *at_pace([frame(i) for i in range(500)]))
    assert [s.time_s for s in samples] == pytest.approx([i * 0.01 for i in range(500)])
    assert not faults


@given(st.lists(st.integers(1, 98), unique=True, max_size=40), st.data())
def test_drops_duplicates_and_late_frames_are_counted_exactly(
    dropped: list[int], data: st.DataObject
) -> None:
    kept = [i for i in range(100) if i not in dropped]
    order = list(kept)
    doubled = data.draw(st.lists(st.sampled_from(kept), unique=True, max_size=10))
    for i in doubled:
        order.insert(order.index(i) + data.draw(st.integers(1, 3)), i)
    # A repeat of a frame long gone does not make the frames after it look restarted.
    samples, faults = feed(Receiver(), *at_pace([frame(i) for i in order]))
    assert [round(s.time_s * 100) for s in samples] == kept
    assert faults[Fault.LOST] == len(dropped)
    assert faults[Fault.DUPLICATE] == len(doubled)
    assert not faults[Fault.RESTART]
    assert sum(s.samples_lost for s in samples) == len(dropped)


def test_a_frame_overtaken_by_its_successor_is_late_not_lost() -> None:
    order = [0, 1, 3, 2, 4]
    samples, faults = feed(Receiver(), *at_pace([frame(i) for i in order]))
    assert [round(s.time_s * 100) for s in samples] == [0, 1, 3, 4]
    assert faults == {Fault.LOST: 1, Fault.REORDERED: 1}


def test_sequence_and_clock_wrap_without_notice() -> None:
    first = 2**32 - 3
    pieces = at_pace([frame(first + i, first * 10_000 + 10_000 * i) for i in range(6)])
    samples, faults = feed(Receiver(), *pieces)
    steps = [b.time_s - a.time_s for a, b in itertools.pairwise(samples)]
    assert steps == pytest.approx([0.01] * 5)
    assert not faults


def test_whole_turns_of_the_clock_during_a_silence_are_had_from_the_host() -> None:
    turn_us = 2**32
    silence_us = 2 * turn_us + 5_000_000
    samples, faults = feed(
        Receiver(),
        (frame(0, 0), 0),
        (frame(1, 10_000), 10 * MS),
        (frame(2, 10_000 + silence_us), 10 * MS + silence_us * 1000 + 3 * MS),
    )
    assert samples[-1].time_s == pytest.approx(0.01 + silence_us / 1e6)
    assert not faults


@pytest.mark.parametrize("again_at", [5, 500])
def test_a_device_that_starts_again_is_recognised_and_time_goes_on(again_at: int) -> None:
    before = [frame(i, 123 + 10_000 * i) for i in range(again_at)]
    after = [frame(i, 77 + 10_000 * i) for i in range(20)]
    pieces = at_pace(before)
    back_ns = again_at * 10 * MS + 3_000 * MS
    pieces += [(data, back_ns + i * 10 * MS) for i, data in enumerate(after)]
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.RESTART: 1}
    assert len(samples) == again_at + 20
    times = [s.time_s for s in samples]
    assert times == sorted(times)
    assert times[again_at] - times[again_at - 1] == pytest.approx(3.01, abs=0.001)


def test_what_is_lost_right_after_a_new_start_is_lost() -> None:
    before = at_pace([frame(i, 123 + 10_000 * i) for i in range(500)])
    kept = [0, *range(3, 20)]
    after = [(frame(i, 77 + 10_000 * i), (8000 + 10 * i) * MS) for i in kept]
    samples, faults = feed(Receiver(), *before, *after)
    assert faults == {Fault.RESTART: 1, Fault.LOST: 2}
    assert [s.samples_lost for s in samples[500:502]] == [0, 2]


@pytest.mark.parametrize("up_s", [60, 3600])
@pytest.mark.parametrize("described", [False, True])
def test_a_device_that_started_again_unheard_lost_nothing(up_s: int, described: bool) -> None:
    """Its cable was out for so long that its new count is beyond the old one."""
    receiver = Receiver()
    feed(receiver, *at_pace([frame(i, up_s * 1_000_000 + 10_000 * i) for i in range(100)]))
    receiver.feed(PortLost(1000 * MS, "gone"))
    receiver.feed(PortOpened(11_000 * MS, "back"))
    pieces = [(frame(700 + i, 7_000_000 + 10_000 * i), (11_000 + 10 * i) * MS) for i in range(50)]
    if described:
        pieces.insert(0, (encode(Description(100.0, 0x3FF, "leg", "1"), 699, 0), 11_000 * MS))
    samples, faults = feed(receiver, *pieces)
    assert faults == {Fault.RESTART: 1}
    assert [s.samples_lost for s in samples] == [0] * 50
    assert samples[0].time_s == pytest.approx(up_s + 11.0, abs=0.001)
    assert samples[-1].time_s == pytest.approx(samples[0].time_s + 0.49)


def test_a_device_that_started_again_unheard_may_soon_do_so_again() -> None:
    """What seemed missing before its first start is not what comes after its second."""
    receiver = Receiver()
    feed(receiver, *at_pace([frame(i, 60_000_000 + 10_000 * i) for i in range(100)]))
    starts = [(700, 7_000_000, 11_000), (120, 1_200_000, 20_000)]
    for first, begin_us, begin_ms in starts:
        samples, faults = feed(
            receiver,
            *(
                (frame(first + i, begin_us + 10_000 * i), (begin_ms + 10 * i) * MS)
                for i in range(50)
            ),
        )
        assert faults == {Fault.RESTART: 1}
        assert len(samples) == 50


@pytest.mark.parametrize(
    ("first", "begin_us"), [(0, 77), (500, 3_600_000_000)], ids=["starts again", "leaps"]
)
def test_how_late_the_last_frame_came_makes_nothing_late_on_a_new_clock(
    first: int, begin_us: int
) -> None:
    pieces = at_pace([frame(i, 123 + 10_000 * i) for i in range(500)])
    pieces[-1] = pieces[-1][0], pieces[-1][1] + 400 * MS
    pieces += [(frame(first + i, begin_us + 10_000 * i), (8000 + 10 * i) * MS) for i in range(300)]
    receiver, late_ns = Receiver(), list[int]()
    for piece in pieces:
        feed(receiver, piece)
        late_ns += receiver.late_ns
    assert max(late_ns) == late_ns[499] == 400 * MS
    assert max(late_ns[500:]) < MS


@pytest.mark.parametrize("at", [1, 50])
@pytest.mark.parametrize("off_us", [-300_000, -5_000_000, 1_800_000_000])
def test_a_clock_that_leaps_is_told_and_time_goes_on(at: int, off_us: int) -> None:
    times_us = [10_000_000 + 10_000 * i + (off_us if i >= at else 0) for i in range(100)]
    pieces = at_pace([frame(i, time_us) for i, time_us in enumerate(times_us)])
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.CLOCK_JUMP: 1}
    assert [s.time_s for s in samples] == pytest.approx([10.0 + 0.01 * i for i in range(100)])


def test_what_could_not_be_used_before_a_new_start_is_not_missing_after_it() -> None:
    before = [frame(i, 123 + 10_000 * i, (400.0,) * 10 if i == 499 else ZEROS) for i in range(500)]
    after = [(frame(i, 77 + 10_000 * i), (8000 + 10 * i) * MS) for i in range(20)]
    samples, faults = feed(Receiver(), *at_pace(before), *after)
    assert faults == {Fault.BAD_VALUE: 1, Fault.RESTART: 1}
    assert [s.samples_lost for s in samples] == [0] * 519


@pytest.mark.parametrize("first", [100_000, 1_500_000_000, 2**31 + 50])
@pytest.mark.parametrize("clock_us", [2_000_000, 5_000_000])
@pytest.mark.parametrize("described", [False, True])
def test_a_device_that_starts_again_may_count_from_any_number(
    first: int, clock_us: int, described: bool
) -> None:
    """Nobody sends so many frames in a second, whatever its clock says."""
    pieces = at_pace([frame(100 + i, 3_000_000 + 10_000 * i) for i in range(100)])
    pieces += [
        (frame(first + i, clock_us + 10_000 * i), (2000 + 10 * i) * MS) for i in range(1, 51)
    ]
    if described:
        pieces.insert(100, (encode(Description(100.0, 0x3FF, "leg", "1"), first, 0), 2005 * MS))
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.RESTART: 1}
    assert [s.samples_lost for s in samples] == [0] * 150
    assert samples[100].time_s - samples[99].time_s == pytest.approx(1.02, abs=0.001)


@pytest.mark.parametrize("lost", [1, 30, 350])
def test_what_is_lost_of_a_burst_is_lost_though_no_time_passed(lost: int) -> None:
    pieces = at_pace([frame(i) for i in range(100)])
    burst = [i for i in range(100, 500) if not 120 <= i < 120 + lost]
    samples, faults = feed(Receiver(), *pieces, *((frame(i), 5000 * MS) for i in burst))
    assert faults == {Fault.LOST: lost}
    assert sum(s.samples_lost for s in samples) == lost
    assert samples[-1].time_s == pytest.approx(4.99)


def test_what_is_lost_after_a_pause_at_the_beginning_is_lost() -> None:
    """As of a device that says a word and then measures its zero: its rate is not known yet."""
    kept = [i for i in range(1, 80) if i not in (10, 20, 21)]
    pieces = [(frame(0), 0), *((frame(i, 5_000_000 + 10_000 * i), 5000 * MS) for i in kept)]
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.LOST: 3}
    assert [s.samples_lost for s in samples if s.samples_lost] == [1, 2]


@pytest.mark.parametrize("rate_hz", [50, 100, 500])
def test_a_description_that_is_lost_is_no_sample(rate_hz: int) -> None:
    period_us = 1_000_000 // rate_hz
    times = [(i, i * period_us) for i in range(100)]
    # A description after every tenth sample, none of which comes; two samples are lost as well.
    pieces = [(frame(i + i // 10, at_us), at_us * 1000) for i, at_us in times if i not in (54, 60)]
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.LOST: 9 + 2}
    told = {round(s.time_s * rate_hz): s.samples_lost for s in samples if s.samples_lost}
    assert told == {55: 1, 61: 2}  # what is missing before the second may have been two samples


def test_a_description_that_is_lost_after_a_pause_is_no_sample_either() -> None:
    times = [(i, 10_000 * i + (1_000_000 if i >= 50 else 0)) for i in range(100)]
    pieces = [(frame(i + (i >= 80), at_us), at_us * 1000) for i, at_us in times]
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.LOST: 1}
    assert sum(s.samples_lost for s in samples) == 0


def test_frames_lost_while_the_clock_began_a_new_turn_are_lost() -> None:
    begin_us = 2**32 - 500_000
    sent = [i for i in range(100) if not 40 <= i < 60]
    frames = [frame(i, (begin_us + 10_000 * i) % 2**32) for i in sent]
    pieces = [(data, i * 10 * MS) for i, data in zip(sent, frames, strict=True)]
    samples, faults = feed(Receiver(), *pieces)
    assert faults == {Fault.LOST: 20}
    assert samples[-1].time_s == pytest.approx((begin_us + 990_000) / 1e6)


def test_what_is_lost_before_a_description_is_told_with_the_next_sample() -> None:
    receiver = Receiver()
    described = encode(Description(100.0, 0x3FF, "leg", "1"), 8, 0)
    pieces = [frame(0, 0), frame(1, 10_000), described, frame(10, 80_000)]
    samples, faults = feed(receiver, *at_pace(pieces))
    assert faults == {Fault.LOST: 7}  # 2 to 7, and 9
    assert samples[-1].samples_lost == 7


def test_seconds_of_old_samples_sent_again_after_a_reconnect_are_no_new_start() -> None:
    receiver = Receiver()
    feed(receiver, *at_pace([frame(i) for i in range(1500)]))
    receiver.feed(PortLost(15_000 * MS, "out of reach"))
    receiver.feed(PortOpened(18_000 * MS, "back"))
    pieces = [(frame(i), 18_000 * MS + (i - 800) // 10 * MS) for i in range(800, 1600)]
    samples, faults = feed(receiver, *pieces)
    assert faults == {Fault.DUPLICATE: 700}
    assert [round(s.time_s * 100) for s in samples] == list(range(1500, 1600))


def test_a_deterministic_device_that_repeats_itself_is_still_seen_to_restart() -> None:
    frames = [frame(i) for i in range(30)]
    samples, faults = feed(Receiver(), *at_pace(frames + frames))
    assert faults[Fault.RESTART] == 1
    assert faults[Fault.DUPLICATE] <= 8
    assert len(samples) == 60 - faults[Fault.DUPLICATE]


def test_a_leap_of_the_clock_alone_is_counted_and_bridged_by_the_host() -> None:
    frames = [frame(i) for i in range(10)]
    frames += [frame(i, 60_000_000 + 10_000 * i) for i in range(10, 20)]
    samples, faults = feed(Receiver(), *at_pace(frames))
    assert faults == {Fault.CLOCK_JUMP: 1}
    assert samples[-1].time_s == pytest.approx(0.19)


def test_a_host_that_stalls_is_not_a_clock_that_leapt() -> None:
    """Frames that waited in the kernel all arrive at once, seconds late."""
    pieces = at_pace([frame(i) for i in range(100)])
    late_ns = 5_000 * MS
    pieces += [(frame(i), late_ns) for i in range(100, 500)]
    pieces += [(frame(i), i * 10 * MS) for i in range(500, 600)]
    samples, faults = feed(Receiver(), *pieces)
    assert not faults
    assert [s.time_s for s in samples] == pytest.approx([i * 0.01 for i in range(600)])


def test_bursts_are_measured_and_kept_out_of_the_samples_times() -> None:
    receiver = Receiver()
    for burst in range(20):
        data = b"".join(frame(5 * burst + i) for i in range(5))
        found = receiver.feed(Chunk(data, (5 * burst + 4) * 10 * MS))
        times = [s.time_s for s in found if isinstance(s, JointAngleSample)]
        assert times == pytest.approx([(5 * burst + i) / 100 for i in range(5)])
    assert receiver.late_ns == pytest.approx([40 * MS, 30 * MS, 20 * MS, 10 * MS, 0], abs=1000)


def test_what_was_lost_while_the_cable_was_out_is_counted() -> None:
    receiver = Receiver()
    feed(receiver, *at_pace([frame(i) for i in range(100)]), (frame(100)[:20], 1000 * MS))
    receiver.feed(PortLost(1001 * MS, "gone"))
    receiver.feed(PortOpened(4000 * MS, "back"))
    samples, faults = feed(receiver, (frame(400)[7:], 4000 * MS), (frame(401), 4010 * MS))
    assert faults[Fault.LOST] == 301
    assert samples[0].samples_lost == 301
    assert samples[0].time_s == pytest.approx(4.01)


@pytest.mark.parametrize("impossible_deg", [-250.0, 250.0])
def test_what_a_person_cannot_do_is_refused(impossible_deg: float) -> None:
    receiver = Receiver()
    impossible = (0.0,) * 9 + (impossible_deg,)
    partial = (0.0,) * 9 + (math.nan,)
    samples, faults = feed(
        receiver, (frame(0), 0), (frame(1, None, impossible), MS), (frame(2, None, partial), 2 * MS)
    )
    assert faults == {Fault.BAD_VALUE: 1, Fault.INCOMPLETE: 1}
    assert receiver.state.missing_channels == (ANGLES[-1],)
    samples, _ = feed(receiver, (frame(3), 3 * MS))
    assert samples[0].samples_lost == 2


def test_a_device_that_speaks_like_a_host_is_not_listened_to() -> None:
    samples, faults = feed(Receiver(), (encode(Start(), 7, 0), 0), (frame(0), MS))
    assert faults == {Fault.BAD_TYPE: 1}
    assert len(samples) == 1


def test_a_description_says_what_is_missing() -> None:
    receiver = Receiver()
    found = receiver.feed(Chunk(encode(Description(100.0, 0b111, "leg", "1"), 0, 0), 0))
    assert found == [Description(100.0, 0b111, "leg", "1")]
    assert receiver.state.missing_channels == ANGLES[3:]


@given(st.binary(max_size=3000), st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_any_bytes_cut_anywhere_mean_the_same(
    data: bytes, sizes: list[int], as_lines: bool
) -> None:
    def events(cuts: list[int]) -> list[object]:
        receiver = Receiver(LineDecoder() if as_lines else None)
        found, at = [], 0
        for size in [*cuts, len(data)]:
            found += receiver.feed(Chunk(data[at : at + size], 0))
            at += size
        return [str(event) for event in found]

    data += b"\0\n" + frame(0) + LINE.format(1).encode()
    assert events([]) == events(sizes)


def test_a_frame_cut_by_dropped_bytes_is_no_fault_of_the_link() -> None:
    receiver = Receiver()
    feed(receiver, *at_pace([frame(0), frame(1)[:9]]))
    (fault,) = receiver.feed(BytesMissing(40 * MS, 2))
    assert fault == LinkFault(Fault.OVERRUN, 2, 40 * MS)
    samples, faults = feed(receiver, (frame(4)[5:], 45 * MS), (frame(5), 50 * MS))
    assert [s.samples_lost for s in samples] == [4]
    assert faults == {Fault.LOST: 4}
