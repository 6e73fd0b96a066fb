"""Walks whose last stride is labelled, and whose strides differ as strides in a row do.

Recordings with loads hold a stride or two of a leg. How a stride differs from the next asks for no
labels: that is borrowed from people who walked for longer, whose angles alone some models know.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR, SIDES, angles_of
from edgehip_export.default_evaluate import Curves, pulling
from edgehip_export.default_sample import RATE_HZ
from edgehip_export.default_workshop import Models
from edgehip_export.default_zero import INVERTED
from edgehip_export.strides import POINTS, Array, Strides, close_cycles, resample

STRIDES: Final = 6
"""Of a walk; the last one alone is judged."""

STEADY: Final = slice(3, -1)
"""Contacts of a recording that are taken: not those of getting going and of stopping."""

MOST_DEG: Final = 5.0
"""Between two points: labelled strides stay below it, and a sensor that jumped does not."""

TREADMILL: Final = Path("walking") / "treadmill_angles_events_20s.npz"


@dataclass(frozen=True)
class Run:
    """K strides of a leg in a row, mirrored if it is the left one: (K, 180, 10) and (K,)."""

    angles_deg: Array
    stride_s: Array


@dataclass(frozen=True)
class Walks:
    """N walks of six strides: ``angles_deg`` (N, 6, 180, 10) and ``stride_s`` (N, 6)."""

    angles_deg: Array
    stride_s: Array

    def take(self, chosen: NDArray[np.bool_]) -> "Walks":
        """Return the walks a mask chooses."""
        return Walks(self.angles_deg[chosen], self.stride_s[chosen])


@dataclass(frozen=True)
class Varied:
    """What both models say of N walks' strides, (N, 6, 180, 17) each; ``stride_s`` is (N, 6)."""

    stride_s: Array
    cycles: Curves
    samples: Curves


def load_runs(data: Path) -> list[Run]:
    """Return steady walking of both legs: normal walking with sensors, and on a treadmill."""
    runs: list[Run] = []
    for path in (*sorted((data / "imu_walking").glob("*Baseline.npz")), data / TREADMILL):
        with np.load(path) as saved:
            time_s = saved["t"]
            angles = (saved["X"] if "X" in saved else saved["angles_deg"]).copy()
            contacts_s = {side: saved[f"HS_{side}"] for side in SIDES}
        for side in SIDES:
            if (path.stem.partition("_")[0], side) in INVERTED:
                angles[:, angles_of(side)[-1]] *= -1.0
        for side in SIDES:
            seen = angles if side == "r" else angles[:, MIRROR]
            steady_s = contacts_s[side][STEADY]
            at_s = np.linspace(steady_s[:-1], steady_s[1:], POINTS, axis=1)
            curves = np.stack([resample(at, time_s, seen) for at in at_s])
            runs += _without_jumps(Run(curves, np.diff(steady_s).astype(np.float32)))
    return runs


def _without_jumps(run: Run) -> Iterator[Run]:
    """Yield what lies between strides in which an angle jumps, where that is enough for a walk."""
    jumps = np.abs(np.diff(run.angles_deg, axis=1)).max((1, 2)) > MOST_DEG
    ends = [-1, *np.flatnonzero(jumps), len(jumps)]
    for before, after in pairwise(ends):
        if after - before > STRIDES:
            yield Run(run.angles_deg[before + 1 : after], run.stride_s[before + 1 : after])


def walks(strides: Strides, runs: Sequence[Run], seed: int) -> Walks:
    """Return for each stride a walk that ends with it, each borrowing from a run at random.

    That stride is closed, as where it repeats; each before it is moved to end where one begins.
    """
    random = np.random.default_rng(seed)
    angles = np.empty((len(strides), STRIDES, POINTS, len(ANGLES)), np.float32)
    stride_s = np.empty((len(strides), STRIDES), np.float32)
    closed, ramp = close_cycles(strides.angles_deg), np.linspace(0.0, 1.0, POINTS)[:, None]
    for place in range(len(strides)):
        run = runs[int(random.integers(len(runs)))]
        last = int(random.integers(STRIDES - 1, len(run.stride_s)))
        borrowed = slice(last - STRIDES + 1, last + 1)
        change = run.angles_deg[borrowed] - run.angles_deg[last]
        angles[place] = closed[place] + change
        stride_s[place] = strides.stride_s[place] * run.stride_s[borrowed] / run.stride_s[last]
        for stride in range(STRIDES - 2, -1, -1):
            angles[place, stride] += ramp * (
                angles[place, stride + 1, 0] - angles[place, stride, -1]
            )
    return Walks(angles, stride_s)


def told(models: Models, walks: Walks) -> Varied:
    """Return what both models say; of the per-sample one's answers, those at strides' points."""
    angles, stride_s = torch.from_numpy(walks.angles_deg), torch.from_numpy(walks.stride_s)
    shape = *stride_s.shape, POINTS, -1
    end_s = np.cumsum(walks.stride_s, axis=1, dtype=np.float64)
    at_s = np.linspace(end_s - walks.stride_s, end_s, POINTS, axis=-1).reshape(len(end_s), -1)
    time_s = np.arange(np.ceil(end_s.max() * RATE_HZ) + 1) / RATE_HZ
    curves = walks.angles_deg.reshape(*at_s.shape, -1)
    walked = np.stack([resample(time_s, *each) for each in zip(at_s, curves, strict=True)])
    with torch.no_grad():
        cycles = models.ensemble(angles.flatten(0, 1), stride_s.reshape(-1, 1)).numpy()
        answers = models.network(torch.from_numpy(walked)).numpy()
    samples = np.stack([resample(at, time_s, each) for at, each in zip(at_s, answers, strict=True)])
    return Varied(walks.stride_s, pulling(cycles.reshape(shape)), pulling(samples.reshape(shape)))


def in_places(masks: Sequence[NDArray[np.bool_]], parts: Sequence[Varied]) -> Varied:
    """Return what is said of all walks, each part of which is of those that a mask chooses."""
    order = np.argsort(np.concatenate([np.flatnonzero(mask) for mask in masks]))
    stride_s, cycles, samples = (
        np.concatenate([getattr(part, one.name) for part in parts])[order] for one in fields(Varied)
    )
    return Varied(stride_s, cycles, samples)
