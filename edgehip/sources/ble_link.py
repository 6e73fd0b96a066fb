"""One connection to one Bluetooth Low Energy device that offers the Nordic UART Service.

Everything here runs in an event loop; :mod:`edgehip.sources.ble` gives it one in a thread.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from edgehip.errors import SourceError
from edgehip.sources.ble_errors import explain
from edgehip.sources.sleep import SleepWatch

# Nordic UART Service: bytes either way, named from the device's side.
UART_SERVICE: Final = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
UART_RX: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
UART_TX: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

# Bluetooth SIG, Assigned Numbers: Battery Service and Device Information Service.
BATTERY_LEVEL: Final = "00002a19-0000-1000-8000-00805f9b34fb"
MANUFACTURER: Final = "00002a29-0000-1000-8000-00805f9b34fb"
MODEL: Final = "00002a24-0000-1000-8000-00805f9b34fb"
FIRMWARE: Final = "00002a26-0000-1000-8000-00805f9b34fb"

SMALLEST_WRITE: Final = 20
"""What every link takes in one write: the smallest ATT MTU (23) less its header."""
WRITE_BACKLOG: Final = 4
"""Writes that may wait for the radio: what is more urgent waits behind them."""
WRITE_WITHIN_S: Final = 0.25
"""For so long a write waits for its place among them."""
SERVICE_S: Final = 5.0
ABOUT_S: Final = 2.0
DRAIN_S: Final = 0.2
"""How long closing lets what waits for the radio go out: the last of it switches cues off."""
CLOSE_S: Final = 2.0

for _library in ("bleak", "dbus_fast"):
    # What they would print on a terminal reaches the user as PortLost or as an error.
    logging.getLogger(_library).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in seconds.

    ``silence_s``: a device that sent and then fell silent is connected anew, because a Bluetooth
    service that is restarted forgets its connections without a word.
    """

    find_s: float = 10.0
    only_one_s: float = 4.0
    service_s: float = SERVICE_S
    connect_s: float = 20.0
    silence_s: float = 3.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Which device is meant: by address, by name, or the only one there (neither)."""

    name: str = ""
    address: str = ""

    @property
    def is_anyone(self) -> bool:
        """Whether the only device there is meant."""
        return not (self.name or self.address)

    def is_met_by(self, device: BLEDevice, advertisement: AdvertisementData | None = None) -> bool:
        """Say whether this is the device that is meant by name or address."""
        if self.address:
            return device.address.upper() == self.address
        names = {device.name, advertisement.local_name if advertisement else None}
        return bool(self.name) and self.name in names

    def __str__(self) -> str:
        return self.address or self.name


def printable(text: str) -> str:
    """Return a stranger's text without what would do things to a terminal."""
    return "".join(c for c in text if c.isprintable()).strip()


def name_of(device: BLEDevice) -> str:
    """Return a device's name for people."""
    return printable(device.name or "") or "nameless"


@dataclass(frozen=True, slots=True)
class Seen:
    """A device, and how strongly it was received (None if it is connected and silent)."""

    device: BLEDevice
    rssi_dbm: int | None


async def look(
    target: Target, timeout_s: float, service_s: float = SERVICE_S
) -> tuple[BLEDevice | None, list[Seen]]:
    """Look around until the target is there, and for at most ``timeout_s``.

    Parameters
    ----------
    target
        The device that is meant; every device is looked at if it is no particular one.
    timeout_s
        How long to look.
    service_s
        How much longer than that the Bluetooth service may take.

    Returns
    -------
    device
        The target; None if it was not seen, or is no particular device.
    seen
        The devices with a UART service that were seen on the way.

    Raises
    ------
    SourceError
        If the Bluetooth service does not answer.
    BleakError, OSError
        If Bluetooth cannot be used.
    """
    try:
        async with asyncio.timeout(timeout_s + service_s):
            return await _look(target, timeout_s)
    except TimeoutError as error:
        raise SourceError(
            "the Bluetooth service does not answer; 'sudo systemctl restart bluetooth'"
        ) from error


async def _look(target: Target, timeout_s: float) -> tuple[BLEDevice | None, list[Seen]]:
    seen: dict[str, Seen] = {}
    async with BleakScanner() as scanner:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async for device, advertisement in scanner.advertisement_data():
                    if UART_SERVICE in advertisement.service_uuids:
                        seen[device.address] = Seen(device, advertisement.rssi)
                    if target.is_met_by(device, advertisement):
                        return device, list(seen.values())
    # A device that is still connected, to a program that crashed say, does not advertise.
    adapter = await BleakAdapter.get()
    for device in await adapter.get_connected_devices([UART_SERVICE]):
        if target.is_met_by(device):
            return device, list(seen.values())
        seen.setdefault(device.address, Seen(device, None))
    return None, list(seen.values())


async def find_device(target: Target, timing: Timing) -> BLEDevice:
    """Return the device that is meant.

    Raises
    ------
    SourceError
        If it is not there, or if "the only one" is none or several.
    BleakError, OSError
        If Bluetooth cannot be used.
    """
    timeout_s = timing.only_one_s if target.is_anyone else timing.find_s
    device, seen = await look(target, timeout_s, timing.service_s)
    if device is not None:
        return device
    if target.is_anyone and len(seen) == 1:
        return seen[0].device
    if target.is_anyone and seen:
        problem = "several devices are there"
    else:
        problem = f"no device {target} was seen in {timeout_s:g} s".replace("  ", " ")
    there = ", ".join(f"{name_of(s.device)} ({s.device.address})" for s in seen)
    raise SourceError(
        f"{problem}; " + (f"there are: {there}" if there else "switch it on and move closer")
    )


