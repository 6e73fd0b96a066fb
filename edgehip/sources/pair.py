"""Two live devices, one at each leg, as one source; their items say which device they are from."""

import contextlib

from edgehip.errors import SourceError
from edgehip.events import SourceItem
from edgehip.sources import DEFAULT_CAPACITY, Source, open_live
from edgehip.sources.inbox import Inbox


class PairSource:
    """Reads two ports, each in its own thread, into one queue.

    Parameters
    ----------
    urls
        Of the two devices; the first leads.
    baud
        For serial ports.

    Attributes
    ----------
    each
        The devices, each a way back of its own.

    Raises
    ------
    SourceError
        If either cannot be opened, or is no live port.
    """

    live = True
    devices = 2

    def __init__(self, urls: tuple[str, str], baud: int) -> None:
        for url in urls:
            if url.partition(":")[0] in ("synthetic", "replay"):
                raise SourceError(f"{url}: two devices are two live ports; this is none")
        self._inbox = Inbox(DEFAULT_CAPACITY)
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(contextlib.closing(open_live(urls[0], baud, self._inbox)))
            second = open_live(urls[1], baud, self._inbox.beside())
            stack.pop_all()
        self.each: tuple[Source, Source] = (first, second)

    @property
    def ended(self) -> bool:
        """See :class:`edgehip.sources.Source`."""
        return all(source.ended for source in self.each)

    def read(self, timeout_s: float) -> SourceItem | None:
        """See :class:`edgehip.sources.Source`."""
        return self._inbox.get(timeout_s)

    def write(self, data: bytes) -> bool:
        """Send bytes to both devices; return whether both took them."""
        taken = [source.write(data) for source in self.each]
        return all(taken)

    def close(self) -> None:
        """Release both ports."""
        for source in self.each:
            source.close()
