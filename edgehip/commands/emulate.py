"""``edgehip emulate``: a device without hardware."""

from pathlib import Path

import click

from edgehip.commands.paths import NamedPath
from edgehip_firmware_bridge import emulate as emulator


@click.command(
    epilog="\b\n"
    "edgehip emulate cortex-m --stream\n"
    "edgehip emulate avr --stream -- --send {port} --cue 'peak glmed_r > 5 N/kg'\n"
    "edgehip emulate ble --stream -- --duration 10"
)
@click.argument("device", type=click.Choice(emulator.DEVICES))
@click.option("--stream", is_flag=True, help="Run 'edgehip stream' on the device, and end with it.")
@click.option(
    "--port-file",
    type=NamedPath(dir_okay=False),
    metavar="FILE",
    help="Write the port's name to this file, and the environment that reaches it.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- STREAM OPTIONS]")
def emulate(
    device: emulator.Device, stream: bool, port_file: Path | None, options: tuple[str, ...]
) -> None:
    """Emulate a device that walks, until Ctrl-C.

    It is a Cortex-M4 in QEMU or an Arduino Uno in simavr, with the example firmware (built from
    edgehip's repository), or a Bluetooth Low Energy peripheral below the real Bluetooth client.
    Without --stream it says what opens it. Options for 'edgehip stream' follow two dashes; {port}
    in them stands for the device's port.
    """
    if options and not stream:
        raise click.UsageError(f"'{' '.join(options)}' is for 'edgehip stream': give --stream too")
    raise SystemExit(emulator.emulate(device, port_file, stream, options))
