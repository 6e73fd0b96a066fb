"""From bytes to samples: decodes, places in order, and gives each sample its steady time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edgehip.channels import ANGLES
from edgehip.device_clock import DeviceClock, Reading
from edgehip.events import (
    BytesMissing,
    Chunk,
    Fault,
    JointAngleSample,
    LinkChange,
    LinkFault,
    LinkState,
    PortLost,
    PortOpened,
    SourceItem,
)
from edgehip.line_order import LineOrder
from edgehip.lines import LineDecoder
from edgehip.messages import Angles, Description
from edgehip.pace import Pace
from edgehip.sequence import SequenceTracker
from edgehip.timebase import Timebase
from edgehip.wire import Frame, FrameDecoder

MAX_ANGLE_DEG: Final = 180.0
"""No joint angle of a walking person lies beyond."""

Received = JointAngleSample | Description | LinkFault | LinkChange


@dataclass(slots=True)
class ReceiverState:
    """What has to be remembered from one frame to the next."""

    lost_before_next: int = 0
    """Samples missing since the last good one."""
    lost_untold: int = 0
    """Frames missing so far; told with the next sample, whose time shows if it is a new start."""
    frames_since_reading: int = 0
    """Lost frames since the clock was last read."""
    restarted: bool = False
    renamed: bool = False
    """Text lines have other columns since the last sample."""
    opening: bool = False
    """Nothing has come since the port was opened, or bytes were dropped."""
    missing_channels: tuple[str, ...] = ()
    """Angles the device said, or showed in its last sample, that it does not measure."""
    undescribed_channels: tuple[str, ...] = ()
    """Angles the device said that it does not measure."""
    samples: int = 0
    """Good ones so far."""


class Receiver:
    """Turns chunks of bytes into joint-angle samples, descriptions, counted faults and link news.

    Parameters
    ----------
    decoder
        Frames (the default) or text lines.
    partial
        The device measures some of the angles only; NaN is passed on for the others.
    """

    def __init__(
        self, decoder: FrameDecoder | LineDecoder | None = None, *, partial: bool = False
    ) -> None:
        self.partial = partial
        self.decoder = decoder or FrameDecoder()
        self.sequence = SequenceTracker()
        self.lines = LineOrder()
        self.clock = DeviceClock()
        self.timebase = Timebase()
        self.pace = Pace()
        self.state = ReceiverState()
        self.late_ns: list[int] = []
        """How much later than by the link's fastest way each sample of the last item came."""

    def feed(self, item: SourceItem) -> list[Received]:
        """Return what a source's item brings."""
        self.late_ns = []
        if isinstance(item, Chunk):
            return list(self._chunk(item))
        # What a pulled cable cut in two is not put together; order and clock go on, so that
        # what was lost meanwhile is counted, and a restarted device is recognised.
        self.decoder.reset()
        self.state.opening = not isinstance(item, PortLost)
        if isinstance(item, PortOpened):
            self.timebase.reset()  # another link has another delay; some clocks stand meanwhile
        if isinstance(item, BytesMissing):
            return [LinkFault(Fault.OVERRUN, item.chunks, item.received_ns)]
        return []

    def _chunk(self, chunk: Chunk) -> Iterator[Received]:
        state = self.state
        for frame in self.decoder.feed(chunk):
            # A port is mostly opened in the middle of a frame, and bytes are dropped there: that is
            # not held against the link.
            opening, state.opening = state.opening, False
            if not isinstance(frame, LinkFault):
                yield from self._frame(frame, chunk.received_ns)
            elif frame.fault is Fault.COLUMNS:
                yield from self.lines.reset()
                state.renamed, state.lost_before_next = True, 0
                yield frame
            elif not opening:
                yield frame

    def _frame(self, frame: Frame, received_ns: int) -> Iterator[Received]:
        message = frame.message
        if not isinstance(message, Angles | Description):  # a host's message, echoed or meant for
            yield LinkFault(Fault.BAD_TYPE, 1, received_ns)  # a device: not of this stream
        elif frame.sequence is not None:
            yield from self._numbered(frame, frame.sequence, message, received_ns)
        elif isinstance(message, Description):
            yield self._noted(message)
        else:
            yield from self._line(frame, received_ns)

    def _noted(self, description: Description) -> Description:
        """Take in what a device says it is; its time may be a sample's, so no clock is read."""
        undescribed = tuple(name for name in ANGLES if name not in description.channel_names)
        self.state.missing_channels = self.state.undescribed_channels = undescribed
        return description

    def _numbered(
        self, frame: Frame, sequence: int, message: Angles | Description, received_ns: int
    ) -> Iterator[Received]:
        """Place a frame by its sequence number."""
        state = self.state
        fault, lost = self.sequence.feed(sequence, frame.device_us, received_ns)
        if fault is not None and fault is not Fault.RESTART:
            yield LinkFault(fault, 1, received_ns)
            return
        state.restarted |= fault is Fault.RESTART
        state.lost_untold += lost
        if isinstance(message, Description):
            yield self._noted(message)
            return
        if state.lost_untold:
            yield from self._lost(frame, sequence, received_ns)
        frames, state.frames_since_reading = state.frames_since_reading + 1, 0
        yield from self._placed(frame, frames, received_ns)

    def _lost(self, frame: Frame, sequence: int, received_ns: int) -> Iterator[Received]:
        """Tell what is missing before a sample, unless a device's new start explains it.

        A device that started again counts from any number, and where it was not heard for a while
        from zero to beyond the last one heard: its time went back, or the count went on too fast.
        """
        state = self.state
        lost, state.lost_untold = state.lost_untold, 0
        reading, clock = Reading(frame.device_us, received_ns, frame.wrap_us), self.clock
        began_anew = clock.goes_back(reading) or not clock.leaves_time_for(lost, reading)
        if began_anew and not state.restarted:
            self.sequence.restart(sequence, frame.device_us)
            state.restarted = True
            return
        yield LinkFault(Fault.LOST, lost, received_ns)
        if clock.is_next(reading):
            return  # what is missing was a description
        state.lost_before_next += lost
        state.frames_since_reading += lost

    def _line(self, line: Frame, received_ns: int) -> Iterator[Received]:
        """Take a text line, and those whose times can be believed with it."""
        for found in self.lines.feed(line, received_ns):
            if isinstance(found, LinkFault):
                yield found
                continue
            self.state.restarted |= found.restarted
            yield from self._placed(found.line, None, found.received_ns)

    def _placed(self, frame: Frame, frames: int | None, received_ns: int) -> Iterator[Received]:
        """Take angles that are in their place; ``frames`` as in :meth:`DeviceClock.feed`."""
        state = self.state
        reading = Reading(frame.device_us, received_ns, frame.wrap_us)
        time_us, leapt = self.clock.feed(reading, frames, state.restarted or state.renamed)
        if state.restarted or leapt:
            fault = Fault.RESTART if state.restarted else Fault.CLOCK_JUMP
            yield LinkFault(fault, 1, received_ns)
        if state.restarted or leapt or state.renamed:
            self.timebase.reset()
            self.pace.reset()
            self.lines.restart()
            state.lost_before_next = 0
        state.restarted = state.renamed = False
        lost = 0 if frames is not None else self.lines.lost_before(time_us)
        if lost:
            yield LinkFault(Fault.LOST, lost, received_ns)
            state.lost_before_next += lost
        assert isinstance(frame.message, Angles)
        yield from self._angles(frame.message.angles_deg, time_us / 1e6, received_ns)

    def _angles(
        self, angles_deg: tuple[float, ...], time_s: float, received_ns: int
    ) -> Iterator[Received]:
        state = self.state
        fault = fault_of_angles(angles_deg)
        if fault is not None:
            missing = tuple(
                name for name, angle in zip(ANGLES, angles_deg, strict=True) if math.isnan(angle)
            )
            state.missing_channels = missing or state.missing_channels
            if fault is Fault.INCOMPLETE and self.partial and missing != ANGLES:
                fault = None
        if fault is not None:
            yield LinkFault(fault, 1, received_ns)
            state.lost_before_next += 1
            return
        if self.timebase.feed(time_s, received_ns):
            yield LinkFault(Fault.DELAYED, 1, received_ns)
        late_ns = received_ns - self.timebase.host_ns(time_s)
        self.late_ns.append(late_ns)
        news = self.pace.feed(time_s, received_ns)
        if news is not None:
            yield LinkChange(LinkState.LIVE, received_ns, news)
        yield JointAngleSample(time_s, angles_deg, received_ns, state.lost_before_next, late_ns)
        assumed = "" if state.samples else self.decoder.assumed_columns
        if assumed:
            yield LinkChange(LinkState.LIVE, received_ns, assumed)
        if not self.partial:
            state.missing_channels = ()
        state.lost_before_next = 0
        state.samples += 1


def fault_of_angles(angles_deg: Sequence[float]) -> Fault | None:
    """Say why angles cannot be used: one is beyond a joint's reach, or not measured (NaN)."""
    # NaN compares false, so one pass finds the usual case: all there, all possible.
    if all(-MAX_ANGLE_DEG <= angle <= MAX_ANGLE_DEG for angle in angles_deg):
        return None
    beyond = any(abs(angle) > MAX_ANGLE_DEG for angle in angles_deg)
    return Fault.BAD_VALUE if beyond else Fault.INCOMPLETE
