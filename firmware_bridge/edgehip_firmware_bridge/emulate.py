"""Devices without hardware: starts what emulates one, at real pace, and streams from it.

The command line is :mod:`edgehip.commands.emulate`.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, TracebackType
from typing import Final, Literal, Self, get_args

import click

from edgehip.errors import MissingExtraError
from edgehip.whole_file import write_file
from edgehip_firmware_bridge.boards import TOOLS, build_avr_host, build_cortex_m, build_sketch, qemu
from edgehip_firmware_bridge.toolchain import ToolchainError, missing, require

Device = Literal["cortex-m", "avr", "ble"]
DEVICES: Final[tuple[Device, ...]] = get_args(Device)
PATIENCE_S: Final = 5.0
"""How long an emulator may take to end."""


def emulator_command(device: Device, folder: Path) -> Sequence[str | Path]:
    """Build what a device needs in this folder; return the command for :class:`Emulator`.

    Raises
    ------
    ToolchainError
        If a tool is missing or the firmware does not compile.
    MissingExtraError
        If the Bluetooth library is missing.
    """
    match device:
        case "cortex-m":
            require(*TOOLS[device])
            return qemu(build_cortex_m(folder), "pty")
        case "avr":
            require(*TOOLS[device])
            return [build_avr_host(folder), build_sketch("Walker", folder)]
        case "ble":
            if why := missing("dbus-daemon"):
                raise ToolchainError(why)
            if find_spec("bleak") is None:
                raise MissingExtraError("bleak", "ble", "Bluetooth")
            return [sys.executable, "-m", "edgehip_firmware_bridge.ble_walker"]


class Emulator:
    """A device being emulated; leave the context (or call :meth:`close`) to end it.

    Parameters
    ----------
    command
        Runs the emulator. The first device file or ``ble://`` URL it prints is the port; what it
        prints before as ``NAME=VALUE`` is the environment that reaches it.

    Raises
    ------
    ToolchainError
        If the emulator does not start.
    """

    def __init__(self, command: Sequence[str | Path]) -> None:
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for the program that reads the port
        )
        self.environment: dict[str, str] = {}
        """Variables that a program which opens the port needs."""
        try:
            self.port = self._read_port()
            """A pseudo-terminal, ``/dev/pts/N``, or ``ble://NAME``."""
        except BaseException:  # Ctrl-C does not reach it, and nobody else has hold of it yet
            self.close()
            raise

    def _read_port(self) -> str:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if variable := re.fullmatch(r"([A-Z_]+)=(.+)\n", line):
                self.environment[variable[1]] = variable[2]
            elif port := re.search(r"/dev/[\w/]+|ble://[\w-]+", line):
                return port[0]
        raise ToolchainError(f"the emulator did not start: {said.strip() or 'it said nothing'}")

    def close(self) -> None:
        """Switch the device off, by force if it does not go by itself."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def emulate(
    device: Device,
    port_file: Path | None = None,
    stream: bool = False,
    options: Sequence[str] = (),
) -> int:
    """Emulate a device until this program is interrupted; return its exit status.

    Parameters
    ----------
    device
        Which one.
    port_file
        Gets the port's name as soon as there is one, then the environment it needs, a line
        ``NAME=VALUE`` each; it is removed at the end, or what it is a link to.
    stream
        Run ``edgehip stream`` on the port, and end with it.
    options
        For ``edgehip stream``; ``{port}`` in them becomes the port's name.

    Raises
    ------
    ToolchainError
        If the device cannot be built or started.
    MissingExtraError
        If the Bluetooth library is missing.
    """
    # A terminated program must not leave its emulator behind, nor one that is still starting.
    _when_ended(signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="edgehip-")))
        emulator = stack.enter_context(Emulator(emulator_command(device, folder)))
        port, environment = emulator.port, emulator.environment
        variables = [f"{name}={value}" for name, value in environment.items()]
        if port_file is not None:
            write_file(port_file, "\n".join([port, *variables, ""]).encode())
            stack.callback(_remove, port_file)
        if stream:
            given = [option.replace("{port}", port) for option in options]
            return _stream(port, environment, given)
        click.echo(port)
        command = shlex.join([*variables, "edgehip", "stream", "--port", port])
        click.echo(f"{command}    (Ctrl-C ends it)", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            emulator.process.wait()
            raise ToolchainError("the emulator ended by itself")
        return 0


def _stream(port: str, environment: dict[str, str], options: Sequence[str]) -> int:
    command = [sys.executable, "-m", "edgehip", "stream", "--port", port, *options]
    with subprocess.Popen(command, env=os.environ | environment) as streaming:
        # Ctrl-C reaches both programs: the other one ends, with its summary, and so does this.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _when_ended(lambda *_: streaming.terminate())
        return streaming.wait()


def _remove(port_file: Path) -> None:
    """Remove what was written of a port that is gone; a pipe or a device keeps nothing of it."""
    path = Path(os.path.realpath(port_file))
    if path.is_file():
        path.unlink(missing_ok=True)


def _when_ended(act: Callable[[int, FrameType | None], object]) -> None:
    """Call this when the program is terminated, or its terminal goes away."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, act)
