"""A receiver that is fed frames or text lines, and what came of them."""

from collections import Counter

from edgehip.channels import ANGLES, MIRROR
from edgehip.events import Chunk, Fault, JointAngleSample, LinkFault
from edgehip.messages import Angles
from edgehip.receiver import Receiver
from edgehip.wire import encode

ZEROS = (0.0,) * 10
MS = 1_000_000
LINE = ",".join(["{}"] + ["1.5"] * 10) + "\n"
"""What a device prints that numbers no frames: a time, and ten angles."""
LEFT_FIRST = [ANGLES[place] for place in MIRROR]
HEADER = ",".join(["time_ms", *LEFT_FIRST]).encode() + b"\n"
"""Of a device that names its left leg first."""


def frame(sequence: int, time_us: int | None = None, angles: tuple[float, ...] = ZEROS) -> bytes:
    return encode(Angles(angles), sequence, 10_000 * sequence if time_us is None else time_us)


def feed(
    receiver: Receiver, *pieces: tuple[bytes, int]
) -> tuple[list[JointAngleSample], Counter[Fault]]:
    samples, faults = [], Counter[Fault]()
    for data, received_ns in pieces:
        for found in receiver.feed(Chunk(data, received_ns)):
            if isinstance(found, JointAngleSample):
                samples.append(found)
            elif isinstance(found, LinkFault):
                faults[found.fault] += found.count
    return samples, faults


def at_pace(frames: list[bytes], period_ns: int = 10 * MS) -> list[tuple[bytes, int]]:
    return [(data, i * period_ns) for i, data in enumerate(frames)]
