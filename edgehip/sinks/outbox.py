"""A thread between the loop and an output that may block: a full pipe, a slow disk, a stopped tty.

The loop never waits for an output while samples come live: what the output misses is counted.
When nothing is live (a replay as fast as possible) nothing is dropped and the loop waits instead.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from edgehip.latency import Histogram

IDLE_S: Final = 0.2


class Outbox:
    """Hands items to a blocking function, in order, in its own thread.

    Parameters
    ----------
    deliver
        Called with each item in the outbox's thread; an ``OSError`` ends the deliveries.
    capacity
        Items that may wait; the oldest is dropped (and counted) to make room.
    lossless
        Wait for room instead of dropping.
    idle
        Called in the outbox's thread about every :data:`IDLE_S` and at the end (to sync a file).

    Attributes
    ----------
    dropped
        Items that were never delivered.
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
        lossless: bool = False,
        idle: Callable[[], object] = lambda: None,
    ) -> None:
        self.dropped = 0
        self.error: OSError | None = None
        self.written = Histogram()
        self._deliver = deliver
        self._idle = idle
        self._lossless = lossless
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
        if self.error is not None:
            self.dropped += 1
            return
        if self._lossless:
            self._items.put((item, received_ns))
            return
        while True:
            try:
                self._items.put_nowait((item, received_ns))
                return
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._items.get_nowait()
                    self.dropped += 1

    def close(self, timeout_s: float = 2.0) -> None:
        """Deliver what waits, for at most so long; what is then still waiting counts as dropped."""
        deadline_s = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Full):
            self._items.put(None, timeout=timeout_s)
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        self.dropped += max(0, self._items.qsize() - 1) if self._thread.is_alive() else 0

    def _run(self) -> None:
        idled_s = time.monotonic()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    entry = self._items.get(timeout=IDLE_S)
                    if entry is None:
                        break
                    item, received_ns = entry
                    self._deliver(item)
                    if received_ns:
                        self.written.add(time.monotonic_ns() - received_ns)
                if time.monotonic() - idled_s > IDLE_S:
                    self._idle()
                    idled_s = time.monotonic()
            self._idle()
        except OSError as error:
            self.error = error
            self._drain()

    def _drain(self) -> None:
        """Go on taking items, so that a lossless loop does not wait for ever."""
        while self._items.get() is not None:
            self.dropped += 1
