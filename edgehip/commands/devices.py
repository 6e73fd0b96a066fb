"""``edgehip devices``: what could be streamed from."""

import click
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo


@click.command()
def devices() -> None:
    """List the serial ports, with what is known of them."""
    ports = sorted(list_ports.comports(), key=lambda port: port.device)
    for port in ports:
        click.echo(_line(port))
    if not ports:
        click.echo(
            "no serial port found; connect a device, or try 'edgehip stream --port synthetic:'",
            err=True,
        )


def _line(port: ListPortInfo) -> str:
    known = [port.description or "", port.manufacturer or ""]
    if port.vid is not None:
        known.append(f"USB {port.vid:04x}:{port.pid:04x}")
    if port.serial_number:
        known.append(f"serial {port.serial_number}")
    facts = ", ".join(dict.fromkeys(fact for fact in known if fact not in ("", "n/a")))
    return f"{port.device}  {facts or 'nothing known'}"
