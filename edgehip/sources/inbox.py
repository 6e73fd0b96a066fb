"""The one thread boundary: a bounded queue between a source's thread and the caller's."""

import contextlib
import queue
from dataclasses import replace

from edgehip.recording import SourceItem


class Inbox:
    """Keeps the newest items for the caller; the oldest are dropped when it is full, and counted.

    Parameters
    ----------
    capacity
        Items that may wait.
    device
        Which of two devices puts its items here.
    """

    def __init__(self, capacity: int, device: int = 0) -> None:
        self.device = device
        self.overruns = 0
        """Items dropped because the caller was too slow."""
        self._items: queue.Queue[SourceItem] = queue.Queue(capacity)

    def beside(self) -> "Inbox":
        """Return the entrance of a second device to the same queue."""
        other = Inbox(1, device=1)
        other._items = self._items
        return other

    def put(self, item: SourceItem) -> None:
        """Add an item; never waits."""
        if self.device:
            item = replace(item, device=self.device)
        while True:
            try:
                self._items.put_nowait(item)
                return
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._items.get_nowait()
                    self.overruns += 1

    def get(self, timeout_s: float) -> SourceItem | None:
        """Return the oldest item, or None if none came within the time."""
        try:
            return self._items.get(timeout=timeout_s)
        except queue.Empty:
            return None
