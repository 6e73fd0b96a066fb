"""The whole-cycle model: convolutions that know people's ways, and lines that know their limits."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_foreign import OutOfRangeScore
from edgehip_export.default_linear import LinearCycle
from edgehip_export.default_spread import Answer, Spread

LINEAR_SHARE = 0.5


class CycleEnsemble(nn.Module):
    """The mean of convolutional networks and of linear members, both halves alike.

    Parameters
    ----------
    networks
        Trained on the same people, so of the same scales.
    linear
        Linear members for these people.
    """

    def __init__(self, networks: Sequence[CycleNetwork], linear: Sequence[LinearCycle]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.linear = nn.ModuleList(linear)

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17) for angles (B, 180, 10) and durations (B, 1)."""
        first = self.networks[0]
        assert isinstance(first, CycleNetwork)
        features = first.features(angles_deg, stride_s)
        scaled = [n.on_grid(features) for n in self.networks if isinstance(n, CycleNetwork)]
        curved = first.at_points(torch.stack(scaled).mean(0))
        straight = torch.stack([line(angles_deg, stride_s) for line in self.linear]).mean(0)
        return (1.0 - LINEAR_SHARE) * curved + LINEAR_SHARE * straight


class CycleModel(nn.Module):
    """An ensemble as a model file has it: loads apart, each with its spread, and the score.

    ``score`` judges the movement as the last linear member, the finest, sees it.
    """

    def __init__(self, ensemble: CycleEnsemble, spread: Spread, score: OutOfRangeScore) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.answer = Answer(spread)
        self.score = score

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> tuple[Tensor, ...]:
        """Return moments, forces, the spread of each, and the out-of-range score."""
        finest = self.ensemble.linear[-1]
        assert isinstance(finest, LinearCycle)
        score: Tensor = self.score(finest.movement(angles_deg, stride_s))
        answer: tuple[Tensor, ...] = self.answer(self.ensemble(angles_deg, stride_s))
        return (*answer, score)
