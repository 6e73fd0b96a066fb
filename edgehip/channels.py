"""The ten joint angles, the three hip moments and the fourteen hip muscles: the only list of them.

Names, order and signs are those of OpenSim and of the Gait2Hip-60 data set (arXiv 2605.30374):
flexion, adduction and internal rotation of the hip, flexion of the knee and dorsiflexion of the
ankle are positive, on either side.
"""

from typing import Final, Literal

Side = Literal["l", "r"]
SIDES: Final[tuple[Side, Side]] = ("l", "r")

ANGLES: Final = (
    "hip_flexion_r",
    "hip_adduction_r",
    "hip_rotation_r",
    "hip_flexion_l",
    "hip_adduction_l",
    "hip_rotation_l",
    "knee_angle_r",
    "ankle_angle_r",
    "knee_angle_l",
    "ankle_angle_l",
)
"""Joint angles in degrees, in the order every array of ten angles has."""

MOMENTS: Final = ("hip_flexion", "hip_adduction", "hip_rotation")
"""Hip joint moments (Nm/kg), named by the joint coordinate they act on.

They are internal, what muscles and ligaments do to the thigh (the generalised forces of OpenSim's
inverse dynamics), not what the ground does: positive ``hip_flexion`` is the flexors'.
"""

MUSCLES: Final = (
    "addbrev",
    "addlong",
    "addmag",
    "grac",
    "iliopsoas",
    "recfem",
    "sart",
    "glmax",
    "bflh",
    "hamstring",
    "glmed",
    "glmin",
    "tfl",
    "piri",
)
"""Hip muscle forces (N/kg), in the order of the Gait2Hip-60 checkpoints."""

MIRROR: Final = tuple(
    ANGLES.index(name[:-1] + ("l" if name.endswith("r") else "r")) for name in ANGLES
)
"""``angles[..., MIRROR]`` is the same movement by the mirrored body.

OpenSim's signs are anatomical, so mirroring exchanges left and right and changes no sign.
"""


def opposite(side: Side) -> Side:
    """Return the other side of the body."""
    return "l" if side == "r" else "r"


def angles_of(side: Side) -> tuple[int, int, int, int, int]:
    """Return where one leg's angles lie: hip flexion, adduction, rotation, knee, ankle."""
    names = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")
    first, second, third, fourth, fifth = (ANGLES.index(f"{name}_{side}") for name in names)
    return first, second, third, fourth, fifth
