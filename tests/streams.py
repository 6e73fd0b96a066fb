"""Walks as wire bytes: recorded (from ../shared) or synthesised, and ways to hurt them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgehip.channels import ANGLES
from edgehip.events import Chunk, JointAngleSample
from edgehip.messages import Angles
from edgehip.walker import Walker, WalkerParameters
from edgehip.wire import encode
from tests.shared_data import SHARED


@dataclass(frozen=True)
class Walk:
    """Times in seconds (N,) and ten angles in degrees (N, 10)."""

    time_s: np.ndarray
    angles_deg: np.ndarray

    def __len__(self) -> int:
        return len(self.time_s)

    def frames(self, first: int = 0) -> list[bytes]:
        """Return one frame per sample, sequence numbers from ``first``."""
        return [
            encode(Angles(tuple(angles)), first + i, round(t * 1e6))
            for i, (t, angles) in enumerate(zip(self.time_s, self.angles_deg.tolist(), strict=True))
        ]

    def lines(self, names: Sequence[str] = ANGLES) -> list[bytes]:
        """Return one text line per sample, of a device that has its columns in this order."""
        places = [ANGLES.index(name) for name in names]
        rows = zip(self.time_s.tolist(), self.angles_deg[:, places].tolist(), strict=True)
        texts = (",".join(f"{number:.2f}" for number in [1000 * t, *angles]) for t, angles in rows)
        return [f"{text}\n".encode() for text in texts]

    def samples(self) -> Iterator[JointAngleSample]:
        """Yield the samples as a receiver would, received when they were taken."""
        for t, angles in zip(self.time_s.tolist(), self.angles_deg.tolist(), strict=True):
            yield JointAngleSample(t, tuple(angles), round(t * 1e9))

    def chunks(self, first: int = 0) -> list[Chunk]:
        """Return one chunk per sample, received when it was taken."""
        times = (self.time_s * 1e9).round().astype(int).tolist()
        return [Chunk(f, t) for f, t in zip(self.frames(first), times, strict=True)]


def recorded_walk(name: str = "Sub01_EMGBaseline") -> Walk:
    """Return one of the treadmill recordings, in hundredths of a degree like the wire."""
    with np.load(SHARED / "data" / "imu_walking" / f"{name}.npz") as data:
        return Walk(data["t"], np.round(data["angles_deg"].astype(float), 2))


def synthetic_walk(duration_s: float = 12.0, **parameters: float) -> Walk:
    """Return a walk synthesised by the project itself."""
    walker = Walker(WalkerParameters(**parameters))  # type: ignore[arg-type]
    rows = []
    for sample in walker:
        if sample.time_s >= duration_s:
            break
        rows.append((sample.time_s, *sample.angles_deg))
    table = np.array(rows)
    assert table.shape[1] == 1 + len(ANGLES)
    return Walk(table[:, 0], np.round(table[:, 1:], 2))


def recut(data: bytes, sizes: Sequence[int], received_ns: int = 0) -> list[Chunk]:
    """Return the bytes cut into chunks of these sizes, the last taking the rest."""
    chunks, at = [], 0
    for size in sizes:
        chunks.append(Chunk(data[at : at + size], received_ns))
        at += size
    return [*chunks, Chunk(data[at:], received_ns)]


def joined(parts: Iterable[bytes]) -> bytes:
    """Return the parts as one."""
    return b"".join(parts)


@dataclass(frozen=True)
class Injected:
    """A hostile link's bytes, and what an attentive listener must have counted."""

    pieces: list[bytes]
    delivered: list[int]
    dropped: int
    duplicated: int
    reordered: int
    garbled: int


def hurt(frames: list[bytes], seed: int, *, share: float = 0.05) -> Injected:
    """Return frames after random drops, repeats, swaps, flipped bits and noise.

    What must be counted follows from what was done: a frame dropped or garbled is missing, a swap
    makes one frame late, and every run of bytes between delimiters that is no genuine frame is one
    garbled frame. The first and last frames are left alone, so that every loss can be seen.
    """
    rng = np.random.default_rng(seed)
    order: list[int] = []
    for i in range(len(frames)):
        middle = 1 < i < len(frames) - 2
        if middle and rng.random() < share:
            continue
        if middle and order and order[-1] == i - 1 and i - 1 > 1 and rng.random() < share:
            order.insert(-1, i)
        else:
            order.append(i)
    pieces: list[bytes] = []
    for i in order:
        piece = frames[i]
        if 1 < i < len(frames) - 2:
            kind = rng.random()
            if kind < share:
                spoiled = bytearray(piece)
                spoiled[rng.integers(len(piece))] ^= 1 << int(rng.integers(8))
                piece = bytes(spoiled)
            elif kind < 2 * share:
                piece += piece
            elif kind < 3 * share:
                piece = rng.bytes(int(rng.integers(1, 40))) + b"\0" + piece
        pieces.append(piece)
    return witnessed(frames, pieces)


def witnessed(frames: list[bytes], pieces: list[bytes]) -> Injected:
    """Return what must be counted of pieces made from frames, whose first and last are whole."""
    genuine = {frame[:-1]: i for i, frame in enumerate(frames)}
    runs = [run for run in b"".join(pieces).split(b"\0") if run]
    heard = [genuine[run] for run in runs if run in genuine]
    seen: set[int] = set()
    highest = -1
    delivered, reordered = [], 0
    for i in heard:
        if i in seen:
            continue
        seen.add(i)
        if i > highest:
            delivered.append(i)
            highest = i
        else:
            reordered += 1
    return Injected(
        pieces=pieces,
        delivered=delivered,
        dropped=len(frames) - len(seen),
        duplicated=len(heard) - len(seen),
        reordered=reordered,
        garbled=len(runs) - len(heard),
    )
