"""What a stride's mechanics say of the right hip, before anything is learnt of people.

A leg of three rods hangs from an upright pelvis that does not speed up, and the ground carries the
body straight up under the foot in contact. That is little, but it holds for people and laboratories
nobody has measured: how much a leg resists being swung, and how far its foot is from its hip.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgehip.channels import MOMENTS, MUSCLES, angles_of
from edgehip_export.default_cycle import GRID, fit_to_points, harmonics
from edgehip_export.strides import POINTS

HARMONICS = 5
"""Up to which angles are differentiated twice; above, the noise of a sensor outgrows gait."""

HEIGHT_M = 1.7
THIGH_M, SHANK_M, ANKLE_M = 0.245 * HEIGHT_M, 0.246 * HEIGHT_M, 0.039 * HEIGHT_M
THIGH_KG, SHANK_KG, FOOT_KG = 0.1, 0.0465, 0.0145
"""Of a body of 1 kg, as the lengths above from Winter (2009), tables 4.1 and figure 4.1."""

CENTRE = 0.433
"""Of mass of thigh and shank, as a share of their length from above (Winter 2009)."""

FOOT_M = (0.05, -0.03, 0.0)
"""Where its centre of mass is, seen from the ankle."""

HEEL_M, TOE_M = -0.04, 0.12
"""In front of the ankle: between these the ground's force moves forward through stance."""

CONTACT, STANCE = 0.5, 0.62
"""When in the right stride the left foot lands, and when the right one leaves the ground."""

GRAVITY_M_PER_S2 = 9.81

TOWARDS_COMMON_MEAN = 0.85
"""Share of a stride's mean angles taken for a habit of the laboratory or an error of the sensor."""

SIGNALS = 2 * len(MOMENTS)
"""Three moments from weight, then three from inertia."""

EXPECTED = (0.0, 0.25, 0.25, 0.25, 0.25, 0.25)
"""Share of each signal that is expected of its moment: the trunk, of which angles say nothing,
decides on the flexion moment that weight makes."""

X, Y, Z = range(3)
Matrix = NDArray[np.float64]


class Mechanics(nn.Module):
    """Moments about the right hip's axes (Nm/kg) from weight and from inertia.

    Axes are OpenSim's: forward, up and to the right.

    Parameters
    ----------
    common_mean_deg
        (10,), the mean angles of everybody.
    """

    def __init__(self, common_mean_deg: Tensor) -> None:
        super().__init__()
        self.register_buffer("common_mean_deg", common_mean_deg)
        self.common_mean_deg: Tensor
        grid = np.arange(GRID) / GRID
        smooth = harmonics(grid, 0, HARMONICS)
        carried = _rise(grid, 0.0, STANCE - CONTACT) * (1.0 - _rise(grid, CONTACT, STANCE))
        under = HEEL_M + (TOE_M - HEEL_M) * np.minimum(grid / STANCE, 1.0)
        share = np.zeros((SIGNALS, len(MOMENTS) + len(MUSCLES)))
        for place, expected in enumerate(EXPECTED):
            share[place, place % len(MOMENTS)] = expected
        for name, value in (
            ("smooth", smooth @ fit_to_points(HARMONICS) * (math.pi / 180.0)),
            ("twice", harmonics(grid, 2, HARMONICS) @ np.linalg.pinv(smooth)),
            ("carried", carried[:, None]),
            ("foot_to_ground", np.stack([under, np.full(GRID, -ANKLE_M), np.zeros(GRID)], -1)),
            ("ramp", np.linspace(-0.5, 0.5, POINTS)[:, None]),
            ("share", share),
            ("axes", np.eye(3)),
            ("turned", np.roll(np.eye(3), 1, axis=0)),
        ):
            tensor = torch.tensor(value, dtype=torch.float32)
            self.register_buffer(name, tensor, persistent=False)
        self.smooth: Tensor
        self.twice: Tensor
        self.carried: Tensor
        self.foot_to_ground: Tensor
        self.ramp: Tensor
        self.share: Tensor
        self.axes: Tensor
        self.turned: Tensor

    def expected(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return the loads (B, GRID, 17) to expect of anybody; forces are zero."""
        loads: Tensor = self(angles_deg, stride_s) @ self.share
        return loads

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return (B, GRID, SIGNALS) for angles (B, 180, 10) and durations (B, 1)."""
        closed = angles_deg - (angles_deg[:, -1:] - angles_deg[:, :1]) * self.ramp
        off = self.common_mean_deg - closed.mean(1, keepdim=True)
        angles = self.smooth @ (closed + TOWARDS_COMMON_MEAN * off)
        flexion, adduction, rotation, knee, ankle = (
            angles[..., place, None] for place in angles_of("r")
        )
        _, up, right = self.axes

        def in_pelvis(vector: Tensor) -> Tensor:
            return self._turn(Z, flexion, self._turn(X, adduction, vector))

        def in_thigh(vector: Tensor) -> Tensor:
            return in_pelvis(self._turn(Y, rotation, vector))

        knee_m = in_pelvis(-THIGH_M * up)
        ankle_m = knee_m + in_thigh(self._turn(Z, -knee, -SHANK_M * up))
        ground_m, foot_m = (
            ankle_m + in_thigh(self._turn(Z, ankle - knee, place))
            for place in (self.foot_to_ground, self.axes.new_tensor(FOOT_M))
        )
        weight = -self.carried * ground_m
        inertia = torch.zeros_like(weight)
        for mass_kg, centre_m in (
            (THIGH_KG, CENTRE * knee_m),
            (SHANK_KG, knee_m + CENTRE * (ankle_m - knee_m)),
            (FOOT_KG, foot_m),
        ):
            weight = weight + mass_kg * centre_m
            inertia = inertia + mass_kg * self._cross(centre_m, self.twice @ centre_m)
        per_s2 = 1.0 / (stride_s * stride_s)[:, :, None]
        moments = (self._cross(weight, GRAVITY_M_PER_S2 * up), inertia * per_s2)
        about = (right, self._turn(Z, flexion, self.axes[X]), knee_m / -THIGH_M)
        return torch.stack([(moment * axis).sum(-1) for moment in moments for axis in about], -1)

    def _turn(self, axis: int, angle: Tensor, vector: Tensor) -> Tensor:
        """Return vectors (..., 3) turned about an axis (Rodrigues' formula)."""
        across = self._cross(self.axes[axis], vector)
        inwards = self._cross(self.axes[axis], across)
        return vector + torch.sin(angle) * across + (1.0 - torch.cos(angle)) * inwards

    def _cross(self, one: Tensor, other: Tensor) -> Tensor:
        """Return the cross product of vectors (..., 3), of which one may be one for all."""
        first, second = ((vector @ self.turned, vector @ self.turned.T) for vector in (one, other))
        return first[0] * second[1] - first[1] * second[0]


def _rise(phase: Matrix, start: float, end: float) -> Matrix:
    """Return 0 before the start, 1 after the end, and half a cosine between."""
    return 0.5 - 0.5 * np.cos(math.pi * np.clip((phase - start) / (end - start), 0.0, 1.0))
