"""What per-sample networks say of one stride that is walked over and over."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from edgehip_export.default_cycle import OUTPUTS
from edgehip_export.default_sample import RATE_HZ, SampleNetwork
from edgehip_export.default_walks import at_phase
from edgehip_export.strides import POINTS

WARMING_UP = 2
"""Strides before the one that is read."""

AT_ONCE = 250


def steady(
    networks: Sequence[SampleNetwork],
    angles_deg: Tensor,
    stride_s: Tensor,
    look_ahead_s: float = 0.0,
) -> Tensor:
    """Return networks' mean loads (B, 180, 17) for closed cycles (B, 180, 10) of stride_s (B,).

    With ``look_ahead_s`` above zero they answer for the sample that long ago.
    """
    loads = torch.empty(*angles_deg.shape[:2], OUTPUTS)
    # Strides of like duration together, so that little is walked in vain.
    for rows in torch.split(torch.argsort(stride_s), AT_ONCE):
        loads[rows] = _steady(networks, angles_deg[rows], stride_s[rows], look_ahead_s)
    return loads


def _steady(
    networks: Sequence[SampleNetwork], angles_deg: Tensor, stride_s: Tensor, look_ahead_s: float
) -> Tensor:
    duration = stride_s[:, None]
    wanted = (WARMING_UP + torch.linspace(0.0, 1.0, POINTS)) * duration + look_ahead_s
    samples = math.ceil(float(wanted.max()) * RATE_HZ) + 2
    walked = at_phase(angles_deg, torch.arange(samples) / RATE_HZ / duration)
    with torch.no_grad():
        told = torch.stack([network(walked) for network in networks]).mean(0)
    # As a curve over all that was walked, whose phases run from 0 to 1.
    return at_phase(told, wanted * RATE_HZ / (samples - 1))