class Link:
    """One connection, from connecting until it is lost.

    Parameters
    ----------
    device
        As found.
    on_bytes
        Called with what the device sent, whenever it sent something.
    silence_s
        See :class:`Timing`.
    """

    def __init__(
        self, device: BLEDevice, on_bytes: Callable[[bytes], None], silence_s: float
    ) -> None:
        self.name = name_of(device)
        self.about = self.name
        self._on_bytes = on_bytes
        self._silence_s = silence_s
        self._client = BleakClient(device, disconnected_callback=self._disconnected)
        self._last_s: float | None = None
        self._sleep = SleepWatch()
        self._reason = ""
        self._lost = asyncio.Event()
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(WRITE_BACKLOG)
        self._writer: asyncio.Task[None] | None = None
        self._largest_write = SMALLEST_WRITE

    async def connect(self) -> None:
        """Connect, and learn what the device says about itself.

        Raises
        ------
        SourceError
            If the device has no UART service.
        BleakError, OSError
            If it cannot be connected.
        """
        await self._client.connect()
        if self._client.services.get_characteristic(UART_TX) is None:
            raise SourceError(
                f"{self.name} has no Nordic UART Service ({UART_SERVICE}); "
                "it is another kind of device, or its firmware is"
            )
        self.about = await self._read_about()

    async def subscribe(self) -> None:
        """Let the bytes come."""
        receive = self._client.services.get_characteristic(UART_RX)
        if receive is not None:
            self._largest_write = max(SMALLEST_WRITE, receive.max_write_without_response_size)
            self._writer = asyncio.create_task(self._write_all(receive))
        await self._client.start_notify(UART_TX, self._notified)

    def reserve(self) -> bool:
        """Wait for room for one :meth:`send`, in any other thread; return whether there is some."""
        return self._writer is not None and self._room.acquire(timeout=WRITE_WITHIN_S)

    def send(self, data: bytes) -> None:
        """Queue bytes for the device, once there is room."""
        self._outbox.put_nowait(data)

    async def lost(self) -> str:
        """Wait until the connection is lost; return why."""
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._silence_s / 4):
                    await self._lost.wait()
            if self._last_s is not None and time.monotonic() - self._last_s > self._silence_s:
                self._lose(f"{self.name} has fallen silent")
        return self._reason

    async def close(self) -> None:
        """Let what waits go out and disconnect; never raises, and never takes long."""
        if self._writer is not None:
            if not self._lost.is_set():
                await self._drain(self._writer)
            self._writer.cancel()
            await asyncio.wait({self._writer})
        # A Bluetooth service that is gone or stuck fails in ways bleak does not list.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                await self._client.disconnect()

    async def _drain(self, writer: asyncio.Task[None]) -> None:
        drained = asyncio.create_task(self._outbox.join())
        one_of = {drained, writer}  # a writer that fails ends, and nothing more goes out
        await asyncio.wait(one_of, timeout=DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()

    def _lose(self, reason: str) -> None:
        if not self._lost.is_set():
            self._reason = reason
            self._lost.set()

    def _disconnected(self, _: BleakClient) -> None:
        self._lose(f"{self.name} disconnected")

    def _notified(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        self._last_s = time.monotonic()
        if slept_s := self._sleep.slept_s():  # nobody knows how old this is
            self._lose(f"this computer slept for {slept_s:.1f} s")
        if not self._lost.is_set():
            self._on_bytes(bytes(data))

    async def _write_all(self, receive: BleakGATTCharacteristic) -> None:
        with_response = "write-without-response" not in receive.properties
        while True:
            rest = await self._outbox.get()
            while rest:
                piece = rest[: self._largest_write]
                try:
                    await self._client.write_gatt_char(receive, piece, response=with_response)
                except BleakGATTProtocolError as error:
                    too_long = BleakGATTProtocolErrorCode.INVALID_ATTRIBUTE_VALUE_LENGTH
                    if error.code != too_long or self._largest_write == SMALLEST_WRITE:
                        return self._lose(explain(error))
                    self._largest_write = SMALLEST_WRITE  # it promised more than it takes
                except (BleakError, OSError, EOFError) as error:
                    return self._lose(explain(error))
                else:
                    rest = rest[len(piece) :]
            self._outbox.task_done()
            self._room.release()

    async def _read_about(self) -> str:
        """Return name, address, maker, firmware and battery, as far as the device tells them."""
        told = {uuid: await self._read(uuid) for uuid in (MANUFACTURER, MODEL, FIRMWARE)}
        battery = await self._read(BATTERY_LEVEL)
        parts = [f"{self.name} ({self._client.address})"]
        parts += [" ".join(filter(None, (_text(told[MANUFACTURER]), _text(told[MODEL]))))]
        parts += [f"firmware {_text(told[FIRMWARE])}" if told[FIRMWARE] else ""]
        parts += [f"battery {battery[0]} %" if battery else ""]
        return ", ".join(filter(None, parts))

    async def _read(self, uuid: str) -> bytes:
        """Return a characteristic's value, empty if there is none to be had."""
        characteristic = self._client.services.get_characteristic(uuid)
        if characteristic is not None and "read" in characteristic.properties:
            with contextlib.suppress(BleakError, TimeoutError):
                async with asyncio.timeout(ABOUT_S):
                    return bytes(await self._client.read_gatt_char(characteristic))
        return b""


def _text(raw: bytes) -> str:
    """Return what a device wrote about itself, fit for one line of a terminal."""
    return printable(raw.decode(errors="replace"))
