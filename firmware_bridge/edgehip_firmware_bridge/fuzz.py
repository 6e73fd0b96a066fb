"""Holds the C library against the Python decoder, and against a flood of damaged frames.

``python -m edgehip_firmware_bridge.fuzz --inputs 10000000`` builds both programs with sanitizers,
feeds the C library alone, then both decoders the same streams, and prints what was found.
"""

import argparse
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from edgehip.events import Chunk, LinkFault
from edgehip.messages import LAYOUTS
from edgehip.wire import HEADER, MAX_PAYLOAD, VERSION, FrameDecoder, encode
from edgehip_firmware_bridge.toolchain import CHECKS, LIBRARY, SANITIZE, compile_c, run
from edgehip_firmware_bridge.vectors import seal

BATCH: Final = 20_000


def build(name: str, compiler: str, folder: Path) -> Path:
    """Build a program of ``checks/`` with address and undefined-behaviour sanitizers."""
    sources = [LIBRARY / "edgehip_wire.c", CHECKS / f"{name}.c"]
    return compile_c(compiler, sources, folder / f"{name}-{compiler}", SANITIZE)


def c_events(program: Path, streams: Sequence[bytes]) -> list[list[str]]:
    """Return what the C library makes of each stream: faults, and frames in hexadecimal."""
    answer = run([program], "".join(f"{stream.hex()}\n" for stream in streams))
    return [line.split() for line in answer.splitlines()]


def python_events(stream: bytes) -> list[str]:
    """Return the same from :mod:`edgehip.wire`."""
    events = []
    for event in FrameDecoder().feed(Chunk(stream, 0)):
        if isinstance(event, LinkFault):
            events.append(str(event.fault))
        else:
            assert event.sequence is not None
            events.append(encode(event.message, event.sequence, event.device_us).hex())
    return events


def streams(seed: int) -> Iterator[bytes]:
    """Yield streams in which everything occurs: good, sealed nonsense, damaged, noise."""
    rng = random.Random(seed)
    while True:
        yield b"".join(_piece(rng) for _ in range(rng.randint(1, 4)))


def _piece(rng: random.Random) -> bytes:
    kind = rng.randrange(8)
    if kind == 0:
        return bytes(rng.choice((0, 1, 254, 255, rng.randrange(256))) for _ in range(40))
    if kind == 1:
        return rng.randbytes(rng.randrange(600)).replace(b"\0", b"\1")
    frame = seal(_body(rng, honest=kind > 3))
    if kind in (2, 3, 4, 5):
        return frame
    at = rng.randrange(len(frame))
    damaged = bytearray(frame)
    damaged[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
    return bytes(damaged)


def _body(rng: random.Random, honest: bool) -> bytes:
    layout = rng.choice(LAYOUTS)
    header: list[Any] = [VERSION, layout.type_id, rng.getrandbits(32), rng.getrandbits(32)]
    if honest:
        fields = rng.randbytes(layout.struct.size)
        if any(field.kind == "text" for field in layout.fields):
            text = "".join(rng.choice("az Aé股🚶\0\x7f\xa0") for _ in range(10)).encode()
            fields = struct.pack("<6s24s16s", fields[:6], text, text[: rng.randrange(16)])
        return HEADER.pack(*header) + fields
    header[rng.randrange(2)] = rng.randrange(256)
    size = rng.choice((0, 1, layout.struct.size, MAX_PAYLOAD - 4 - HEADER.size))
    return (HEADER.pack(*header) + rng.randbytes(size))[rng.randrange(-20, 1) :]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for the C library alone")
    parser.add_argument("--compared", type=int, default=100_000, help="for both decoders")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for compiler in ("gcc", "clang"):
            program = build("fuzz", compiler, folder)
            print(f"C library alone, {compiler}, address and undefined-behaviour sanitizers:")
            print(run([program, str(given.inputs), str(given.seed)]), end="")
        _compare(build("events", "gcc", folder), streams(given.seed), given.compared)


def _compare(program: Path, source: Iterator[bytes], count: int) -> None:
    """Give both decoders the same streams; end the program where they differ."""
    events = 0
    for start in range(0, count, BATCH):
        batch = [next(source) for _ in range(min(BATCH, count - start))]
        for stream, in_c in zip(batch, c_events(program, batch), strict=True):
            if in_c != (in_python := python_events(stream)):
                raise SystemExit(f"{stream.hex()}\nC      {in_c}\nPython {in_python}")
            events += len(in_c)
    print(f"C and Python agree on {count} streams with {events} events")


if __name__ == "__main__":
    main()
