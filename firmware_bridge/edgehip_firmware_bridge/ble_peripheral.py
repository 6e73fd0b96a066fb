"""A Bluetooth Low Energy device, as Linux's Bluetooth service (BlueZ) shows it on D-Bus."""

from dataclasses import dataclass, field
from typing import Final

from dbus_fast import Variant

ADAPTER: Final = "/org/bluez/hci0"
UART: Final = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"
SIG: Final = "0000{}-0000-1000-8000-00805f9b34fb"


@dataclass
class Peripheral:
    """A device, and how it behaves.

    ``answers`` is whether its services are ever resolved, ``jammed`` whether what it notifies is
    lost. ``largest_payload`` is what really goes into one write or notification; ``claimed_mtu``
    may promise more. The client's writes gather in ``written``.
    """

    name: str
    address: str
    has_uart: bool = True
    answers: bool = True
    jammed: bool = False
    claimed_mtu: int = 247
    largest_payload: int = 244
    battery_percent: int | None = 83
    visible: bool = True
    connected: bool = False
    subscribed: bool = False
    connections: int = 0
    written: bytearray = field(default_factory=bytearray)

    @property
    def path(self) -> str:
        """The device's object."""
        return f"{ADAPTER}/dev_{self.address.replace(':', '_')}"

    @property
    def uuids(self) -> list[str]:
        """The services it advertises."""
        return [UART.format(1)] if self.has_uart else [SIG.format("180a")]

    def device(self) -> dict[str, Variant]:
        """Return the properties of ``org.bluez.Device1``."""
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
        """Return services and characteristics by path, as BlueZ shows them once resolved."""
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
        """Return what the readable characteristics hold, by path."""
        return {
            f"{self.path}/service0010/char0011": b"Acme\n",
            f"{self.path}/service0010/char0013": b"1.4.2",
            f"{self.path}/service0020/char0021": bytes([self.battery_percent or 0]),
        }

    @property
    def transmit_path(self) -> str:
        """The characteristic that notifies what the device sends."""
        return f"{self.path}/service000a/char000b"
