"""What being heavy or light for one's height changes beside what a movement tells.

The same angles ask for more flexion at the hip of whoever is heavy for their height: they carry
more in front of it, and have the markers of a laboratory further from the bone. It is learnt from
what is missed of people left out, and is added outside the graph, to which nobody tells a mass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgehip.body import card_curves
from edgehip.channels import MOMENTS
from edgehip.model_card import BodyMassIndexCard
from edgehip_export.default_bodies import body_mass_index, in_model_body
from edgehip_export.strides import Array, Strides

PRIOR: Final = 0.1
"""Variance of what is missed of a person over that of what a factor of e in body mass index may
change: people whose logarithms' squares sum up to this weigh as much as that it changes nothing."""

FEWEST: Final = 3
"""People without whom no slope is to be had."""


@dataclass(frozen=True)
class Build:
    """What (180, 17) to add per unit of the logarithm of a body mass index by the usual one.

    The people it was learnt from had ``low`` to ``high`` kg/m2; ``usual`` is their geometric mean.
    """

    usual: float
    low: float
    high: float
    slope: Array

    def added(self, strides: Strides) -> Array:
        """Return what (N, 180, 17) to add; nothing for whom mass or height is not known."""
        index = np.clip(body_mass_index(strides), self.low, self.high)
        heavier = np.nan_to_num(np.log(index / self.usual)).astype(np.float32)
        return heavier[:, None, None] * self.slope

    def card(self) -> BodyMassIndexCard:
        """Return what a model file says of it."""
        moments, forces = np.split(self.slope, [len(MOMENTS)], axis=-1)
        slopes = {"moments_nm_per_kg": card_curves(moments), "forces_n_per_kg": card_curves(forces)}
        return BodyMassIndexCard(
            round(self.usual, 1), round(self.low, 1), round(self.high, 1), slopes
        )


def fit_build(strides: Strides, estimate: Callable[[Strides, Strides], Array]) -> Build | None:
    """Return what people's builds change; None if too few people's are known.

    ``estimate`` returns loads (N, 180, 17) for its second strides, in bodies of the models' height,
    having learnt from its first ones.
    """
    index = body_mass_index(strides)
    people = [one for one in strides.people if np.isfinite(index[strides.person == one]).all()]
    if len(people) < FEWEST:
        return None
    every = np.array([index[strides.person == one][0] for one in people])
    usual = float(np.exp(np.log(every).mean()))
    heavier = np.log(every / usual)
    missed = []
    for one in people:
        own = strides.person == one
        held = in_model_body(strides.take(own))
        missed.append((held.loads - estimate(strides.take(~own), held)).mean(0))
    known = np.isfinite(missed)
    slope = np.tensordot(heavier, np.nan_to_num(missed), 1)
    slope /= np.tensordot(heavier**2, known, 1) + PRIOR
    return Build(usual, float(every.min()), float(every.max()), slope.astype(np.float32))
