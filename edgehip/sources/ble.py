"""Bluetooth Low Energy: ``ble://NAME``, ``ble://AA:BB:CC:DD:EE:FF``, or ``ble://`` (the only one).

The device offers the Nordic UART Service; its byte stream may be cut into notifications anywhere.
Two devices, one at each leg, are two sources: ``ble://LEFT+RIGHT`` stands for both
(:func:`split_pair`), and :mod:`edgehip.merge` makes one stream of their samples.

Importing this module raises :class:`~edgehip.errors.MissingExtraError` where bleak is missing.
"""

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from edgehip.errors import MissingExtraError, SourceError
from edgehip.events import Chunk, PortLost, PortOpened, SourceItem
from edgehip.sources import DEFAULT_CAPACITY, split_pair
from edgehip.sources.inbox import Inbox

try:
    from edgehip.sources.ble_errors import explain
    from edgehip.sources.ble_link import Link, Target, Timing, find_device, look, name_of
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("bleak"):
        raise
    raise MissingExtraError("bleak", "ble", "Bluetooth") from error

_log = logging.getLogger(__name__)

SCAN_S: Final = 4.0
_ADDRESS: Final = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)


def open_url(rest: str, inbox: Inbox | None = None) -> "BleSource":
    """Open what follows ``ble:``; what is received waits in the inbox.

    Raises
    ------
    SourceError
        If it names no device or two, or the device cannot be connected; the text says why.
    """
    url = f"ble:{rest}"
    if not rest.startswith("//"):
        raise SourceError(f"{url}: write ble://NAME, ble://AA:BB:CC:DD:EE:FF, or ble:// alone")
    if len(split_pair(url)) > 1:
        raise SourceError(f"{url}: names two devices where one is wanted (a '+' in a name is %2B)")
    name = unquote(rest.removeprefix("//").rstrip("/"))
    if _ADDRESS.fullmatch(name):
        return BleSource(Target(address=name.upper()), inbox)
    return BleSource(Target(name=name), inbox)


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device that offers the Nordic UART Service.

    ``rssi_dbm`` is the strength it was received with, None if it is connected already.
    """

    name: str
    address: str
    rssi_dbm: int | None

    @property
    def url(self) -> str:
        """What opens it."""
        return f"ble://{self.address}"


def scan(timeout_s: float = SCAN_S) -> tuple[FoundDevice, ...]:
    """Return the devices around that could be opened, nearest first.

    Raises
    ------
    SourceError
        If Bluetooth cannot be used; the text says why.
    """
    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            _, seen = runner.run(look(Target(), timeout_s))
    except Exception as error:  # bleak lets its backends' own exceptions through
        raise SourceError(f"ble://: {explain(error)}") from error
    nearest_first = sorted(seen, key=lambda one: one.rssi_dbm or 0, reverse=True)
    return tuple(
        FoundDevice(name_of(one.device), one.device.address, one.rssi_dbm) for one in nearest_first
    )


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that logs what nobody awaited instead of printing a traceback.

    bleak leaves such things behind when a bus or a connection ends under it; what matters of them
    has reached us as an exception or as a lost connection.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(
        lambda _, context: _log.debug(context["message"], exc_info=context.get("exception"))
    )
    return loop


class BleSource:
    """Keeps one device connected from a thread that only receives, stamps and enqueues.

    When the connection is lost :class:`~edgehip.events.PortLost` is given and the device is looked
    for again, with growing pauses, until it is back. As with any source the oldest chunks are
    dropped, and counted, when the caller is too slow.

    Parameters
    ----------
    target
        The device.
    inbox
        Where what is received waits for the caller.
    timing
        How long to look, to wait, and to pause.

    Raises
    ------
    SourceError
        If the device cannot be connected the first time.
    """

    live = True
    devices = 1

    def __init__(
        self, target: Target, inbox: Inbox | None = None, timing: Timing | None = None
    ) -> None:
        self.target = target
        self.timing = timing or Timing()
        self._inbox = inbox or Inbox(DEFAULT_CAPACITY)
        self._link: Link | None = None
        self._loop = _new_loop()
        self._closing = asyncio.Event()
        self._first: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name=f"edgehip ble://{target}")
        self._thread.daemon = True
        self._thread.start()
        try:
            self._first.result()
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> bool:
        """A device never ends by itself."""
        return self._closing.is_set()

    def read(self, timeout_s: float) -> SourceItem | None:
        """See :class:`edgehip.sources.Source`."""
        return self._inbox.get(timeout_s)

    def write(self, data: bytes) -> bool:
        """Hand bytes to the radio; return whether there is a connection and soon room."""
        link = self._link
        if link is None or not link.reserve():
            return False
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._loop.call_soon_threadsafe(link.send, data)
            return True
        return False

    def close(self) -> None:
        """Disconnect and stop; what was written just before still goes out, if that is quick."""
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        session = asyncio.create_task(self._stay_connected())
        closing = asyncio.create_task(self._closing.wait())
        await asyncio.wait({session, closing}, return_when=asyncio.FIRST_COMPLETED)
        for task in (session, closing):
            task.cancel()
        await asyncio.wait({session, closing})

    async def _stay_connected(self) -> None:
        """Connect again and again; return only if the first connection fails."""
        pause_s = self.timing.first_wait_s
        reason = ""
        while True:
            try:
                async with self._connected() as link:
                    pause_s = self.timing.first_wait_s
                    reason = await link.lost()
                    self._inbox.put(PortLost(time.monotonic_ns(), reason))
            except Exception as error:  # bleak lets its backends' own exceptions through
                if not self._first.done():
                    failure = SourceError(f"ble://{self.target}: {explain(error)}")
                    failure.__cause__ = error
                    self._first.set_exception(failure)
                    return
                if explain(error) != reason:
                    reason = explain(error)
                    self._inbox.put(PortLost(time.monotonic_ns(), reason))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self.timing.longest_wait_s)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Link]:
        """Find the device, connect it, and let its bytes into the inbox while the block runs."""
        device = await find_device(self.target, self.timing)
        link = Link(device, self._received, self.timing.silence_s)
        try:
            async with asyncio.timeout(self.timing.connect_s):
                await link.connect()
                self._inbox.put(PortOpened(time.monotonic_ns(), link.about))
                await link.subscribe()
            self._link = link
            if not self._first.done():
                self._first.set_result(None)
            if self.target.is_anyone:  # from now on it is this one, whoever else comes
                self.target = Target(address=device.address)
            yield link
        finally:
            self._link = None
            await link.close()

    def _received(self, data: bytes) -> None:
        self._inbox.put(Chunk(data, time.monotonic_ns()))
