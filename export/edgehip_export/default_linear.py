"""The linear member of the whole-cycle model: few movements of the whole stride, and its duration.

A ridge regression on the principal components of the stride's curves has no more freedom than
twenty people can fill, and errs otherwise than the convolutions do: their mean beats either. That
the zero of every angle may be wrong is written into the penalty: it is what adding every possible
constant error to the training strides would come to (Bishop 1995).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip_export.strides import POINTS, Strides, close_cycles

OUTPUTS = len(MOMENTS) + len(MUSCLES)
PACE = 2
"""Numbers that tell a stride's pace."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class LinearProtocol:
    """``components`` of the movement, the ridge's ``penalty``, and the SD of the angles' zero."""

    components: int
    penalty: float
    offset_deg: float = 4.0


class LinearCycle(nn.Module):
    """Loads as a linear function of a stride's angles and of its duration's inverse powers."""

    def __init__(self, components: int) -> None:
        super().__init__()
        inputs = POINTS * len(ANGLES)
        for name, shape in (
            ("mean", (inputs,)),
            ("into", (inputs, components)),
            ("out", (components + PACE, POINTS * OUTPUTS)),
            ("bias", (POINTS * OUTPUTS,)),
            ("ramp", (POINTS, 1)),
        ):
            self.register_buffer(name, torch.zeros(shape))
        self.ramp: Tensor = torch.linspace(-0.5, 0.5, POINTS)[:, None]
        self.mean: Tensor
        self.into: Tensor
        self.out: Tensor
        self.bias: Tensor

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17) for angles (B, 180, 10) and durations (B, 1)."""
        loads = self.movement(angles_deg, stride_s) @ self.out + self.bias
        return loads.reshape(-1, POINTS, OUTPUTS)

    def movement(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return a stride in a few numbers (B, components + PACE): movements, then pace."""
        closed = angles_deg - (angles_deg[:, -1:] - angles_deg[:, :1]) * self.ramp
        scores = (closed.flatten(1) - self.mean) @ self.into
        return torch.cat([scores, _pace(1.0 / stride_s)], -1)

    def shift_per_deg(self) -> Tensor:
        """Return what one degree more of each angle, all stride long, does: (10, components)."""
        return self.into.reshape(POINTS, len(ANGLES), -1).sum(0)


def _pace(per_s: Tensor) -> Tensor:
    """Return stride frequency and its square, about zero and of size one."""
    return torch.cat([(per_s - 0.9) / 0.15, (per_s * per_s - 0.85) / 0.3], -1)


def fit_linear(
    strides: Strides, chance: NDArray[np.float64], protocol: LinearProtocol
) -> LinearCycle:
    """Return the linear member for some people; each stride counts as its ``chance`` (N,)."""
    angles = close_cycles(strides.angles_deg).astype(np.float64)
    sd = np.tile(angles.std((0, 1)), POINTS)
    flat = angles.reshape(len(strides), -1)
    mean = chance @ flat
    _, size, direction = np.linalg.svd(
        np.sqrt(chance)[:, None] * (flat - mean) / sd, full_matrices=False
    )
    kept = protocol.components
    into = (direction[:kept] / size[:kept, None]).T / sd[:, None]
    pace = _pace(torch.from_numpy(1.0 / strides.stride_s[:, None])).numpy()
    features = np.concatenate([(flat - mean) @ into, pace], axis=1)
    # What one SD of each angle's zero error, all stride long, does to the scores.
    shift = protocol.offset_deg * into.reshape(POINTS, len(ANGLES), kept).sum(0)
    penalty = protocol.penalty * np.eye(kept + PACE)
    penalty[:kept, :kept] += shift.T @ shift
    out = np.empty((kept + PACE, POINTS, OUTPUTS))
    bias = np.empty((POINTS, OUTPUTS))
    for place, loads in (
        (slice(None, len(MOMENTS)), strides.moments),
        (slice(len(MOMENTS), None), strides.forces),
    ):
        known = np.isfinite(loads).all((1, 2))
        share = chance[known] / chance[known].sum()
        slope, centre = _ridge(
            features[known], close_cycles(loads[known]).reshape(known.sum(), -1), share, penalty
        )
        out[..., place] = slope.reshape(kept + PACE, POINTS, -1)
        bias[:, place] = centre.reshape(POINTS, -1)
    member = LinearCycle(kept)
    for name, value in (
        ("mean", mean),
        ("into", into),
        ("out", out.reshape(kept + PACE, -1)),
        ("bias", bias.reshape(-1)),
    ):
        getattr(member, name).copy_(torch.from_numpy(value))
    return member.eval()


def _ridge(
    features: Matrix, loads: NDArray[np.float32], share: Matrix, penalty: Matrix
) -> tuple[Matrix, Matrix]:
    """Return slope and intercept of the weighted ridge regression of loads on features."""
    feature_mean, load_mean = share @ features, share @ loads
    centred = features - feature_mean
    weighted = share[:, None] * centred
    slope = np.linalg.solve(weighted.T @ centred + penalty, weighted.T @ (loads - load_mean))
    return np.asarray(slope, np.float64), load_mean - feature_mean @ slope
