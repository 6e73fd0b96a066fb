"""What times tell of samples that have nothing else to be placed by: text lines, a program's own.

A text line has no checksum either: a digit of its time may be garbled, and a time that is far off
would make all that follow seem late, or lost. So it is believed only if the next line goes on
from it.

Samples that tell the same time again and again, or earlier ones, at a pace of their own, are of a
clock that stands still or was put back: once it is further than it was, its times no longer say how
old a sample is nor what lies between two of them, as after a new start.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from edgehip.events import Fault, LinkFault
from edgehip.wire import Frame

REORDER_US: Final = 1_000_000
"""A time that lies further back is one of a device that started again."""
DOUBT_US: Final = 100_000
"""A text line's time further ahead than this, or back than that, has to be confirmed."""
LACKS_US: Final = 45_000
"""A clock that lacks so much stood still or was put back. The longest wait is not counted: it may
be a stall of the link. With one period for that it is at 50 Hz what is bridged in a gap, 65 ms, and
less at other rates. A single sample that is late lacks nothing, nor does what a slow sensor
measured and is sent again and again."""
GAP_PERIODS: Final = 1.5
"""A pause between text lines longer than so many periods counts as loss."""
PERIODS: Final = 15
"""Intervals whose median is the period: a late line and the early one after it do not move it."""
GAP_LIMIT: Final = 1000
"""A longer pause is a device that stopped sending, not so many lost lines."""


class Placed(NamedTuple):
    """A text line in its place, when it came, and whether its times have begun anew."""

    line: Frame
    received_ns: int
    restarted: bool


@dataclass(slots=True)
class TimeOrder:
    """Places samples by their times, and recognises a clock that did not go on with the host's.

    ``placed_ns`` is when the last sample in its place was received, ``last_ns`` when the last of
    all was, and ``longest_pause_ns`` the longest wait for one since that in its place.
    """

    placed_ns: int = 0
    last_ns: int = 0
    longest_pause_ns: int = 0

    def place(self, step_us: float | None, received_ns: int) -> Fault | None:
        """Say why a sample is of no use, or that times begin anew with it; nothing if it is next.

        Parameters
        ----------
        step_us
            How far it lies after the last one in its place, if there is one.
        received_ns
            When it came.
        """
        self.longest_pause_ns = max(self.longest_pause_ns, received_ns - self.last_ns)
        self.last_ns = received_ns
        fault = None if step_us is None else order_in_time(step_us)
        if fault is not None and fault is not Fault.RESTART:
            return fault
        passed_us = (received_ns - self.placed_ns - self.longest_pause_ns) / 1000
        self.placed_ns, self.longest_pause_ns = received_ns, 0
        return Fault.RESTART if passed_us - (step_us or 0.0) > LACKS_US else fault


@dataclass(slots=True)
class LineOrderState:
    """The last line's time as it stood there and as a steady one, and the steps between such.

    ``doubted`` is a line whose time nothing confirms yet, and when it came.
    """

    last_us: int | None = None
    order: TimeOrder = field(default_factory=TimeOrder)
    last_time_us: int | None = None
    steps_us: deque[int] = field(default_factory=lambda: deque(maxlen=PERIODS))
    doubted: tuple[Frame, int] | None = None


class LineOrder:
    """Places each text line after those before it."""

    def __init__(self) -> None:
        self.state = LineOrderState()

    def feed(self, line: Frame, received_ns: int) -> list[Placed | LinkFault]:
        """Return the lines that can be believed now, and a fault for each that is of no use."""
        state = self.state
        found: list[Placed | LinkFault] = []
        goes_on = False
        if state.doubted is not None:
            doubted, came_ns = state.doubted
            goes_on = 0 < line.us_after(doubted.device_us) <= REORDER_US
            found += [self._place(doubted, came_ns)] if goes_on else self._give_up()
            state.doubted = None
        step_us = self._step_us(line)
        if goes_on or step_us is None or -REORDER_US <= step_us <= DOUBT_US:
            return [*found, self._place(line, received_ns)]
        state.doubted = line, received_ns
        return found

    def lost_before(self, time_us: int) -> int:
        """Return how many lines are missing before one that is placed, by its steady time."""
        state, lost = self.state, 0
        if state.last_time_us is not None:
            step_us, steps_us = time_us - state.last_time_us, state.steps_us
            period_us = sorted(steps_us)[len(steps_us) // 2] if steps_us else step_us
            if step_us > GAP_PERIODS * period_us:
                lost = round(step_us / period_us) - 1
            steps_us.append(step_us)
        state.last_time_us = time_us
        return lost if lost <= GAP_LIMIT else 0

    def restart(self) -> None:
        """Infer no loss from the next line's time: it has no connection with the last one's."""
        self.state.last_time_us = None

    def reset(self) -> list[LinkFault]:
        """Forget all lines, whose time may have been another column; return what was doubted."""
        untold = self._give_up()
        self.state = LineOrderState()
        return untold

    def _place(self, line: Frame, received_ns: int) -> Placed | LinkFault:
        state = self.state
        fault = state.order.place(self._step_us(line), received_ns)
        if fault is not None and fault is not Fault.RESTART:
            return LinkFault(fault, 1, received_ns)
        state.last_us = line.device_us
        return Placed(line, received_ns, fault is Fault.RESTART)

    def _step_us(self, line: Frame) -> int | None:
        """Return how far a line lies after the last, if there is one."""
        return None if self.state.last_us is None else line.us_after(self.state.last_us)

    def _give_up(self) -> list[LinkFault]:
        doubted = self.state.doubted
        return [] if doubted is None else [LinkFault(Fault.BAD_VALUE, 1, doubted[1])]


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
    return Fault.REORDERED if step_us > -REORDER_US else Fault.RESTART
