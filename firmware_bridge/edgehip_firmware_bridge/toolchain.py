"""The compilers and emulators that are run here, and what to install when one is missing."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgehip.errors import EdgehipError
from edgehip_firmware_bridge.generate import ROOT

LIBRARY: Final = ROOT / "c"
CHECKS: Final = ROOT / "checks"
CORTEX_M: Final = ROOT / "firmware" / "cortex_m"
EMULATORS: Final = ROOT / "emulators"
ARDUINO: Final = Path("/usr/share/arduino/hardware/arduino/avr")

PROGRAMS: Final = {
    "gcc": "gcc",
    "clang": "clang libclang-rt-dev",
    "dbus-daemon": "dbus",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "avr-gcc": "gcc-avr avr-libc",
    "avr-g++": "gcc-avr avr-libc",
    "avr-size": "binutils-avr",
}
"""The Debian packages that bring each program."""
FILES: Final = {
    "arduino-core-avr": ARDUINO / "cores" / "arduino" / "Arduino.h",
    "libsimavr-dev": Path("/usr/include/simavr/sim_avr.h"),
}
"""A file by which each Debian package without programs is known."""

STRICT: Final = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
SANITIZE: Final = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CORTEX_M4: Final = (
    *("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    *("-ffreestanding", "-nostartfiles", "--specs=nano.specs"),
    *("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"),
    f"-Wl,-T,{CORTEX_M / 'mps2.ld'}",
)


class ToolchainError(EdgehipError):
    """A compiler or emulator is missing, or it refused its work."""


def missing(*tools: str) -> str | None:
    """Return one line about the first of these tools that is not installed, or None."""
    for tool in tools:
        if tool in FILES:
            if not FILES[tool].exists():
                return f"{FILES[tool]} is not there: apt install {tool}"
        elif shutil.which(tool) is None:
            return f"{tool} is not installed: apt install {PROGRAMS[tool]}"
    return None


def require(*tools: str) -> None:
    """Raise :class:`ToolchainError` unless these tools are installed and the sources are here.

    An installed edgehip brings this package but not the C sources beside it.
    """
    if (why := missing(*tools)) is not None:
        raise ToolchainError(why)
    if not LIBRARY.is_dir():
        raise ToolchainError(
            "the firmware's sources are not installed: it is built in a checkout of edgehip's "
            "repository, installed with 'pip install -e .'"
        )


def run(command: Sequence[str | Path], given: str = "") -> str:
    """Run a program to its end and return what it printed.

    Raises
    ------
    ToolchainError
        If it fails; the text has what it said.
    """
    done = subprocess.run(list(map(str, command)), input=given, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise ToolchainError(f"{command[0]} failed ({done.returncode}): {said}")
    return done.stdout


def compile_c(
    compiler: str, sources: Sequence[str | Path], program: Path, flags: Sequence[str | Path]
) -> Path:
    """Compile and link C sources; return the program's path."""
    require(compiler)
    program.parent.mkdir(parents=True, exist_ok=True)
    includes = [f"-I{folder}" for folder in (LIBRARY, CHECKS, CORTEX_M.parent, CORTEX_M)]
    run([compiler, *STRICT, *includes, *flags, *sources, "-o", program])
    return program
