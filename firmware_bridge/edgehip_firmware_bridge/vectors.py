"""Conformance vectors: bytes, and what any decoder of the frame format must make of them.

``python -m edgehip_firmware_bridge.vectors`` writes ``firmware_bridge/vectors/frames.jsonl``. Each
line is ``{"name", "bytes", "events"}``: bytes in hexadecimal, events in order, each either
``{"fault": reason}`` or ``{"message", "sequence", "device_us", "fields"}`` with the fields' raw
numbers. A decoder begins anew for every line. An encoder given the fields of a ``good:`` line must
give its bytes.
"""

import json
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from edgehip.channels import ANGLES, MUSCLES
from edgehip.events import Fault, LinkFault
from edgehip.messages import (
    LAYOUTS,
    Angles,
    Cue,
    CycleEstimate,
    Describe,
    Description,
    Kind,
    Layout,
    Message,
    Rate,
    SampleEstimate,
    Start,
    Stop,
)
from edgehip.wire import (
    CHECKSUM,
    DELIMITER,
    HEADER,
    VERSION,
    Frame,
    cobs_decode,
    cobs_encode,
    encode,
)

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "frames.jsonl"
RAW_RANGE: Final[dict[Kind, tuple[int, int]]] = {
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
    "i16": (-(2**15), 2**15 - 1),
}

Raw = dict[str, Any]
Case = tuple[str, bytes, list[bytes | Fault]]
"""A name, the bytes, and the frames (as they are encoded) and faults they must give."""

WALK: Final = Angles((31.25, -4.5, 0.0, -12.34, 2.56, 7.01, 5.0, -8.88, 61.9, 14.02))


def seal(body: bytes) -> bytes:
    """Return a frame around a header and fields: checksum, stuffing, delimiter."""
    return cobs_encode(body + CHECKSUM.pack(zlib.crc32(body))) + DELIMITER


def pack(layout: Layout, fields: Raw, sequence: int, device_us: int) -> bytes:
    """Return the frame with these raw fields."""
    raw: list[Any] = []
    for field in layout.fields:
        value = fields[field.name]
        if field.kind == "text":
            raw.append(value.encode())
        else:
            raw.extend(value if field.count > 1 else [value])
    header = HEADER.pack(VERSION, layout.type_id, sequence, device_us)
    return seal(header + layout.struct.pack(*raw))


def unpack(frame: bytes) -> Raw:
    """Return a good frame as an event of the vectors' file."""
    payload = cobs_decode(frame.removesuffix(DELIMITER))
    assert payload is not None
    _, type_id, sequence, device_us = HEADER.unpack_from(payload)
    layout = next(each for each in LAYOUTS if each.type_id == type_id)
    raw = iter(layout.struct.unpack_from(payload, HEADER.size))
    fields: Raw = {}
    for field in layout.fields:
        if field.kind == "text":
            fields[field.name] = next(raw).partition(b"\x00")[0].decode()
        else:
            numbers = [next(raw) for _ in range(field.count)]
            fields[field.name] = numbers if field.count > 1 else numbers[0]
    return {
        "message": layout.message.__name__,
        "sequence": sequence,
        "device_us": device_us,
        "fields": fields,
    }


def event_of(found: Frame | LinkFault) -> Raw:
    """Return what the decoder in :mod:`edgehip.wire` gave as an event of the vectors' file."""
    if isinstance(found, LinkFault):
        return {"fault": str(found.fault)}
    assert found.sequence is not None
    return unpack(encode(found.message, found.sequence, found.device_us))


