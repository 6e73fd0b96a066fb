"""Bytes to samples: order, loss, clocks, and what is said of each."""

import itertools
import math
from collections import Counter

import numpy as np
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
from edgehip.lines import LineDecoder, TimeUnit
from edgehip.messages import Angles, Description, Start
from edgehip.receiver import Receiver
from edgehip.wire import encode

ZEROS = (0.0,) * 10
MS = 1_000_000


def frame(sequence: int, time_us: int | None = None, angles: tuple[float, ...] = ZEROS) -> bytes:
    return encode(Angles(angles), sequence, 10_000 * sequence if time_us is None else time_us)


def feed(
    receiver: Receiver, *pieces: tuple[bytes, int]
) -> tuple[list[JointAngleSample], Counter[Fault]]:
    samples, faults = [], Counter[Fault]()
    for data, received_ns in pieces:
        for found in receiver.feed(Chunk(data, received_ns)):
            if isinstance(found, JointAngleSample):
                samples.append(found)
            elif isinstance(found, LinkFault):
                faults[found.fault] += found.count
    return samples, faults


def at_pace(frames: list[bytes], period_ns: int = 10 * MS) -> list[tuple[bytes, int]]:
    return [(data, i * period_ns) for i, data in enumerate(frames)]


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


def test_what_a_person_cannot_do_is_refused() -> None:
    receiver = Receiver()
    impossible = (0.0,) * 9 + (250.0,)
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


LINE = ",".join(["{}"] + ["1.5"] * 10) + "\n"


def test_lines_without_a_header_are_milliseconds() -> None:
    text = "".join(LINE.format(10 * i) for i in range(5)).encode()
    samples, faults = feed(Receiver(LineDecoder()), (text, 0))
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04])
    assert samples[0].angles_deg == (1.5,) * 10
    assert not faults


def test_a_header_names_unit_and_order() -> None:
    names = ["battery", "time_us", *reversed(ANGLES)]
    rows = [["3.7", str(10_000 * i), *(str(float(k)) for k in range(10))] for i in range(3)]
    text = "\r\n".join(",".join(row) for row in [names, *rows]).encode() + b"\r\n"
    samples, faults = feed(Receiver(LineDecoder()), (text, 0))
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02])
    assert samples[0].angles_deg == tuple(float(9 - k) for k in range(10))
    assert not faults


LEFT_FIRST = [*(n for n in ANGLES if n.endswith("_l")), *(n for n in ANGLES if n.endswith("_r"))]


def left_first(header: str, count: int = 3, first: int = 0) -> bytes:
    """A header, and lines of a device that names its left leg first: each angle is its place."""
    values = ",".join(str(float(ANGLES.index(name))) for name in LEFT_FIRST)
    rows = [f"{10 * i},{values}" for i in range(first, first + count)]
    return "".join(f"{line}\n" for line in [*([header] if header else []), *rows]).encode()


IN_PLACE = tuple(map(float, range(10)))


@pytest.mark.parametrize(
    "header",
    [
        ",".join(["time_ms", *LEFT_FIRST]),
        "\ufeff" + ",".join(["time_ms", *LEFT_FIRST]),
        ",".join(f'"{name}"' for name in ["time_ms", *LEFT_FIRST]),
        "\ufeff" + ",".join(f'"{name}"' for name in ["Time_ms", *LEFT_FIRST]),
        ",".join(["Time_ms", *LEFT_FIRST]),
        ",".join(["TIME_MS", *map(str.upper, LEFT_FIRST)]),
        " , ".join(["timestamp_ms", *LEFT_FIRST]),
        ",".join(["time_ms", *LEFT_FIRST]) + "\r",
    ],
)
def test_a_header_is_understood_as_programs_write_it(header: str) -> None:
    samples, faults = feed(Receiver(LineDecoder()), (left_first(header), 0))
    assert [s.angles_deg for s in samples] == [IN_PLACE] * 3
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02])
    assert not faults


def test_lines_whose_unit_is_named_late_lost_nothing() -> None:
    """Their period is another one than it seemed before, and a doubtful time is counted once."""
    receiver = Receiver(LineDecoder("us"))
    feed(receiver, *at_pace([LINE.format(10 * i).encode() for i in range(50)]))
    header = ",".join(["time_ms", *ANGLES]).encode() + b"\n"
    doubtful = LINE.format(90_000_000).encode()
    lines = [doubtful, header, *(LINE.format(10 * i).encode() for i in range(50, 100))]
    samples, faults = feed(receiver, *((line, (500 + 10 * i) * MS) for i, line in enumerate(lines)))
    assert faults == {Fault.COLUMNS: 1, Fault.BAD_VALUE: 1}
    assert [s.samples_lost for s in samples] == [0] * 50


