"""What a caller gives, checked at the entrance: one line of what is wrong, not an error later on.

What is called once is held to its annotations (:mod:`edgehip.declared`); here is what those cannot
say, and what is called at every sample. A person's limits are here and nowhere else; the command
line has them from here.
"""

from typing import Final

from edgehip.channels import ANGLES
from edgehip.declared import check
from edgehip.errors import ArgumentError
from edgehip.events import Chunk, JointAngleSample, SourceItem

MASS_KG: Final = (5.0, 350.0)
HEIGHT_M: Final = (0.5, 2.6)
KG_PER_M2: Final = (5.0, 150.0)
"""Whoever is outside is none whom the models know, or was given in other units."""


def check_body(mass_kg: float | None = None, height_m: float | None = None) -> None:
    """Refuse a body that nobody has.

    Raises
    ------
    ArgumentError
        If the mass or the height is none, not finite, or in another unit.
    """
    for name, value, unit, (low, high) in (
        ("mass", mass_kg, "kg", MASS_KG),
        ("height", height_m, "m", HEIGHT_M),
    ):
        if value is not None and not low <= value <= high:
            raise ArgumentError(f"a body's {name} is {low:g} to {high:g} {unit}, not {value!r}")


def check_item(item: SourceItem, devices: int) -> None:
    """Refuse what no source of so many devices gives.

    Raises
    ------
    ArgumentError
        If it is something else, holds no bytes, its time is no whole number of nanoseconds, or
        there is no such device.
    """
    if not isinstance(item, SourceItem):
        check("an item", item, SourceItem)
    if type(item.received_ns) is not int:
        check("an item's received_ns", item.received_ns, int)
    if type(item.device) is not int or not 0 <= item.device < devices:
        raise ArgumentError(f"an item's device is {item.device!r}; it counts {devices} from 0")
    if isinstance(item, Chunk) and type(item.data) is not bytes:
        check("a Chunk's data", item.data, bytes | bytearray)


def plain_sample(sample: JointAngleSample) -> JointAngleSample:
    """Return a sample of plain numbers; the same one if it is, as every one of a device is.

    Raises
    ------
    ArgumentError
        If it is none, or does not hold ten angles, a time and a whole number of nanoseconds.
    """
    if not isinstance(sample, JointAngleSample):
        check("a sample", sample, JointAngleSample)
    angles = sample.angles_deg
    if (
        type(angles) is tuple
        and len(angles) == len(ANGLES)
        and {*map(type, angles)} == {float}
        and type(sample.time_s) is float
        and {type(sample.received_ns), type(sample.samples_lost), type(sample.late_ns)} == {int}
    ):
        return sample
    try:
        plain = tuple(map(float, angles))
        shape = getattr(angles, "shape", (len(plain),))
    except (TypeError, ValueError):
        plain, shape = (), getattr(angles, "shape", type(angles).__name__)
    if shape != (len(ANGLES),):
        raise ArgumentError(
            f"angles_deg has the shape {shape} instead of ({len(ANGLES)},): a sample has ten "
            f"angles in degrees, in the order {', '.join(ANGLES)}"
        )
    try:
        return JointAngleSample(
            float(sample.time_s),
            plain,
            int(sample.received_ns),
            int(sample.samples_lost),
            int(sample.late_ns),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(
            f"a sample has a time in seconds, and whole numbers of nanoseconds and of lost "
            f"samples, not {sample.time_s!r}, {sample.received_ns!r}, {sample.samples_lost!r}, "
            f"{sample.late_ns!r}"
        ) from error
