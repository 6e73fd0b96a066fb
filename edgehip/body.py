"""One person's body beside those that a model knows: its size, and what a laboratory found of it.

Two bodies walk dynamically alike if their lengths differ by one factor and their times by its root,
as those of pendulums do (Hof, "Scaling gait data to body size", Gait & Posture 4:222, 1996). Joint
angles are the same then, and so are muscle forces per body mass, as lever arms grow like legs do;
moments per body mass grow with the height. So a model that knows people of about one height serves
a child, or somebody very tall, in that body's own time.

Who is heavy for their height carries more in front of the hips, and has the markers of a laboratory
further from the bone: a model may know what that changes, by body mass index.

What a body makes of the same angles besides (where its hip is, how its trunk is held) no angle
tells, and it hardly changes from stride to stride: labelled strides of the person show it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from edgehip.backends import Tensor
from edgehip.model_card import Curves, ModelCard, PersonalCard, RangeCard

PER_HEIGHT: Final = ("moments_nm_per_kg", "moment_spread_nm_per_kg")
"""What grows with the height."""
GROWN_UP_M: Final = 1.5
"""Whoever is smaller mostly is a child, and well built with a body mass index at which an adult is
thin (WHO growth reference for 5 to 19 years, 2007)."""
DECIMALS: Final = 5
"""Of what a card states in Nm/kg and N/kg."""
PULLING: Final = "forces_n_per_kg"
"""What is never below zero: muscles only pull."""
MOST_MASS_CHANGE: Final = 1.05
"""What clothes, meals and weeks change of somebody's mass is less."""
MOST_HEIGHT_APART_M: Final = 0.03
"""Two measurements of somebody's height are nearer, with shoes and without."""


@dataclass(frozen=True, slots=True)
class Body:
    """A person's body, as far as a model is concerned.

    Parameters
    ----------
    height_m
        None if it is not known, or the model does not heed it.
    body_mass_index
        In kg/m2, as far as the model's people go; None if it is not known, or not heeded.
    taller
        Its height as a multiple of that of the bodies the model knows.
    offsets
        (S, D) by output: what is to be added for this person, in a body of the model's height.
    """

    height_m: float | None = None
    body_mass_index: float | None = None
    taller: float = 1.0
    offsets: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls, card: ModelCard, body_height_m: float | None, body_mass_kg: float | None = None
    ) -> "Body":
        """Return some body to a model; one whose card is a person's knows theirs."""
        offsets: dict[str, Tensor] = {}
        if (personal := card.personal) is not None:
            offsets |= _arrays(personal.offsets)
            body_height_m = personal.body_height_m if body_height_m is None else body_height_m
            body_mass_kg = personal.body_mass_kg if body_mass_kg is None else body_mass_kg
        known, index = card.body_mass_index, _body_mass_index(body_height_m, body_mass_kg)
        if known is None:
            index = None
        elif index is not None:
            index = min(max(index, known.low_kg_per_m2), known.high_kg_per_m2)
            heavier = np.float32(math.log(index / known.reference_kg_per_m2))
            for name, slope in _arrays(known.slopes).items():
                offsets[name] = offsets.get(name, np.float32(0.0)) + heavier * slope
        height_m = body_height_m if heeds_height(card) else None
        if height_m is None or card.reference_height_m is None:
            return cls(height_m, index, offsets=offsets)
        return cls(height_m, index, height_m / card.reference_height_m, offsets)

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
        """Return what a model tells in an output (..., S, D) as it is for this body."""
        if output in self.offsets:
            told = told + self.offsets[output]
            if output == PULLING:
                told = np.maximum(told, np.float32(0.0))
        return told * np.float32(self.taller) if output in PER_HEIGHT else told

    def unload(self, output: str, measured: Tensor) -> Tensor:
        """Return loads of this body as they would be in one of the model's height."""
        return measured / np.float32(self.taller) if output in PER_HEIGHT else measured


def strangeness(
    personal: PersonalCard, body_mass_kg: float | None, body_height_m: float | None
) -> str:
    """Return what of a body is not that of the person a model was adapted to; nothing if all is."""
    known_kg, known_m = personal.body_mass_kg, personal.body_height_m
    unlike = []
    if known_kg and body_mass_kg and not is_one_mass(known_kg, body_mass_kg):
        unlike.append(f"of {known_kg:.4g} kg (here {body_mass_kg:.4g})")
    if known_m and body_height_m and abs(known_m - body_height_m) > MOST_HEIGHT_APART_M:
        unlike.append(f"of {known_m:.3g} m (here {body_height_m:.3g})")
    return " and ".join(unlike)


def is_one_mass(*masses_kg: float) -> bool:
    """Return whether all these may be one person's."""
    return max(masses_kg) <= MOST_MASS_CHANGE * min(masses_kg)


def heeds_height(card: ModelCard) -> bool:
    """Return whether a body's height changes what a model says of it."""
    known = card.reference_height_m, card.body_mass_index, card.input("body_height_m")
    return any(one is not None for one in known)


def unknown_index(
    card: ModelCard, body_height_m: float | None, body_mass_kg: float | None
) -> float | None:
    """Return a body mass index (kg/m2) that nobody had from whom a model learnt; None if it did."""
    known, index = card.body_mass_index, _body_mass_index(body_height_m, body_mass_kg)
    if known is None or index is None:
        return None
    return None if known.low_kg_per_m2 <= index <= known.high_kg_per_m2 else index


def _body_mass_index(height_m: float | None, mass_kg: float | None) -> float | None:
    """Return an adult's, in kg/m2."""
    if height_m is None or mass_kg is None or height_m < GROWN_UP_M:
        return None
    return mass_kg / height_m**2


def card_curves(curves: Tensor) -> Curves:
    """Return an output over a gait cycle (S, D) as a card states it."""
    return tuple(tuple(round(float(x), DECIMALS) for x in row) for row in curves)


def _arrays(curves: Mapping[str, Curves]) -> dict[str, Tensor]:
    return {name: np.array(curve, np.float32) for name, curve in curves.items()}
