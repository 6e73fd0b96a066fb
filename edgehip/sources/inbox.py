"""The one thread boundary: a bounded queue between a source's thread and the caller's."""

import threading
from collections import deque
from dataclasses import replace

from edgehip.events import BytesMissing, Chunk, SourceItem


class Inbox:
    """Keeps the newest chunks for the caller; the oldest are dropped when it is full.

    Where some are missing the caller gets :class:`~edgehip.events.BytesMissing`. What became of the
    port is never dropped.

    Parameters
    ----------
    capacity
        Items that may wait.
    device
        Which of two devices puts its items here.
    """

    def __init__(self, capacity: int, device: int = 0) -> None:
        self.device = device
        self._capacity = capacity
        self._items: deque[SourceItem] = deque()
        self._missing: dict[int, BytesMissing] = {}
        self._changed = threading.Condition()

    def beside(self) -> "Inbox":
        """Return the entrance of a second device to the same queue."""
        other = Inbox(self._capacity, device=1)
        other._items, other._missing, other._changed = self._items, self._missing, self._changed
        return other

    def put(self, item: SourceItem) -> None:
        """Add an item; never waits."""
        if self.device:
            item = replace(item, device=self.device)
        with self._changed:
            if len(self._items) >= self._capacity:
                self._drop()
            self._items.append(item)
            self._changed.notify()

    def get(self, timeout_s: float) -> SourceItem | None:
        """Return the oldest item, or None if none came within the time."""
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_s)
            if self._items:
                item = self._items[0]
                missing = self._missing.pop(item.device, None)
                if missing is None:
                    return self._items.popleft()
                return replace(missing, received_ns=item.received_ns)
            # Of a device that sends no more.
            return self._missing.popitem()[1] if self._missing else None

    def _drop(self) -> None:
        for place, item in enumerate(self._items):
            if isinstance(item, Chunk):
                del self._items[place]
                before = self._missing.get(item.device)
                chunks = 1 if before is None else before.chunks + 1
                self._missing[item.device] = BytesMissing(item.received_ns, chunks, item.device)
                return
