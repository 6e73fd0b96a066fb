"""The frame format: what a device and edgehip say to each other, and in which bytes.

A frame is ``COBS(header | fields | CRC-32) 0x00``. Byte order is little-endian. The header is
version (1 byte), message type (1), sequence number (4) and the sender's clock in microseconds (4,
wrapping every 71.6 minutes). The checksum is the CRC-32 of IEEE 802.3 (zlib's) over header and
fields. Byte stuffing is Cheshire & Baker, "Consistent Overhead Byte Stuffing", 1999; no frame
is longer than 254 bytes, so stuffing always costs one byte. Empty frames (two delimiters in a row)
are allowed anywhere and mean nothing.

What the fields are is in :mod:`edgehip.messages`.
"""

import math
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

from edgehip.events import Chunk, Fault, LinkFault
from edgehip.messages import LAYOUTS, UNKNOWN, Angles, Field, Kind, Layout, Message

VERSION: Final = 1
DELIMITER: Final = b"\x00"
MAX_PAYLOAD: Final = 253
"""Header, fields and checksum together."""
MAX_FRAME: Final = MAX_PAYLOAD + 2
"""A payload, its one stuffing byte and the delimiter."""
HEADER: Final = struct.Struct("<BBII")
CHECKSUM: Final = struct.Struct("<I")

_SIZES: Final[dict[Kind, int]] = {"u8": 2**8, "u16": 2**16, "u32": 2**32}
_LIMITS: Final[dict[Kind, tuple[int, int]]] = {
    "u8": (0, 254),
    "u16": (0, 65534),
    "u32": (0, 2**32 - 2),
    "i16": (-32767, 32767),
}
_NO_ANGLE: Final = UNKNOWN["i16"]
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Characters that would act on a terminal instead of appearing there."""


_BY_MESSAGE: Final = {layout.message: (layout, layout.struct) for layout in LAYOUTS}
_BY_TYPE: Final = {layout.type_id: (layout, layout.struct) for layout in LAYOUTS}


@dataclass(frozen=True, slots=True)
class Frame:
    """A message with what its sender said about when and in which order.

    ``sequence`` and ``device_us`` are as on the wire (32 bits, wrapping). Text lines have no
    sequence number, and their clock wraps elsewhere (at ``wrap_us``) or never (None).
    """

    sequence: int | None
    device_us: int
    message: Message
    wrap_us: int | None = 2**32

    def us_after(self, before_us: int) -> int:
        """Return how far it lies after a reading of the same counter, which may have wrapped."""
        step_us = self.device_us - before_us
        if self.wrap_us is not None and step_us < -self.wrap_us // 2:
            step_us += self.wrap_us
        return step_us


def encode(message: Message, sequence: int, device_us: int) -> bytes:
    """Return one message as a frame, delimiter included.

    Measurements beyond a field's range are clipped to it, and NaN becomes "not known". A text is
    cut after the last whole character that fits, its control characters become question marks.

    Parameters
    ----------
    message
        What to say.
    sequence, device_us
        Taken modulo 2**32.
    """
    layout, packer = _BY_MESSAGE[type(message)]
    raw: list[int | bytes] = []
    for field in layout.fields:
        value = getattr(message, field.name)
        if field.kind == "text":
            raw.append(_text_to_raw(value, field.count))
        elif field.count == 1:
            raw.append(_to_raw(value, field))
        else:
            raw.extend(_to_raw(number, field) for number in value)
    body = HEADER.pack(VERSION, layout.type_id, sequence % 2**32, device_us % 2**32)
    body += packer.pack(*raw)
    return cobs_encode(body + CHECKSUM.pack(zlib.crc32(body))) + DELIMITER


def _to_raw(value: float, field: Field) -> int:
    if field.scale is None:
        return int(value) % _SIZES[field.kind]
    if math.isnan(value):
        return UNKNOWN[field.kind]
    low, high = _LIMITS[field.kind]
    return round(min(max(value / field.scale, low), high))


def _text_to_raw(text: str, size: int) -> bytes:
    cut = _CONTROL.sub("?", text).encode(errors="replace")[:size]
    return cut.decode(errors="ignore").encode()


def decode_payload(payload: bytes) -> Frame | Fault:
    """Return the frame in an unstuffed payload (checksum included), or why there is none."""
    if len(payload) < HEADER.size + CHECKSUM.size:
        return Fault.BAD_LENGTH
    body = payload[: -CHECKSUM.size]
    if CHECKSUM.unpack_from(payload, len(body))[0] != zlib.crc32(body):
        return Fault.BAD_CRC
    version, type_id, sequence, device_us = HEADER.unpack_from(body)
    if version != VERSION:
        return Fault.BAD_VERSION
    if type_id not in _BY_TYPE:
        return Fault.BAD_TYPE
    layout, unpacker = _BY_TYPE[type_id]
    if len(body) != HEADER.size + unpacker.size:
        return Fault.BAD_LENGTH
    raw = unpacker.unpack_from(body, HEADER.size)
    if layout.message is Angles:
        # Nearly every frame is one of these, so they take a short cut.
        angles = [math.nan if r == _NO_ANGLE else r / 100 for r in raw]
        return Frame(sequence, device_us, Angles(tuple(angles)))
    try:
        return Frame(sequence, device_us, _from_raw(layout, raw))
    except UnicodeError:
        return Fault.BAD_VALUE


def _from_raw(layout: Layout, raw: tuple[Any, ...]) -> Message:
    values: dict[str, object] = {}
    at = 0
    for field in layout.fields:
        if field.kind == "text":
            values[field.name] = _text_from_raw(raw[at])
            at += 1
            continue
        numbers = tuple(_number_from_raw(r, field) for r in raw[at : at + field.count])
        values[field.name] = numbers[0] if field.count == 1 else numbers
        at += field.count
    return layout.message(**values)  # type: ignore[arg-type]


def _number_from_raw(raw: int, field: Field) -> float:
    if field.scale is None:
        return raw
    # Dividing by the reciprocal gives the closest double to the decimal meant (0.57, not 0.5700…1).
    return math.nan if raw == UNKNOWN[field.kind] else raw / round(1.0 / field.scale)


def _text_from_raw(raw: bytes) -> str:
    """Return a text; what follows its first zero byte is a C program's business."""
    text = raw.partition(b"\x00")[0].decode()
    if _CONTROL.search(text):
        raise UnicodeError("control character")
    return text


