"""The frame format: whatever was said comes back, whatever was damaged is counted once."""

import json
import math
import zlib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgehip.channels import ANGLES
from edgehip.events import Chunk, Fault, LinkFault
from edgehip.messages import (
    LAYOUTS,
    MAX_CUES,
    Angles,
    Cue,
    CycleEstimate,
    Description,
    Layout,
    Rate,
    SampleEstimate,
    Start,
    side_code,
)
from edgehip.wire import (
    DELIMITER,
    HEADER,
    MAX_FRAME,
    Frame,
    FrameDecoder,
    cobs_decode,
    cobs_encode,
    encode,
)
from edgehip_firmware_bridge.vectors import WALK, event_of, lines, pack, read, seal, unpack

RANGES = {"u8": (0, 2**8 - 1), "u16": (0, 2**16 - 1), "u32": (0, 2**32 - 1), "i16": (-32768, 32767)}
U32 = st.integers(0, 2**32 - 1)
VECTORS = read()


def feed(*chunks: bytes) -> list[Frame | LinkFault]:
    decoder = FrameDecoder()
    return [event for chunk in chunks for event in decoder.feed(Chunk(chunk, 0))]


def decode_one(frame: bytes) -> Frame:
    (event,) = feed(frame)
    assert isinstance(event, Frame)
    return event


def fault_of(event: Frame | LinkFault) -> Fault | None:
    return event.fault if isinstance(event, LinkFault) else None


