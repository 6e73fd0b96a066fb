"""Whether an angle leapt as no joint turns: its sensor erred, for a sample or a few.

A network with memory would answer wrong for a second after a single such sample, and its own score
knows of that sample only.
"""

from operator import sub
from typing import Final

from edgehip.cycles import MAX_BRIDGED_GAP_S
from edgehip.events import JointAngleSample

LEAST_LEAP_DEG: Final = 15.0
MORE_DEG_PER_S: Final = 500.0
"""Together the most that an angle changes from one sample to the next. Knees turn by some 450
degrees/s in walking; the first is for what a sensor slower than its link tells at once. In 13
treadmill recordings of IMUs (Pearl et al. 2022, CapacitiveSensingDataset), also with some of their
samples missing, only four glitches of a single sample each are beyond."""


def leaps(before: JointAngleSample, now: JointAngleSample) -> bool:
    """Return whether an angle changed by more than a leg can move; over a long gap none does."""
    interval_s = now.time_s - before.time_s
    if interval_s > MAX_BRIDGED_GAP_S:
        return False
    change_deg: float = max(map(abs, map(sub, now.angles_deg, before.angles_deg)))
    return change_deg > LEAST_LEAP_DEG + MORE_DEG_PER_S * interval_s
