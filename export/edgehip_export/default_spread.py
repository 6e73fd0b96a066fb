"""How far an estimate may be off: an interval from the errors on people a model never saw.

The half-width of an output's interval is ``base + slope * |estimate|``, both at least zero: loads
are missed by more where they are large. The two are fitted as a quantile of the absolute errors
(Koenker and Bassett 1978). Every laboratory counts the same, as the next user comes from another;
and what the intervals fall short of on laboratories they were not fitted to widens them all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import MOMENTS, MUSCLES
from edgehip_export.strides import Strides

COVERAGE = 0.9


@dataclass(frozen=True)
class Spread:
    """``base`` and ``slope`` (17,) of the half-widths, moments then forces."""

    base: Tensor
    slope: Tensor

    def half_width(self, loads: Tensor) -> Tensor:
        """Return the half-width of each estimate (..., 17)."""
        return self.base + self.slope * loads.abs()

    def plain(self) -> dict[str, Any]:
        """Return what a card says of it."""
        return {
            "coverage": COVERAGE,
            "half_width": "base + slope * |estimate|, moments (Nm/kg) then forces (N/kg)",
            "base": [round(float(value), 4) for value in self.base],
            "slope": [round(float(value), 4) for value in self.slope],
        }


def fit_spread(
    estimates: NDArray[np.float32], references: NDArray[np.float32], strides: Strides
) -> Spread:
    """Return the spread that covers :data:`COVERAGE` of the references of a new laboratory.

    Both arrays are (N, 180, 17), of these strides, NaN in the references where there is none. Each
    laboratory's errors are compared with the spread of the others (jackknife; Barber et al. 2021).
    """
    ratio = np.full(estimates.shape, np.nan, np.float32)
    for lab in strides.labs:
        here = strides.lab == lab
        others = _fit(estimates[~here], references[~here], strides.take(~here))
        width = others.half_width(torch.from_numpy(estimates[here])).numpy()
        ratio[here] = np.abs(estimates[here] - references[here]) / width
    spread = _fit(estimates, references, strides)
    weight = np.ones_like(ratio) * fair_weights(strides)[:, None, None]
    split = len(MOMENTS)
    widen = torch.ones(estimates.shape[-1])
    for outputs in (slice(None, split), slice(split, None)):
        widen[outputs] = weighted_quantile(ratio[..., outputs], weight[..., outputs], COVERAGE)
    return Spread(spread.base * widen, spread.slope * widen)


def weighted_quantile(
    values: NDArray[np.floating], weights: NDArray[np.floating], share: float
) -> float:
    """Return the value below which lies this share of the weight; NaN values have none."""
    known = np.isfinite(values)
    order = np.argsort(values[known])
    below = np.cumsum(weights[known][order])
    return float(values[known][order][np.searchsorted(below, share * below[-1])])


def _fit(
    estimates: NDArray[np.float32], references: NDArray[np.float32], strides: Strides
) -> Spread:
    """Return the spread that covers :data:`COVERAGE` of these references."""
    rows = torch.from_numpy(estimates[:, ::4]).abs()
    errors = torch.from_numpy(np.abs(estimates - references)[:, ::4])
    known = torch.isfinite(errors)
    weight = torch.from_numpy(fair_weights(strides))[:, None, None] * known
    weight = weight / weight.sum((0, 1))
    scale = torch.nan_to_num(errors).amax((0, 1))
    raw = torch.full((2, errors.shape[-1]), -2.0, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(500):
        base, slope = functional.softplus(raw[0]) * scale, functional.softplus(raw[1])
        short = torch.nan_to_num(errors - base - slope * rows)
        pinball = torch.maximum(COVERAGE * short, (COVERAGE - 1.0) * short) / scale
        optimizer.zero_grad()
        torch.autograd.backward((pinball * weight).sum())
        optimizer.step()
    with torch.no_grad():
        return Spread(functional.softplus(raw[0]) * scale, functional.softplus(raw[1]))


def fair_weights(strides: Strides) -> NDArray[np.float32]:
    """Return the weight of each stride: laboratories count alike, and the people of each."""
    weight = np.empty(len(strides), np.float32)
    for lab in strides.labs:
        people = set(strides.person[strides.lab == lab].tolist())
        for person in people:
            own = strides.person == person
            weight[own] = 1.0 / (len(people) * own.sum())
    return weight


class Answer(nn.Module):
    """Loads side by side become a model file's outputs."""

    def __init__(self, spread: Spread) -> None:
        super().__init__()
        self.register_buffer("base", spread.base)
        self.register_buffer("slope", spread.slope)
        self.base: Tensor
        self.slope: Tensor

    def forward(self, loads: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return moments, forces (muscles only pull: not below zero), and the spread of each."""
        parts = [len(MOMENTS), len(MUSCLES)]
        moments, forces = torch.split(loads, parts, -1)
        half_width = Spread(self.base, self.slope).half_width(loads)
        of_moments, of_forces = torch.split(half_width, parts, -1)
        return moments, functional.relu(forces), of_moments, of_forces
