"""How far legs are from standing: the models know standing and walking, no other posture."""

from collections.abc import Sequence
from typing import Final

from edgehip.channels import ANGLES, SIDES, angles_of

FLEXIONS: Final = tuple(place for side in SIDES for place in angles_of(side)[::3])
"""Where hip and knee flexion of either leg lie."""
FAR_DEG: Final = 25.0
"""Nobody whose hip or knee is flexed so much more, or less, than in standing stands upright. People
who stood before a recorded walk, with sensors askew by 10 degrees, stay below."""
CROUCH_DEG: Final = 60.0
"""Legs whose hips and knees are together flexed by more than in standing crouch, squat or sit. In
walking one leg is stretched while the other is bent: of both, at most 45 degrees in recorded walks
of people in seven laboratories, and at most 60 with sensors askew by 10 degrees."""


def farthest(angles_deg: Sequence[float], standing_deg: Sequence[float]) -> tuple[str, float]:
    """Return the hip or knee flexion farthest from standing, and by how many degrees."""
    off_deg = [angles_deg[place] - standing_deg[place] for place in FLEXIONS]
    worst = max(off_deg, key=abs)
    return ANGLES[FLEXIONS[off_deg.index(worst)]], worst


def crouches(angles_deg: Sequence[float], standing_deg: Sequence[float]) -> bool:
    """Return whether both legs are bent at once as in no stride."""
    hip_l, knee_l, hip_r, knee_r = (angles_deg[place] - standing_deg[place] for place in FLEXIONS)
    return min(hip_l, hip_r) + min(knee_l, knee_r) > CROUCH_DEG