def plain_text(size: int) -> st.SearchStrategy[str]:
    """Text that fits its field and may be shown on a terminal."""
    return st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])).filter(
        lambda text: len(text.encode()) <= size
    )


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Any frame that may come over a link, made from raw fields without ``encode``."""
    layout: Layout = draw(st.sampled_from(LAYOUTS))
    fields: dict[str, Any] = {}
    for field in layout.fields:
        if field.kind == "text":
            fields[field.name] = draw(plain_text(field.count))
        else:
            numbers = st.integers(*RANGES[field.kind])
            many = st.lists(numbers, min_size=field.count, max_size=field.count)
            fields[field.name] = draw(many if field.count > 1 else numbers)
    return pack(layout, fields, draw(U32), draw(U32))


PIECES = st.one_of(
    st.binary(max_size=40),
    frames(),
    frames().map(lambda frame: frame[:-1]),
    st.just(DELIMITER),
    st.integers(250, 600).map(lambda n: b"\xa5" * n),
    st.binary(min_size=9, max_size=249).map(seal),
)
STREAMS = st.lists(PIECES, max_size=8).map(b"".join)


# What is said comes back


@given(frames())
def test_every_frame_survives_decoding_and_encoding(frame: bytes) -> None:
    got = decode_one(frame)
    assert got.sequence is not None
    assert encode(got.message, got.sequence, got.device_us) == frame


@given(st.lists(st.floats(-327.67, 327.67), min_size=10, max_size=10), U32, U32)
def test_angles_come_back_to_the_hundredth_degree(
    angles: list[float], sequence: int, device_us: int
) -> None:
    got = decode_one(encode(Angles(tuple(angles)), sequence, device_us))
    assert (got.sequence, got.device_us, got.wrap_us) == (sequence, device_us, 2**32)
    assert isinstance(got.message, Angles)
    assert got.message.angles_deg == pytest.approx(angles, abs=0.005 + 1e-9)


def test_decimals_come_back_as_they_were_meant() -> None:
    estimate = CycleEstimate(
        side=side_code("r"),
        flags=5,
        start_us=1,
        stride_us=2,
        stance_percent=61.37,
        moment_max_nm_per_kg=(0.57, 1.129, 0.001),
        moment_min_nm_per_kg=(-0.57, -1.129, -0.001),
        force_max_n_per_kg=tuple(i + 0.29 for i in range(14)),
        moment_max_percent=(0.0, 12.5, 100.0),
        moment_min_percent=(0.5, 1.0, 99.5),
        force_max_percent=tuple(7.0 * i for i in range(14)),
    )
    assert decode_one(encode(estimate, 0, 0)).message == estimate
    assert decode_one(encode(Rate(62.5), 0, 0)).message == Rate(62.5)
    assert decode_one(encode(WALK, 0, 0)).message == WALK


def test_description_names_the_channels_it_measures() -> None:
    right_knee_and_ankle = 1 << 6 | 1 << 7
    description = Description(100.0, right_knee_and_ankle, "Knie-Gerät", "2.1")
    got = decode_one(encode(description, 0, 0)).message
    assert got == description
    assert isinstance(got, Description)
    assert got.channel_names == ("knee_angle_r", "ankle_angle_r")


@given(st.integers(), st.integers())
def test_sequence_and_clock_wrap(sequence: int, device_us: int) -> None:
    got = decode_one(encode(Start(), sequence, device_us))
    assert (got.sequence, got.device_us) == (sequence % 2**32, device_us % 2**32)


def test_times_inside_a_message_wrap_with_the_clock() -> None:
    got = decode_one(encode(Cue(1, 1, 2**32 + 5, 0), 0, 2**32 + 9))
    assert got.device_us == 9
    assert got.message == Cue(1, 1, 5, 0)


@pytest.mark.parametrize(
    ("given_deg", "got_deg"),
    [(math.inf, 327.67), (-math.inf, -327.67), (1e300, 327.67), (-327.68, -327.67)],
)
def test_angles_beyond_the_range_are_clipped(given_deg: float, got_deg: float) -> None:
    got = decode_one(encode(Angles((given_deg,) * 10), 0, 0))
    assert got.message == Angles((got_deg,) * 10)


def test_what_is_not_known_stays_unknown() -> None:
    estimate = SampleEstimate(1, 0, 0, (math.nan, 0.5, math.nan), (math.nan,) * 14)
    got = decode_one(encode(estimate, 0, 0)).message
    assert isinstance(got, SampleEstimate)
    assert math.isnan(got.moments_nm_per_kg[0])
    assert got.moments_nm_per_kg[1] == 0.5
    assert all(map(math.isnan, got.forces_n_per_kg))


def test_measurements_never_clip_into_unknown() -> None:
    estimate = SampleEstimate(0, 0, 0, (-1e9, 1e9, 0.0), (1e9,) * 14)
    got = decode_one(encode(estimate, 0, 0)).message
    assert isinstance(got, SampleEstimate)
    assert got.moments_nm_per_kg == (-32.767, 32.767, 0.0)
    assert got.forces_n_per_kg == (655.34,) * 14


@given(st.text())
def test_any_text_is_sent_cut_between_characters(text: str) -> None:
    got = decode_one(encode(Description(1.0, 0, text, text), 0, 0)).message
    assert isinstance(got, Description)
    assert got.name.startswith(got.firmware)
    assert len(got.name) == len(text) or 24 - len(got.name.encode()) < 4
    for meant, came in zip(text, got.name, strict=False):
        assert came in (meant, "?")


def test_text_is_cut_before_a_character_that_does_not_fit() -> None:
    got = decode_one(encode(Description(1.0, 0, "x" * 23 + "é", ""), 0, 0)).message
    assert got == Description(1.0, 0, "x" * 23, "")


# Any bytes, cut anywhere


@given(STREAMS, st.data())
def test_cuts_change_nothing_and_memory_is_bounded(stream: bytes, data: st.DataObject) -> None:
    whole = feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = FrameDecoder()
    found: list[Frame | LinkFault] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(Chunk(stream[start:end], 0))
        assert len(decoder.state.pending) < MAX_FRAME
    # Compared as text, because an unknown angle does not equal itself.
    assert repr(found) == repr(whole)


@given(STREAMS)
def test_byte_by_byte_equals_whole(stream: bytes) -> None:
    assert repr(feed(*(stream[i : i + 1] for i in range(len(stream))))) == repr(feed(stream))


@given(st.binary(max_size=700), frames())
def test_a_delimiter_always_brings_it_back(noise: bytes, frame: bytes) -> None:
    assert repr(feed(noise + DELIMITER, frame)[-1]) == repr(decode_one(frame))


def test_a_huge_chunk_of_anything() -> None:
    assert feed(bytes(1_000_000)) == []
    assert list(map(fault_of, feed(b"\x01" * 1_000_000))) == [Fault.OVERLONG]
    assert len(feed(encode(WALK, 1, 1) * 10_000)) == 10_000


def test_reset_forgets_half_a_frame_and_the_skipping() -> None:
    frame = encode(WALK, 1, 1)
    for before in (frame[:20], b"\xaa" * 300):
        decoder = FrameDecoder()
        decoder.feed(Chunk(before, 0))
        decoder.reset()
        assert [fault_of(event) for event in decoder.feed(Chunk(frame, 0))] == [None]


# Damage is counted once, with its reason


def expected_fault(stuffed: bytes) -> Fault:
    """Return why a damaged frame cannot be used; a second, slower reading of the format."""
    payload = b""
    rest = stuffed
    while rest:
        run, rest = rest[: rest[0]], rest[rest[0] :]
        if len(run) < run[0]:
            return Fault.BAD_COBS
        payload += run[1:] + (b"\0" if rest else b"")
    if len(payload) < 14:
        return Fault.BAD_LENGTH
    assert zlib.crc32(payload[:-4]) != int.from_bytes(payload[-4:], "little")
    return Fault.BAD_CRC


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame's inside with something wrong in it, but no delimiter lost or gained."""
    inside = bytearray(draw(frames())[:-1])
    intact = bytes(inside)
    at = draw(st.integers(0, len(inside) - 1))
    match draw(st.sampled_from(["flip", "burst", "insert", "delete", "head", "tail"])):
        case "flip":
            inside[at] ^= 1 << draw(st.integers(0, 7))
        case "burst":
            burst = draw(st.binary(min_size=1, max_size=4))
            inside[at : at + len(burst)] = burst
        case "insert":
            inside[at:at] = draw(st.binary(min_size=1, max_size=20))
        case "delete":
            del inside[at : at + draw(st.integers(1, 20))]
        case "head":
            del inside[:at]
        case "tail":
            del inside[at:]
    assume(inside and 0 not in inside and inside != intact and len(inside) < MAX_FRAME)
    return bytes(inside)


