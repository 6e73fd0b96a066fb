"""Bodies of another size: who walks alike moves alike in the body's own time, and is loaded alike.

Two bodies walk dynamically alike if their lengths differ by one factor and their times by its root,
as those of pendulums do (Hof, "Scaling gait data to body size", Gait & Posture 4:222, 1996). Joint
angles are the same then, and so are muscle forces per body mass, as lever arms grow like legs do;
moments per body mass grow with the height. So a model that knows people of about one height serves
a child, or somebody very tall, in that body's own time.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edgehip.backends import Tensor
from edgehip.model_card import ModelCard, RangeCard

PER_HEIGHT: Final = ("moments_nm_per_kg", "moment_spread_nm_per_kg")
"""What grows with the height."""


@dataclass(frozen=True, slots=True)
class BodySize:
    """A body beside those that a model knows: ``taller`` is its height as a multiple of theirs."""

    taller: float = 1.0

    @classmethod
    def of(cls, card: ModelCard, body_height_m: float | None) -> "BodySize":
        """Return the size of a body to a model; the model's own where either is silent of it."""
        if body_height_m is None or card.reference_height_m is None:
            return cls()
        return cls(body_height_m / card.reference_height_m)

    @property
    def slower(self) -> float:
        """How much longer the same movement takes it."""
        return math.sqrt(self.taller)

    def timed(self, card: ModelCard) -> ModelCard:
        """Return a model's card with this body's times instead of those of the people it knows."""
        ranges = dict(card.ranges)
        if span := ranges.get("stride_s"):
            low, high = ((self.slower * end[0],) for end in (span.low, span.high))
            ranges["stride_s"] = RangeCard(low, high)
        return replace(
            card,
            rate_hz=None if card.rate_hz is None else card.rate_hz / self.slower,
            warm_up_s=card.warm_up_s * self.slower,
            ranges=ranges,
        )

    def load(self, output: str, told: Tensor) -> Tensor:
        """Return what a model tells in an output as it is for this body, in the same shape."""
        return told * np.float32(self.taller) if output in PER_HEIGHT else told


def heeds_height(card: ModelCard) -> bool:
    """Return whether a body's height changes what a model says of it."""
    return card.reference_height_m is not None or card.input("body_height_m") is not None
