"""The whole-cycle network: ten angles of one stride and its duration in, one hip's loads out.

Joint moments follow accelerations, which a cycle-normalised curve has lost; the network therefore
sees angles, angular velocities and angular accelerations in real time, made from the curve and the
stride's duration. A stride ends where the next begins, so its convolutions run around the cycle
and know no edges.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip_export.strides import POINTS

OUTPUTS = len(MOMENTS) + len(MUSCLES)
GRID = 60
"""Points of the cycle the network works on: gait has little above the 20th harmonic."""

HARMONICS = 24
VELOCITY_SCALE = 6.0
ACCELERATION_SCALE = 60.0
"""Typical ratios (1/s, 1/s^2) of angular velocity and acceleration to the angle's own SD."""

DURATION_CENTRE_S = 1.1
DURATION_SCALE_S = 0.2


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
        width: int = 64,
        kernel: int = 5,
        dilations: tuple[int, ...] = (1, 2, 4, 8),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.dilations = dilations
        self.enter = nn.Conv1d(3 * len(ANGLES) + 1, width, kernel)
        self.mix = nn.ModuleList(nn.Conv1d(width, width, kernel, dilation=d) for d in dilations)
        self.add = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in dilations)
        self.leave = nn.Conv1d(width, OUTPUTS, 1)
        self.dropout = nn.Dropout(dropout)
        for name, columns in (("angle", len(ANGLES)), ("target", OUTPUTS)):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_sd", torch.ones(columns))
        self.angle_mean: Tensor
        self.angle_sd: Tensor
        self.target_mean: Tensor
        self.target_sd: Tensor
        for order, matrix in enumerate(_derivative_matrices()):
            self.register_buffer(f"derivative_{order}", matrix, persistent=False)
        self.register_buffer("ramp", torch.linspace(-0.5, 0.5, POINTS)[:, None], persistent=False)
        self.register_buffer("back", _back_to_points(), persistent=False)
        self.derivative_0: Tensor
        self.derivative_1: Tensor
        self.derivative_2: Tensor
        self.ramp: Tensor
        self.back: Tensor

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return moments (B, 180, 3) in Nm/kg and forces (B, 180, 14) in N/kg.

        ``angles_deg`` is (B, 180, 10), ``stride_s`` (B, 1).
        """
        hidden = self.enter(self._around(self._features(angles_deg, stride_s), 1))
        hidden = functional.gelu(hidden)
        for dilation, mix, add in zip(self.dilations, self.mix, self.add, strict=True):
            inner = functional.gelu(mix(self._around(hidden, dilation)))
            hidden = hidden + add(self.dropout(inner))
        scaled = self.back @ self.leave(self.dropout(hidden)).transpose(1, 2)
        loads = scaled * self.target_sd + self.target_mean
        moments, forces = loads[..., : len(MOMENTS)], loads[..., len(MOMENTS) :]
        return moments, (forces if self.training else functional.relu(forces))

    def _features(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return (B, 31, GRID): angles, their derivatives in time, and the stride's duration."""
        # A real stride does not quite end as it began: share the difference out over the cycle.
        closed = angles_deg - (angles_deg[:, -1:] - angles_deg[:, :1]) * self.ramp
        per_s = 1.0 / stride_s[:, :, None]
        angle = (self.derivative_0 @ closed - self.angle_mean) / self.angle_sd
        velocity = self.derivative_1 @ closed * (per_s / VELOCITY_SCALE) / self.angle_sd
        acceleration = (
            self.derivative_2 @ closed * (per_s * per_s / ACCELERATION_SCALE) / self.angle_sd
        )
        duration = (stride_s - DURATION_CENTRE_S) / DURATION_SCALE_S
        duration = torch.clamp(duration, -1.5, 3.0)[:, None, :].expand(-1, GRID, -1)
        return torch.cat([angle, velocity, acceleration, duration], -1).transpose(1, 2)

    def _around(self, curve: Tensor, dilation: int) -> Tensor:
        """Return a curve continued at both ends by what lies around the cycle."""
        reach = dilation * (self.kernel // 2)
        return torch.cat([curve[..., -reach:], curve, curve[..., :reach]], -1)


def _harmonics(phase: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return the Fourier basis, or its ``order``-th derivative, at phases in cycles."""
    columns = [np.full_like(phase, float(order == 0))]
    for k in range(1, HARMONICS + 1):
        w = 2 * math.pi * k
        for shift in (0.0, math.pi / 2):
            columns.append(w**order * np.cos(w * phase - shift + order * math.pi / 2))
    return np.stack(columns, axis=-1)


def _derivative_matrices() -> list[Tensor]:
    """Return three (GRID, 180) matrices: smooth curve, first and second derivative by phase."""
    points = np.linspace(0.0, 1.0, POINTS)
    # The last point is the first one of the next cycle: count both by half.
    weight = np.ones(POINTS)
    weight[[0, -1]] = 0.5
    fit = np.linalg.pinv(_harmonics(points, 0) * weight[:, None]) * weight
    grid = np.arange(GRID) / GRID
    # Differentiation amplifies what a sensor adds: let the high harmonics fade.
    order_of = np.repeat(np.arange(HARMONICS + 1), 2)[1:]
    matrices = []
    for order in range(3):
        fade = 1.0 / (1.0 + (order_of / 12.0) ** 4) if order else np.ones(len(order_of))
        matrices.append(torch.tensor(_harmonics(grid, order) * fade @ fit, dtype=torch.float32))
    return matrices


def _back_to_points() -> Tensor:
    """Return the (180, GRID) matrix that reads a curve on the grid at the stride's points."""
    grid = np.arange(GRID) / GRID
    points = np.linspace(0.0, 1.0, POINTS)
    fit = np.linalg.pinv(_harmonics(grid, 0))
    return torch.tensor(_harmonics(points, 0) @ fit, dtype=torch.float32)
