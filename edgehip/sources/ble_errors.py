"""What went wrong with Bluetooth, in one line that says how to mend it."""

from typing import Final

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakDBusError,
    BleakDeviceNotFoundError,
)
from bleak.exc import BleakBluetoothNotAvailableReason as Reason

from edgehip.errors import SourceError

NO_PERMISSION: Final = (
    "no permission to use Bluetooth; join its group ('sudo usermod -aG bluetooth $USER', log in)"
)
NO_SERVICE: Final = "the Bluetooth service is not running; 'sudo systemctl start bluetooth'"

_UNAVAILABLE: Final = {
    Reason.NO_BLUETOOTH: "this computer has no Bluetooth adapter; plug one in",
    Reason.NO_BLE_CENTRAL_ROLE: "the Bluetooth adapter cannot do Bluetooth Low Energy; use another",
    Reason.POWERED_OFF: "Bluetooth is switched off; 'bluetoothctl power on'",
    Reason.DENIED_BY_USER: NO_PERMISSION,
    Reason.DENIED_BY_SYSTEM: NO_PERMISSION,
    Reason.DENIED_BY_UNKNOWN: NO_PERMISSION,
}
_DBUS: Final = {
    "org.freedesktop.DBus.Error.AccessDenied": NO_PERMISSION,
    "org.freedesktop.DBus.Error.ServiceUnknown": NO_SERVICE,
    "org.freedesktop.DBus.Error.NameHasNoOwner": NO_SERVICE,
    "org.bluez.Error.NotReady": _UNAVAILABLE[Reason.POWERED_OFF],
    "org.bluez.Error.NotAuthorized": "the device wants to be paired; 'bluetoothctl pair ADDRESS'",
    "org.bluez.Error.NotPermitted": "the device wants to be paired; 'bluetoothctl pair ADDRESS'",
}


def explain(error: BaseException) -> str:
    """Return what an exception from bleak, or below it, means to a person."""
    match error:
        case SourceError():
            text = str(error)
        case BleakBluetoothNotAvailableError() if error.reason in _UNAVAILABLE:
            text = _UNAVAILABLE[error.reason]
        case BleakDBusError() if error.dbus_error in _DBUS:
            text = _DBUS[error.dbus_error]
        case BleakDeviceNotFoundError():
            text = "the device went out of sight while connecting; move closer and try again"
        case TimeoutError():
            text = "the device does not answer; move closer, charge it, or restart it"
        case FileNotFoundError() | ConnectionRefusedError():
            text = "no system bus, so no Bluetooth; install it ('sudo apt install dbus bluez')"
        case PermissionError():
            text = NO_PERMISSION
        case _:
            text = " ".join(str(error).split()) or type(error).__name__
    return text
