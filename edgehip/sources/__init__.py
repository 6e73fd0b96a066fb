"""Where bytes come from: one file per kind of source, chosen by URL."""

from typing import Final, Protocol

from edgehip.errors import SourceError
from edgehip.recording import SourceItem

DEFAULT_BAUD: Final = 115200
DEFAULT_CAPACITY: Final = 4096
"""Chunks that may wait between the reading thread and the caller (40 s at 100 Hz)."""


class Source(Protocol):
    """Something that gives chunks of bytes with the time they arrived.

    Attributes
    ----------
    live
        True if items come when they come and times are the host's own; False if they come as fast
        as they are read, with the times they once had.
    """

    live: bool

    @property
    def overruns(self) -> int:
        """Chunks dropped, oldest first, because the caller was too slow."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        ...

    def read(self, timeout_s: float) -> SourceItem | None:
        """Return the next item, or None if none came within the time."""
        ...

    def write(self, data: bytes) -> bool:
        """Send bytes towards the device; return whether they went out."""
        ...

    def close(self) -> None:
        """Release the port or file."""
        ...


def open_source(url: str, *, baud: int = DEFAULT_BAUD) -> Source:
    """Open a source by its URL.

    Parameters
    ----------
    url
        ``synthetic:OPTIONS`` (a walker made by edgehip), ``replay:FILE?speed=1`` (a recording),
        ``ble://NAME``, or anything pySerial opens: ``/dev/ttyACM0``, ``COM3``,
        ``socket://host:port``, ``rfc2217://host:port``, ``loop://``, ``hwgrep://regexp``.
    baud
        For serial ports.

    Raises
    ------
    SourceError
        If it cannot be opened; the text says why and how to mend it.
    """
    scheme, _, rest = url.partition(":")
    match scheme:
        case "":
            raise SourceError("the port's name is empty: give one, or see 'edgehip devices'")
        case "synthetic":
            from edgehip.sources import synthetic

            return synthetic.open_url(rest)
        case "replay":
            from edgehip.sources import replay

            return replay.open_url(rest)
        case "ble":
            from edgehip.sources import ble

            return ble.open_url(rest)
        case _:
            from edgehip.sources import serial_port

            return serial_port.SerialSource(url, baud)
