"""Agreement of peaks between reference and estimate (Bland & Altman, Lancet 327:307, 1986)."""

from dataclasses import dataclass
from typing import Final, Literal

from edgehip_export.answers import Floats
from edgehip_export.metrics import Row
from edgehip_export.trained import CHANNELS, Target

LIMITS_OF_AGREEMENT: Final = 1.96
FEWEST_STRIDES: Final = 3
"""For limits of agreement: the SD of two differences says nothing."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """One output's peaks: of every stride its maximum, or its minimum.

    Parameters
    ----------
    output, extreme
        The output's name, and which of the two: the one that is larger on average in the reference.
    reference, estimate
        (N,).
    """

    output: str
    extreme: Literal["max", "min"]
    reference: Floats
    estimate: Floats

    @property
    def bias(self) -> float:
        """The mean difference, estimate less reference."""
        return float((self.estimate - self.reference).mean())

    @property
    def limits(self) -> tuple[float, float] | None:
        """The 95 % limits of agreement, or None for too few strides."""
        if len(self.reference) < FEWEST_STRIDES:
            return None
        half = LIMITS_OF_AGREEMENT * float((self.estimate - self.reference).std(ddof=1))
        return self.bias - half, self.bias + half

    def row(self) -> Row:
        """Return it as a line of a table; limits that are not known are empty."""
        lower, upper = self.limits or ("", "")
        return {
            "output": self.output,
            "peak": self.extreme,
            "strides": len(self.reference),
            "reference_mean": float(self.reference.mean()),
            "bias": self.bias,
            "lower_limit": lower,
            "upper_limit": upper,
        }


def peaks(target: Target, reference: Floats, estimate: Floats) -> list[Peaks]:
    """Return the peaks of every output.

    Parameters
    ----------
    reference, estimate
        (N, S, D).
    """
    found = []
    for index, name in enumerate(CHANNELS[target]):
        truth, answer = reference[..., index], estimate[..., index]
        if truth.max(axis=1).mean() >= -truth.min(axis=1).mean():
            found.append(Peaks(name, "max", truth.max(axis=1), answer.max(axis=1)))
        else:
            found.append(Peaks(name, "min", truth.min(axis=1), answer.min(axis=1)))
    return found
