"""The whole-cycle model: a network that knows how people move, and a kernel that knows who did."""

from torch import Tensor, nn

from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_kernel import KernelCycle
from edgehip_export.default_movement import Movement
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import Answer, Spread

KERNEL_SHARE = 0.75
"""Of the kernel member in the mean; the two err in different places."""


class CycleEnsemble(nn.Module):
    """The weighted mean of a network and the kernel member.

    Both build on the student and on mechanics.

    Parameters
    ----------
    network
        Which learnt from labelled strides what mechanics does not say.
    kernel
        Fitted to the same people.
    """

    def __init__(self, network: CycleNetwork, kernel: KernelCycle) -> None:
        super().__init__()
        self.network = network
        self.kernel = kernel

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17) for angles (B, 180, 10) and durations (B, 1)."""
        learnt = self.network.on_grid(angles_deg, stride_s)
        learnt = learnt + self.kernel.mechanics.expected(angles_deg, stride_s)
        alike = self.kernel(angles_deg, stride_s)
        return self.network.at_points(learnt + KERNEL_SHARE * (alike - learnt))


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
