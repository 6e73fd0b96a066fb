"""Strides as other people, other sensors and other days would have shown them.

A batch is B closed cycles: angles (B, 180, 10) in degrees, loads (B, 180, 17) with NaN where a
laboratory has none, durations (B,) in seconds.
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
    share, up to this, of the difference between a stride's mean angles and everybody's is taken
    out, as the personal zero does in a live stream. ``mixed``: share of strides that become a
    mixture of two people's, which may reach ``beyond`` either of them.
    """

    offset_deg: float = 4.0
    gain: float = 0.05
    noise_deg: float = 0.3
    duration: float = 0.03
    person_share: float = 1.0
    mixed: float = 0.7
    beyond: float = 0.2


@dataclass(frozen=True)
class Batch:
    """Closed cycles: ``angles_deg`` (B, 180, 10), ``loads`` (B, 180, 17), ``stride_s`` (B,)."""

    angles_deg: Tensor
    loads: Tensor
    stride_s: Tensor

    def take(self, rows: Tensor) -> "Batch":
        """Return the chosen cycles."""
        return Batch(self.angles_deg[rows], self.loads[rows], self.stride_s[rows])

    def draw(self, count: int, random: torch.Generator) -> "Batch":
        """Return some of the cycles, each with the same chance."""
        return self.take(torch.randint(len(self.stride_s), (count,), generator=random))


def mix(one: Batch, other: Batch, how: Augmentation, random: torch.Generator) -> Batch:
    """Return strides between (and a little beyond) two people's.

    Gait is nearly linear around its common pattern, so the same mixture of the loads goes with a
    mixture of the angles at the same phase.
    """
    strides = len(one.stride_s)
    reach = 1.0 + 2.0 * how.beyond
    share = torch.rand(strides, generator=random) * reach - how.beyond
    share = share * (torch.rand(strides, generator=random) < how.mixed)
    wide = share[:, None, None]
    return Batch(
        one.angles_deg + wide * (other.angles_deg - one.angles_deg),
        one.loads + wide * (other.loads - one.loads),
        one.stride_s + share * (other.stride_s - one.stride_s),
    )


def disturb(
    batch: Batch, common_mean_deg: Tensor, how: Augmentation, random: torch.Generator
) -> Batch:
    """Return the same loads with angles as imperfect sensors report them.

    ``common_mean_deg`` (10,) is everybody's mean angles.
    """
    strides, points, channels = batch.angles_deg.shape

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    mean = batch.angles_deg.mean(1, keepdim=True)
    share = how.person_share * torch.rand((strides, 1, 1), generator=random)
    offset = share * (common_mean_deg - mean) + how.offset_deg * normal(strides, 1, channels)
    stretched = mean + (batch.angles_deg - mean) * (1.0 + how.gain * normal(strides, 1, channels))
    knots = normal(strides, channels, 12)
    wander = functional.interpolate(
        torch.cat([knots, knots[..., :1]], -1), size=points, mode="linear", align_corners=True
    )
    return Batch(
        stretched + offset + how.noise_deg * wander.transpose(1, 2),
        batch.loads,
        batch.stride_s * torch.exp(how.duration * normal(strides)),
    )
