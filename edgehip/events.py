"""The values that flow through edgehip, from bytes to estimates.

::

    Chunk | BytesMissing | PortOpened | PortLost       a source gives
      -> Frame | LinkFault                             the decoders give (see wire.py)
      -> JointAngleSample | LinkFault                  the receiver gives
      -> InitialContact | FootOff                      the segmenter gives
      -> GaitCycle | BrokenCycle                       the cycle tracker gives
      -> HipEstimate | HipSampleEstimate               the estimators give
      -> CueChange                                     the cues give

Times called ``time_s`` are on the device's clock, unwrapped, in seconds; times called ``*_ns`` are
on the host's monotonic clock. Intervals are half-open: ``[start_s, end_s)``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MOMENTS, MUSCLES, Side
from edgehip.errors import ArgumentError


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes as they came from a source, when the host had them, and from which of two devices."""

    data: bytes
    received_ns: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class BytesMissing:
    """Chunks were dropped here: what comes next does not go on from what came before."""

    received_ns: int
    chunks: int
    device: int = 0


@dataclass(frozen=True, slots=True)
class PortOpened:
    """A source's port was opened, for the first time or again."""

    received_ns: int
    detail: str
    device: int = 0


@dataclass(frozen=True, slots=True)
class PortLost:
    """A source's port went away (cable pulled, peer gone); the source keeps trying."""

    received_ns: int
    detail: str
    device: int = 0


SourceItem = Chunk | BytesMissing | PortOpened | PortLost


class Fault(StrEnum):
    """Why something on a link was not used, or what happened to the stream."""

    OVERLONG = "overlong"
    """Bytes without a delimiter for longer than any frame (once per run of such bytes)."""
    BAD_COBS = "bad_cobs"
    """A frame whose byte stuffing is impossible."""
    BAD_CRC = "bad_crc"
    """A frame whose checksum does not match."""
    BAD_VERSION = "bad_version"
    """A valid frame of a protocol version this edgehip does not know."""
    BAD_TYPE = "bad_type"
    """A valid frame of an unknown message type."""
    BAD_LENGTH = "bad_length"
    """A valid frame whose size does not fit its type, or one too short to be a frame."""
    BAD_VALUE = "bad_value"
    """A value that cannot be: an angle beyond a joint's reach, or that leapt as no joint turns; a
    text that is not UTF-8; the time of a text line that is far off and that the next one does not
    go on from."""
    BAD_LINE = "bad_line"
    """A text line that is not ``time,angle1,...`` (wrong count, not a number, not finite), or whose
    columns nobody knows: a header came that cannot be used."""
    INCOMPLETE = "incomplete"
    """A sample in which the device marked some angles as not measured."""
    LOST = "lost"
    """Frames the device sent, by their sequence numbers, that never came."""
    DUPLICATE = "duplicate"
    """A frame that came a second time."""
    REORDERED = "reordered"
    """A frame that came after a later one; too late to be used."""
    RESTART = "restart"
    """The device started again: its sequence numbers and clock began anew."""
    CLOCK_JUMP = "clock_jump"
    """The device's clock leapt while its sequence numbers went on."""
    COLUMNS = "columns"
    """Text lines named other columns than those that were read before."""
    UNMATCHED = "unmatched"
    """A sample of the first of two devices that the second one's did not complete."""
    DELAYED = "delayed"
    """The link's delay has grown: for two seconds every sample came later than any clock's drift
    explains (once each time it does; a clock that stood still looks the same)."""
    OVERRUN = "overrun"
    """Chunks the reader's bounded queue had to drop because the host was too slow."""


BEGINNINGS: Final = frozenset({Fault.RESTART, Fault.CLOCK_JUMP, Fault.COLUMNS})
"""What comes after one of these has no connection with what was before."""


@dataclass(frozen=True, slots=True)
class LinkFault:
    """Something on the link went wrong, ``count`` times; counted, never raised."""

    fault: Fault
    count: int
    received_ns: int


class LinkState(StrEnum):
    """What can be said of the link right now."""

    WAITING = "waiting"
    """Nothing has come yet."""
    LIVE = "live"
    STALE = "stale"
    """No sample for a little while: the last estimate is growing old."""
    LOST = "lost"
    """No sample for long, or the port itself is gone."""


@dataclass(frozen=True, slots=True)
class LinkChange:
    """The link went from one state to another."""

    state: LinkState
    at_ns: int
    detail: str


@dataclass(frozen=True, slots=True)
class JointAngleSample:
    """Ten joint angles at one instant.

    ``angles_deg`` follows :data:`edgehip.channels.ANGLES`; ``time_s`` is the device's clock,
    unwrapped; ``samples_lost`` counts what went missing since the sample before. It is above 0,
    too, where angles of a second device were interpolated across a gap in its samples.
    ``late_ns`` is how much later it came than by the link's fastest way.
    """

    time_s: float
    angles_deg: tuple[float, ...]
    received_ns: int
    samples_lost: int = 0
    late_ns: int = 0


