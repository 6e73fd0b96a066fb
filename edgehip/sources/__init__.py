"""Where bytes come from: one file per kind of source, chosen by URL."""

import os
from typing import TYPE_CHECKING, Final, Protocol

from edgehip.declared import checked
from edgehip.errors import ArgumentError, SourceError
from edgehip.events import SourceItem
from edgehip.lines import TimeUnit

if TYPE_CHECKING:
    from edgehip.sources.inbox import Inbox

DEFAULT_BAUD: Final = 115200
MAX_BAUD: Final = 2**31 - 1
"""What systems can be asked for; and 0 would hang up."""
DEFAULT_CAPACITY: Final = 4096
"""Chunks that may wait between the reading thread and the caller (40 s at 100 Hz)."""


class Source(Protocol):
    """Something that gives chunks of bytes with the time they arrived.

    Attributes
    ----------
    live
        True if items come when they come and times are the host's own; False if they come as fast
        as they are read, with the times they once had.
    devices
        1, or 2 where each measures one leg.
    """

    live: bool
    devices: int

    @property
    def ended(self) -> bool:
        """Whether nothing will come any more."""
        ...

    def read(self, timeout_s: float) -> SourceItem | None:
        """Return the next item, or None if none came within the time.

        Its ``received_ns`` is what ``time.monotonic_ns()`` was when a live source had its bytes.
        That clock may stand still while the computer sleeps: what waited meanwhile looks fresh, and
        is not to be given, but ``PortLost`` and ``PortOpened``.
        """
        ...

    def write(self, data: bytes) -> bool:
        """Send bytes towards the device; return whether they went out."""
        ...

    def close(self) -> None:
        """Release the port or file."""
        ...


@checked
def open_source(
    url: str | os.PathLike[str],
    second_url: str | os.PathLike[str] | None = None,
    *,
    baud: int = DEFAULT_BAUD,
    time_unit: TimeUnit = "ms",
) -> Source:
    """Open a source by its URL.

    Parameters
    ----------
    url
        ``synthetic:OPTIONS`` (a walker made by edgehip), ``replay:FILE?speed=1`` (a recording),
        ``ble://NAME``, or anything pySerial opens: ``/dev/ttyACM0``, ``COM3``,
        ``socket://host:port``, ``rfc2217://host:port``, ``loop://``, ``hwgrep://regexp``. A path
        object is a port's.
    second_url
        Of a second device, where each measures one leg.
    baud
        For serial ports.
    time_unit
        Of a replayed file of text lines without a header, for its pace.

    Raises
    ------
    ArgumentError
        If something else is given.
    SourceError
        If it cannot be opened; the text says why and how to mend it.
    """
    if not 0 < baud <= MAX_BAUD:
        raise ArgumentError(f"baud is {baud}; it has to be from 1 to {MAX_BAUD}")
    url = os.fspath(url)
    if second_url is not None:
        from edgehip.sources import pair

        return pair.PairSource((url, os.fspath(second_url)), baud)
    scheme, _, rest = url.partition(":")
    match scheme:
        case "":
            raise SourceError("the port's name is empty: give one, or see 'edgehip devices'")
        case "synthetic":
            from edgehip.sources import synthetic

            return synthetic.open_url(rest)
        case "replay":
            from edgehip.sources import replay

            return replay.open_url(rest, time_unit)
        case _:
            return open_live(url, baud, None)


def has_baud(url: str) -> bool:
    """Return whether a URL may name a port that sends bits at some rate."""
    return url.partition(":")[0] not in ("synthetic", "replay", "ble", "socket")


def split_pair(url: str) -> tuple[str, ...]:
    """Return one URL for each device: ``ble://LEFT+RIGHT`` names two, everything else one."""
    scheme, separator, names = url.partition("://")
    if scheme != "ble":
        return (url,)
    return tuple(f"{scheme}{separator}{name}" for name in names.split("+"))


def open_live(url: str, baud: int, inbox: "Inbox | None") -> Source:
    """Open a port whose items wait in an inbox (its own, or one it shares with another).

    Raises
    ------
    SourceError
        As :func:`open_source`.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "ble":
        from edgehip.sources import ble

        return ble.open_url(rest, inbox)
    from edgehip.sources import serial_port

    return serial_port.SerialSource(url, baud, inbox)
