"""A thread between the loop and an output that may block: a full pipe, a slow disk, a stopped tty.

The loop never waits for an output while samples come live: what the output misses is counted.
When nothing is live (a replay as fast as possible) nothing is dropped and the loop waits instead,
also at its end, until it is told to stop.

Two kinds of item wait for an output. What streams (estimates, bytes) is worth less the older it is:
the oldest is dropped to make room. A state (of a cue, of the link) holds until the next of its name
comes: the newest of each name is never dropped.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from edgehip.latency import Histogram

ASK_S: Final = 0.2
"""How often a loop that waits for room asks whether it still should."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    item: Item
    received_ns: int
    state_of: str | None


class Outbox(Generic[Item]):
    """Hands items to a blocking function in its own thread, in order unless states come first.

    Parameters
    ----------
    deliver
        Called with each item in the outbox's thread; an ``OSError`` ends the deliveries.
    capacity
        Items that may wait; the oldest that streams is dropped (and counted) to make room.
    waits
        Asked while there is no room, and at the end: whether to wait instead of dropping.
    states_first
        States overtake all that streams, and a state takes the place of one of its name that still
        waits: for what acts on them.

    Attributes
    ----------
    error
        What ended the deliveries, if anything did.
    written
        Distribution of the time from ``received_ns`` to the end of the delivery.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[Item], object],
        *,
        capacity: int,
        waits: Callable[[], bool] = lambda: False,
        states_first: bool = False,
    ) -> None:
        self.error: OSError | None = None
        self.written = Histogram()
        self._deliver = deliver
        self._capacity = capacity
        self._waits = waits
        self._states_first = states_first
        self._taken = 0
        self._delivered = 0
        self._waiting: deque[_Waiting[Item]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"edgehip {name}", daemon=True)
        self._thread.start()

    def put(self, item: Item, received_ns: int = 0, *, state_of: str | None = None) -> None:
        """Take an item for delivery.

        Parameters
        ----------
        item
            What to deliver.
        received_ns
            When the byte that caused the item arrived; 0 keeps it out of the distribution.
        state_of
            What it tells the state of, until the next item about the same; None for what streams.
        """
        with self._changed:
            self._taken += 1
            while self.error is None and len(self._waiting) >= self._capacity and self._waits():
                self._changed.wait(ASK_S)
            if self.error is not None:
                return
            if self._states_first and state_of is not None:
                self._drop(lambda waiting: waiting.state_of == state_of)
            if len(self._waiting) < self._capacity or self._make_room(state_of):
                self._waiting.append(_Waiting(item, received_ns, state_of))
                self._changed.notify_all()

    @property
    def dropped(self) -> int:
        """Items that were not delivered; those that still wait are among them."""
        return self._taken - self._delivered

    def close(self, timeout_s: float = 2.0) -> None:
        """Deliver what waits; what does not go out in so long is dropped.

        It is not while there would be waiting for room: a reader may take long to begin.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        while self._thread.is_alive() and self._waits():
            self._thread.join(ASK_S)
        self._thread.join(timeout_s)
        with self._changed:
            self._waiting.clear()

    def _make_room(self, state_of: str | None) -> bool:
        """Drop what is worth least, and say whether an item of that kind may come instead.

        That is the oldest that streams or, among states alone, the oldest a later one replaces. The
        newest of each name stays, whatever the capacity: there are few names.
        """
        if self._drop(lambda waiting: waiting.state_of is None):
            return True
        if state_of is None:
            return False
        newest = {waiting.state_of: waiting for waiting in self._waiting} | {state_of: None}
        self._drop(lambda waiting: newest[waiting.state_of] is not waiting)
        return True

    def _drop(self, which: Callable[[_Waiting[Item]], bool]) -> bool:
        """Drop the oldest of such items, and say whether there was one."""
        for place, waiting in enumerate(self._waiting):
            if which(waiting):
                del self._waiting[place]
                return True
        return False

    def _next(self) -> _Waiting[Item] | None:
        """Return what is to be delivered now, once there is something; None at the end."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            if not self._waiting:
                return None
            place = 0
            if self._states_first:
                states = (
                    i for i, waiting in enumerate(self._waiting) if waiting.state_of is not None
                )
                place = next(states, 0)
            chosen = self._waiting[place]
            del self._waiting[place]
            self._changed.notify_all()
            return chosen

    def _run(self) -> None:
        try:
            while (waiting := self._next()) is not None:
                self._deliver(waiting.item)
                self._delivered += 1
                if waiting.received_ns:
                    self.written.add(time.monotonic_ns() - waiting.received_ns)
        except OSError as error:
            with self._changed:
                self.error = error
                self._changed.notify_all()


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of some bytes; the system may take them in parts (a full disk takes the first)."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
