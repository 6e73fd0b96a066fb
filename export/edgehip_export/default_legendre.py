"""The per-sample network that ships: it sees the last stride as a whole, beside this very sample.

What each angle did over the last :data:`WINDOW_S` is kept as the coefficients of Legendre
polynomials, which one linear step brings up to date (Voelker, Kajic and Eliasmith, "Legendre memory
units", 2019). A memory that is not learnt cannot learn people by heart, and forgets in known time.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import ANGLES
from edgehip_export.default_cycle import OUTPUTS, SEEN
from edgehip_export.default_sample import PER_S, RATE_HZ, SampleNetwork

WINDOW_S = 1.5
"""Longer than most strides: how this one began is still there when it ends."""

ORDER = 8
"""Polynomials of each angle; more of them, or a longer window, served strangers worse."""

MEMORY = len(ANGLES) * ORDER
FEATURES = 3 * SEEN + MEMORY

FORGOTTEN = 512
"""Samples after which a millionth is left of one."""


class LegendreNetwork(SampleNetwork):
    """Dense layers on the features and the memory.

    Parameters
    ----------
    wide, width
        Units of the two layers.
    """

    def __init__(self, wide: int = 192, width: int = 96) -> None:
        super().__init__()
        self.enter = nn.Linear(FEATURES, wide)
        self.inner = nn.Linear(wide, width)
        self.leave = nn.Linear(width, OUTPUTS)

    def tell(self, features: Tensor, past: int) -> Tensor:
        """Return scaled loads."""
        change = features[..., SEEN : SEEN + len(ANGLES)]
        rows = torch.cat([features, memory(change)], -1)[:, past:]
        dense = functional.gelu(self.inner(functional.gelu(self.enter(rows))))
        return cast(Tensor, self.leave(dense))


def memory_step() -> tuple[Tensor, Tensor]:
    """Return how a memory (8,) goes on: by (8, 8), and by (8,) times the rate of change.

    It is that of the angle over the window relative to the angle now, so of a still leg it is zero.
    The equations are those of Voelker et al. for inputs that are held between samples.
    """
    degree = np.arange(ORDER)
    row, column = np.meshgrid(degree, degree, indexing="ij")
    size = (2.0 * degree + 1.0) / WINDOW_S
    sign = (-1.0) ** degree
    rate = np.zeros((ORDER + 1, ORDER + 1))
    rate[:ORDER, :ORDER] = np.where(row < column, -1.0, -sign[row] * sign[column]) * size[:, None]
    rate[:ORDER, ORDER] = sign * size
    step = torch.matrix_exp(torch.from_numpy(rate / RATE_HZ))
    keep, take = step[:ORDER, :ORDER], step[:ORDER, ORDER].clone()
    # A constant input is its own first coefficient.
    take[0] -= 1.0
    return keep.float(), (take / PER_S).float()


def memory(change: Tensor) -> Tensor:
    """Return the memories (B, T, C * 8) after each of the rates of change (B, T, C)."""
    samples = change.shape[1]
    length = 2 * samples
    answer = torch.fft.rfft(_ANSWER[:, :samples], length)
    whole = torch.fft.rfft(change.mT, length)[:, :, None] * answer
    kept: Tensor = torch.fft.irfft(whole, length)[..., :samples]
    return kept.permute(0, 3, 1, 2).flatten(2)


def _answer() -> Tensor:
    """Return what one change leaves behind in a memory (8, 512), sample by sample."""
    keep, take = (part.double() for part in memory_step())
    left = [take]
    for _ in range(FORGOTTEN - 1):
        left.append(keep @ left[-1])
    return torch.stack(left, 1).float()


_ANSWER = _answer()
