"""Whether the angles are in radians: a walk in them looks like somebody who stands quite still.

In radians no joint's angle is beyond pi, while in degrees nobody takes a step without. As long as
none was, strides are looked for in the same angles times 180 / pi. The sway of standing makes none
that follow each other as those of a walk do, and least of all does one leg do there what the other
did before.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import SIDES, angles_of
from edgehip.cycles import CycleTracker
from edgehip.events import GaitCycle, InitialContact, JointAngleSample
from edgehip.segmentation import GaitSegmenter

STRIDES: Final = 8
"""So many in a row, of both feet together, are a walk: random sway makes half as many by chance."""
ALIKE: Final = 4
LEAST_CORRELATION: Final = 0.9
"""So many suffice if in each of them the hip and the knee move like the other leg's before: sway
made not even two such in an hour."""
POINTS: Final = 21
"""Of a stride, for that."""
LEAST_HIP_DEG: Final = 15.0
LEAST_KNEE_DEG: Final = 25.0
MOST_DEG: Final = 90.0
"""What a hip's and a knee's flexion move through in each: from little to more than anybody's."""
SAME_PACE: Final = 0.15
"""Such strides' durations differ by no larger share."""


@dataclass(slots=True)
class UnitWatchState:
    """What is known, and the strides in a row that there would be in radians.

    Of these the latest ``alike`` are each like the one before. ``stride_s`` is how long the last of
    them took, and ``curves_deg`` how its hip and knee moved.
    """

    are_degrees: bool = False
    are_radians: bool = False
    strides: int = 0
    alike: int = 0
    stride_s: float = 0.0
    curves_deg: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, POINTS)))


class UnitWatch:
    """Recognises angles in radians by the walk that they make."""

    def __init__(self) -> None:
        self.state = UnitWatchState()
        self.segmenter = GaitSegmenter()
        self.cycles = CycleTracker()

    def feed(self, sample: JointAngleSample) -> None:
        """Take the next sample, later than the last."""
        state, angles = self.state, sample.angles_deg
        if state.are_degrees:
            return
        if max(angles) > math.pi or min(angles) < -math.pi:
            self.state = UnitWatchState(are_degrees=True)
            self._forget()
        elif not state.are_radians:
            self._look(replace(sample, angles_deg=tuple(map(math.degrees, angles))))

    def reset(self) -> None:
        """Forget the gait, and that the unit is right: another device may be there."""
        self.state = UnitWatchState(are_radians=self.state.are_radians)
        self._forget()

    def _look(self, sample: JointAngleSample) -> None:
        state = self.state
        self.cycles.add(sample)
        for event in self.segmenter.feed(sample):
            cycle = self.cycles.event(event, sample.received_ns)
            if isinstance(cycle, GaitCycle) and _moves(cycle):
                same = abs(cycle.stride_s - state.stride_s) <= SAME_PACE * state.stride_s
                curves_deg = _curves_deg(cycle)
                alike = same and state.strides > 0 and _are_alike(state.curves_deg, curves_deg)
                state.strides = state.strides + 1 if same else 1
                state.alike = state.alike + 1 if alike else 1
                state.stride_s, state.curves_deg = cycle.stride_s, curves_deg
            elif isinstance(event, InitialContact):
                state.strides = state.alike = 0
        if state.strides >= STRIDES or state.alike >= ALIKE:
            state.are_radians = True
            self._forget()

    def _forget(self) -> None:
        self.segmenter.reset()
        self.cycles.reset()


def _moves(cycle: GaitCycle) -> bool:
    """Return whether hips and knees move through as much as in a walk."""
    span_deg = np.ptp(cycle.angles_deg, axis=0)
    return all(
        LEAST_HIP_DEG <= span_deg[hip] <= MOST_DEG and LEAST_KNEE_DEG <= span_deg[knee] <= MOST_DEG
        for hip, _, _, knee, _ in map(angles_of, SIDES)
    )


def _curves_deg(cycle: GaitCycle) -> NDArray[np.float64]:
    """Return the flexion of the hip and the knee over a leg's stride."""
    hip, _, _, knee, _ = angles_of(cycle.side)
    grid_s = np.linspace(cycle.start_s, cycle.end_s, POINTS)
    columns = (cycle.angles_deg[:, place] for place in (hip, knee))
    return np.array([np.interp(grid_s, cycle.sample_time_s, column) for column in columns])


def _are_alike(before_deg: NDArray[np.float64], now_deg: NDArray[np.float64]) -> bool:
    pairs = zip(before_deg, now_deg, strict=True)
    return all(np.corrcoef(before, now)[0, 1] >= LEAST_CORRELATION for before, now in pairs)
