"""What sequence numbers tell: lost, duplicated, reordered, or a device that started again."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from edgehip.events import Fault

MODULUS: Final = 2**32
WINDOW: Final = 1024
"""How far back a late or repeated frame is recognised (10 s at 100 Hz): a device may send again
what it kept while the link was down."""
FIRST: Final = 256
"""A number below, so far behind the last or farther, is of a device that counts from zero again."""
RESTART_REPEATS: Final = 8
"""Fewer repeats in a row say nothing of their pace."""
RESTART_PACE: Final = 0.75
"""A device that started again repeats itself as fast as it measures (1); one that sends what it had
kept does so faster, or it would never catch up."""


@dataclass(slots=True)
class Repeats:
    """Frames that came again, one after the other and with nothing new between them.

    When and by which clock the first and the last of them came, and the longest pause between two:
    a link that delivers in bursts has such pauses, whatever the device's pace.
    """

    first_us: int
    first_ns: int
    sequence: int
    last_ns: int
    longest_pause_ns: int = 0
    count: int = 1

    def add(self, sequence: int, received_ns: int) -> None:
        """Take the next one."""
        self.longest_pause_ns = max(self.longest_pause_ns, received_ns - self.last_ns)
        self.sequence, self.last_ns = sequence, received_ns
        self.count += 1

    def at_the_devices_pace(self, device_us: int) -> bool:
        """Say whether the host's time went on, bursts aside, as the device's did up to now."""
        host_us = (self.last_ns - self.first_ns - self.longest_pause_ns) / 1000
        return host_us >= RESTART_PACE * ((device_us - self.first_us) % MODULUS)


@dataclass(slots=True)
class SequenceState:
    """The last frame in order, and the recent past: (sequence, device_us) seen, and missing.

    What was seen lies at its sequence number modulo :data:`WINDOW`.
    """

    last: int | None = None
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)
    missing: deque[int] = field(default_factory=lambda: deque(maxlen=WINDOW))
    repeats: Repeats | None = None


class SequenceTracker:
    """Places each frame among those before it."""

    def __init__(self) -> None:
        self.state = SequenceState()

    def feed(self, sequence: int, device_us: int, received_ns: int) -> tuple[Fault | None, int]:
        """Return what a frame's place tells, if it is not next, and how many are missing before it.

        Those that tell ``DUPLICATE`` or ``REORDERED`` are of no use, one that tells ``RESTART`` is.
        A repeat is told from a restarted device that counts from zero again by the device's clock:
        a repeated frame carries the time it had. Where even that is the same again, because a
        device does exactly the same after every start, the pace decides (:class:`Repeats`).
        """
        state = self.state
        if state.last is None:
            self._accept(sequence, device_us)
            return None, 0
        ahead = (sequence - state.last) % MODULUS
        if 0 < ahead < MODULUS // 2:
            lost = ahead - 1
            state.missing.extend(
                (sequence - back) % MODULUS for back in range(min(lost, WINDOW), 0, -1)
            )
            self._accept(sequence, device_us)
            return None, lost
        behind = (state.last - sequence) % MODULUS
        if behind <= WINDOW and sequence in state.missing:
            state.missing.remove(sequence)
            state.seen[sequence % WINDOW] = sequence, device_us
            return Fault.REORDERED, 0
        from_zero = sequence < FIRST <= behind
        was_seen = state.seen.get(sequence % WINDOW) == (sequence, device_us) and not from_zero
        if was_seen and not self._starts_again(sequence, device_us, received_ns):
            return Fault.DUPLICATE, 0
        self.restart(sequence, device_us)
        return Fault.RESTART, 0

    def restart(self, sequence: int, device_us: int) -> None:
        """Begin with this frame, whatever was before."""
        self.state = SequenceState()
        self._accept(sequence, device_us)

    def _starts_again(self, sequence: int, device_us: int, received_ns: int) -> bool:
        """Say whether a frame that was seen before is one of a device that started again."""
        repeats = self.state.repeats
        if repeats is None or not 0 < (sequence - repeats.sequence) % MODULUS < MODULUS // 2:
            self.state.repeats = Repeats(device_us, received_ns, sequence, received_ns)
            return False
        repeats.add(sequence, received_ns)
        return repeats.count > RESTART_REPEATS and repeats.at_the_devices_pace(device_us)

    def _accept(self, sequence: int, device_us: int) -> None:
        self.state.last = sequence
        self.state.seen[sequence % WINDOW] = sequence, device_us
        self.state.repeats = None