@dataclass(frozen=True, slots=True)
class InitialContact:
    """A foot came to the ground (heel strike): when, and when that was certain."""

    side: Side
    time_s: float
    confirmed_s: float


@dataclass(frozen=True, slots=True)
class FootOff:
    """A foot left the ground (toe off): when, and when that was certain."""

    side: Side
    time_s: float
    confirmed_s: float


_LEAST_SPAN_DEG: Final = {
    "hip_flexion": 5.0,
    "hip_adduction": 1.0,
    "hip_rotation": 1.0,
    "knee_angle": 4.0,
    "ankle_angle": 4.0,
}
LEAST_SPAN_DEG: Final = np.array([_LEAST_SPAN_DEG[name[:-2]] for name in ANGLES])
"""An angle of which nine tenths of a stride lie within less does not move (10,).

Half, or less, of what was least in any stride of 13 treadmill recordings of IMUs, stiff knees among
them (Pearl et al. 2022, CapacitiveSensingDataset), and above the noise of any sensor of use."""


@dataclass(frozen=True, slots=True)
class GaitCycle:
    """One stride: from initial contact to the next initial contact of the same foot.

    ``sample_time_s`` (N,) and ``angles_deg`` (N, 10) reach from the last sample at or before
    ``start_s`` to the first at or after ``end_s``. ``strides_since_gap`` is 0 for the first stride
    after a start, a pause, a gap or a reconnect, and for one of another pace than the one before:
    it holds a stop, or follows one. ``samples_lost`` were bridged inside the stride.
    """

    side: Side
    start_s: float
    end_s: float
    confirmed_s: float
    foot_off_s: float | None
    sample_time_s: NDArray[np.float64]
    angles_deg: NDArray[np.float64]
    samples_lost: int
    strides_since_gap: int
    received_ns: int

    @property
    def stride_s(self) -> float:
        """Duration of the stride."""
        return self.end_s - self.start_s

    @property
    def still(self) -> tuple[str, ...]:
        """Angles that practically do not move, as they do in every walking leg.

        They are not measured, what measures them hangs, or this leg does not walk.
        """
        ordered = np.sort(self.angles_deg, axis=0)
        outside = len(ordered) // 20
        is_still = ordered[-1 - outside] - ordered[outside] < LEAST_SPAN_DEG
        return tuple(name for name, is_one in zip(ANGLES, is_still, strict=True) if is_one)


@dataclass(frozen=True, slots=True)
class BrokenCycle:
    """A stride that was not whole (samples missing inside it) and gets no estimate."""

    side: Side
    start_s: float
    end_s: float
    gap_s: float


class Hop(StrEnum):
    """The stations between a byte that arrived and an estimate that is out."""

    QUEUE = "queue"
    """Read by the source's thread, waiting to be taken."""
    DECODE = "decode"
    """Bytes to samples in order and in time."""
    SEGMENT = "segment"
    """Samples to gait events and cycles."""
    ESTIMATE = "estimate"
    """A gait cycle to an estimate."""
    SAMPLE = "sample"
    """A sample to a per-sample estimate."""
    EMIT = "emit"
    """Handing the estimate to the outputs."""


class Flag(StrEnum):
    """Why an estimate may be wrong; when each is set says :mod:`edgehip.flags`."""

    FIRST_AFTER_GAP = "first_after_gap"
    """One of the first strides after a start, a pause, a gap or a reconnect."""
    SAMPLES_LOST = "samples_lost"
    """Lost samples inside the stride were bridged by interpolation."""
    OUT_OF_RANGE = "out_of_range"
    """The input is unlike what the model was trained on: see ``out_of_range``, ``..._score``; on a
    sample also: what the legs do is known to be (:mod:`edgehip.estimators.walk_watch`)."""
    NO_ZERO = "no_zero"
    """The model wants a personal zero and none is in use, or one of which it takes nothing out."""
    NO_FOOT_OFF = "no_foot_off"
    """Foot off was not seen, so the stance is unknown."""
    WARMING_UP = "warming_up"
    """The per-sample model has not seen enough yet since it began anew."""
    LINK_DOWN = "link_down"
    """The link is stale or lost, or what this is of is old: it came late, or waited here. On a cue,
    also: the stream ends."""
    NOT_WALKING = "not_walking"
    """The person stopped walking (only on a cue that is switched off for it)."""


DISTRUST: Final = frozenset(
    {
        Flag.FIRST_AFTER_GAP,
        Flag.OUT_OF_RANGE,
        Flag.WARMING_UP,
        Flag.LINK_DOWN,
        Flag.NOT_WALKING,
    }
)
"""An estimate with one of these flags switches nothing on, here or in a device, and a stride with
one teaches nothing. The other flags are advice: they tell how an estimate could be better."""


