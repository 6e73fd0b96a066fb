"""What a network is taught by another: strides as nobody walked them, and the loads they ask for.

A network that saw only what people do answers strangely where a stranger differs from them. Here
each angle is bent as nobody bends it, and what the teacher carries on with is learnt as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from edgehip_export.augmentation import Augmentation, Batch, mix
from edgehip_export.default_cycle import harmonics
from edgehip_export.default_teacher import TeacherStrides
from edgehip_export.strides import POINTS, close_cycles


@dataclass(frozen=True)
class Reach:
    """How far lessons are from how people walk.

    Parameters
    ----------
    beyond
        How far a mixture may reach beyond either of two people's strides.
    gain_sd
        Of the relative change of each angle's excursion.
    bent_deg
        SD of what is added to each angle's first harmonic, half of it to the second and so on.
    pace_sd
        Of the logarithm of what a duration is multiplied by.
    """

    beyond: float
    gain_sd: float
    bent_deg: float
    pace_sd: float


FAR: Final = Reach(beyond=0.6, gain_sd=0.2, bent_deg=3.0, pace_sd=0.2)
"""For networks to carry on where the kernel member has nobody to go by."""

NEAR: Final = Reach(beyond=0.4, gain_sd=0.15, bent_deg=2.0, pace_sd=0.12)
"""For a pupil that is to be as good as its teacher among people, as far as so small a one can."""

MIXED = 0.8
"""Share of mixtures among the strides."""

BENDS = 4
"""Harmonics that are bent."""

STRIDE_S = (0.7, 2.0)

OFFSET_DEG = 4.0
"""SD of what each angle's zero is moved by for a teacher that heeds it little."""

WRONG_DEG = 1.0
"""SD of what an angle's zero is wrong by for the pupil alone, who is to heed it the less."""

AT_ONCE = 500
"""Strides a teacher is asked about at once, which bounds the memory."""


class Lessons:
    """Mixtures of strides, changed at random.

    Parameters
    ----------
    strides
        To mix; their loads are not used.
    teacher
        Returns loads (B, 180, 17) for angles (B, 180, 10) and durations (B, 1).
    reach
        How much the strides are changed.
    """

    def __init__(
        self,
        strides: TeacherStrides,
        teacher: Callable[[Tensor, Tensor], Tensor],
        reach: Reach,
    ) -> None:
        self._strides = strides
        self._teacher = teacher
        self._reach = reach
        waves = harmonics(np.linspace(0.0, 1.0, POINTS), 0, BENDS)[:, 1:]
        size_deg = reach.bent_deg / np.repeat(np.arange(1, BENDS + 1), 2)
        self._waves_deg = torch.tensor(waves * size_deg, dtype=torch.float32)

    def lend(self, count: int, random: torch.Generator) -> Batch:
        """Return new strides."""
        return self._taught(*self._bent(count, random))

    def many(self, count: int, random: torch.Generator) -> Batch:
        """Return so many, with other zeros and at other paces, to be drawn from again and again."""
        parts = []
        for start in range(0, count, AT_ONCE):
            angles, stride_s = self._bent(min(AT_ONCE, count - start), random)
            zero, wrong = torch.randn(2, len(angles), 1, angles.shape[-1], generator=random)
            slower = torch.exp(self._reach.pace_sd * torch.randn(len(angles), generator=random))
            moved = angles + OFFSET_DEG * zero
            part = self._taught(moved, (stride_s * slower).clamp(*STRIDE_S))
            parts.append(replace(part, angles_deg=moved + WRONG_DEG * wrong))
        return Batch(
            torch.cat([part.angles_deg for part in parts]),
            torch.cat([part.loads for part in parts]),
            torch.cat([part.stride_s for part in parts]),
        )

    def _bent(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return angles (B, 180, 10) and durations (B,) of new strides."""
        one, other = (self._strides.lend(count, random) for _ in range(2))
        mixed = mix(one, other, Augmentation(mixed=MIXED, beyond=self._reach.beyond), random)
        channels = mixed.angles_deg.shape[-1]
        gain = 1.0 + self._reach.gain_sd * torch.randn(count, 1, channels, generator=random)
        bend = torch.randn(count, 2 * BENDS, channels, generator=random)
        mean = mixed.angles_deg.mean(1, keepdim=True)
        angles = mean + (mixed.angles_deg - mean) * gain + self._waves_deg @ bend
        return angles, mixed.stride_s.clamp(*STRIDE_S)

    def _taught(self, angles: Tensor, stride_s: Tensor) -> Batch:
        with torch.no_grad():
            loads = self._teacher(angles, stride_s[:, None])
        return Batch(angles, torch.from_numpy(close_cycles(loads.numpy())), stride_s)
