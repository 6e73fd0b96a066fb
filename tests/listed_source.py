"""A source that gives what it was given, at once."""

from collections.abc import Iterable

from edgehip.events import SourceItem


class ListedSource:
    """Items in a list; ``live`` says whether their times are the host's own."""

    def __init__(
        self, items: Iterable[SourceItem], *, live: bool = False, devices: int = 1
    ) -> None:
        self.items = list(items)
        self.live = live
        self.devices = devices

    @property
    def ended(self) -> bool:
        return not self.items

    def read(self, timeout_s: float) -> SourceItem | None:
        return self.items.pop(0) if self.items else None

    def write(self, data: bytes) -> bool:
        return True

    def close(self) -> None:
        self.items.clear()
