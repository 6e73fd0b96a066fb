"""BlueZ's objects on a private D-Bus, so that the real bleak client can be tested without a radio.

A :class:`SimulatedBluez` owns ``org.bluez`` on a bus of its own, in a thread of its own, and has
peripherals that a test makes speak, fall silent, vanish and lie.
"""

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

needs_dbus_daemon = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None,
    reason="needs dbus-daemon (Debian package dbus) for a private bus",
)

ADAPTER = "/org/bluez/hci0"
UART = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"
SIG = "0000{}-0000-1000-8000-00805f9b34fb"
BURST = 50
"""Signals sent in one go; far more overflow a bus connection."""

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:tmpdir={folder}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_type="method_call"/> <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/> <allow receive_type="signal"/>
    <allow receive_type="method_return"/> <allow receive_type="error"/>
    {more}
  </policy>
</busconfig>
"""
NO_PERMISSION = '<deny send_destination="org.bluez"/>'


@contextmanager
def private_bus(folder: Path, policy: str = "") -> Iterator[str]:
    """Run a system bus of its own; give its address."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(folder=folder, more=policy))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"]
    with subprocess.Popen(
        [*command, "--print-address=1"], stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


@dataclass
class Peripheral:
    """A device, and how it behaves."""

    name: str
    address: str
    has_uart: bool = True
    answers: bool = True
    """Whether its services are ever resolved."""
    claimed_mtu: int = 247
    largest_write: int = 244
    """What it really takes in one write."""
    battery_percent: int | None = 83
    visible: bool = True
    connected: bool = False
    subscribed: bool = False
    connections: int = 0
    written: bytearray = field(default_factory=bytearray)

    @property
    def path(self) -> str:
        return f"{ADAPTER}/dev_{self.address.replace(':', '_')}"

    @property
    def uuids(self) -> list[str]:
        return [UART.format(1)] if self.has_uart else [SIG.format("180a")]

    def device(self) -> dict[str, Variant]:
        return {
            "Address": Variant("s", self.address),
            "Alias": Variant("s", self.name),
            "Name": Variant("s", self.name),
            "Adapter": Variant("o", ADAPTER),
            "Connected": Variant("b", self.connected),
            "ServicesResolved": Variant("b", False),
            "UUIDs": Variant("as", self.uuids),
            "RSSI": Variant("n", -50),
        }

    def gatt(self) -> dict[str, dict[str, dict[str, Variant]]]:
        """Services and characteristics by path, as BlueZ shows them once they are resolved."""
        objects: dict[str, dict[str, dict[str, Variant]]] = {}

        def service(number: str, uuid: str) -> str:
            path = f"{self.path}/service{number}"
            properties = {"UUID": Variant("s", uuid), "Device": Variant("o", self.path)}
            objects[path] = {"org.bluez.GattService1": properties}
            return path

        def characteristic(parent: str, number: str, uuid: str, *flags: str) -> None:
            properties = {
                "UUID": Variant("s", uuid),
                "Service": Variant("o", parent),
                "Flags": Variant("as", list(flags)),
                "MTU": Variant("q", self.claimed_mtu),
            }
            objects[f"{parent}/char{number}"] = {"org.bluez.GattCharacteristic1": properties}

        if self.has_uart:
            uart = service("000a", UART.format(1))
            characteristic(uart, "000b", UART.format(3), "notify")
            characteristic(uart, "000d", UART.format(2), "write", "write-without-response")
        about = service("0010", SIG.format("180a"))
        characteristic(about, "0011", SIG.format("2a29"), "read")
        characteristic(about, "0013", SIG.format("2a26"), "read")
        if self.battery_percent is not None:
            battery = service("0020", SIG.format("180f"))
            characteristic(battery, "0021", SIG.format("2a19"), "read")
        return objects

    def values(self) -> dict[str, bytes]:
        """What the readable characteristics hold."""
        return {
            f"{self.path}/service0010/char0011": b"Acme\n",
            f"{self.path}/service0010/char0013": b"1.4.2",
            f"{self.path}/service0020/char0021": bytes([self.battery_percent or 0]),
        }

    @property
    def transmit_path(self) -> str:
        return f"{self.path}/service000a/char000b"


class SimulatedBluez:
    """``org.bluez``: an adapter and peripherals. Its public methods may be called from anywhere."""

    def __init__(
        self,
        address: str,
        peripherals: list[Peripheral],
        *,
        powered: bool = True,
        adapter: bool = True,
    ) -> None:
        self.peripherals = peripherals
        self.powered = powered
        self.has_adapter = adapter
        self._address = address
        self.frozen = False
        """Whether it answers nobody any more."""
        self._discovering = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> "SimulatedBluez":
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What a test can do to it

    def notify(self, peripheral: Peripheral, pieces: list[bytes]) -> None:
        """Let a peripheral send notifications, in bursts as fast as they go."""
        self._do(self._notify(peripheral, pieces))

    def drop(self, peripheral: Peripheral) -> None:
        """Let a peripheral go out of reach."""
        self._do(self._drop(peripheral))

    def restart(self) -> None:
        """Restart bluetoothd: it forgets connections and subscriptions, and tells nobody."""
        self._do(self._stop())
        for peripheral in self.peripherals:
            peripheral.connected = peripheral.subscribed = False
        self._do(self._start())

    def stop(self) -> None:
        """Stop bluetoothd."""
        self._do(self._stop())

    def switch(self, on: bool) -> None:
        """Switch the adapter on or off; off drops every connection."""

        async def switch() -> None:
            for peripheral in self.peripherals:
                if not on and peripheral.connected:
                    await self._drop(peripheral)
            self.powered = on
            await self._change(ADAPTER, "org.bluez.Adapter1", {"Powered": Variant("b", on)})

        self._do(switch())

    # The D-Bus side

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _start(self) -> None:
        self._objects = {}
        if self.has_adapter:
            properties = {
                "Address": Variant("s", "00:00:00:00:00:01"),
                "Powered": Variant("b", self.powered),
                "Roles": Variant("as", ["central", "peripheral"]),
            }
            self._objects[ADAPTER] = {"org.bluez.Adapter1": properties}
        for peripheral in self.peripherals:
            if peripheral.connected:
                resolved = {"ServicesResolved": Variant("b", True)}
                interfaces = {"org.bluez.Device1": peripheral.device() | resolved}
                self._objects |= {peripheral.path: interfaces} | peripheral.gatt()
        self._bus = MessageBus(self._address, BusType.SYSTEM, negotiate_unix_fd=True)
        await self._bus.connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.request_name("org.bluez")

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._discovering = False
        if self._bus.connected:
            self._bus.disconnect()
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def _handle(self, message: Message) -> Message | bool:
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        if self.frozen:
            return True
        method = getattr(self, f"_call_{message.member}", None)
        if method is None:
            return False
        reply: Message | bool = method(message)
        return reply

    def _call_GetManagedObjects(self, message: Message) -> Message:  # noqa: N802
        return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects])

    def _call_SetDiscoveryFilter(self, message: Message) -> Message:  # noqa: N802
        return Message.new_method_return(message)

    def _call_StartDiscovery(self, message: Message) -> Message:  # noqa: N802
        if not self.powered:
            return Message.new_error(message, "org.bluez.Error.NotReady", "Resource Not Ready")
        self._discovering = True
        self._later(self._advertise)
        return Message.new_method_return(message)

    def _call_StopDiscovery(self, message: Message) -> Message:  # noqa: N802
        self._discovering = False
        return Message.new_method_return(message)

    def _call_Connect(self, message: Message) -> Message | bool:  # noqa: N802
        peripheral = self._peripheral(message)
        if not peripheral.visible:
            return True  # no answer

        async def connect() -> None:
            peripheral.connected = True
            peripheral.connections += 1
            await self._change_device(peripheral, Connected=True)
            await self._bus.send(Message.new_method_return(message))
            if peripheral.answers:
                for path, interfaces in peripheral.gatt().items():
                    await self._add(path, interfaces)
                await self._change_device(peripheral, ServicesResolved=True)

        self._later(connect)
        return True

    def _call_Disconnect(self, message: Message) -> Message:  # noqa: N802
        self._later(lambda: self._drop(self._peripheral(message)))
        return Message.new_method_return(message)

    def _call_StartNotify(self, message: Message) -> Message:  # noqa: N802
        self._peripheral(message).subscribed = True
        return Message.new_method_return(message)

    def _call_ReadValue(self, message: Message) -> Message:  # noqa: N802
        value = self._peripheral(message).values()[str(message.path)]
        return Message.new_method_return(message, "ay", [value])

    def _call_WriteValue(self, message: Message) -> Message:  # noqa: N802
        peripheral, value = self._peripheral(message), message.body[0]
        if not peripheral.connected:
            return Message.new_error(message, "org.bluez.Error.Failed", "Not connected")
        if len(value) > peripheral.largest_write:
            return Message.new_error(message, "org.bluez.Error.InvalidArguments", "Invalid Length")
        peripheral.written += value
        return Message.new_method_return(message)

    def _peripheral(self, message: Message) -> Peripheral:
        path = str(message.path)
        return next(p for p in self.peripherals if path.startswith(p.path))

    def _later(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._loop.create_task(make())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _advertise(self) -> None:
        while self._discovering and self._bus.connected:
            for peripheral in self.peripherals:
                if not peripheral.visible or peripheral.connected:
                    continue
                if peripheral.path in self._objects:
                    await self._change_device(peripheral, RSSI=-50)
                else:
                    await self._add(peripheral.path, {"org.bluez.Device1": peripheral.device()})
            await asyncio.sleep(0.05)

    async def _notify(self, peripheral: Peripheral, pieces: list[bytes]) -> None:
        for i, piece in enumerate(pieces):
            if peripheral.subscribed:
                value = {"Value": Variant("ay", piece)}
                await self._change(peripheral.transmit_path, "org.bluez.GattCharacteristic1", value)
            if i % BURST == BURST - 1 or i == len(pieces) - 1:
                await self._flush()

    async def _flush(self) -> None:
        """Wait until the bus has taken everything: it answers in order."""
        ping = Message("org.freedesktop.DBus", "/", "org.freedesktop.DBus.Peer", "Ping")
        await self._bus.call(ping)

    async def _drop(self, peripheral: Peripheral) -> None:
        peripheral.connected = peripheral.subscribed = False
        await self._change_device(peripheral, ServicesResolved=False, Connected=False)
        for path, interfaces in peripheral.gatt().items():
            if self._objects.pop(path, None) is not None:
                body = [path, list(interfaces)]
                await self._signal("/", "InterfacesRemoved", "oas", body)

    async def _add(self, path: str, interfaces: dict[str, dict[str, Variant]]) -> None:
        self._objects[path] = interfaces
        await self._signal("/", "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    async def _change_device(self, peripheral: Peripheral, **properties: bool | int) -> None:
        kinds = {"RSSI": "n"}
        values = {name: Variant(kinds.get(name, "b"), v) for name, v in properties.items()}
        await self._change(peripheral.path, "org.bluez.Device1", values)

    async def _change(self, path: str, interface: str, values: dict[str, Variant]) -> None:
        self._objects.setdefault(path, {}).setdefault(interface, {}).update(values)
        await self._signal(path, "PropertiesChanged", "sa{sv}as", [interface, values, []])

    async def _signal(self, path: str, member: str, signature: str, body: list[Any]) -> None:
        interface = (
            "org.freedesktop.DBus.Properties"
            if member == "PropertiesChanged"
            else "org.freedesktop.DBus.ObjectManager"
        )
        await self._bus.send(Message.new_signal(path, interface, member, signature, body))