def cobs_encode(data: bytes) -> bytes:
    """Return ``data`` (at most 253 bytes) without a zero byte, one byte longer."""
    out = bytearray()
    for run in data.split(DELIMITER):
        out.append(len(run) + 1)
        out += run
    return bytes(out)


def cobs_decode(stuffed: bytes) -> bytes | None:
    """Return what :func:`cobs_encode` was given, or None for an impossible stuffing."""
    # The first byte and those in the place of zeros form a chain: each is the distance to the next.
    out = bytearray(stuffed)
    at = 0
    while at < len(out):
        code = out[at]
        if code == 0:
            return None
        out[at] = 0
        at += code
    return bytes(out[1:]) if at == len(out) else None


@dataclass(slots=True)
class FrameDecoderState:
    """The beginning of a frame whose end has not come, or that it is too long to be one."""

    pending: bytes = b""
    skipping: bool = False


class FrameDecoder:
    """Turns bytes, cut anywhere, into frames and counted faults.

    Never raises on any bytes, holds at most :data:`MAX_FRAME` of them, and finds its way back at
    the next delimiter.
    """

    unusable_header: Final = ""
    assumed_columns: Final = ""
    """Frames need no header (see :class:`edgehip.lines.LineDecoder`)."""

    def __init__(self) -> None:
        self.state = FrameDecoderState()

    def feed(self, chunk: Chunk) -> list[Frame | LinkFault]:
        """Return what these bytes complete."""
        state = self.state
        *pieces, rest = chunk.data.split(DELIMITER)
        found: list[Frame | LinkFault] = []
        for piece in pieces:
            stuffed, state.pending = state.pending + piece, b""
            if state.skipping:
                state.skipping = False
            elif len(stuffed) >= MAX_FRAME:
                found.append(LinkFault(Fault.OVERLONG, 1, chunk.received_ns))
            elif stuffed:
                found.append(_decode_stuffed(stuffed, chunk.received_ns))
        if not state.skipping:
            state.pending += rest
            if len(state.pending) >= MAX_FRAME:
                state.pending, state.skipping = b"", True
                found.append(LinkFault(Fault.OVERLONG, 1, chunk.received_ns))
        return found

    def reset(self) -> None:
        """Forget a half-received frame (the port was reopened)."""
        self.state = FrameDecoderState()


def _decode_stuffed(stuffed: bytes, received_ns: int) -> Frame | LinkFault:
    payload = cobs_decode(stuffed)
    frame = Fault.BAD_COBS if payload is None else decode_payload(payload)
    if isinstance(frame, Fault):
        return LinkFault(frame, 1, received_ns)
    return frame
