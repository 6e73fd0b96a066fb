"""What sequence numbers tell: lost, duplicated, reordered, or a device that started again."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MODULUS: Final = 2**32
WINDOW: Final = 256
"""How far back a late or repeated frame is recognised; links reorder by a few frames at most."""
DUPLICATES_OF_A_RESTART: Final = 8
"""So many repeats in a row, with nothing new, are a device that started again."""


class Order(StrEnum):
    """How a frame stands to those before it."""

    NEXT = "next"
    DUPLICATE = "duplicate"
    LATE = "late"
    RESTART = "restart"


@dataclass(slots=True)
class SequenceState:
    """The last frame in order, and the recent past: (sequence, device_us) seen, and missing."""

    last: int | None = None
    seen: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    missing: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW))
    repeats: int = 0


class SequenceTracker:
    """Places each frame among those before it."""

    def __init__(self) -> None:
        self.state = SequenceState()

    def feed(self, sequence: int, device_us: int) -> tuple[Order, int]:
        """Return a frame's order, and how many frames are missing before it.

        A repeat is told from a restarted device that counts from zero again by the device's clock:
        a repeated frame carries the time it had.
        """
        state = self.state
        if state.last is None:
            self._accept(sequence, device_us)
            return Order.NEXT, 0
        ahead = (sequence - state.last) % MODULUS
        if 0 < ahead < MODULUS // 2:
            lost = ahead - 1
            state.missing.extend(
                (sequence - back) % MODULUS for back in range(min(lost, WINDOW), 0, -1)
            )
            self._accept(sequence, device_us)
            return Order.NEXT, lost
        if sequence in state.missing:
            state.missing.remove(sequence)
            state.seen.append((sequence, device_us))
            return Order.LATE, 0
        if (sequence, device_us) in state.seen and state.repeats < DUPLICATES_OF_A_RESTART:
            state.repeats += 1
            return Order.DUPLICATE, 0
        self.state = SequenceState()
        self._accept(sequence, device_us)
        return Order.RESTART, 0

    def _accept(self, sequence: int, device_us: int) -> None:
        self.state.last = sequence
        self.state.seen.append((sequence, device_us))
        self.state.repeats = 0