@given(damaged(), frames(), frames())
def test_every_damage_is_one_fault_between_good_frames(
    inside: bytes, before: bytes, after: bytes
) -> None:
    first, fault, last = feed(before + inside + DELIMITER + after)
    assert fault == LinkFault(expected_fault(inside), 1, 0)
    assert repr([first, last]) == repr([decode_one(before), decode_one(after)])


@given(frames(), frames(), frames())
def test_a_lost_delimiter_costs_two_frames_and_is_one_fault(
    first: bytes, second: bytes, third: bytes
) -> None:
    assume(len(first) + len(second) - 2 < MAX_FRAME)
    fault, last = feed(first[:-1] + second + third)
    assert fault_of(fault) is Fault.BAD_CRC
    assert repr(last) == repr(decode_one(third))


@given(st.integers(MAX_FRAME, 3000), frames())
def test_a_run_without_delimiter_is_one_fault(length: int, frame: bytes) -> None:
    found = feed(b"\x55" * length + DELIMITER + frame)
    assert [fault_of(event) for event in found] == [Fault.OVERLONG, None]


@given(st.binary(max_size=243), st.integers(0, 255), st.integers(0, 255))
def test_sealed_contents_are_judged_in_order(fields: bytes, version: int, type_id: int) -> None:
    assume(all(type_id != layout.type_id for layout in LAYOUTS))
    (event,) = feed(seal((HEADER.pack(version, type_id, 1, 2) + fields)[:249]))
    assert fault_of(event) is (Fault.BAD_TYPE if version == 1 else Fault.BAD_VERSION)


# Sizes, stuffing and the definition itself


@given(st.lists(st.floats(-400, 400), min_size=10, max_size=10), U32, U32)
def test_an_angle_frame_takes_at_most_40_bytes(
    angles: list[float], sequence: int, device_us: int
) -> None:
    assert len(encode(Angles(tuple(angles)), sequence, device_us)) <= 40


@given(st.binary(max_size=253))
def test_stuffing_costs_one_byte_and_removes_zeros(data: bytes) -> None:
    stuffed = cobs_encode(data)
    assert len(stuffed) == len(data) + 1
    assert 0 not in stuffed
    assert cobs_decode(stuffed) == data


def test_impossible_stuffing_is_refused() -> None:
    assert cobs_decode(b"\x00\x01") is None
    assert cobs_decode(b"\x03\x01") is None


def test_layouts_fit_a_frame_and_are_told_apart() -> None:
    assert len({layout.type_id for layout in LAYOUTS}) == len(LAYOUTS)
    for layout in LAYOUTS:
        assert HEADER.size + layout.struct.size + 6 <= MAX_FRAME
        assert tuple(f.name for f in layout.fields) == layout.message.__match_args__
    assert LAYOUTS[0].fields[0].count == len(ANGLES)


def test_so_many_cues_are_told_apart_and_no_more() -> None:
    told = {encode(Cue(cue, 1, 0, 0), 0, 0) for cue in range(MAX_CUES)}
    assert len(told) == MAX_CUES
    assert encode(Cue(MAX_CUES, 1, 0, 0), 0, 0) in told


# Conformance vectors


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_vector(case: dict[str, Any]) -> None:
    given_bytes = bytes.fromhex(case["bytes"])
    single = (given_bytes[i : i + 1] for i in range(len(given_bytes)))
    assert [event_of(event) for event in feed(given_bytes)] == case["events"]
    assert [event_of(event) for event in feed(*single)] == case["events"]
    if case["name"].startswith("good:"):
        assert unpack(given_bytes) == case["events"][0]


def test_vectors_are_those_the_definition_gives() -> None:
    expected = [json.loads(line) for line in lines()]
    assert expected == VECTORS, "run python -m edgehip_firmware_bridge.vectors"
