"""Builds the example firmware for boards that can be emulated here."""

from pathlib import Path
from typing import Final, Literal, get_args

from edgehip_firmware_bridge.toolchain import (
    ARDUINO,
    CORTEX_M,
    CORTEX_M4,
    EMULATORS,
    LIBRARY,
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


def qemu(program: Path, serial: str) -> list[str]:
    """Return the command that runs a Cortex-M4's program, its UART there where QEMU is told."""
    machine = "qemu-system-arm -M mps2-an386 -display none -monitor none"
    return [*machine.split(), "-serial", serial, "-kernel", str(program)]


def qemu_without_waiting(program: Path) -> list[str]:
    """Return the command that runs a Cortex-M4's program by a clock of its own, its UART on stdio.

    An instruction takes 64 ns of that clock and waiting takes none of ours, so what happens is the
    same each time, whatever else this machine does.
    """
    return [*qemu(program, "stdio"), "-icount", "shift=6,sleep=off"]


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
