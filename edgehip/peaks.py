"""Peaks of a curve over the gait cycle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Extremum:
    """A peak of a curve and its place in the gait cycle."""

    value: float
    gait_cycle_percent: float


def maximum(curve: NDArray[np.float32]) -> Extremum:
    """Return the highest point of a curve over the gait cycle."""
    return _extremum(curve, int(np.argmax(curve)))


def minimum(curve: NDArray[np.float32]) -> Extremum:
    """Return the lowest point of a curve over the gait cycle."""
    return _extremum(curve, int(np.argmin(curve)))


def _extremum(curve: NDArray[np.float32], index: int) -> Extremum:
    return Extremum(float(curve[index]), 100.0 * index / (len(curve) - 1))
