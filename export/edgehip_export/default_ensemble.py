"""The whole-cycle model: a kernel that knows who moved like this, and a network that generalises.

Of estimates that err apart, the best mean counts each by the inverse of its variance. The kernel
member knows its own: small for people like those of training, large for a stranger's walk.
"""

from torch import Tensor, nn

from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_kernel import KernelCycle
from edgehip_export.default_movement import Movement
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import Answer, Spread

NETWORK_VARIANCE = 0.5
"""Of what the network misses, whoever walks, in units of the kernel member's prior variance."""


class CycleEnsemble(nn.Module):
    """The mean of two members: one compares people's strides, the other learnt laws of time.

    Parameters
    ----------
    network
        Which learnt of whole strides what per-sample networks say of them.
    kernel
        Fitted to the people those learnt from.
    """

    def __init__(self, network: CycleNetwork, kernel: KernelCycle) -> None:
        super().__init__()
        self.network = network
        self.kernel = kernel

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17) for angles (B, 180, 10) and durations (B, 1)."""
        learnt = self.network.on_grid(angles_deg, stride_s)
        alike, variance = self.kernel.with_variance(angles_deg, stride_s)
        share = variance / (variance + NETWORK_VARIANCE)
        return self.network.at_points(alike + share * (learnt - alike))


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
