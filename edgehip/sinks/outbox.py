"""A thread between the loop and an output that may block: a full pipe, a slow disk, a stopped tty.

The loop never waits for an output while samples come live: what the output misses is counted.
When nothing is live (a replay as fast as possible) nothing is dropped and the loop waits instead,
until it is told to stop.

What says how something stands now (a cue, the link) is not dropped for what comes at every sample:
a reader that missed its last word would follow the one before for ever.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from edgehip.latency import Histogram

ASK_S: Final = 0.2
"""How often a loop that waits for room asks whether it still should."""


class Outbox:
    """Hands items to a blocking function, in order, in its own thread.

    Parameters
    ----------
    deliver
        Called with each item in the outbox's thread; an ``OSError`` ends the deliveries.
    capacity
        Items that may wait. To make room the oldest is dropped (and counted) that says of nothing
        how it stands, and if all do, the oldest that a later one supersedes; so no more than one
        for each such thing waits besides.
    waits
        Asked while there is no room: whether to wait for it instead of dropping.

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
        deliver: Callable[[bytes], object],
        *,
        capacity: int,
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self.error: OSError | None = None
        self.written = Histogram()
        self._deliver = deliver
        self._waits = waits
        self._taken = 0
        self._delivered = 0
        self._capacity = capacity
        self._waiting: deque[tuple[bytes, int, str | None]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"edgehip {name}", daemon=True)
        self._thread.start()

    def put(self, item: bytes, received_ns: int = 0, state_of: str | None = None) -> None:
        """Take an item for delivery.

        Parameters
        ----------
        item
            What to deliver.
        received_ns
            When the byte that caused the item arrived; 0 keeps it out of the distribution.
        state_of
            What it tells the state of, until the next item about the same; None for nothing.
        """
        with self._changed:
            self._taken += 1
            while len(self._waiting) >= self._capacity and self.error is None and self._waits():
                self._changed.wait(ASK_S)
            if self.error is not None:
                return
            if len(self._waiting) < self._capacity or self._make_room(state_of):
                self._waiting.append((item, received_ns, state_of))
                self._changed.notify()

    @property
    def dropped(self) -> int:
        """Items that were not delivered; those that still wait are among them."""
        return self._taken - self._delivered

    def close(self, timeout_s: float = 2.0) -> None:
        """Deliver what waits, for at most so long; what is then still waiting is dropped."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            self._waiting.clear()

    def _make_room(self, state_of: str | None) -> bool:
        """Drop what is worth least; return whether there is room for an item of that kind."""
        waiting = self._waiting
        for place, (_, _, about) in enumerate(waiting):
            if about is None:
                del waiting[place]
                return True
        if state_of is None:
            return False
        later, superseded = {state_of}, None
        for place in range(len(waiting) - 1, -1, -1):
            about = waiting[place][2]
            superseded = place if about in later else superseded
            later.add(about or "")
        if superseded is not None:
            del waiting[superseded]
        return True

    def _next(self) -> tuple[bytes, int, str | None] | None:
        """Wait for the next item; None when there will be none."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            if not self._waiting:
                return None
            self._changed.notify()
            return self._waiting.popleft()

    def _run(self) -> None:
        try:
            while (entry := self._next()) is not None:
                item, received_ns, _ = entry
                self._deliver(item)
                self._delivered += 1
                if received_ns:
                    self.written.add(time.monotonic_ns() - received_ns)
        except OSError as error:
            self.error = error


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of some bytes; the system may take them in parts (a full disk takes the first)."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
