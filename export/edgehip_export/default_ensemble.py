"""The whole-cycle model: networks that know how people move, and a kernel that knows who did."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_foreign import OutOfRangeScore
from edgehip_export.default_kernel import KernelCycle
from edgehip_export.default_movement import Movement
from edgehip_export.default_spread import Answer, Spread

KERNEL_SHARE = 0.6


class CycleEnsemble(nn.Module):
    """The mean of convolutional networks, and of that and the kernel member.

    Parameters
    ----------
    networks
        Trained on the same people, so of the same scales.
    kernel
        Fitted to these people.
    """

    def __init__(self, networks: Sequence[CycleNetwork], kernel: KernelCycle) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.kernel = kernel

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17) for angles (B, 180, 10) and durations (B, 1)."""
        first = self.networks[0]
        assert isinstance(first, CycleNetwork)
        features = first.features(angles_deg, stride_s)
        scaled = [n.on_grid(features) for n in self.networks if isinstance(n, CycleNetwork)]
        learnt = first.loads(torch.stack(scaled).mean(0))
        alike = self.kernel(angles_deg, stride_s)
        return first.at_points(learnt + KERNEL_SHARE * (alike - learnt))


class CycleModel(nn.Module):
    """An ensemble as a model file has it: loads apart, each with its spread, and the score."""

    def __init__(
        self,
        ensemble: CycleEnsemble,
        spread: Spread,
        movement: Movement,
        score: OutOfRangeScore,
    ) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.movement = movement
        self.answer = Answer(spread)
        self.score = score

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> tuple[Tensor, ...]:
        """Return moments, forces, the spread of each, and the out-of-range score."""
        score: Tensor = self.score(self.movement(angles_deg, stride_s))
        answer: tuple[Tensor, ...] = self.answer(self.ensemble(angles_deg, stride_s))
        return (*answer, score)
