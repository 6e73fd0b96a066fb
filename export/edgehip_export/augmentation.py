"""Strides as other sensors, other people and other days would have shown them.

All arguments are tensors of B strides: angles (B, 180, 10) in degrees, durations (B,) in seconds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far training strides are moved.

    ``offset_deg``: SD of a constant error of each angle's zero. ``gain``: SD of the relative error
    of each angle's excursion. ``noise_deg``: SD of an error that wanders within the stride.
    ``duration``: SD of the relative change of the stride's duration. ``person_share``: a random
    share, up to this, of the difference between a person's mean angles and everybody's is taken
    out, as the personal zero does in a live stream.
    """

    offset_deg: float = 4.0
    gain: float = 0.05
    noise_deg: float = 0.3
    duration: float = 0.03
    person_share: float = 1.0


def disturb(
    angles_deg: Tensor,
    stride_s: Tensor,
    to_common_mean: Tensor,
    how: Augmentation,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return other angles and durations for the same loads.

    ``to_common_mean`` (B, 10) is everybody's mean angles less those of each stride's person.
    """
    strides, points, channels = angles_deg.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    share = how.person_share * torch.rand((strides, 1), generator=random)
    offset = share * to_common_mean + how.offset_deg * normal(strides, channels)
    mean = angles_deg.mean(1, keepdim=True)
    stretched = mean + (angles_deg - mean) * (1.0 + how.gain * normal(strides, 1, channels))
    knots = normal(strides, channels, 12)
    wander = functional.interpolate(
        torch.cat([knots, knots[..., :1]], -1), size=points, mode="linear", align_corners=True
    )
    disturbed = stretched + offset[:, None] + how.noise_deg * wander.transpose(1, 2)
    return disturbed, stride_s * torch.exp(how.duration * normal(strides))
