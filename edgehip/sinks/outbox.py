"""A thread between the loop and an output that may block: a full pipe, a slow disk, a stopped tty.

The loop never waits for an output while samples come live: what the output misses is counted.
When nothing is live (a replay as fast as possible) nothing is dropped and the loop waits instead,
until it is told to stop.
"""

import contextlib
import os
import queue
import threading
import time
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
        Items that may wait; the oldest is dropped (and counted) to make room.
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
        self._items: queue.Queue[tuple[bytes, int] | None] = queue.Queue(capacity)
        self._thread = threading.Thread(target=self._run, name=f"edgehip {name}", daemon=True)
        self._thread.start()

    def put(self, item: bytes, received_ns: int = 0) -> None:
        """Take an item for delivery.

        Parameters
        ----------
        item
            What to deliver.
        received_ns
            When the byte that caused the item arrived; 0 keeps it out of the distribution.
        """
        self._taken += 1
        while self.error is None:
            try:
                self._items.put((item, received_ns), timeout=ASK_S if self._waits() else 0)
                return
            except queue.Full:
                if not self._waits():
                    with contextlib.suppress(queue.Empty):
                        self._items.get_nowait()

    @property
    def dropped(self) -> int:
        """Items that were not delivered; those that still wait are among them."""
        return self._taken - self._delivered

    def close(self, timeout_s: float = 2.0) -> None:
        """Deliver what waits, for at most so long; what is then still waiting is dropped."""
        deadline_s = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Full):
            self._items.put(None, timeout=timeout_s if self._thread.is_alive() else 0)
        self._thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self) -> None:
        try:
            while (entry := self._items.get()) is not None:
                item, received_ns = entry
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
