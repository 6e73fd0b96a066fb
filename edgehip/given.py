"""What a caller gives, checked at the entrance: one line of what is wrong, not an error later on.

A person's limits are here and nowhere else; the command line has them from here.
"""

from collections.abc import Collection
from typing import Final

from edgehip.channels import ANGLES
from edgehip.errors import ArgumentError
from edgehip.events import JointAngleSample

MASS_KG: Final = (5.0, 350.0)
HEIGHT_M: Final = (0.5, 2.6)
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


def check_choice(name: str, value: str | None, choices: Collection[str]) -> None:
    """Refuse a word that is none of those there are; None is no word.

    Raises
    ------
    ArgumentError
        If it is another.
    """
    if value is not None and value not in choices:
        known = ", ".join(map(repr, choices))
        raise ArgumentError(f"{name} is {value!r}; there are: {known}")


def plain_sample(sample: JointAngleSample) -> JointAngleSample:
    """Return a sample of plain numbers; the same one if it is, as every one of a device is.

    Raises
    ------
    ArgumentError
        If it does not hold ten angles, a time and a whole number of nanoseconds.
    """
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
