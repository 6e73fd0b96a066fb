"""How unlike the training people's an input is, as one number that an estimate carries."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Matrix = NDArray[np.float64]


class OutOfRangeScore(nn.Module):
    """The Mahalanobis distance of an input's movement from that of the training people.

    Parameters
    ----------
    centre, whiten
        The distance is that from ``centre`` (K,), in the units that ``whiten`` (K, J) makes of the
        movement's: the root mean square of J numbers.
    """

    def __init__(self, centre: Matrix, whiten: Matrix) -> None:
        super().__init__()
        self._centre, self._whiten = centre, whiten
        # A root mean square is the norm of what has been divided by the root of how many there are.
        share = whiten / whiten.shape[1] ** 0.5
        self.register_buffer("weight", torch.tensor(share.T, dtype=torch.float32))
        self.register_buffer("bias", torch.tensor(-centre @ share, dtype=torch.float32))
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, movement: Tensor) -> Tensor:
        """Return scores (B, 1) for movements (B, K)."""
        white = functional.linear(movement, self.weight, self.bias)
        score: Tensor = torch.linalg.vector_norm(white, dim=-1, keepdim=True)
        return score

    def calibrated(self, edge: float) -> "OutOfRangeScore":
        """Return what gives 1 where this gives ``edge``."""
        return OutOfRangeScore(self._centre, self._whiten / edge).eval()
