"""A serial port, or anything else pySerial opens, that survives being unplugged."""

import contextlib
import errno
import threading
import time
from typing import Any, Final

import serial
from serial.tools import list_ports

from edgehip.errors import SourceError
from edgehip.events import Chunk, PortLost, PortOpened, SourceItem
from edgehip.recording import MAX_PAYLOAD
from edgehip.sources import DEFAULT_CAPACITY
from edgehip.sources.inbox import Inbox
from edgehip.sources.network import Rfc2217Port, check_address, notice_silence
from edgehip.sources.sleep import SleepWatch

READ_TIMEOUT_S: Final = 0.05
WRITE_TIMEOUT_S: Final = 0.05
MAX_UNSENT: Final = 64
"""Bytes the system may hold that are not on the wire yet: what is more urgent waits behind them."""
UNSENT_WITHIN_S: Final = 0.25
UNSENT_EVERY_S: Final = 0.001
REOPEN_EVERY_S: Final = 0.5
CLOSE_WITHIN_S: Final = 1.0
MAX_CHUNK: Final = MAX_PAYLOAD


class SerialSource:
    """Reads a port in its own thread, which only reads, stamps, enqueues, and reopens.

    When the port goes away, or the computer slept and nobody knows how old is what waited there,
    :class:`~edgehip.events.PortLost` is given and the port is tried again until it is back, under
    its own name or, for a USB device, wherever its serial number is now. Many adapters have the
    same number: one that another port had, too, says nothing.
    When the caller is slower than the port the oldest chunks are dropped and counted.

    Parameters
    ----------
    url
        Anything :func:`serial.serial_for_url` opens.
    baud
        Bits per second.
    inbox
        Where what is read waits for the caller.

    Raises
    ------
    SourceError
        If the port cannot be opened the first time.
    """

    live = True
    devices = 1

    def __init__(self, url: str, baud: int, inbox: Inbox | None = None) -> None:
        self.url = url
        self.baud = baud
        self._inbox = inbox or Inbox(DEFAULT_CAPACITY)
        self._closing = threading.Event()
        self._port: Any = _open(url, baud)
        self._usb_serial = _usb_serial(url)
        self._inbox.put(PortOpened(time.monotonic_ns(), url))
        self._thread = threading.Thread(target=self._run, name=f"edgehip {url}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """A port never ends by itself."""
        return self._closing.is_set()

    def read(self, timeout_s: float) -> SourceItem | None:
        """See :class:`edgehip.sources.Source`."""
        return self._inbox.get(timeout_s)

    def write(self, data: bytes) -> bool:
        """See :class:`edgehip.sources.Source`."""
        port = self._port
        if port is None:
            return False
        try:
            if not _goes_out(port):
                return False
            return bool(port.write(data) == len(data))
        except Exception:
            return False  # the reading thread notices a lost port and says so

    def close(self) -> None:
        """Stop reading and close the port."""
        self._closing.set()
        self._thread.join(CLOSE_WITHIN_S)  # it may be waiting for a server that does not answer

    def _run(self) -> None:
        sleep = SleepWatch()
        while not self._closing.is_set():
            data, lost = b"", None
            try:
                data = self._port.read(1)
                while data and len(data) < MAX_CHUNK and (waiting := self._port.in_waiting):
                    data += self._port.read(min(waiting, MAX_CHUNK - len(data)))
            except Exception as error:  # see _open; a thread that died would look like silence
                lost = error
            if slept_s := sleep.slept_s():
                data, lost = b"", OSError(f"this computer slept for {slept_s:.1f} s")
            if data:
                self._inbox.put(Chunk(bytes(data), time.monotonic_ns()))
            if lost is not None:
                self._close_port()
                self._inbox.put(PortLost(time.monotonic_ns(), _reason(lost)))
                self._reopen()
        self._close_port()

    def _reopen(self) -> None:
        while not self._closing.wait(REOPEN_EVERY_S):
            with contextlib.suppress(SourceError, OSError):
                url = _where(self.url, self._usb_serial)
                if url is None:
                    continue
                self._port = _open(url, self.baud)
                self._inbox.put(PortOpened(time.monotonic_ns(), url))
                return

    def _close_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(Exception):
                port.close()


def _goes_out(port: Any) -> bool:
    """Wait until a serial port has sent nearly all it was given; return whether it has, soon.

    A system holds some thousand bytes, at 115200 baud a third of a second.
    """
    until_s = time.monotonic() + UNSENT_WITHIN_S
    # Ports across a network do not tell.
    while getattr(port, "out_waiting", 0) > MAX_UNSENT:
        if time.monotonic() > until_s:
            return False
        time.sleep(UNSENT_EVERY_S)
    return True


def _open(url: str, baud: int) -> Any:
    check_address(url)
    try:
        if url.lower().startswith("rfc2217://"):
            port: Any = Rfc2217Port(url, baud, timeout=READ_TIMEOUT_S)
        else:
            port = serial.serial_for_url(
                url,
                baudrate=baud,
                timeout=READ_TIMEOUT_S,
                write_timeout=WRITE_TIMEOUT_S,
                exclusive=True,  # two programs on one port would share its bytes out between them
            )
        notice_silence(port)
        return port
    except Exception as error:
        # What pySerial lets through when a port vanishes under its hands has no common base:
        # SerialException, OSError, termios.error, TypeError, ValueError, OverflowError.
        raise SourceError(f"{url}: cannot be opened: {_advice(error, url)}") from error


def _advice(error: Exception, url: str) -> str:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.EACCES or "Permission denied" in text:
        return "no permission; join the port's group ('sudo usermod -aG dialout $USER', log in)"
    if number == errno.ENOENT or "No such file" in text or "FileNotFoundError" in text:
        names = ", ".join(port.device for port in list_ports.comports())
        return f"there is no such port; {f'there are: {names}' if names else 'none is connected'}"
    if number in (errno.ENOTTY, errno.EISDIR) or "Inappropriate ioctl" in text:
        return "it is no serial port; a recorded file is replayed with --port replay:FILE"
    if number == errno.EBUSY or "busy" in text.lower() or "lock" in text.lower():
        return "another program uses it; close that program"
    if "invalid URL" in text or "unknown scheme" in text:
        return f"{text}; see 'edgehip stream --help' for the kinds of port"
    if "Connection refused" in text:
        return "nobody listens there; start the server first"
    if "Name or service" in text or "No address" in text or "name resolution" in text:
        return "there is no host of that name; check it, and the network"
    if "timed out" in text or "No route" in text or "unreachable" in text:
        return "the host does not answer; check its address, and the network"
    if "RFC2217" in text:
        return "the server does not speak RFC 2217; try socket://"
    return _reason(error)


def _reason(error: Exception) -> str:
    text: str = getattr(error, "strerror", None) or str(error)
    if "device disconnected" in text:
        return "unplugged, or another program reads from it too"
    return next(iter(text.splitlines()), type(error).__name__)


def _usb_serial(url: str) -> str | None:
    """Return the USB serial number by which a port's device is known again, if no other has it."""
    numbers = _usb_serials()
    number = numbers.get(url)
    return number if list(numbers.values()).count(number) == 1 else None


def _where(url: str, usb_serial: str | None) -> str | None:
    """Return the port that a USB device is at now, or None while it is away or nobody can tell."""
    if usb_serial is None:
        return url
    ports = [port for port, number in _usb_serials().items() if number == usb_serial]
    if url in ports:
        return url
    return ports[0] if len(ports) == 1 else None


def _usb_serials() -> dict[str, str | None]:
    """Return what serial number the USB device at each port has, if it has one."""
    return {port.device: port.serial_number for port in list_ports.comports()}
