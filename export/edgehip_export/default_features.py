"""Where each foot is, seen from its hip, and pace: what a network would have to learn of legs.

Walking speed, step length and the lever arms of the ground's force are all in the foot's path
below the hip, which angles give only through sines and cosines. A leg is taken as a thigh and a
shank of equal length (their sum is 1) and a foot of 0.15 below an upright pelvis.
"""

import math

import torch
from torch import Tensor

from edgehip.channels import ANGLES, SIDES, angles_of

THIGH = 0.5
SHANK = 0.5
FOREFOOT = 0.15
PATH_CHANNELS = 8
"""Four of the right leg, then four of the left."""

PACE = 2
"""Numbers that tell a stride's pace."""


def foot_path(angles_deg: Tensor) -> Tensor:
    """Return, for angles (..., 10), where the feet are (..., 8).

    Per leg: how far the ankle is in front of the hip and above it, and how high the forefoot is,
    all in leg lengths, then the foot's pitch in radians.
    """
    segments = angles_deg @ SEGMENTS
    turned = torch.cat([torch.sin(segments), torch.cos(segments), segments], -1)
    return turned @ _PATH


def path_weight() -> Tensor:
    """Return (18, 22): what makes angles and foot paths of angles and their segments' waves.

    That are the pitches' sines, then their cosines.
    """
    waves, pitches = torch.split(_PATH, [12, 6])
    angles = torch.eye(len(ANGLES))
    return torch.cat(
        [
            torch.cat([angles, torch.zeros(len(ANGLES), len(waves))], 1),
            torch.cat([(SEGMENTS @ pitches).T, waves.T], 1),
        ]
    )


def pace(stride_s: Tensor) -> Tensor:
    """Return stride frequency and its square (B, PACE), about zero and of size one."""
    per_s = 1.0 / stride_s
    return torch.cat([(per_s - 0.9) / 0.15, (per_s * per_s - 0.85) / 0.3], -1)


def _segments() -> Tensor:
    """Return the (10, 6) matrix from angles to the pitch of thigh, shank and foot, per leg."""
    to = torch.zeros(len(ANGLES), 6)
    for leg, side in enumerate(reversed(SIDES)):
        hip_flexion, _, _, knee, ankle = angles_of(side)
        thigh, shank, foot = range(3 * leg, 3 * leg + 3)
        to[hip_flexion, thigh : foot + 1] = 1.0
        to[knee, shank : foot + 1] = -1.0
        to[ankle, foot] = 1.0
    return to * (math.pi / 180.0)


def _path() -> Tensor:
    """Return the (18, 8) matrix from the segments' sines, cosines and pitches to the path."""
    to = torch.zeros(18, PATH_CHANNELS)
    for leg in range(2):
        thigh, shank, foot = range(3 * leg, 3 * leg + 3)
        forward, up, forefoot, pitch = range(4 * leg, 4 * leg + 4)
        to[[thigh, shank], forward] = torch.tensor([THIGH, SHANK])
        for height in (up, forefoot):
            to[[6 + thigh, 6 + shank], height] = torch.tensor([-THIGH, -SHANK])
        to[foot, forefoot] = FOREFOOT
        to[12 + foot, pitch] = 1.0
    return to


# As matrices, a step's graph has a handful of nodes for them instead of dozens.
SEGMENTS = _segments()
"""From angles in degrees to the pitch of each segment in radians (10, 6)."""

_PATH = _path()
