"""A stride's movement in a few numbers, by which it is told from what training people do."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgehip.channels import ANGLES
from edgehip_export.default_features import PACE, pace
from edgehip_export.strides import POINTS, Strides, close_cycles


class Movement(nn.Module):
    """Scores of a stride's curves on their principal components, and the stride's pace."""

    def __init__(self, components: int) -> None:
        super().__init__()
        inputs = POINTS * len(ANGLES)
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("into", torch.zeros(inputs, components))
        self.register_buffer("ramp", torch.linspace(-0.5, 0.5, POINTS)[:, None])
        self.mean: Tensor
        self.into: Tensor
        self.ramp: Tensor

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return (B, components + PACE) for angles (B, 180, 10) and durations (B, 1)."""
        closed = angles_deg - (angles_deg[:, -1:] - angles_deg[:, :1]) * self.ramp
        return torch.cat([(closed.flatten(1) - self.mean) @ self.into, pace(stride_s)], -1)

    def shift_per_deg(self) -> Tensor:
        """Return what one degree more of each angle, all stride long, does: (10, size)."""
        shift = self.into.reshape(POINTS, len(ANGLES), -1).sum(0)
        return torch.cat([shift, torch.zeros(len(shift), PACE)], -1)


def fit_movement(strides: Strides, chance: NDArray[np.float64], components: int) -> Movement:
    """Return the movement of some people; each stride counts as its ``chance`` (N,)."""
    angles = close_cycles(strides.angles_deg).astype(np.float64)
    sd = np.tile(angles.std((0, 1)), POINTS)
    flat = angles.reshape(len(strides), -1)
    mean = chance @ flat
    _, size, direction = np.linalg.svd(
        np.sqrt(chance)[:, None] * (flat - mean) / sd, full_matrices=False
    )
    found = Movement(components)
    found.mean.copy_(torch.from_numpy(mean))
    into = (direction[:components] / size[:components, None]).T / sd[:, None]
    found.into.copy_(torch.from_numpy(into))
    return found.eval()
