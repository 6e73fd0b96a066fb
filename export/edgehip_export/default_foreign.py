"""How unlike the training people's an input is: one number, which an estimate carries.

The score is fitted to the training people, and is 1 at what few people left out in training
showed: above that, a model is asked about something it cannot know.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgehip.channels import ANGLES
from edgehip_export.augmentation import Augmentation
from edgehip_export.default_fit import chances
from edgehip_export.default_movement import Movement, fit_movement
from edgehip_export.default_sample import RATE_HZ, SampleNetwork
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import fair_weights, weighted_quantile
from edgehip_export.default_walks import at_phase
from edgehip_export.strides import Strides, close_cycles

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

CYCLE_SHARE: Final = 0.99
"""Share of strides of people left out that score below 1."""

SAMPLE_SHARE: Final = 0.999
"""The same of single samples, of which a stride has a hundred."""

SAMPLES: Final = 100
"""Places in a stride at which single samples are looked at."""

SHRINKAGE: Final = 0.02
"""Share of the mean variance added to every direction: few people span few of them."""


def fit_score(
    movement: Tensor, weight: NDArray[np.floating], zero_error: Matrix
) -> OutOfRangeScore:
    """Return the score for movements (N, K), each of some weight (N,).

    ``zero_error`` (M, K) is what errors of the angles' zero that the model was trained to bear do.
    """
    values = movement.double().numpy()
    share = weight / weight.sum()
    centre = share @ values
    off = values - centre
    covariance = off.T @ (share[:, None] * off) + zero_error.T @ zero_error
    scale = np.sqrt(np.diag(covariance))
    cosine = covariance / scale / scale[:, None]
    size, direction = np.linalg.eigh(cosine + SHRINKAGE * np.eye(len(scale)))
    return OutOfRangeScore(centre, direction / np.sqrt(size) / scale[:, None]).eval()


def cycle_score(
    strides: Strides, movement: Movement, offset_deg: float, left_out: "list[Mask]"
) -> OutOfRangeScore:
    """Return the score of a whole-cycle model, of what ``movement`` makes of a stride.

    ``offset_deg`` is the SD of errors of the angles' zero that are no reason for a high score.
    ``left_out`` are masks (N,) of the people left out together, from which 1 is defined.
    """
    seen = np.empty(len(strides))
    for held in left_out:
        rest = strides.take(~held)
        theirs = fit_movement(rest, chances(rest), movement.into.shape[1])
        score = _of_cycles(theirs, rest, offset_deg)
        seen[held] = score(_moved(theirs, strides.take(held)))[:, 0].numpy()
    edge = weighted_quantile(seen, fair_weights(strides), CYCLE_SHARE)
    return _of_cycles(movement, strides, offset_deg).calibrated(edge)


def _of_cycles(movement: Movement, strides: Strides, offset_deg: float) -> OutOfRangeScore:
    zero_error = offset_deg * movement.shift_per_deg().double().numpy()
    return fit_score(_moved(movement, strides), chances(strides), zero_error)


def sample_score(
    strides: Strides, network: SampleNetwork, augmentation: Augmentation, left_out: "list[Mask]"
) -> OutOfRangeScore:
    """Return the score of a per-sample model with this network's scales; see :func:`cycle_score`.

    ``augmentation`` is what angles may be wrong by without being foreign.

    It is one of scaled angles and of their changes (B, 20): the feet's paths follow from the angles
    and say nothing new. Walking is taken as steady: standing lies inside what walking reaches.
    """
    movement, stride = _walked(strides, network, augmentation.noise_deg)
    seen = np.empty(len(stride))
    for held in left_out:
        here = held[stride]
        score = _of_samples(strides.take(~held), movement[~here], augmentation, network)
        seen[here] = score(movement[here])[:, 0].numpy()
    edge = weighted_quantile(seen, fair_weights(strides)[stride], SAMPLE_SHARE)
    return _of_samples(strides, movement, augmentation, network).calibrated(edge)


def _of_samples(
    strides: Strides, movement: Tensor, augmentation: Augmentation, network: SampleNetwork
) -> OutOfRangeScore:
    per_stride = len(movement) // len(strides)
    weight = np.repeat(chances(strides), per_stride)
    angles = len(ANGLES)
    sd = network.seen_sd[:angles].double().numpy()
    zero_error = np.zeros((angles, 2 * angles))
    zero_error[:, :angles] = np.diag(augmentation.offset_deg / sd)
    return fit_score(movement, weight, zero_error)


def _walked(
    strides: Strides, network: SampleNetwork, noise_deg: float
) -> tuple[Tensor, NDArray[np.intp]]:
    """Return angles and changes (N, 20), as the network sees them, and which stride each is of.

    They are of :data:`SAMPLES` places in each stride.
    """
    closed = torch.from_numpy(close_cycles(strides.angles_deg))
    stride_s = torch.from_numpy(strides.stride_s)[:, None]
    now = torch.arange(SAMPLES) / SAMPLES + torch.zeros_like(stride_s)
    random = torch.Generator().manual_seed(0)

    def at(phase: Tensor) -> Tensor:
        angles = at_phase(closed, phase)
        return network.see(angles + noise_deg * torch.randn(angles.shape, generator=random))

    seen = at(now)
    change = network.change(seen, at(now - 1.0 / RATE_HZ / stride_s))
    stride = np.repeat(np.arange(len(strides)), SAMPLES)
    angles = len(ANGLES)
    return torch.cat([seen[..., :angles], change[..., :angles]], -1).flatten(0, 1), stride


def _moved(movement: Movement, strides: Strides) -> Tensor:
    angles, stride_s = (torch.from_numpy(a) for a in (strides.angles_deg, strides.stride_s))
    moved: Tensor = movement(angles, stride_s[:, None])
    return moved
