"""What per-sample networks have in common, and those that teach.

At :data:`RATE_HZ` a network sees ten angles, where they put the feet, how both change from sample
to sample, and how lively each was of late. Time, which moments need, comes in through the
differences; the walk's pace, which a short memory would have to guess, through their mean size.
"""

from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehip_export.default_cycle import OUTPUTS, SEEN, VELOCITY_SCALE
from edgehip_export.default_features import foot_path

RATE_HZ = 100.0
PER_S = RATE_HZ / VELOCITY_SCALE
"""From a difference of two samples in a row to a rate of change."""

ROW = SEEN + 1
"""What a step knows of each angle and path, and one number more."""

RECENT_S = 1.5
"""Time constant of what was of late: longer than a stride, shorter than a walk at one pace."""

STILL = 1e-4
"""Added to each square: the root of nothing is infinitely steep, and denormal numbers are slow."""


class SampleNetwork(nn.Module, ABC):
    """A causal network over whole sequences, as it is trained."""

    def __init__(self) -> None:
        super().__init__()
        for name, columns in (("seen", SEEN), ("target", OUTPUTS)):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_sd", torch.ones(columns))
        self.seen_mean: Tensor
        self.seen_sd: Tensor
        self.target_mean: Tensor
        self.target_sd: Tensor

    def forward(self, angles_deg: Tensor, past: int = 0) -> Tensor:
        """Return loads (B, T - past, 17) for angles (B, T, 10); forces may come out below zero.

        Of the first ``past`` samples only what asks for no training is remembered.
        """
        seen = self.see(angles_deg)
        before = torch.cat([seen[:, :1], seen[:, :-1]], 1)
        change = self.change(seen, before)
        told = self.tell(torch.cat([seen, change, lively(change)], -1), past)
        return told * self.target_sd + self.target_mean

    @abstractmethod
    def tell(self, features: Tensor, past: int) -> Tensor:
        """Return scaled loads (B, T - past, 17) for features (B, T, 54).

        Those are what is seen, its changes, and how lively they were of late.
        """

    def see(self, angles_deg: Tensor) -> Tensor:
        """Return scaled angles and foot paths (..., 18)."""
        seen = torch.cat([angles_deg, foot_path(angles_deg)], -1)
        return (seen - self.seen_mean) / self.seen_sd

    def change(self, seen: Tensor, before: Tensor) -> Tensor:
        """Return the rates of change between two samples in a row."""
        return (seen - before) * PER_S


class RecurrentNetwork(SampleNetwork):
    """One gated recurrent layer, which learns of people what a kernel of strides cannot know.

    Parameters
    ----------
    width
        Units of the layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.memory = nn.GRU(3 * SEEN, width, batch_first=True)
        self.leave = nn.Linear(width, OUTPUTS)

    def tell(self, features: Tensor, past: int) -> Tensor:
        """Return scaled loads."""
        hidden, _ = self.memory(features[:, past:])
        return cast(Tensor, self.leave(hidden))


def lively(change: Tensor) -> Tensor:
    """Return how lively each channel (B, T, 18) was of late, from its changes."""
    recent = [torch.zeros(len(change), ROW)]
    for now in functional.pad(change, (0, 1)).unbind(1):
        recent.append(remember(recent[-1], now))
    return liveliness(torch.stack(recent[1:], 1))[..., :SEEN]


def remember(recent: Tensor, change: Tensor) -> Tensor:
    """Return what is known of late (B, ROW) after one more change (B, ROW), which ends in a 0.

    That are running means of the squares and, to divide them by, of a 1 in each sample's place.
    """
    now = change * change + _ADDED
    return recent + (now - recent) * (1.0 / (RECENT_S * RATE_HZ))


def liveliness(recent: Tensor) -> Tensor:
    """Return the root mean square (..., ROW) of the changes of late, and a 1."""
    return torch.sqrt(recent / recent[..., SEEN:])


_ADDED = torch.tensor([STILL] * SEEN + [1.0])
