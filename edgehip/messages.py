"""The messages a device and edgehip exchange, and how each lies in a frame.

A field with a scale is a measurement: it is clipped to its range, and one raw value beyond that
range says "not known" (:data:`UNKNOWN`), which is NaN here. A field without is a whole number
(a code, bits, a clock), taken modulo its size. A text is UTF-8, filled up with zeros.

:data:`LAYOUTS` is the single definition of every message; the C side is generated from it.
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal

from edgehip.channels import ANGLES, MOMENTS, MUSCLES, Side

Kind = Literal["u8", "u16", "u32", "i16", "text"]
_CODES: Final[dict[Kind, str]] = {"u8": "B", "u16": "H", "u32": "I", "i16": "h", "text": "s"}
UNKNOWN: Final[dict[Kind, int]] = {"u8": 255, "u16": 65535, "u32": 2**32 - 1, "i16": -32768}
"""The raw measurement of each kind that says "not known": NaN."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: ``count`` numbers of a ``kind``, each worth ``scale`` units.

    A scale of None is that of a whole number; a text has ``count`` bytes.
    """

    name: str
    kind: Kind
    count: int = 1
    scale: float | None = None

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
    its place in percent of the gait cycle. What is not known (an output the model does not give,
    the stance when foot off was not seen) is NaN.
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


@dataclass(frozen=True, slots=True)
class Cue:
    """Host to device: switch one of the device's cues (a light, a buzzer, a motor) on or off.

    ``cue`` numbers it, ``state`` is 1 for on and 0 for off, ``event_us`` is when that happened
    which it answers, on the device's own clock, and ``flags`` are the bits of
    :data:`ESTIMATE_FLAGS` of the estimate it rests on.
    """

    cue: int
    state: int
    event_us: int
    flags: int


@dataclass(frozen=True, slots=True)
class SampleEstimate:
    """Host to device: the estimate at one sample.

    ``side`` and ``flags`` are as in :class:`CycleEstimate`; ``sample_us`` is the time of the sample
    on the device's own clock. Moments and forces follow ``MOMENTS`` and ``MUSCLES``.
    """

    side: int
    flags: int
    sample_us: int
    moments_nm_per_kg: tuple[float, ...]
    forces_n_per_kg: tuple[float, ...]


MAX_CUES: Final = 2**8
"""So many a :class:`Cue` can number."""
ESTIMATE_FLAGS: Final = (
    "first_after_gap",
    "samples_lost",
    "out_of_range",
    "no_zero",
    "no_foot_off",
    "warming_up",
    "link_down",
    "not_walking",
)
"""Meaning of the bits of an estimate's flags, lowest first."""

Message = (
    Angles | Description | Describe | Start | Stop | Rate | CycleEstimate | Cue | SampleEstimate
)


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
    Layout(
        Cue,
        0x85,
        (
            Field("cue", "u8"),
            Field("state", "u8"),
            Field("event_us", "u32"),
            Field("flags", "u16"),
        ),
    ),
    Layout(
        SampleEstimate,
        0x86,
        (
            Field("side", "u8"),
            Field("flags", "u16"),
            Field("sample_us", "u32"),
            Field("moments_nm_per_kg", "i16", len(MOMENTS), 0.001),
            Field("forces_n_per_kg", "u16", len(MUSCLES), 0.01),
        ),
    ),
)


def side_code(side: Side) -> int:
    """Return how a side is written in a frame: 0 left, 1 right."""
    return 1 if side == "r" else 0