def test_quoted_numbers_are_numbers() -> None:
    samples, faults = feed(
        Receiver(LineDecoder()), (LINE.format('"10"').replace("1.5", '"1.5"').encode(), 0)
    )
    assert [s.angles_deg for s in samples] == [(1.5,) * 10]
    assert not faults


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (["time", *LEFT_FIRST], "'time' names no unit of time"),
        (["Timestamp", *LEFT_FIRST], "'timestamp' names no unit of time"),
        (["time (ms)", *LEFT_FIRST], "names no unit of time"),
        (["t", *LEFT_FIRST], "names no time"),
        (["time_ms", "hip_flexion_l", "hip_flexion_l", *LEFT_FIRST[2:]], "hip_flexion_l twice"),
        (["time_ms", "time_s", *LEFT_FIRST[1:]], "the time more than once"),
        (["t", "LHF", "LHA", "LHR", "LK", "LA", "RHF", "RHA", "RHR", "RK", "RA"], "names no time"),
        (["time_ms", *(f"left {i}" for i in range(10))], "names no angle"),
        (["time_ms", *LEFT_FIRST[:-1], f"{LEFT_FIRST[-1]}10", "1.5"], "numbers stand in it"),
    ],
)
@pytest.mark.parametrize("before", [b"", left_first("", 3), left_first("")[:9] + b"\n"])
def test_columns_that_cannot_be_told_are_never_guessed(
    header: list[str], why: str, before: bytes
) -> None:
    decoder = LineDecoder()
    receiver = Receiver(decoder)
    receiver.feed(PortOpened(0, "here"))
    feed(receiver, (before, 0))
    samples, faults = feed(receiver, (left_first(",".join(header), 5, first=3), 0))
    assert not samples
    assert faults[Fault.BAD_LINE] >= 5
    assert why in decoder.unusable_header
    assert "time_us, time_ms or time_s" in decoder.unusable_header
    # One that can be used makes an end of it.
    named = ",".join(["time_ms", *LEFT_FIRST])
    samples, faults = feed(receiver, (left_first(named, 5, first=8), 0))
    assert [s.angles_deg for s in samples] == [IN_PLACE] * 5
    assert decoder.unusable_header == ""


def test_wherever_a_port_is_opened_in_a_header_no_side_is_exchanged() -> None:
    header = ",".join(["time_ms", *LEFT_FIRST])
    for cut in range(1, len(header) - 1):
        receiver = Receiver(LineDecoder())
        receiver.feed(PortOpened(0, "here"))
        sent = left_first(header)[cut:] + left_first(header, first=3)
        samples, _ = feed(receiver, (sent, 0))
        assert [s.angles_deg for s in samples] == [IN_PLACE] * 3, header[cut:]


@given(st.integers(0, len(",".join(["time_ms", *LEFT_FIRST]))), st.integers(0, 7))
def test_a_bit_that_flips_in_a_header_exchanges_no_side(at: int, bit: int) -> None:
    sent = bytearray(left_first(",".join(["time_ms", *LEFT_FIRST])))
    sent[at] ^= 1 << bit
    samples, _ = feed(Receiver(LineDecoder()), (bytes(sent), 0))
    assert {s.angles_deg for s in samples} <= {IN_PLACE}


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


def test_a_header_is_heard_at_once() -> None:
    """A board that starts when its port is opened prints it first."""
    receiver = Receiver(LineDecoder())
    receiver.feed(PortOpened(0, "x"))
    header = ",".join([*ANGLES, "time_us"]).encode() + b"\n"
    lines = [(",".join(["1.0"] * 10) + f",{i}0000\n").encode() for i in range(3)]
    samples, faults = feed(receiver, *at_pace([header, *lines]))
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02])
    assert not faults


def test_a_frame_cut_by_dropped_bytes_is_no_fault_of_the_link() -> None:
    receiver = Receiver()
    feed(receiver, *at_pace([frame(0), frame(1)[:9]]))
    (fault,) = receiver.feed(BytesMissing(40 * MS, 2))
    assert fault == LinkFault(Fault.OVERRUN, 2, 40 * MS)
    samples, faults = feed(receiver, (frame(4)[5:], 45 * MS), (frame(5), 50 * MS))
    assert [s.samples_lost for s in samples] == [4]
    assert faults == {Fault.LOST: 4}


@pytest.mark.parametrize("off_ms", [90, 400, 900, 5_000, -400])
def test_one_garbled_time_makes_no_other_line_late(off_ms: int) -> None:
    receiver, late_ns = Receiver(LineDecoder()), list[int]()
    for i in range(300):
        time_ms = 10_000 + 10 * i + (off_ms if i == 100 else 0)
        receiver.feed(Chunk(LINE.format(time_ms).encode(), i * 10 * MS))
        late_ns += receiver.late_ns
    assert len(late_ns) >= 290
    assert max(late_ns) < 125 * MS
