"""How far an estimate may be off: an interval from the errors on people a model never saw.

The half-width of an output's interval is ``base + slope * |estimate|``, both at least zero: loads
are missed by more where they are large. The two are fitted as a quantile of the absolute errors
(Koenker and Bassett 1978), every person counting the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import MOMENTS

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
    estimates: NDArray[np.float32], references: NDArray[np.float32], person: NDArray[np.str_]
) -> Spread:
    """Return the spread that covers :data:`COVERAGE` of the references.

    Both arrays are (N, 180, 17), NaN in the references where there is none; ``person`` is (N,).
    """
    rows = torch.from_numpy(estimates[:, ::4]).abs()
    errors = torch.from_numpy(np.abs(estimates - references)[:, ::4])
    known = torch.isfinite(errors)
    count = {name: float((person == name).sum()) for name in dict.fromkeys(person.tolist())}
    weight = torch.tensor([1.0 / count[name] for name in person])[:, None, None] * known
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
        width = Spread(self.base, self.slope).half_width(loads)
        split = len(MOMENTS)
        forces = functional.relu(loads[..., split:])
        return loads[..., :split], forces, width[..., :split], width[..., split:]
