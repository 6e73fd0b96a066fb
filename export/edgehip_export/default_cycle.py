"""The whole-cycle network: ten angles of one stride and its duration in, one hip's loads out.

Joint moments need time, which a cycle-normalised curve has lost; the network therefore sees how
fast the angles, and the feet they place, move in real time, made from the curve and the stride's
duration. A stride ends where the next begins, so its convolutions run around the cycle and know no
edges.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip_export.default_features import PATH_CHANNELS, foot_path
from edgehip_export.strides import POINTS

SEEN = len(ANGLES) + PATH_CHANNELS
OUTPUTS = len(MOMENTS) + len(MUSCLES)
GRID = 60
"""Points of the cycle the network works on: gait has little above its 20th harmonic."""

HARMONICS = 24
FADE_HARMONIC = 12.0
"""Differentiation amplifies what a sensor adds: harmonics above this one fade from the rates."""

VELOCITY_SCALE = 6.0
"""Typical ratio (1/s) of an angle's rate of change to its own SD."""

DURATION_CENTRE_S = 1.1
DURATION_SCALE_S = 0.2


Matrix = NDArray[np.float64]


class CycleNetwork(nn.Module):
    """Residual circular convolutions over one gait cycle.

    Parameters
    ----------
    width, kernel, dilations
        Channels, taps and the dilation of each residual block.
    dropout
        Share of channels silenced while training.
    """

    def __init__(
        self,
        width: int = 48,
        kernel: int = 5,
        dilations: tuple[int, ...] = (1, 2, 4, 8),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.dilations = dilations
        self.enter = nn.Conv1d(2 * SEEN + 1, width, kernel)
        self.mix = nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=d) for d in dilations)
        self.add = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in dilations)
        self.leave = nn.Conv1d(width, OUTPUTS, 1)
        self.dropout = nn.Dropout(dropout)
        for name, columns in (("seen", SEEN), ("target", OUTPUTS)):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_sd", torch.ones(columns))
        self.seen_mean: Tensor
        self.seen_sd: Tensor
        self.target_mean: Tensor
        self.target_sd: Tensor
        smooth, rate = grid_matrices()
        self.register_buffer("smooth", smooth, persistent=False)
        self.register_buffer("rate", rate, persistent=False)
        self.register_buffer("ramp", torch.linspace(-0.5, 0.5, POINTS)[:, None], persistent=False)
        self.register_buffer("back", back_to_points(), persistent=False)
        self.smooth: Tensor
        self.rate: Tensor
        self.ramp: Tensor
        self.back: Tensor

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17), moments (Nm/kg) then forces (N/kg), which may be below zero.

        ``angles_deg`` is (B, 180, 10), ``stride_s`` (B, 1).
        """
        return self.at_points(self.on_grid(angles_deg, stride_s))

    def on_grid(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, GRID, 17)."""
        features = self.features(angles_deg, stride_s)
        hidden = functional.gelu(self.enter(self._around(features, 1)))
        for dilation, mix, add in zip(self.dilations, self.mix, self.add, strict=True):
            inner = functional.gelu(mix(self._around(hidden, dilation)))
            hidden = hidden + add(self.dropout(inner))
        scaled: Tensor = self.leave(self.dropout(hidden)).transpose(1, 2)
        return scaled * self.target_sd + self.target_mean

    def at_points(self, loads: Tensor) -> Tensor:
        """Return loads (B, 180, 17) at the stride's points from those on the grid."""
        return self.back @ loads

    def features(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return (B, 37, GRID): angles and foot paths, their rates, and the stride's duration."""
        # A real stride does not quite end as it began: share the difference out over the cycle.
        closed = angles_deg - (angles_deg[:, -1:] - angles_deg[:, :1]) * self.ramp
        seen = torch.cat([closed, foot_path(closed)], -1)
        place = (self.smooth @ seen - self.seen_mean) / self.seen_sd
        per_s = 1.0 / stride_s[:, :, None]
        rate = self.rate @ seen * (per_s / VELOCITY_SCALE) / self.seen_sd
        duration = (stride_s - DURATION_CENTRE_S) / DURATION_SCALE_S
        duration = torch.clamp(duration, -1.5, 3.0)[:, None, :].expand(-1, GRID, -1)
        return torch.cat([place, rate, duration], -1).transpose(1, 2)

    def _around(self, curve: Tensor, dilation: int) -> Tensor:
        """Return a curve continued at both ends by what lies around the cycle."""
        reach = dilation * (self.kernel // 2)
        return torch.cat([curve[..., -reach:], curve, curve[..., :reach]], -1)


def harmonics(phase: Matrix, order: int, count: int = HARMONICS) -> Matrix:
    """Return the Fourier basis, or its ``order``-th derivative, at phases in cycles."""
    columns = [np.full_like(phase, float(order == 0))]
    for k in range(1, count + 1):
        w = 2 * math.pi * k
        for shift in (0.0, math.pi / 2):
            columns.append(w**order * np.cos(w * phase - shift + order * math.pi / 2))
    return np.stack(columns, axis=-1)


def fit_to_points(count: int = HARMONICS) -> Matrix:
    """Return the (1 + 2 count, 180) matrix from a stride's points to its harmonics."""
    # The last point is the first one of the next cycle: count both by half.
    weight = np.ones(POINTS)
    weight[[0, -1]] = 0.5
    points = harmonics(np.linspace(0.0, 1.0, POINTS), 0, count)
    return np.linalg.pinv(points * weight[:, None]) * weight


def grid_matrices() -> tuple[Tensor, Tensor]:
    """Return two (GRID, 180) matrices: a cycle's smooth curve, and its rate of change by phase."""
    fit = fit_to_points()
    grid = np.arange(GRID) / GRID
    harmonic = np.repeat(np.arange(HARMONICS + 1), 2)[1:]
    fade = 1.0 / (1.0 + (harmonic / FADE_HARMONIC) ** 4)
    smooth, rate = harmonics(grid, 0) @ fit, harmonics(grid, 1) * fade @ fit
    return torch.tensor(smooth, dtype=torch.float32), torch.tensor(rate, dtype=torch.float32)


def back_to_points() -> Tensor:
    """Return the (180, GRID) matrix that reads a curve on the grid at the stride's points."""
    grid = np.arange(GRID) / GRID
    points = np.linspace(0.0, 1.0, POINTS)
    fit = np.linalg.pinv(harmonics(grid, 0))
    return torch.tensor(harmonics(points, 0) @ fit, dtype=torch.float32)
