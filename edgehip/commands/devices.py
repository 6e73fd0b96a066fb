"""``edgehip devices``: what could be streamed from."""

from typing import Final

import click
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from edgehip.errors import MissingExtraError, SourceError

SCAN_S: Final = 3.0


@click.command()
@click.option("--ble/--no-ble", default=True, help="Look for Bluetooth devices as well (3 s).")
def devices(ble: bool) -> None:
    """List the serial ports and Bluetooth devices, with what is known of them."""
    ports = sorted(list_ports.comports(), key=lambda port: port.device)
    found = [_line(port) for port in ports]
    for line in found:
        click.echo(line)
    if ble:
        around = _bluetooth()
        for line in around:
            click.echo(line)
        found += around
    if not found:
        click.echo(
            "no device found; connect one, or try 'edgehip stream --port synthetic:'", err=True
        )


def _line(port: ListPortInfo) -> str:
    known = [port.description or "", port.manufacturer or ""]
    if port.vid is not None:
        known.append(f"USB {port.vid:04x}:{port.pid:04x}")
    if port.serial_number:
        known.append(f"serial {port.serial_number}")
    facts = ", ".join(dict.fromkeys(fact for fact in known if fact not in ("", "n/a")))
    return f"{port.device}  {facts or 'nothing known'}"


def _bluetooth() -> list[str]:
    """Return a line for each device that offers a UART; why there can be none is told aside."""
    try:
        from edgehip.sources.ble import scan

        seen = scan(SCAN_S)
    except MissingExtraError:
        return []  # whoever has not installed it does not ask for it
    except SourceError as error:
        click.echo(f"Bluetooth was not searched: {str(error).removeprefix('ble://: ')}", err=True)
        return []
    return [
        f"{one.url}  {one.name}, "
        + ("connected already" if one.rssi_dbm is None else f"{one.rssi_dbm} dBm")
        for one in seen
    ]
