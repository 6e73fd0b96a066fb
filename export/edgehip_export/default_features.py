"""Where each foot is, seen from its hip: what a network would otherwise have to learn of legs.

Walking speed, step length and the lever arms of the ground's force are all in the foot's path
below the hip, which angles give only through sines and cosines. A leg is taken as a thigh and a
shank of equal length (their sum is 1) and a foot of 0.15 below an upright pelvis.
"""

import math

import torch
from torch import Tensor

from edgehip.channels import SIDES, angles_of

THIGH = 0.5
SHANK = 0.5
FOREFOOT = 0.15
PATH_CHANNELS = 8
"""Four of the right leg, then four of the left."""


def foot_path(angles_deg: Tensor) -> Tensor:
    """Return, for angles (..., 10), where the feet are (..., 8).

    Per leg: how far the ankle is in front of the hip and above it, and how high the forefoot is,
    all in leg lengths, then the foot's pitch in radians.
    """
    radians = angles_deg * (math.pi / 180.0)
    columns = []
    for side in reversed(SIDES):
        hip_flexion, _, _, knee, ankle = angles_of(side)
        thigh = radians[..., hip_flexion]
        shank = thigh - radians[..., knee]
        foot = shank + radians[..., ankle]
        forward = THIGH * torch.sin(thigh) + SHANK * torch.sin(shank)
        up = -THIGH * torch.cos(thigh) - SHANK * torch.cos(shank)
        columns += [forward, up, up + FOREFOOT * torch.sin(foot), foot]
    return torch.stack(columns, dim=-1)
