"""How edgehip's own models do on people and laboratories they never saw."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgehip.channels import MOMENTS, MUSCLES
from edgehip_export.default_bodies import in_model_body, of_bodies
from edgehip_export.default_build import Build
from edgehip_export.default_ensemble import CycleEnsemble
from edgehip_export.default_sample import RATE_HZ, SampleNetwork
from edgehip_export.default_steady import steady
from edgehip_export.default_walks import at_phase
from edgehip_export.in_processes import cores, in_processes
from edgehip_export.metrics import Errors
from edgehip_export.strides import POINTS, Strides, close_cycles

Curves = NDArray[np.float32]
Estimate = Callable[[Strides], Curves]
Condition = Callable[[Strides, Tensor], Strides]
Found = TypeVar("Found")
LARGE_LAB = 3
"""A laboratory of this many people is also judged person by person, its others in training."""

SETTLED_S = 3.0
COLD_ERROR = 0.05


@dataclass(frozen=True)
class Fold:
    """People left out together."""

    name: str
    held: NDArray[np.bool_]


def folds(strides: Strides, people_at_once: int = 1) -> Iterator[Fold]:
    """Yield who is left out in turn: a large laboratory's people, and every other one whole."""
    for lab in strides.labs:
        here = strides.lab == lab
        people = list(dict.fromkeys(strides.person[here].tolist()))
        if len(people) < LARGE_LAB:
            yield Fold(lab, here)
            continue
        groups = -(-len(people) // people_at_once)
        for group in range(groups):
            some = people[group::groups]
            yield Fold(f"{lab}: {', '.join(some)}", np.isin(strides.person, some))


def zeroed(strides: Strides, common_mean_deg: Tensor, strength: float) -> Strides:
    """Return strides with a share of each person's zero taken out, as a live stream does it.

    ``common_mean_deg`` (10,) is the training people's. The person's own mean is over the strides
    at hand, both legs.
    """
    angles, common = strides.angles_deg.copy(), common_mean_deg.numpy()
    for person in strides.people:
        own = strides.person == person
        angles[own] += strength * (common - angles[own].mean((0, 1)))
    return replace(strides, angles_deg=angles)


def offsets(strides: Strides, sd_deg: float, seed: int) -> Curves:
    """Return one random constant error of each angle's zero per person, (N, 1, 10).

    It is the same whoever else is among the strides.
    """
    drawn = {}
    for person in strides.people:
        own = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{person}".encode()))
        drawn[person] = sd_deg * torch.randn(10, generator=own)
    return torch.stack([drawn[person] for person in strides.person])[:, None].numpy()


def estimate_cycles(
    ensemble: CycleEnsemble, strides: Strides, build: Build | None = None
) -> Curves:
    """Return a whole-cycle model's loads (N, 180, 17); forces not below zero.

    As the runtime does, it heeds the height, and what a build changes, of whoever it is known of.
    """
    stride_s = torch.from_numpy(in_model_body(strides).stride_s)
    with torch.no_grad():
        loads = ensemble(torch.from_numpy(strides.angles_deg), stride_s[:, None]).numpy()
    if build is not None:
        loads = loads + build.added(strides)
    return pulling(of_bodies(loads, strides))


def estimate_samples(
    networks: Sequence[SampleNetwork], strides: Strides, look_ahead_s: float = 0.0
) -> Curves:
    """Return networks' mean loads (N, 180, 17) on each stride walked over and over.

    As the runtime does, they heed the height of whoever it is known of.
    """
    closed = torch.from_numpy(close_cycles(strides.angles_deg))
    stride_s = torch.from_numpy(in_model_body(strides).stride_s)
    loads = steady(networks, closed, stride_s, look_ahead_s)
    return pulling(of_bodies(loads.numpy(), strides))


def warm_up_s(network: SampleNetwork, strides: Strides) -> float:
    """Return how long after a start in mid-stride the answers are those of a warm network.

    That is when their difference to the answers of a network that has walked for a while stays
    below :data:`COLD_ERROR` of the outputs' SD, over all strides and points to start from.
    """
    closed = torch.from_numpy(close_cycles(strides.angles_deg))
    duration = torch.from_numpy(strides.stride_s)[:, None]
    samples = int(SETTLED_S * RATE_HZ)
    time_s = torch.arange(2 * samples) / RATE_HZ
    squared = torch.zeros(samples)
    starts = np.linspace(0.0, 1.0, 8, endpoint=False)
    with torch.no_grad():
        for start in starts:
            angles = at_phase(closed, float(start) + time_s / duration)
            off = network(angles)[:, samples:] - network(angles[:, samples:])
            squared += ((off / network.target_sd) ** 2).mean((0, 2)) / len(starts)
    cold = np.flatnonzero(squared.sqrt().numpy() > COLD_ERROR)
    return float((cold[-1] + 1) / RATE_HZ) if len(cold) else 0.0


def pulling(loads: Curves) -> Curves:
    """Return loads (N, 180, 17) whose forces are not below zero: muscles only pull."""
    split = len(MOMENTS)
    return np.concatenate([loads[..., :split], np.maximum(loads[..., split:], 0.0)], axis=-1)


def left_out(
    every: list[Fold], work: Callable[[Fold], Found], report: Callable[[str], None]
) -> Iterator[tuple[Fold, Found]]:
    """Yield each fold with what is found without its people, of several folds at once.

    ``report`` hears of each that is done; as many are worked on at once as there are cores.
    """
    for fold, found in zip(every, in_processes(work, every, cores()), strict=True):
        yield fold, found
        report(fold.name)


def answers(
    strides: Strides,
    fold: Fold,
    estimates: dict[str, Estimate],
    conditions: dict[str, Condition],
) -> dict[str, dict[str, Curves]]:
    """Return, per model and condition, loads (K, 180, 17) of the strides of people left out.

    Of them, the mean standing pose alone is known in training, among everybody's.
    A condition makes of strides, and of the training people's mean angles, what is shown of them.
    """
    mean = torch.from_numpy(strides.take(~fold.held).mean_angles_deg)
    held = strides.take(fold.held)
    people = {name: shown(held, mean) for name, shown in conditions.items()}
    return {
        model: {name: estimate(some) for name, some in people.items()}
        for model, estimate in estimates.items()
    }


def gathered(
    strides: Strides, found: Iterable[tuple[Fold, dict[str, dict[str, Curves]]]]
) -> dict[str, dict[str, Curves]]:
    """Return, per model and condition, loads (N, 180, 17) of all folds' strides in their places."""
    whole: dict[str, dict[str, Curves]] = {}
    shape = len(strides), POINTS, len(MOMENTS) + len(MUSCLES)
    for fold, told in found:
        for model, shown_as in told.items():
            of_model = whole.setdefault(model, {})
            for name, loads in shown_as.items():
                curves = of_model.setdefault(name, np.full(shape, np.nan, np.float32))
                curves[fold.held] = loads
    return whole


def errors(reference: Curves, estimate: Curves) -> Errors | None:
    """Return the pooled errors where there is a reference, None if there is none anywhere."""
    known = np.isfinite(reference).all(axis=(1, 2)) & np.isfinite(estimate).all(axis=(1, 2))
    return Errors.between(reference[known], estimate[known]) if known.any() else None


def moments_and_forces(reference: Curves, estimate: Curves) -> dict[str, Errors | None]:
    """Return the pooled errors of moments (Nm/kg) and of forces (N/kg)."""
    split = len(MOMENTS)
    return {
        "moments": errors(reference[..., :split], estimate[..., :split]),
        "forces": errors(reference[..., split:], estimate[..., split:]),
    }
