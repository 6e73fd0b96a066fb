"""Walking in real time, composed from cycles: steady, or out of standing, or into it."""

from dataclasses import replace

import torch
from torch import Tensor

from edgehip_export.augmentation import Batch

RAMP_S = 0.6
"""How long a person takes between standing and walking."""


def at_phase(curves: Tensor, phase: Tensor) -> Tensor:
    """Return closed cycles (B, 180, C) at phases (B, T) in cycles, of any size: (B, T, C)."""
    place = (phase % 1.0) * (curves.shape[1] - 1)
    below = place.floor().clamp(0, curves.shape[1] - 2).long()
    share = (place - below)[..., None]
    index = below[..., None].expand(-1, -1, curves.shape[-1])
    return curves.gather(1, index) * (1.0 - share) + curves.gather(1, index + 1) * share


def walk(batch: Batch, phase: Tensor, samples: int, rate_hz: float) -> tuple[Tensor, Tensor]:
    """Return angles (B, T, 10) and loads (B, T, 17) of steady walking from a phase (B,) on."""
    time_s = torch.arange(samples) / rate_hz
    phases = phase[:, None] + time_s / batch.stride_s[:, None]
    return at_phase(batch.angles_deg, phases), at_phase(batch.loads, phases)


def walk_on(
    batch: Batch, earlier_s: Tensor, phase: Tensor, samples: tuple[int, int], rate_hz: float
) -> tuple[Tensor, Tensor]:
    """Return angles and loads of a walk whose strides took ``earlier_s`` (B,) for some samples.

    From a phase (B,) on they take their own time, for some samples more.
    """
    past, now = samples
    before = replace(batch, stride_s=earlier_s)
    one = walk(before, phase - past / rate_hz / earlier_s, past, rate_hz)
    other = walk(batch, phase, now, rate_hz)
    return torch.cat([one[0], other[0]], 1), torch.cat([one[1], other[1]], 1)


def with_standing(
    walking: tuple[Tensor, Tensor],
    standing: tuple[Tensor, Tensor],
    rate_hz: float,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return walks that begin or end in standing, or are all standing.

    ``standing`` holds one pose (B, 10) and its loads (B, 17) per walk. The change comes anywhere
    from half a walk's length before its start to its end, in either direction.
    """
    walks, samples = walking[0].shape[:2]
    change = (torch.rand(walks, 1, generator=random) * 1.5 - 0.5) * samples
    progress = (torch.arange(samples) - change) / (RAMP_S * rate_hz)
    backward = torch.rand(walks, 1, generator=random) < 0.5
    share = torch.where(backward, 1.0 - progress, progress).clamp(0.0, 1.0)[..., None]
    angles, loads = (
        pose[:, None] + share * (moving - pose[:, None])
        for pose, moving in zip(standing, walking, strict=True)
    )
    return angles, loads
