"""The frame format: what a device and edgehip say to each other, and in which bytes.

A frame is ``COBS(header | fields | CRC-32) 0x00``. Byte order is little-endian. The header is
version (1 byte), message type (1), sequence number (4) and the sender's clock in microseconds (4,
wrapping every 71.6 minutes). The checksum is the CRC-32 of IEEE 802.3 (zlib's) over header and
fields. Byte stuffing is Cheshire & Baker, "Consistent Overhead Byte Stuffing", 1999; no frame
is longer than 254 bytes, so stuffing always costs one byte. Empty frames (two delimiters in a row)
are allowed anywhere and mean nothing.

:data:`LAYOUTS` is the single definition of every message; the C side is generated from it.
"""

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Final, Literal

from edgehip.channels import ANGLES, MOMENTS, MUSCLES, Side
from edgehip.events import Chunk, Fault, LinkFault

VERSION: Final = 1
DELIMITER: Final = b"\x00"
MAX_PAYLOAD: Final = 253
"""Header, fields and checksum together."""
MAX_FRAME: Final = MAX_PAYLOAD + 2
"""A payload, its one stuffing byte and the delimiter."""
HEADER: Final = struct.Struct("<BBII")
CHECKSUM: Final = struct.Struct("<I")

NOT_MEASURED: Final = -32768
"""The raw angle that says "this device does not measure this channel"."""

