"""A serial port whose reader outlives whatever the port does."""

import termios
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial

from edgehip.events import Chunk, PortLost, PortOpened, SourceItem
from edgehip.recording import MAX_PAYLOAD
from edgehip.sources import serial_port
from edgehip.sources.serial_port import SerialSource
from edgehip.sources.sleep import SleepWatch
from tests.pty_device import PtyDevice


def items(source: SerialSource, until: type) -> list[SourceItem]:
    """Return what a source gives up to the first item of a kind."""
    given: list[SourceItem] = []
    deadline_s = time.monotonic() + 20.0
    while time.monotonic() < deadline_s:
        item = source.read(0.05)
        if item is not None:
            given.append(item)
        if isinstance(item, until):
            return given
    raise AssertionError(f"no {until.__name__} in {given}")


def test_a_port_that_fails_strangely_while_it_comes_back_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = PtyDevice(tmp_path)
    source = SerialSource(str(device.port), 115200)
    open_port = serial.serial_for_url
    # As when a USB device vanishes again between being opened and being set up.
    failures: list[Exception] = [termios.error(5, "Input/output error"), OSError(), TypeError()]

    def open_or_fail(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return open_port(*arguments, **options)

    monkeypatch.setattr("serial.serial_for_url", open_or_fail)
    device.unplug()
    items(source, PortLost)
    device.plug_in()
    items(source, PortOpened)
    device.write(b"here again")
    (chunk,) = items(source, Chunk)
    assert isinstance(chunk, Chunk)
    assert chunk.data.startswith(b"h")
    assert not failures
    source.close()
    device.close()


def test_however_much_waits_no_chunk_is_longer_than_a_recording_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server of RFC 2217 may send all at once what came while the network was down."""

    class Crowded:
        in_waiting = 50_000

        def read(self, size: int) -> bytes:
            return bytes(size)

        def close(self) -> None:
            pass

    monkeypatch.setattr(serial_port, "_open", lambda url, baud: Crowded())
    source = SerialSource("crowded", 115200)
    chunk = items(source, Chunk)[-1]
    source.close()
    assert isinstance(chunk, Chunk)
    assert len(chunk.data) == MAX_PAYLOAD


def test_bytes_that_came_before_the_port_was_lost_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dying:
        def read(self, size: int) -> bytes:
            return b"last words"

        @property
        def in_waiting(self) -> int:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            raise termios.error(5, "Input/output error")

    monkeypatch.setattr("serial.serial_for_url", lambda *_, **__: Dying())
    source = SerialSource("/dev/ttyUSB0", 115200)
    opened, chunk, lost = items(source, PortLost)
    source.close()
    assert isinstance(opened, PortOpened)
    assert isinstance(chunk, Chunk)
    assert chunk.data == b"last words"
    assert isinstance(lost, PortLost)
    assert lost.detail == "Input/output error"


def test_what_waited_while_the_computer_slept_is_not_taken_for_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep_ns = 10**15  # it also slept before
    monkeypatch.setattr("edgehip.sources.sleep._slept_ns", lambda: asleep_ns)
    device = PtyDevice(tmp_path)
    source = SerialSource(str(device.port), 115200)
    items(source, PortOpened)
    device.write(b"before")
    taken = b""
    while taken != b"before":
        (chunk,) = items(source, Chunk)
        assert isinstance(chunk, Chunk)
        taken += chunk.data
    asleep_ns += 12 * 10**9
    device.write(b"old")
    (lost,) = items(source, PortLost)
    assert isinstance(lost, PortLost)
    assert lost.detail == "this computer slept for 12.0 s"
    items(source, PortOpened)
    device.write(b"new")
    taken = b""
    while taken != b"new":
        (chunk,) = items(source, Chunk)
        assert isinstance(chunk, Chunk)
        taken += chunk.data
        assert b"new".startswith(taken)
    source.close()
    device.close()


def test_each_sleep_is_told_once_and_a_reading_that_was_interrupted_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asleep_s = iter([5.0, 4.0, 5.0, 5.1, 8.1, 8.1, 7.0, 8.1])
    monkeypatch.setattr("edgehip.sources.sleep._slept_ns", lambda: round(next(asleep_s) * 1e9))
    watch = SleepWatch()
    assert [watch.slept_s() for _ in range(7)] == [0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]


class Usb:
    """A board on which ports come and go: pySerial lists them, and opens what is listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **numbers: str | None) -> None:
        self.numbers = numbers
        self.opened: list[str] = []
        monkeypatch.setattr("serial.serial_for_url", self._open)
        monkeypatch.setattr("serial.tools.list_ports.comports", self._comports)
        monkeypatch.setattr(serial_port, "REOPEN_EVERY_S", 0.01)

    def _comports(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(device=d, serial_number=n) for d, n in self.numbers.items()]

    def _open(self, url: str, **_: Any) -> "UsbPort":
        if url not in self.numbers:
            raise FileNotFoundError(2, "No such file or directory")
        self.opened.append(url)
        return UsbPort(self, url, self.numbers[url])


@dataclass
class UsbPort:
    usb: Usb
    name: str
    number: str | None
    in_waiting = 0

    def read(self, _: int) -> bytes:
        if self.usb.numbers.get(self.name, "gone") != self.number:
            raise OSError(5, "Input/output error")
        time.sleep(0.001)
        return b""

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("before", "meanwhile", "after", "found"),
    [
        ({"USB0": "A1"}, {}, {"USB0": "A1"}, "USB0"),
        ({"USB0": "A1"}, {}, {"USB1": "A1"}, "USB1"),
        # Another device has got its name meanwhile.
        ({"USB0": "A1"}, {"USB0": "B2"}, {"USB0": "B2", "USB1": "A1"}, "USB1"),
        ({"USB0": "A1"}, {"USB0": None}, {"USB0": "A1"}, "USB0"),
        # Adapters of one make may all have the same number.
        ({"USB0": "0001", "USB1": "0001"}, {"USB0": "0001"}, None, "USB1"),
        ({"USB0": "0001", "USB1": "0001"}, {"USB0": "0001", "USB2": "0001"}, None, "USB1"),
        ({"USB1": "0001"}, {"USB0": "0001", "USB2": "0001"}, None, "USB1"),
        ({"USB0": None, "USB1": None}, {"USB0": None}, None, "USB1"),
    ],
)
def test_the_device_that_comes_back_is_the_one_that_went(
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, str | None],
    meanwhile: dict[str, str | None],
    after: dict[str, str | None] | None,
    found: str,
) -> None:
    usb = Usb(monkeypatch, **before)
    name = list(before)[-1]
    source = SerialSource(name, 115200)
    usb.numbers = meanwhile
    items(source, PortLost)
    time.sleep(0.1)  # whatever else is there is not taken
    assert usb.opened == [name]
    usb.numbers = after or before
    opened = items(source, PortOpened)[-1]
    source.close()
    assert isinstance(opened, PortOpened)
    assert opened.detail == found
    assert usb.opened == [name, found]
