"""From bytes to samples: decodes, places in order, and gives each sample its steady time."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from edgehip.channels import ANGLES
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
)
from edgehip.lines import LineDecoder
from edgehip.messages import Angles, Description
from edgehip.pace import Pace
from edgehip.sequence import Order, SequenceTracker
from edgehip.timebase import DeviceClock, Timebase
from edgehip.wire import Frame, FrameDecoder

MAX_ANGLE_DEG: Final = 180.0
"""No joint angle of a walking person lies beyond."""
LINE_GAP_PERIODS: Final = 1.5
"""Text lines carry no sequence number: a pause longer than so many periods counts as loss."""
LINE_REORDER_US: Final = 1_000_000
"""A line whose time lies further back comes from a device that started again, if the next line's
goes on from it: a digit may be garbled."""
LINE_DOUBT_US: Final = 100_000
"""A time further ahead is believed on the same condition: else all that follow would seem late."""
LINE_PERIODS: Final = 15
"""Intervals whose median is the period: a late line and the early one after it do not move it."""
LINE_GAP_LIMIT: Final = 1000
"""A longer pause is a device that stopped sending, not so many lost lines."""

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
    doubted: tuple[Frame, int] | None = None
    """A text line whose time nothing confirms yet, and when it came."""
    line_steps_us: deque[int] = field(default_factory=lambda: deque(maxlen=LINE_PERIODS))
    last_time_us: int | None = None
    missing_channels: tuple[str, ...] = ()
    undescribed_channels: tuple[str, ...] = ()
    samples: int = 0


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
        self.clock = DeviceClock()
        self.timebase = Timebase()
        self.pace = Pace()
        self.state = ReceiverState()
        self.late_ns: list[int] = []
        """How much later than by the link's fastest way each sample of the last item came."""

    def feed(self, item: Chunk | BytesMissing | PortOpened | PortLost) -> list[Received]:
        """Return what a source's item brings."""
        self.late_ns = []
        if not isinstance(item, Chunk):
            # What a pulled cable cut in two is not put together; order and clock go on, so that
            # what was lost meanwhile is counted, and a restarted device is recognised.
            self.decoder.reset()
            self.state.opening = not isinstance(item, PortLost)
            if isinstance(item, PortOpened):
                self.timebase.reset()  # another link has another delay; some clocks stand meanwhile
            if isinstance(item, BytesMissing):
                return [LinkFault(Fault.OVERRUN, item.chunks, item.received_ns)]
            return []
        found: list[Received] = []
        for frame in self.decoder.feed(item):
            # A port is mostly opened in the middle of a frame, and bytes are dropped there: that is
            # not held against the link.
            opening, self.state.opening = self.state.opening, False
            if isinstance(frame, LinkFault):
                renamed = frame.fault is Fault.COLUMNS
                if renamed:
                    self._forget_lines(found)
                if renamed or not opening:
                    found.append(frame)
            else:
                for believed, received_ns in self._believed(frame, item.received_ns, found):
                    self._frame(believed, received_ns, found)
        return found

    @property
    def missing_channels(self) -> tuple[str, ...]:
        """Angles the device said, or showed in its last sample, that it does not measure."""
        return self.state.missing_channels

    @property
    def undescribed_channels(self) -> tuple[str, ...]:
        """Angles the device said that it does not measure."""
        return self.state.undescribed_channels

    @property
    def samples(self) -> int:
        """How many good samples there were."""
        return self.state.samples

    def _forget_lines(self, found: list[Received]) -> None:
        """Let no line be measured by those before it: their time may have been another column."""
        state = self.state
        if state.doubted is not None:
            found.append(LinkFault(Fault.BAD_VALUE, 1, state.doubted[1]))
        state.renamed, state.doubted, state.last_time_us = True, None, None
        state.lost_before_next = 0
        state.line_steps_us.clear()

    def _believed(
        self,
        frame: Frame,
        received_ns: int,
        found: list[Received],
    ) -> list[tuple[Frame, int]]:
        """Return the frames whose time can be believed, now that this one came."""
        state, clock = self.state, self.clock.state
        now = frame, received_ns
        if frame.sequence is not None or isinstance(frame.message, Description) or state.renamed:
            return [now]
        doubted, state.doubted = state.doubted, None
        if doubted is not None:
            if 0 < _step_us(doubted[0].device_us, frame) <= LINE_REORDER_US:
                return [doubted, now]
            found.append(LinkFault(Fault.BAD_VALUE, 1, doubted[1]))
        if (
            clock.last_us is None
            or -LINE_REORDER_US <= _step_us(clock.last_raw_us, frame) <= LINE_DOUBT_US
        ):
            return [now]
        state.doubted = now
        return []

    def _frame(
        self,
        frame: Frame,
        received_ns: int,
        found: list[Received],
    ) -> None:
        state = self.state
        message = frame.message
        if not isinstance(message, Angles | Description):  # a host's message, echoed or meant for
            found.append(LinkFault(Fault.BAD_TYPE, 1, received_ns))  # a device: not of this stream
            return
        if frame.sequence is None:
            fault = self._line_order(frame)
            if fault is not None and fault is not Fault.RESTART:
                found.append(LinkFault(fault, 1, received_ns))
                return
            state.restarted |= fault is Fault.RESTART
        else:
            order, lost = self.sequence.feed(frame.sequence, frame.device_us, received_ns)
            if order is Order.DUPLICATE or order is Order.LATE:
                fault = Fault.DUPLICATE if order is Order.DUPLICATE else Fault.REORDERED
                found.append(LinkFault(fault, 1, received_ns))
                return
            state.restarted |= order is Order.RESTART
            state.lost_untold += lost
        if isinstance(message, Description):
            undescribed = tuple(name for name in ANGLES if name not in message.channel_names)
            state.missing_channels = state.undescribed_channels = undescribed
            found.append(message)
            return  # its time may be that of a sample, so it says nothing of the clock
        if frame.sequence is not None and state.lost_untold:
            self._lost(frame.sequence, frame, received_ns, found)
        frames = None if frame.sequence is None else state.frames_since_reading + 1
        time_us, leapt = self.clock.feed(
            frame.device_us, received_ns, frame.wrap_us, frames, state.restarted or state.renamed
        )
        if state.restarted or leapt:
            fault = Fault.RESTART if state.restarted else Fault.CLOCK_JUMP
            found.append(LinkFault(fault, 1, received_ns))
        if state.restarted or leapt or state.renamed:
            self.timebase.reset()
            self.pace.reset()
            state.lost_before_next, state.last_time_us = 0, None
        state.restarted = state.renamed = False
        state.frames_since_reading = 0
        self._angles(message.angles_deg, time_us, frames is None, received_ns, found)

    def _lost(
        self,
        sequence: int,
        frame: Frame,
        received_ns: int,
        found: list[Received],
    ) -> None:
        """Tell what is missing before a sample, unless a device's new start explains it.

        A device that started again counts from any number, and where it was not heard for a while
        from zero to beyond the last one heard: its time went back, or the count went on too fast.
        """
        state = self.state
        lost, state.lost_untold = state.lost_untold, 0
        reading = frame.device_us, received_ns, frame.wrap_us
        began_anew = self.clock.goes_back(*reading) or not self.clock.leaves_time_for(
            lost, *reading
        )
        if began_anew and not state.restarted:
            self.sequence.restart(sequence, frame.device_us)
            state.restarted = True
            return
        found.append(LinkFault(Fault.LOST, lost, received_ns))
        if self.clock.is_next(*reading):
            return  # what is missing was a description
        state.lost_before_next += lost
        state.frames_since_reading += lost

    def _line_order(self, frame: Frame) -> Fault | None:
        """Say what the time of a text line, which has no sequence number, tells of its order."""
        clock = self.clock.state
        if clock.last_us is None or isinstance(frame.message, Description) or self.state.renamed:
            return None
        return order_in_time(_step_us(clock.last_raw_us, frame))

    def _angles(
        self,
        angles_deg: tuple[float, ...],
        time_us: int,
        is_line: bool,
        received_ns: int,
        found: list[Received],
    ) -> None:
        state = self.state
        if is_line:
            self._infer_loss(time_us, received_ns, found)
        fault: Fault | None = None
        # NaN compares false, so one pass finds the usual case: all there, all possible.
        if not all(-MAX_ANGLE_DEG <= angle <= MAX_ANGLE_DEG for angle in angles_deg):
            measured = [angle for angle in angles_deg if not math.isnan(angle)]
            missing = tuple(
                name for name, angle in zip(ANGLES, angles_deg, strict=True) if math.isnan(angle)
            )
            state.missing_channels = missing or state.missing_channels
            if any(abs(angle) > MAX_ANGLE_DEG for angle in measured):
                fault = Fault.BAD_VALUE
            elif not measured or not self.partial:
                fault = Fault.INCOMPLETE
        if fault is not None:
            found.append(LinkFault(fault, 1, received_ns))
            state.lost_before_next += 1
            return
        time_s = time_us / 1e6
        if self.timebase.feed(time_s, received_ns):
            found.append(LinkFault(Fault.DELAYED, 1, received_ns))
        late_ns = received_ns - self.timebase.host_ns(time_s)
        self.late_ns.append(late_ns)
        news = self.pace.feed(time_s, received_ns)
        if news is not None:
            found.append(LinkChange(LinkState.LIVE, received_ns, news))
        found.append(
            JointAngleSample(time_s, angles_deg, received_ns, state.lost_before_next, late_ns)
        )
        if is_line and not state.samples:
            self._tell_assumed_columns(received_ns, found)
        if not self.partial:
            state.missing_channels = ()
        state.lost_before_next = 0
        state.samples += 1

    def _tell_assumed_columns(self, received_ns: int, found: list[Received]) -> None:
        """Say, with the first sample, in which order its angles are thought to come, if unsaid."""
        if isinstance(self.decoder, LineDecoder) and self.decoder.assumed_columns:
            found.append(LinkChange(LinkState.LIVE, received_ns, self.decoder.assumed_columns))

    def _infer_loss(
        self,
        time_us: int,
        received_ns: int,
        found: list[Received],
    ) -> None:
        state = self.state
        if state.last_time_us is not None:
            step_us = time_us - state.last_time_us
            steps_us = state.line_steps_us
            period_us = sorted(steps_us)[len(steps_us) // 2] if steps_us else step_us
            lost = round(step_us / period_us) - 1
            if step_us > LINE_GAP_PERIODS * period_us and lost <= LINE_GAP_LIMIT:
                found.append(LinkFault(Fault.LOST, lost, received_ns))
                state.lost_before_next += lost
            steps_us.append(step_us)
        state.last_time_us = time_us


def order_in_time(step_us: float) -> Fault | None:
    """Say what a time tells that is the only sign of order; nothing if it is later than the last.

    Parameters
    ----------
    step_us
        How far it lies after the last.
    """
    if step_us > 0:
        return None
    if step_us == 0:
        return Fault.DUPLICATE
    return Fault.REORDERED if step_us > -LINE_REORDER_US else Fault.RESTART


def _step_us(before_us: int, frame: Frame) -> int:
    """Return how far a frame lies after a time of the same counter, which may have wrapped."""
    step_us = frame.device_us - before_us
    if frame.wrap_us is not None and step_us < -frame.wrap_us // 2:
        step_us += frame.wrap_us
    return step_us