Kind = Literal["u8", "u16", "u32", "i16", "text"]
_CODES: Final[dict[Kind, str]] = {"u8": "B", "u16": "H", "u32": "I", "i16": "h", "text": "s"}
_LIMITS: Final[dict[Kind, tuple[int, int]]] = {
    "u8": (0, 255),
    "u16": (0, 65535),
    "u32": (0, 2**32 - 1),
    "i16": (-32767, 32767),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: ``count`` numbers of a ``kind``, each worth ``scale`` units."""

    name: str
    kind: Kind
    count: int = 1
    scale: float = 1.0

    @property
    def format(self) -> str:
        """The field in :mod:`struct`'s language."""
        return f"{self.count}{_CODES[self.kind]}"


@dataclass(frozen=True, slots=True)
class Angles:
    """Device to host: ten joint angles in degrees, NaN where the device measures none."""

    angles_deg: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """Device to host: what the device is. ``channels`` has bit ``i`` set for ``ANGLES[i]``."""

    rate_hz: float
    channels: int
    name: str
    firmware: str

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the angles the device measures."""
        return tuple(name for i, name in enumerate(ANGLES) if self.channels >> i & 1)


@dataclass(frozen=True, slots=True)
class Describe:
    """Host to device: please send a :class:`Description`."""


@dataclass(frozen=True, slots=True)
class Start:
    """Host to device: begin sending angles."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Host to device: stop sending angles."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Host to device: send angles at this rate."""

    rate_hz: float


@dataclass(frozen=True, slots=True)
class CycleEstimate:
    """Host to device: the peaks of one stride's estimate.

    ``side`` is 0 for left and 1 for right, ``flags`` are the bits of :data:`ESTIMATE_FLAGS`,
    ``start_us`` is on the device's own clock. Peaks follow ``MOMENTS`` and ``MUSCLES``; each has
    its place in percent of the gait cycle. A stance of 0 means that foot off was not seen.
    """

    side: int
    flags: int
    start_us: int
    stride_us: int
    stance_percent: float
    moment_max_nm_per_kg: tuple[float, ...]
    moment_min_nm_per_kg: tuple[float, ...]
    force_max_n_per_kg: tuple[float, ...]
    moment_max_percent: tuple[float, ...]
    moment_min_percent: tuple[float, ...]
    force_max_percent: tuple[float, ...]


ESTIMATE_FLAGS: Final = (
    "first_after_gap",
    "samples_lost",
    "out_of_range",
    "no_zero",
    "no_foot_off",
)
"""Meaning of the bits of an estimate's flags, lowest first."""

Message = Angles | Description | Describe | Start | Stop | Rate | CycleEstimate


@dataclass(frozen=True, slots=True)
class Layout:
    """How one message lies in bytes after the header."""

    message: type[Message]
    type_id: int
    fields: tuple[Field, ...]

    @property
    def struct(self) -> struct.Struct:
        """The fields as one :class:`struct.Struct`."""
        return struct.Struct("<" + "".join(field.format for field in self.fields))


LAYOUTS: Final = (
    Layout(Angles, 0x01, (Field("angles_deg", "i16", len(ANGLES), 0.01),)),
    Layout(
        Description,
        0x02,
        (
            Field("rate_hz", "u32", 1, 0.001),
            Field("channels", "u16"),
            Field("name", "text", 24),
            Field("firmware", "text", 16),
        ),
    ),
    Layout(Describe, 0x80, ()),
    Layout(Start, 0x81, ()),
    Layout(Stop, 0x82, ()),
    Layout(Rate, 0x83, (Field("rate_hz", "u32", 1, 0.001),)),
    Layout(
        CycleEstimate,
        0x84,
        (
            Field("side", "u8"),
            Field("flags", "u16"),
            Field("start_us", "u32"),
            Field("stride_us", "u32"),
            Field("stance_percent", "u16", 1, 0.01),
            Field("moment_max_nm_per_kg", "i16", len(MOMENTS), 0.001),
            Field("moment_min_nm_per_kg", "i16", len(MOMENTS), 0.001),
            Field("force_max_n_per_kg", "u16", len(MUSCLES), 0.01),
            Field("moment_max_percent", "u8", len(MOMENTS), 0.5),
            Field("moment_min_percent", "u8", len(MOMENTS), 0.5),
            Field("force_max_percent", "u8", len(MUSCLES), 0.5),
        ),
    ),
)
_BY_MESSAGE: Final = {layout.message: (layout, layout.struct) for layout in LAYOUTS}
_BY_TYPE: Final = {layout.type_id: (layout, layout.struct) for layout in LAYOUTS}


def side_code(side: Side) -> int:
    """Return how a side is written in a frame: 0 left, 1 right."""
    return 1 if side == "r" else 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A message with what its sender said about when and in which order.

    ``sequence`` and ``device_us`` are as on the wire (32 bits, wrapping). Text lines have no
    sequence number, and their clock may be wider than 32 bits (``clock_bits``; None never wraps).
    """

    sequence: int | None
    device_us: int
    message: Message
    clock_bits: int | None = 32


def encode(message: Message, sequence: int, device_us: int) -> bytes:
    """Return one message as a frame, delimiter included.

    Numbers beyond a field's range are clipped to it; NaN angles become "not measured".

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
            raw.append(value.encode()[: field.count])
        elif field.count == 1:
            raw.append(_to_raw(value, field))
        else:
            raw.extend(_to_raw(number, field) for number in value)
    body = HEADER.pack(VERSION, layout.type_id, sequence % 2**32, device_us % 2**32)
    body += packer.pack(*raw)
    return cobs_encode(body + CHECKSUM.pack(zlib.crc32(body))) + DELIMITER


def _to_raw(value: float, field: Field) -> int:
    if math.isnan(value):
        return NOT_MEASURED if field.kind == "i16" else 0
    low, high = _LIMITS[field.kind]
    return round(min(max(value / field.scale, low), high))


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
        angles = tuple(math.nan if r == NOT_MEASURED else r / 100 for r in raw)
        return Frame(sequence, device_us, Angles(angles))
    try:
        return Frame(sequence, device_us, _from_raw(layout, raw))
    except UnicodeDecodeError:
        return Fault.BAD_VALUE


def _from_raw(layout: Layout, raw: tuple[int | bytes, ...]) -> Message:
    values: dict[str, object] = {}
    at = 0
    for field in layout.fields:
        if field.kind == "text":
            text = raw[at]
            assert isinstance(text, bytes)
            values[field.name] = text.rstrip(b"\x00").decode()
            at += 1
            continue
        numbers = tuple(_scaled(r, field) for r in raw[at : at + field.count])
        values[field.name] = numbers[0] if field.count == 1 else numbers
        at += field.count
    return layout.message(**values)  # type: ignore[arg-type]


def _scaled(raw: int | bytes, field: Field) -> float:
    assert isinstance(raw, int)
    # Dividing by the reciprocal gives the closest double to the decimal meant (0.57, not 0.5700…1).
    return raw if field.scale == 1.0 else raw / round(1.0 / field.scale)


def cobs_encode(data: bytes) -> bytes:
    """Return ``data`` (at most 253 bytes) without a zero byte, one byte longer."""
    out = bytearray()
    for run in data.split(DELIMITER):
        out.append(len(run) + 1)
        out += run
    return bytes(out)


def cobs_decode(stuffed: bytes) -> bytes | None:
    """Return what :func:`cobs_encode` was given, or None for an impossible stuffing."""
    out = bytearray()
    at = 0
    while at < len(stuffed):
        code = stuffed[at]
        end = at + code
        if code == 0 or end > len(stuffed):
            return None
        out += stuffed[at + 1 : end]
        at = end
        if at < len(stuffed):
            out.append(0)
    return bytes(out)


class FrameDecoder:
    """Turns bytes, cut anywhere, into frames and counted faults.

    Never raises on any bytes, holds at most :data:`MAX_FRAME` of them, and finds its way back at
    the next delimiter.
    """

    def __init__(self) -> None:
        self.pending = b""
        """The beginning of a frame whose end has not come yet."""
        self.skipping = False
        """Whether bytes are being dropped up to the next delimiter."""

    def feed(self, chunk: Chunk) -> list[Frame | LinkFault]:
        """Return what these bytes complete."""
        *pieces, rest = chunk.data.split(DELIMITER)
        found: list[Frame | LinkFault] = []
        for piece in pieces:
            stuffed, self.pending = self.pending + piece, b""
            if self.skipping:
                self.skipping = False
            elif len(stuffed) >= MAX_FRAME:
                found.append(LinkFault(Fault.OVERLONG, 1, chunk.received_ns))
            elif stuffed:
                found.append(_decode_stuffed(stuffed, chunk.received_ns))
        if not self.skipping:
            self.pending += rest
            if len(self.pending) >= MAX_FRAME:
                self.pending, self.skipping = b"", True
                found.append(LinkFault(Fault.OVERLONG, 1, chunk.received_ns))
        return found

    def reset(self) -> None:
        """Forget a half-received frame (the port was reopened)."""
        self.pending, self.skipping = b"", False


def _decode_stuffed(stuffed: bytes, received_ns: int) -> Frame | LinkFault:
    payload = cobs_decode(stuffed)
    frame = Fault.BAD_COBS if payload is None else decode_payload(payload)
    if isinstance(frame, Fault):
        return LinkFault(frame, 1, received_ns)
    return frame
