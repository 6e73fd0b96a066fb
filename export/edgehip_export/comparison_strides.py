"""Strides on which an exported file is compared with its source, and others to find ranges from."""

from dataclasses import dataclass, field

import numpy as np

from edgehip.channels import ANGLES, SIDES, angles_of
from edgehip.normal_gait import excursion_at, normal_angles_deg
from edgehip_export.answers import Floats
from edgehip_export.forms import OUTPUTS, TYPICAL_STRIDE_S
from edgehip_export.strides import POINTS
from edgehip_export.trained import Target


@dataclass(frozen=True, slots=True)
class Labelled:
    """Strides (N, 180, 10) in degrees, and what is known of the hip in them, per target.

    ``others`` (N,) by name are what a model may want, or heed, beyond angles, as far as it is
    known (see :func:`edgehip_export.answers.answers`); ``name`` is what to call them in a message.
    """

    strides_deg: Floats
    per_kg: dict[Target, Floats] = field(default_factory=dict)
    others: dict[str, Floats] = field(default_factory=dict)
    name: str = "the labelled strides"

    @classmethod
    def made_up(cls) -> "Labelled":
        """Return strides of nobody, of typical duration, without labels."""
        strides = normal_strides()
        return cls(
            strides, others={"stride_s": np.full(len(strides), TYPICAL_STRIDE_S, np.float32)}
        )

    @property
    def reference(self) -> dict[str, Floats]:
        """The labels, by the names of a model's outputs."""
        return {OUTPUTS[target]: values for target, values in self.per_kg.items()}


def normal_strides(count: int = 12, seed: int = 0) -> Floats:
    """Return right strides (N, 180, 10) of made-up people who walk at various cadences."""
    rng = np.random.default_rng(seed)
    percent = np.linspace(0, 100, POINTS)
    strides = np.empty((count, POINTS, len(ANGLES)), np.float32)
    for stride in strides:
        growth = excursion_at(rng.uniform(80, 135))
        for side in SIDES:
            leg = percent + (50.0 if side == "l" else 0.0)
            stride[:, angles_of(side)] = normal_angles_deg(leg) * growth
        stride += rng.normal(0, 3, len(ANGLES))
    return strides


def calibration_strides() -> Floats:
    """Return strides (N, 180, 10) that reach as far as real people's, to find ranges from.

    Nobody a file is compared on is among them. Everyone's zero and excursion differ by more than in
    :func:`normal_strides`: a range that is too narrow costs more than one too wide.
    """
    rng = np.random.default_rng(3)
    strides = normal_strides(48, seed=1)
    mean = strides.mean(axis=1, keepdims=True)
    own = (len(strides), 1, len(ANGLES))
    varied = mean + rng.normal(0, 6, own) + (strides - mean) * rng.normal(1, 0.15, own)
    return np.asarray(varied, np.float32)
