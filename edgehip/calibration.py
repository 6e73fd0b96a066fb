"""Measuring a personal zero from the stream itself."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES
from edgehip.events import GaitCycle, JointAngleSample
from edgehip.zero import Method, Profile

STANDING_S: Final = 3.0
STANDING_SD_DEG: Final = 1.5
"""A stance in which any angle's standard deviation is larger is not quiet."""
STRIDES: Final = 10
"""Strides (of both legs together) whose mean makes a zero."""
MEAN_POINTS: Final = 100
"""Points over which a stride's mean is taken, equally spaced in time whatever the sample rate."""


@dataclass(slots=True)
class Calibration:
    """Measures a profile from the stream itself.

    Parameters
    ----------
    method
        ``standing``: :data:`STANDING_S` of quiet standing (movement starts it anew).
        ``strides``: the first :data:`STRIDES` whole strides in which every angle moves.
    count, since_s, sum_deg, sum_square_deg
        What was accepted so far.
    """

    method: Method
    count: int = 0
    since_s: float | None = None
    sum_deg: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(ANGLES)))
    sum_square_deg: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(ANGLES)))

    def sample(self, sample: JointAngleSample) -> Profile | None:
        """Learn from a sample; return the profile once it is complete."""
        if self.method != "standing":
            return None
        if self.since_s is None:
            self.since_s = sample.time_s
        self._add(np.array(sample.angles_deg))
        variance = self.sum_square_deg / self.count - (self.sum_deg / self.count) ** 2
        if np.max(variance) > STANDING_SD_DEG**2:
            self.reset()
            return None
        return self._profile() if sample.time_s - self.since_s >= STANDING_S else None

    def cycle(self, cycle: GaitCycle) -> Profile | None:
        """Learn from a stride; return the profile once it is complete."""
        if self.method != "strides" or cycle.still:  # a sensor that hangs measures nobody
            return None
        grid_s = np.linspace(cycle.start_s, cycle.end_s, MEAN_POINTS)
        columns = (np.interp(grid_s, cycle.sample_time_s, column) for column in cycle.angles_deg.T)
        self._add(np.array([column.mean() for column in columns]))
        return self._profile() if self.count >= STRIDES else None

    def reset(self) -> None:
        """Begin again: the sensors may have moved."""
        self.count, self.since_s = 0, None
        self.sum_deg, self.sum_square_deg = np.zeros(len(ANGLES)), np.zeros(len(ANGLES))

    def _add(self, angles_deg: NDArray[np.float64]) -> None:
        self.count += 1
        self.sum_deg += angles_deg
        self.sum_square_deg += angles_deg**2

    def _profile(self) -> Profile:
        mean_deg = (self.sum_deg / self.count).tolist()
        return Profile(self.method, tuple(mean_deg), self.count)
