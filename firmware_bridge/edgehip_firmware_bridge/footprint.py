"""Prints what the C library costs: flash, RAM, and the work of an angle frame.

``python -m edgehip_firmware_bridge.footprint``. On an emulated Cortex-M4 instructions are counted,
not cycles: a real one takes more of these for loads, branches and slow flash. On a simulated
ATmega328P cycles are counted.
"""

import statistics
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import serial

from edgehip_firmware_bridge.boards import build_avr_host, qemu_without_waiting
from edgehip_firmware_bridge.emulate import Emulator
from edgehip_firmware_bridge.toolchain import (
    CHECKS,
    CORTEX_M,
    CORTEX_M4,
    LIBRARY,
    compile_c,
    require,
    run,
)
from edgehip_firmware_bridge.walking import STRIDE_SAMPLES

ARM: Final = ("-mthumb", "--specs=nano.specs")
CORES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "Cortex-M0+": ("arm-none-eabi", ("-mcpu=cortex-m0plus", *ARM)),
    "Cortex-M4F": ("arm-none-eabi", ("-mcpu=cortex-m4", "-mfloat-abi=hard", *ARM)),
    "AVR (ATmega328P)": ("avr", ("-mmcu=atmega328p",)),
}
TABLES: Final[dict[str, tuple[str, ...]]] = {
    "64-byte table": ("-DEDGEHIP_SMALL_CRC",),
    "1 KiB table": (),
}
"""Of the checksum; AVR always has the small one."""
USES: Final = {
    "send angles and description": ("-DSEND",),
    "and listen": ("-DSEND", "-DLISTEN"),
}
Counts = tuple[list[int], list[int]]
"""For each frame: to encode, and to decode."""
END_OF_TRANSMISSION: Final = "\x04"


def flash_and_ram(core: str, flags: tuple[str, ...], folder: Path) -> tuple[int, int]:
    """Return bytes of flash and of static RAM that the library takes, built with ``-Os``."""
    prefix, machine = CORES[core]
    linked = [
        *("-Os", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-nostartfiles"),
        *("-Wl,-e,device", "-Wl,--defsym=port=0x800060", *machine),
    ]

    def size(use: tuple[str, ...]) -> tuple[int, int]:
        sources = [LIBRARY / "edgehip_wire.c", CHECKS / "device.c"]
        program = compile_c(f"{prefix}-gcc", sources, folder / "device.elf", [*linked, *use])
        text, initialised, zero = run([f"{prefix}-size", program]).splitlines()[1].split()[:3]
        return int(text) + int(initialised), int(initialised) + int(zero)

    whole, empty = size(flags), size(())
    return whole[0] - empty[0], whole[1] - empty[1]


def cortex_m4_instructions(flags: tuple[str, ...], folder: Path) -> Counts:
    """Return the instructions to encode and to decode each frame of one stride, on Cortex-M4."""
    require("qemu-system-arm")
    program = compile_c(
        "arm-none-eabi-gcc",
        [LIBRARY / "edgehip_wire.c", CORTEX_M / "startup.c", CHECKS / "count.c"],
        folder / "count.elf",
        [*CORTEX_M4, *flags],
    )
    # The program never ends by itself; it says when it has said everything.
    with subprocess.Popen(
        qemu_without_waiting(program), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as machine:
        assert machine.stdout is not None
        text = ""
        while not text.endswith(END_OF_TRANSMISSION):
            text += machine.stdout.read(1)
        machine.kill()
    return _counts(text.splitlines()[:-1])


def avr_cycles(level: str, folder: Path) -> Counts:
    """Return the cycles to encode and to decode each frame of one stride, on an ATmega328P."""
    program = compile_c(
        "avr-gcc",
        [LIBRARY / "edgehip_wire.c", CHECKS / "count_avr.c"],
        folder / "count_avr.elf",
        ["-mmcu=atmega328p", level],
    )
    with (
        Emulator([build_avr_host(folder), program]) as emulator,
        serial.Serial(emulator.port, timeout=5.0) as port,
    ):
        port.readline()  # the rest of a line
        return _counts([port.readline().decode() for _ in range(STRIDE_SAMPLES)])


def _counts(lines: list[str]) -> Counts:
    pairs = [line.split() for line in lines]
    return [int(encode) for encode, _ in pairs], [int(decode) for _, decode in pairs]


def main() -> None:
    """Print both tables."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'bytes, -Os':36}{'use':34}{'flash':>7}{'RAM':>7}")
        for core in CORES:
            for table, table_flags in TABLES.items():
                if core.startswith("AVR") and not table_flags:
                    continue
                for use, use_flags in USES.items():
                    flash, ram = flash_and_ram(core, (*use_flags, *table_flags), folder)
                    print(f"{f'{core}, {table}':36}{use:34}{flash:7}{ram:7}")
        print(f"\n{'per angle frame':70}{'mean':>7}{'max':>7}")
        for level in ("-O2", "-Os"):
            for table, table_flags in TABLES.items():
                counts = cortex_m4_instructions((level, *table_flags), folder)
                _print_counts(f"Cortex-M4, {table}, {level}", "instructions", counts)
        for level in ("-O2", "-Os"):
            _print_counts(f"AVR, 64-byte table, {level}", "cycles", avr_cycles(level, folder))


def _print_counts(name: str, unit: str, counts: Counts) -> None:
    for what, each in zip(("encode", "decode byte by byte"), counts, strict=True):
        print(f"{name:36}{f'{unit}, {what}':34}{statistics.mean(each):7.0f}{max(each):7}")


if __name__ == "__main__":
    main()
