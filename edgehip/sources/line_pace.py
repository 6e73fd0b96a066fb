"""When text lines came, as far as their own times say: a clock that never goes back, nor runs away.

A file of lines has no times of arrival. Those of the lines themselves wrap, begin again where the
device did, and one garbled digit may add a year. So the clock goes on by the steps from line to
line. A time that the next line contradicts, going on from the one before, counts as garbled. A step
back, or of more than a second, is believed only when the next line goes on from it, much as the
receiver does. What is not believed, and a new start, counts as one period.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from edgehip.events import Chunk
from edgehip.line_order import REORDER_US
from edgehip.wire import Frame

USUAL_PERIOD_US: Final = 10_000
"""Of lines whose period nobody knows yet: 100 Hz."""
MAX_HELD: Final = 100
"""So many lines without a time may follow one before the next that has one decides about it."""


def paced(lines: Iterable[tuple[bytes, Frame | None]]) -> Iterator[Chunk]:
    """Yield lines with times of arrival, from zero.

    Parameters
    ----------
    lines
        Each with the sample in it, or None.
    """
    pace = _Pace()
    held: list[bytes] = []
    frame: Frame | None = None
    for line, following in lines:
        if following is not None or len(held) > MAX_HELD:
            yield from pace.arrived(held, frame, following)
            held, frame = [], following
        held.append(line)
    yield from pace.arrived(held, frame, None)


class _Pace:
    """The clock: how far the lines' times have come, and what was told, which is never less."""

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._steps_us = (USUAL_PERIOD_US, USUAL_PERIOD_US)
        self._now_us = 0
        self._told_us = 0

    def arrived(
        self, lines: list[bytes], frame: Frame | None, following: Frame | None
    ) -> Iterator[Chunk]:
        """Yield lines, with the sample that the first of them is, and the one after them."""
        if frame is not None:
            self._go_on(frame, following)
        for line in lines:
            yield Chunk(line, self._told_us * 1000)

    def _go_on(self, frame: Frame, following: Frame | None) -> None:
        last = self._last
        if last is None:
            self._last = frame
            return
        step_us = frame.us_after(last.device_us)
        fits, goes_on, left_out = _is_usual(step_us), True, False
        if following is not None:
            goes_on = _is_usual(following.us_after(frame.device_us))
            left_out = _is_usual(following.us_after(last.device_us))
        period_us = min(self._steps_us)  # of the last two: one may be a gap
        if fits and (goes_on or not left_out):
            self._steps_us = self._steps_us[1], step_us or period_us
        elif not fits and following is not None and goes_on and not left_out:
            step_us = step_us if step_us > 0 else period_us
        else:
            self._told_us += period_us
            return
        self._last = frame
        self._now_us += step_us
        self._told_us = max(self._told_us, self._now_us)


def _is_usual(step_us: int) -> bool:
    return 0 <= step_us <= REORDER_US
