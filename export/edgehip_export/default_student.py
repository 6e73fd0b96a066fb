"""The student: what the released networks say of a stride, in one small network.

They saw sixty people whom no other source has. The kernel member builds on that: before it has seen
anybody, it takes half of it for granted.
"""

from torch import Tensor, nn

from edgehip_export.default_cycle import CycleNetwork


class Student(nn.Module):
    """A whole-cycle network that does not see the zero of the angles, which is a laboratory's own.

    Parameters
    ----------
    network
        Taught by the released networks.
    common_mean_deg
        (10,), the mean angles it sees in every stride.
    """

    def __init__(self, network: CycleNetwork, common_mean_deg: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("common_mean_deg", common_mean_deg)
        self.common_mean_deg: Tensor

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, GRID, 17) for angles (B, 180, 10) and durations (B, 1)."""
        moved = angles_deg - angles_deg.mean(1, keepdim=True) + self.common_mean_deg
        return self.network.on_grid(moved, stride_s)