@dataclass(frozen=True, slots=True)
class HipEstimate:
    """What one hip did during one stride. Its arrays are read-only: copy what is to be changed.

    ``moments_nm_per_kg`` and ``forces_n_per_kg`` map an output's name to its curve, (S,) float32,
    at ``100 * i / (S - 1)`` percent of the gait cycle (S is the model's, 180 as published). A model
    that gives only moments leaves ``forces_n_per_kg`` empty, and the other way round.
    ``moment_spread_nm_per_kg`` and ``force_spread_n_per_kg`` are half-widths of the model's stated
    interval, empty if it states none. ``out_of_range`` names inputs outside their training range,
    and angles that practically do not move; ``out_of_range_score`` says how unlike the training
    people's the whole stride is (above 1: more than 99 of 100 strides of new people), None if the
    model does not say. ``sample_moment_rmse_nm_per_kg`` and ``sample_force_rmse_n_per_kg`` say how
    far the per-sample estimates of this stride were from this one, over all outputs; None if there
    were none. ``body_height_m`` is None if the model does not heed it, or was not told.
    """

    side: Side
    start_s: float
    end_s: float
    confirmed_s: float
    foot_off_s: float | None
    cadence_spm: float
    moments_nm_per_kg: Mapping[str, NDArray[np.float32]]
    forces_n_per_kg: Mapping[str, NDArray[np.float32]]
    moment_spread_nm_per_kg: Mapping[str, NDArray[np.float32]]
    force_spread_n_per_kg: Mapping[str, NDArray[np.float32]]
    body_mass_kg: float | None
    body_height_m: float | None
    zero: str
    flags: tuple[Flag, ...]
    out_of_range: tuple[str, ...]
    samples_lost: int
    received_ns: int
    out_of_range_score: float | None = None
    sample_moment_rmse_nm_per_kg: float | None = None
    sample_force_rmse_n_per_kg: float | None = None

    @property
    def stride_s(self) -> float:
        """Duration of the stride."""
        return self.end_s - self.start_s

    @property
    def trusted(self) -> bool:
        """Whether no flag forbids acting upon it (:data:`DISTRUST`)."""
        return DISTRUST.isdisjoint(self.flags)

    @property
    def stance_percent(self) -> float | None:
        """Stance (initial contact to foot off) in percent of the gait cycle."""
        if self.foot_off_s is None:
            return None
        return 100.0 * (self.foot_off_s - self.start_s) / self.stride_s


@dataclass(frozen=True, slots=True)
class HipSampleEstimate:
    """What both hips do at one sample, by a causal model, without delay; its arrays are read-only.

    ``moments_nm_per_kg`` (3,) follow :data:`edgehip.channels.MOMENTS`, ``forces_n_per_kg`` (14,)
    :data:`edgehip.channels.MUSCLES`, for each side: arrays by side here, curves by name there, as
    each comes out of its network. :meth:`value` takes a name. Spreads are as in
    :class:`HipEstimate`. ``out_of_range_score`` is that of the hip less like the training people's;
    above 1: less like them than 999 of 1000 samples of new people.
    ``own_moments_nm_per_kg`` and ``own_forces_n_per_kg`` are the model's own answers for each side
    whose moments and forces contain what the strides before taught
    (:mod:`edgehip.estimators.correction`).
    """

    time_s: float
    moments_nm_per_kg: Mapping[Side, NDArray[np.float32]]
    forces_n_per_kg: Mapping[Side, NDArray[np.float32]]
    zero: str
    flags: tuple[Flag, ...]
    out_of_range: tuple[str, ...]
    received_ns: int
    moment_spread_nm_per_kg: Mapping[Side, NDArray[np.float32]] = field(default_factory=dict)
    force_spread_n_per_kg: Mapping[Side, NDArray[np.float32]] = field(default_factory=dict)
    out_of_range_score: float | None = None
    own_moments_nm_per_kg: Mapping[Side, NDArray[np.float32]] = field(default_factory=dict)
    own_forces_n_per_kg: Mapping[Side, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def trusted(self) -> bool:
        """Whether no flag forbids acting upon it (:data:`DISTRUST`)."""
        return DISTRUST.isdisjoint(self.flags)

    def value(self, output: str) -> float:
        """Return one output of one hip, in Nm/kg or N/kg.

        Parameters
        ----------
        output
            A moment or muscle with its side: ``hip_flexion_r``, ``glmed_l``.

        Raises
        ------
        ArgumentError
            If there is no such output.
        """
        name, _, letter = str(output).rpartition("_")
        side: Side = "l" if letter == "l" else "r"
        if letter == side and name in MOMENTS:
            return float(self.moments_nm_per_kg[side][MOMENTS.index(name)])
        if letter == side and name in MUSCLES:
            return float(self.forces_n_per_kg[side][MUSCLES.index(name)])
        raise ArgumentError(
            f"no output {output!r}; there are: {', '.join(MOMENTS + MUSCLES)}, each with _l or _r"
        )


@dataclass(frozen=True, slots=True)
class CueChange:
    """A cue was switched on or off by an estimate, or off because no estimate can be trusted.

    ``cue`` counts the cues as they were given, ``text`` is how it was given; ``value`` is in the
    cue's own unit, NaN when it is switched off for want of trust (``flags`` say why).
    """

    cue: int
    text: str
    on: bool
    time_s: float
    value: float
    flags: tuple[Flag, ...]
    received_ns: int
