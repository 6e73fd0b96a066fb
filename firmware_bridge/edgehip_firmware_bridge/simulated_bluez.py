"""BlueZ's objects on a private D-Bus, so that the real bleak client can be run without a radio.

A :class:`SimulatedBluez` owns ``org.bluez`` on a bus of its own, in a thread of its own, and has
peripherals that can be made to speak, fall silent, vanish and lie.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from edgehip_firmware_bridge.ble_peripheral import ADAPTER, Peripheral

BURST: Final = 50
"""Signals sent in one go; far more overflow a bus connection."""
CONNECTION_INTERVAL_S: Final = 0.045
"""How often a device may speak; a usual value of Linux and of telephones."""


class Firmware(Protocol):
    """A program for a peripheral."""

    def run(self, heard: bytes, now_s: float) -> bytes:
        """Return what the device has to send, given what it heard since the last time."""
        ...


class SimulatedBluez:
    """``org.bluez``: an adapter and peripherals. Its public methods may be called from any thread.

    Parameters
    ----------
    address
        Of the bus.
    peripherals
        The devices in reach.
    powered
        Whether the adapter is switched on.
    adapter
        Whether there is one.
    """

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
        self._unheard: list[Message] | None = None
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

    # What can be done to it

    def play(
        self, peripheral: Peripheral, firmware: Firmware, interval_s: float = CONNECTION_INTERVAL_S
    ) -> None:
        """Let a peripheral run a firmware, and send what that says at its connection events."""
        self._do(self._begin(peripheral, firmware, interval_s))

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

    def freeze(self) -> None:
        """Let bluetoothd hang: it answers nobody any more."""

        async def freeze() -> None:
            self._unheard = []

        self._do(freeze())

    def thaw(self) -> None:
        """Let it go on: the bus has kept what it was asked meanwhile, and it does that now."""

        async def thaw() -> None:
            unheard, self._unheard = self._unheard or [], None
            for message in unheard:
                if isinstance(reply := self._handle(message), Message):
                    await self._bus.send(reply)

        self._do(thaw())

    def switch(self, on: bool) -> None:
        """Switch the adapter on or off; off drops every connection."""

        async def switch() -> None:
            for peripheral in self.peripherals:
                if not on and peripheral.connected:
                    await self._drop(peripheral)
            self.powered = on
            await self._change(ADAPTER, "org.bluez.Adapter1", {"Powered": Variant("b", on)})

        self._do(switch())

    # The radio's side

    async def _begin(self, peripheral: Peripheral, firmware: Firmware, interval_s: float) -> None:
        self._later(lambda: self._live(peripheral, firmware, interval_s))

    async def _live(self, peripheral: Peripheral, firmware: Firmware, interval_s: float) -> None:
        due_s = time.monotonic()
        while True:
            due_s += interval_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            heard = bytes(peripheral.written)
            peripheral.written.clear()
            said, size = firmware.run(heard, time.monotonic()), peripheral.largest_payload
            await self._notify(peripheral, [said[i : i + size] for i in range(0, len(said), size)])

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
        if self._unheard is not None:
            self._unheard.append(message)
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
        if len(value) > peripheral.largest_payload:
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
            if peripheral.subscribed and not peripheral.jammed:
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