def _good() -> Iterator[Case]:
    nan = math.nan
    cycle = CycleEstimate(
        side=1,
        flags=0b10001,
        start_us=4_294_900_000,
        stride_us=1_083_500,
        stance_percent=61.37,
        moment_max_nm_per_kg=(1.134, 0.871, 0.206),
        moment_min_nm_per_kg=(-0.642, -0.118, -0.143),
        force_max_n_per_kg=tuple(0.31 + 1.9 * i for i in range(len(MUSCLES))),
        moment_max_percent=(12.5, 16.0, 49.5),
        moment_min_percent=(51.0, 93.5, 8.0),
        force_max_percent=tuple(7.0 * i for i in range(len(MUSCLES))),
    )
    sample = SampleEstimate(0, 0, 123_456, (0.25, -0.5, 0.001), (1.25,) * len(MUSCLES))
    messages: list[tuple[str, Message]] = [
        ("angles", WALK),
        ("angles, left leg only", Angles((nan,) * 3 + (1.0, -1.0, 0.5) + (nan,) * 2 + (40.0, 5.0))),
        ("angles at their limits", Angles((400.0, -400.0) * (len(ANGLES) // 2))),
        ("description", Description(100.0, 0x3FF, "EdgeHip walker", "1.0.0")),
        ("description, texts full", Description(1000.0, 0x18, "n" * 24, "f" * 16)),
        ("description, UTF-8", Description(62.5, 0x3FF, "Hüftsensor 股関節", "β2")),
        ("describe", Describe()),
        ("start", Start()),
        ("stop", Stop()),
        ("rate", Rate(200.0)),
        ("cycle estimate", cycle),
        ("cue on", Cue(3, 1, 99_990_000, 0)),
        ("cue off", Cue(3, 0, 0, 0b10)),
        ("sample estimate", sample),
        ("sample estimate without forces", SampleEstimate(1, 8, 7, (0.1,) * 3, (nan,) * 14)),
    ]
    for i, (name, message) in enumerate(messages):
        frame = encode(message, 100 + i, 10_000_000 + 10_000 * i)
        yield f"good: {name}", frame, [frame]
    for layout in LAYOUTS:
        for i, extreme in enumerate(("smallest", "largest")):
            fields = {
                f.name: "" if f.kind == "text" else _repeat(RAW_RANGE[f.kind][i], f.count)
                for f in layout.fields
            }
            frame = pack(layout, fields, *((0, 0), (2**32 - 1, 2**32 - 1))[i])
            yield f"good: {layout.message.__name__}, {extreme} numbers", frame, [frame]


def _repeat(number: int, count: int) -> int | list[int]:
    return number if count == 1 else [number] * count


def _streams() -> Iterator[Case]:
    one, two, three = (encode(WALK, 2**32 - 2 + i, 2**32 - 15_000 + 10_000 * i) for i in range(3))
    yield "stream: sequence and clock wrap", one + two + three, [one, two, three]
    yield "stream: empty frames mean nothing", b"\0\0" + one + b"\0\0\0" + two, [one, two]
    yield "stream: nothing", b"", []
    yield "stream: only delimiters", bytes(600), []
    yield "stream: an unfinished frame", one + two[:-1], [one]


def _damage() -> Iterator[Case]:
    first, second = encode(WALK, 7, 70_000), encode(WALK, 8, 80_000)
    cue = encode(Cue(0, 1, 5, 0), 9, 90_000)

    def flipped(at: int, bit: int = 0) -> bytes:
        return first[:at] + bytes([first[at] ^ 1 << bit]) + first[at + 1 :]

    crc, cobs, short = Fault.BAD_CRC, Fault.BAD_COBS, Fault.BAD_LENGTH
    yield "damage: a bit of an angle", flipped(14, 7) + second, [crc, second]
    yield "damage: a bit of the version", flipped(1, 1) + second, [crc, second]
    yield "damage: a bit of the checksum", flipped(len(first) - 2) + second, [crc, second]
    yield "damage: stuffing leads past the end", b"\x7f" + first[1:] + second, [cobs, second]
    yield "damage: the longest stuffing", b"\xff" + first[1:] + second, [cobs, second]
    yield "damage: the beginning is missing", first[6:] + second, [crc, second]
    yield "damage: the end is missing", first[:-3] + b"\0" + second, [cobs, second]
    yield "damage: a byte is missing", first[:20] + first[21:] + second, [cobs, second]
    yield "damage: a byte too many", first[:20] + b"\x55" + first[20:] + second, [cobs, second]
    yield "damage: delimiter lost, two frames merge", first[:-1] + second + cue, [crc, cue]
    yield "damage: a delimiter inside", first[:12] + b"\0" + first[13:] + cue, [cobs, cobs, cue]
    yield "damage: one byte", b"\x01\0" + cue, [short, cue]
    yield "damage: one byte, impossible", b"\x02\0" + cue, [cobs, cue]
    yield "damage: shorter than any frame", cobs_encode(b"\x01\x81" + bytes(11)) + b"\0", [short]
    yield "damage: checksum over nothing", seal(bytes(9)), [short]
    yield "damage: the smallest payload", seal(HEADER.pack(1, 0x81, 0, 0)), [encode(Start(), 0, 0)]
    yield "overlong: 254 bytes are judged", b"\x01" * 254 + b"\0" + cue, [crc, cue]
    yield "overlong: 255 bytes are not", b"\x01" * 255 + b"\0" + cue, [Fault.OVERLONG, cue]
    yield "overlong: counted once", b"\xaa" * 2000 + b"\0" + cue, [Fault.OVERLONG, cue]
    yield "overlong: not yet over", b"\xaa" * 400, [Fault.OVERLONG]
    yield "overlong: twice", b"\xaa" * 300 + b"\0" + b"\xaa" * 300, [Fault.OVERLONG] * 2


def _contradictions() -> Iterator[Case]:
    start = encode(Start(), 1, 1)
    header = struct.Struct("<BBII")
    yield (
        "version: a later one",
        seal(header.pack(2, 1, 0, 0) + bytes(20)) + start,
        [
            Fault.BAD_VERSION,
            start,
        ],
    )
    yield "version: zero", seal(header.pack(0, 1, 0, 0) + bytes(20)), [Fault.BAD_VERSION]
    yield "type: unknown", seal(header.pack(1, 0x7F, 0, 0)) + start, [Fault.BAD_TYPE, start]
    yield (
        "type: unknown, largest payload",
        seal(header.pack(1, 0xFF, 1, 2) + b"\x11" * 239),
        [Fault.BAD_TYPE],
    )
    yield (
        "type: unknown, largest payload of zeros",
        seal(header.pack(1, 0, 0, 0) + bytes(239)),
        [Fault.BAD_TYPE],
    )
    for layout in LAYOUTS:
        size = layout.struct.size
        for other in (size - 1, size + 1, 239):
            if other >= 0:
                body = header.pack(1, layout.type_id, 5, 6) + b"\x20" * other
                name = f"length: {layout.message.__name__} with {other} bytes, not {size}"
                yield name, seal(body), [Fault.BAD_LENGTH]
    for name, text, good in (
        ("text: not UTF-8", b"abc\xff", None),
        ("text: cut inside a character", b"x" * 23 + b"\xc3", None),
        ("text: overlong UTF-8", b"\xc0\xaf", None),
        ("text: a surrogate", b"\xed\xa0\x80", None),
        ("text: beyond Unicode", b"\xf4\x90\x80\x80", None),
        ("text: an escape sequence", b"\x1b[2J", None),
        ("text: a C1 control character", b"\xc2\x9b2J", None),
        ("text: delete", b"a\x7f", None),
        ("text: four-byte character", b"\xf0\x9f\x9a\xb6", "🚶"),
        ("text: what follows a zero is ignored", b"hip\0\xff\x1b", "hip"),
    ):
        body = header.pack(1, 2, 3, 4) + struct.pack("<IH24s16s", 100_000, 1023, text, b"1")
        expected: list[bytes | Fault] = [Fault.BAD_VALUE]
        if good is not None:
            expected = [encode(Description(100.0, 1023, good, "1"), 3, 4)]
        yield name, seal(body), expected


def cases() -> Iterator[Case]:
    """Yield every case."""
    yield from _good()
    yield from _streams()
    yield from _damage()
    yield from _contradictions()


def lines() -> Iterator[str]:
    """Yield the lines of the vectors' file."""
    for name, given, expected in cases():
        events = [{"fault": str(e)} if isinstance(e, Fault) else unpack(e) for e in expected]
        case = {"name": name, "bytes": given.hex(), "events": events}
        yield json.dumps(case, ensure_ascii=False) + "\n"


def read(path: Path = VECTORS) -> list[Raw]:
    """Return the cases in a vectors' file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    VECTORS.parent.mkdir(exist_ok=True)
    VECTORS.write_text("".join(lines()), encoding="utf-8")
    print(f"{VECTORS}: {sum(1 for _ in lines())} cases")
