"""Devices without hardware: builds the example firmware and runs it in an emulator, at real pace.

``python -m edgehip_firmware_bridge.emulate cortex-m`` (or ``avr``) prints the name of a port that
``edgehip stream --port`` opens like any other, and emulates until it is interrupted. With
``--stream`` it starts that as well, and estimates come out.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, get_args

from edgehip.errors import EdgehipError
from edgehip_firmware_bridge.toolchain import (
    ARDUINO,
    BUILD,
    CORTEX_M,
    CORTEX_M4,
    EMULATORS,
    LIBRARY,
    ToolchainError,
    compile_c,
    missing,
    require,
    run,
)

Board = Literal["cortex-m", "avr"]
BOARDS: Final[tuple[Board, ...]] = get_args(Board)
TOOLS: Final[dict[Board, tuple[str, ...]]] = {
    "cortex-m": ("arm-none-eabi-gcc", "qemu-system-arm"),
    "avr": ("gcc", "avr-gcc", "avr-g++", "arduino-core-avr", "libsimavr-dev"),
}
"""What each board needs (see :data:`edgehip_firmware_bridge.toolchain.PROGRAMS`)."""

# Those of Arduino's own platform.txt; DECIMAL_DIG is missing in the header of Debian's compiler.
AVR: Final = (
    *("-mmcu=atmega328p", "-DF_CPU=16000000L", "-DARDUINO=10819", "-DARDUINO_AVR_UNO"),
    *("-DARDUINO_ARCH_AVR", "-DDECIMAL_DIG=__DECIMAL_DIG__", "-Os", "-flto"),
    *("-ffunction-sections", "-fdata-sections"),
    *(f"-I{ARDUINO / folder}" for folder in ("cores/arduino", "variants/standard")),
)
AVR_CPP: Final = ("-std=gnu++11", "-fno-exceptions", "-fno-threadsafe-statics")
"""C++ as Arduino compiles it."""


def unavailable(board: Board) -> str | None:
    """Return one line about what this board needs and is not installed, or None."""
    return missing(*TOOLS[board])


def build_cortex_m(folder: Path) -> Path:
    """Build the bare-metal walker; return its ELF file."""
    sources = [LIBRARY / "edgehip_wire.c", CORTEX_M / "startup.c", CORTEX_M / "main.c"]
    program = folder / "cortex_m_walker.elf"
    return compile_c("arm-none-eabi-gcc", sources, program, [*CORTEX_M4, "-O2"])


def build_sketch(name: str, folder: Path) -> Path:
    """Build an example of the Arduino library for an Uno; return its ELF file."""
    require(*TOOLS["avr"])
    core = sorted((ARDUINO / "cores" / "arduino").iterdir())
    library = LIBRARY.parent / "arduino" / "EdgeHip"
    objects = folder / f"avr_{name}"
    objects.mkdir(parents=True, exist_ok=True)
    include = f"-I{library / 'src'}"
    strict = ("-Wall", "-Wextra", "-Werror")

    def compile_one(source: Path, *flags: str) -> Path:
        compiler = "avr-gcc" if source.suffix in (".c", ".S") else "avr-g++"
        cpp = () if compiler == "avr-gcc" else AVR_CPP
        made = objects / f"{source.name}.o"
        run([compiler, *AVR, *cpp, include, *flags, "-c", source, "-o", made])
        return made

    made = [compile_one(s, "-w") for s in core if s.suffix in (".c", ".S", ".cpp")]
    made += [compile_one(library / "src" / "edgehip_wire.c", "-std=c99", *strict)]
    made += [compile_one(library / "src" / "EdgeHip.cpp", *strict)]
    sketch = library / "examples" / name / f"{name}.ino"
    made += [compile_one(sketch, *strict, "-x", "c++", "-include", "Arduino.h")]
    program = folder / f"avr_{name}.elf"
    run(["avr-gcc", *AVR, "-fuse-linker-plugin", "-Wl,--gc-sections", *made, "-o", program])
    return program


def build_avr_host(folder: Path) -> Path:
    """Build the program that runs an Uno's program in simavr."""
    require(*TOOLS["avr"])
    host = folder / "avr_host"
    flags = ("-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O2")
    folder.mkdir(parents=True, exist_ok=True)
    run(["gcc", *flags, EMULATORS / "avr_host.c", "-o", host, "-lsimavr"])
    return host


def emulator_command(board: Board, folder: Path = BUILD) -> list[str | Path]:
    """Build what a board needs; return the command for :class:`Emulator`.

    Raises
    ------
    ToolchainError
        If a tool is missing or the firmware does not compile.
    """
    require(*TOOLS[board])
    match board:
        case "cortex-m":
            qemu = "qemu-system-arm -M mps2-an386 -display none -monitor none -serial pty -kernel"
            return [*qemu.split(), build_cortex_m(folder)]
        case "avr":
            return [build_avr_host(folder), build_sketch("Walker", folder)]


class Emulator:
    """A device being emulated; leave the context (or call :meth:`close`) to end it.

    Parameters
    ----------
    command
        Runs the emulator; the first name of a device file it prints is the port.

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
        self.port = self._read_port()
        """The device's serial port, a pseudo-terminal: ``/dev/pts/N``."""

    def _read_port(self) -> str:
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.search(r"/dev/[\w/]+", line):
                return found[0]
        self.close()
        raise ToolchainError(f"the emulator did not start: {said.strip() or 'it said nothing'}")

    def close(self) -> None:
        """Switch the device off."""
        self.process.terminate()
        self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def emulate(board: Board, port_file: Path | None = None, stream: bool = False) -> int:
    """Emulate a board until this program is interrupted; return its exit status.

    Parameters
    ----------
    board
        Which one.
    port_file
        Gets the port's name as soon as there is one, and is removed at the end.
    stream
        Run ``edgehip stream`` on the port, and end with it.

    Raises
    ------
    ToolchainError
        If the board cannot be built or started.
    """
    with Emulator(emulator_command(board)) as emulator, contextlib.ExitStack() as stack:
        if port_file is not None:
            unfinished = port_file.with_name(port_file.name + ".new")
            unfinished.write_text(emulator.port + "\n")
            os.replace(unfinished, port_file)
            stack.callback(port_file.unlink, missing_ok=True)
        if stream:
            return _stream(emulator.port)
        print(emulator.port, flush=True)
        print(f"edgehip stream --port {emulator.port}    (Ctrl-C ends it)", file=sys.stderr)
        # A terminated program must not leave its emulator behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            emulator.process.wait()
            print("the emulator ended by itself", file=sys.stderr)
            return 1
        return 0


def _stream(port: str) -> int:
    command = [sys.executable, "-m", "edgehip", "stream", "--port", port]
    with subprocess.Popen(command) as streaming:
        # Ctrl-C reaches both programs: the other one ends, with its summary, and so does this.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: streaming.send_signal(signal.SIGINT))
        return streaming.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build and emulate a device.")
    parser.add_argument("board", choices=BOARDS)
    parser.add_argument("--port-file", type=Path, help="write the port's name to this file")
    parser.add_argument("--stream", action="store_true", help="run edgehip stream on the port")
    given = parser.parse_args(arguments)
    try:
        raise SystemExit(emulate(given.board, given.port_file, given.stream))
    except EdgehipError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
