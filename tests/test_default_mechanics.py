"""The mechanics the whole-cycle model starts from: a leg that hangs, swings and carries."""

import math

import pytest
import torch
from torch import Tensor

from edgehip.channels import ANGLES
from edgehip_export.default_cycle import GRID
from edgehip_export.default_mechanics import (
    CENTRE,
    FOOT_KG,
    FOOT_M,
    GRAVITY_M_PER_S2,
    SHANK_KG,
    SHANK_M,
    THIGH_KG,
    THIGH_M,
    TOWARDS_COMMON_MEAN,
    Mechanics,
)
from edgehip_export.strides import POINTS

FLEXION, ADDUCTION = 0, 1
MID_STANCE = GRID // 4


def signals(stride_s: float = 1.0, **curves: Tensor | float) -> tuple[Tensor, Tensor]:
    """Return the moments (GRID, 3) from weight and from inertia, for angles that are else zero."""
    angles = torch.zeros(1, POINTS, len(ANGLES))
    for name, curve in curves.items():
        angles[0, :, ANGLES.index(name)] = curve
    mechanics = Mechanics(angles.mean((0, 1)))
    weight, inertia = mechanics(angles, torch.tensor([[stride_s]]))[0].split(3, -1)
    return weight, inertia


def test_a_leg_that_stands_bears_the_weight_in_front_of_its_hip() -> None:
    weight, inertia = signals()
    assert float(inertia.abs().max()) < 1e-4
    assert float(weight[-GRID // 4 :].abs().max()) < 0.01  # in swing it just hangs
    forward_m = -0.04 + 0.16 * 0.25 / 0.62
    leg = GRAVITY_M_PER_S2 * FOOT_KG * FOOT_M[0]
    found = float(weight[MID_STANCE, FLEXION])
    assert found == pytest.approx(leg - GRAVITY_M_PER_S2 * forward_m, abs=1e-3)


def test_a_leg_that_stands_aside_pulls_the_body_towards_it() -> None:
    """Muscles that abduct bear what leans over to the other side: less than no adduction."""
    weight, _ = signals(hip_adduction_r=10.0)
    assert float(weight[MID_STANCE, ADDUCTION]) < -0.5
    weight, _ = signals(hip_adduction_r=-10.0)
    assert float(weight[MID_STANCE, ADDUCTION]) > 0.5


@pytest.mark.parametrize("stride_s", [0.8, 1.6])
def test_a_straight_leg_swings_like_a_pendulum(stride_s: float) -> None:
    phase = torch.linspace(0.0, 2.0 * math.pi, POINTS)
    _, inertia = signals(stride_s, hip_flexion_r=10.0 * torch.sin(phase))
    shank_m, foot_m = THIGH_M + CENTRE * SHANK_M, THIGH_M + SHANK_M - FOOT_M[1]
    about = THIGH_KG * (CENTRE * THIGH_M) ** 2 + SHANK_KG * shank_m**2
    about += FOOT_KG * (foot_m**2 + FOOT_M[0] ** 2)
    speeding = -math.radians(10.0) * (2.0 * math.pi / stride_s) ** 2
    grid = torch.sin(2.0 * math.pi * torch.arange(GRID) / GRID)
    torch.testing.assert_close(inertia[:, FLEXION], about * speeding * grid, atol=0.01, rtol=0.01)


def test_most_of_a_wrong_zero_is_taken_out() -> None:
    angles = torch.randn(1, POINTS, len(ANGLES), generator=torch.Generator().manual_seed(0))
    usual, stride_s = angles.mean((0, 1)), torch.ones(1, 1)
    moved = Mechanics(usual)(angles + 4.0, stride_s)
    left_deg = 4.0 * (1.0 - TOWARDS_COMMON_MEAN)
    assert left_deg < 1.0
    by_most = Mechanics(usual + left_deg)(angles + left_deg, stride_s)
    torch.testing.assert_close(moved, by_most, atol=1e-4, rtol=0)


def test_mechanics_expects_moments_and_no_forces() -> None:
    angles = 10.0 * torch.randn(2, POINTS, len(ANGLES), generator=torch.Generator().manual_seed(0))
    loads = Mechanics(torch.zeros(len(ANGLES))).expected(angles, torch.ones(2, 1))
    assert loads.shape == (2, GRID, 17)
    assert float(loads[..., :3].abs().max()) > 0.1
    assert float(loads[..., 3:].abs().max()) == 0.0
