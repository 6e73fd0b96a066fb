"""Whether a device's times go on as fast as its samples arrive.

However a link bunches samples up, the least delayed of each span are about equally late while the
clock runs right. They come ever earlier if it is too fast, and ever later if it is too slow. So
they do while a queue is worked off, or grows; but then what comes is seconds old, and is to be
acted upon as little as estimates of strides whose duration is wrong. What comes all at once, as
from a file, arrives at no pace that anything could be compared with.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

SPAN_S: Final = 2.0
"""One least delayed sample is looked for in so long; links bunch up samples for less."""
SPANS: Final = 31
"""So many are remembered: a minute."""
LEAST_SPANS: Final = 3
SHIFT_S: Final = 3.0
"""So much earlier or later than before tells: no link's delay varies by so much and goes on so."""
TOLD: Final = 0.05
"""A clock that is off by this share is told: no crystal or RC oscillator in order is."""
FAR: Final = 0.1
"""And by this one, estimates are not to be trusted: durations are inputs of the models."""
RETURNS: Final = 0.8
"""Of these limits, below which it is taken back."""
MOST: Final = 3.0
"""Who sends so many times faster than the samples were taken sends a file."""


@dataclass(slots=True)
class PaceState:
    """Device seconds per host second as far as they are told, and what that follows from.

    ``least`` and each of ``points``, newest last, is a sample that came with the least delay of its
    span: when, and its delay, in seconds, on clocks that have nothing to do with each other.
    """

    pace: float = 1.0
    ends_s: float | None = None
    least: tuple[float, float] = (0.0, 0.0)
    points: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=SPANS))
    is_told: bool = False
    is_far: bool = False


class Pace:
    """Compares a device's clock with the arrival of its samples."""

    def __init__(self) -> None:
        self.state = PaceState()

    def feed(self, time_s: float, received_ns: int) -> str | None:
        """Learn from one sample's device time and arrival; return what is to be told, if anything.

        Whether estimates can be trusted is in ``state.is_far``.
        """
        host_s = received_ns / 1e9
        if self.state.ends_s is not None and host_s < self.state.ends_s - 2 * SPAN_S:
            self.reset()  # a saved state of before the computer started again
        state = self.state
        point = host_s, host_s - time_s
        if state.ends_s is None:
            state.ends_s, state.least = host_s + SPAN_S, point
        elif host_s < state.ends_s:
            state.least = min(state.least, point, key=_delay)
        else:
            state.points.append(state.least)
            state.ends_s, state.least = host_s + SPAN_S, point
            return self._judge()
        return None

    def reset(self) -> None:
        """Forget everything but what was told: a clock leapt, or another device is there."""
        state = self.state
        self.state = PaceState(state.pace, is_told=state.is_told, is_far=state.is_far)

    def _judge(self) -> str | None:
        state = self.state
        pace = _steady_pace(list(state.points))
        if pace is None:
            return None  # what was told holds until something else is known
        state.pace = pace
        off = abs(state.pace - 1.0)
        before = state.is_told, state.is_far
        state.is_told = off > TOLD * (RETURNS if state.is_told else 1.0)
        state.is_far = off > FAR * (RETURNS if state.is_far else 1.0)
        if (state.is_told, state.is_far) == before:
            return None
        if not state.is_told:
            return "the device's clock keeps pace again"
        return (
            f"the device's times go on {state.pace:.2f} times as fast as its samples arrive: its "
            "clock is wrong, or what comes is old"
            + ("; nothing is to be acted upon" if state.is_far else "")
        )


def _delay(point: tuple[float, float]) -> float:
    return point[1]


def _steady_pace(points: list[tuple[float, float]]) -> float | None:
    """Return the pace that lasts until now, or None if nothing is sure.

    Both halves of the time must have it, so that no single leap of the delay (a queue that came at
    once, a host that was busy) makes one; and to be off, it must have shifted the delay enough.
    """
    newest = points[-1]
    for first in range(len(points) - 1 - LEAST_SPANS, -1, -1):
        middle = points[(first + len(points)) // 2]
        halves = _pace(points[first], middle), _pace(middle, newest)
        pace = _pace(points[first], newest)
        if all(abs(half - 1.0) < TOLD * RETURNS for half in halves):
            return pace
        is_shifted = abs(newest[1] - points[first][1]) >= SHIFT_S
        same = all((half - 1.0) * (pace - 1.0) > 0.5 * (pace - 1.0) ** 2 for half in halves)
        if is_shifted and same and max(halves) < MOST:
            return pace
    return None


def _pace(begin: tuple[float, float], end: tuple[float, float]) -> float:
    """Return device seconds per host second between two points."""
    return 1.0 - (end[1] - begin[1]) / (end[0] - begin[0])
