"""Whether strides can be a walking person's, in the units, signs and cut that a cohort must have.

What cannot be is refused, what hardly is becomes a doubt, a line to show. Both are asked of every
person by themselves, since cohorts are joined from several sources.

When in the cycle something happens is told by its first harmonic. In adults and children, at any
pace and with a stiff knee, its peak stays well within a sixth of a cycle of where it is here, while
a wrong sign or the other leg's contact moves it by a half: what is more than a third away is wrong.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.errors import DatasetError
from edgehip_export.trained import Target

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

LEAST_KNEE_RANGE: Final = 3.0
"""A walking knee moves by tens of degrees in a stride, and by one radian."""

LOWEST_KNEE_DEG: Final = -30.0
"""No knee extends so far beyond straight: this one's flexion is negative, as in older OpenSim
models."""

LEAST_PER_KG: Final[dict[Target, float]] = {"moments": 0.1, "forces": 2.0}
"""Divided by body mass, a peak below this was divided before: no walking hip's is so small."""

MOST_PER_KG: Final[dict[Target, float]] = {"moments": 10.0, "forces": 200.0}
"""Divided by body mass, a peak above this is no walking hip's: Nmm, perhaps."""

USUAL_PER_KG: Final[dict[Target, tuple[float, float]]] = {
    "moments": (0.3, 4.0),
    "forces": (5.0, 90.0),
}
"""Between these lie the peaks of slow and of fast walking, children's and adults', amply."""

MOST_ANGLE_DEG: Final = 360.0

USUAL_MASS_INDEX: Final = 45.0
"""Of body mass to height squared, kg/m2: few people are above, and in pounds nearly all adults."""

LEAST_MASS_INDEX: Final = 11.0
"""Nobody who walks is as thin, nor is a child (three SD below the median: about 12; WHO growth
reference of 5 to 19 years, 2007)."""

MOST_APART: Final = 1 / 3
"""Of a cycle."""

UNITS: Final[dict[Target, str]] = {"moments": "Nm", "forces": "N"}
OTHERS: Final[dict[Target, str]] = {
    "moments": "Nm/kg by weight_kg, % of body weight x height by 0.0981 x weight_kg x height_m",
    "forces": "N/kg by weight_kg, % of body weight by 0.0981 x weight_kg; activations are none",
}
"""What else is in use, and what it must be multiplied by."""


@dataclass(frozen=True, slots=True)
class Course:
    """When the first harmonic of a curve peaks, in cycles from right initial contact.

    Below ``least_amplitude``, in the curve's unit, that tells nothing.
    """

    peak: float
    least_amplitude: float

    def opposed(self, curves: Floats) -> Mask:
        """Return which curves (N, 180) clearly run the other way."""
        points = curves.shape[1] - 1  # the last is the next cycle's first
        turns = 2 * np.pi * (np.arange(points) / points - self.peak)
        along, across = (curves[:, :-1] @ (wave(turns) * (2 / points)) for wave in (np.cos, np.sin))
        away = np.abs(np.arctan2(across, along)) / (2 * np.pi)
        clear = np.hypot(along, across) >= self.least_amplitude
        return np.asarray((away > MOST_APART) & clear)


HIP_FLEXION_DEG: Final = {
    "hip_flexion_r": Course(0.97, least_amplitude=8.0),
    "hip_flexion_l": Course(0.47, least_amplitude=8.0),
}
RIGHT_LESS_LEFT_KNEE_DEG: Final = Course(0.75, least_amplitude=10.0)
FLEXION_PER_KG: Final = Course(0.55, least_amplitude=0.15)
ADDUCTION_PER_KG: Final = Course(0.80, least_amplitude=0.15)
GLMED_PER_KG: Final = Course(0.33, least_amplitude=1.5)


@dataclass(frozen=True, slots=True)
class _Judge:
    subjects: NDArray[np.str_]
    people: NDArray[np.str_]
    doubts: list[str] = field(default_factory=list)

    def of_each(self, per_stride: NDArray[Any]) -> NDArray[np.float64]:
        """Return everybody's median: a stray stride does not cost the others."""
        of = (np.median(per_stride[self.subjects == person], axis=0) for person in self.people)
        return np.array(list(of))

    def refuse(self, typical: NDArray[np.float64], wrong: Mask, what: str, advice: str) -> None:
        """Refuse what is typical of anybody."""
        if wrong.any():
            raise DatasetError(self._of_people(typical, wrong, what, advice))

    def doubt(self, typical: NDArray[np.float64], odd: Mask, what: str, advice: str) -> None:
        """Note what is typical of anybody."""
        if odd.any():
            self.doubts.append(self._of_people(typical, odd, what, advice))

    def refuse_most(self, wrong: Mask, what: str, advice: str) -> None:
        """Refuse half of anybody's strides, note fewer."""
        share = np.array([wrong[self.subjects == person].mean() for person in self.people])
        if (often := share >= 0.5).any():
            raise DatasetError(
                f"{what} in {int(often.sum())} of {len(self.people)} people, first "
                f"{self.people[int(often.argmax())]}: {advice}"
            )
        self.doubt_any(wrong, what, advice)

    def doubt_any(self, odd: Mask, what: str, advice: str) -> None:
        """Note strides, however few."""
        if odd.any():
            first = int(odd.argmax())
            self.doubts.append(
                f"{what} in {int(odd.sum())} of {len(odd)} strides, first in stride {first} "
                f"(subject {self.subjects[first]}): {advice}"
            )

    def _of_people(self, typical: NDArray[np.float64], some: Mask, what: str, advice: str) -> str:
        first = int(some.argmax())
        return (
            f"{what} {typical[first]:.3g} in {int(some.sum())} of {len(self.people)} people, first "
            f"{self.people[first]}: {advice}"
        )


def doubts_of(
    angles_deg: Floats,
    per_kg: Floats,
    target: Target,
    mass_kg: Floats,
    height_m: Floats,
    subjects: NDArray[np.str_],
) -> tuple[str, ...]:
    """Return what should be looked at: lines to show; shapes as a cohort's.

    Raises
    ------
    DatasetError
        If somebody cannot have walked so.
    """
    judge = _Judge(subjects, np.unique(subjects))
    _judge_copies(judge, angles_deg)
    _judge_angles(judge, angles_deg)
    _judge_mass(judge, mass_kg / height_m**2)
    _judge_sizes(judge, per_kg, target)
    if target == "moments":
        _judge_moments(judge, per_kg)
    else:
        _judge_forces(judge, per_kg)
    return tuple(judge.doubts)


def _judge_copies(judge: _Judge, angles: Floats) -> None:
    first: dict[bytes, int] = {}
    of = [first.setdefault(sha256(a.tobytes()).digest(), i) for i, a in enumerate(angles)]
    judge.doubt_any(
        judge.subjects != judge.subjects[of],
        "the very angles are somebody else's, too,",
        "one person of two ids may be trained on and tested at once; give everybody one id",
    )


def _judge_mass(judge: _Judge, per_height2: Floats) -> None:
    index = judge.of_each(per_height2)
    judge.doubt(
        index,
        index > USUAL_MASS_INDEX,
        "body mass / height² is",
        "should weight_kg be in pounds, multiply it by 0.4536",
    )
    judge.doubt(
        index,
        index < LEAST_MASS_INDEX,
        "body mass / height² is",
        "nobody walks who is so thin: is weight_kg in kg, and of this person?",
    )


def _judge_angles(judge: _Judge, angles: Floats) -> None:
    most = np.abs(angles).max(axis=(0, 1))
    if most.max() > MOST_ANGLE_DEG:
        raise DatasetError(
            f"{ANGLES[int(most.argmax())]} reaches {most.max():.4g} degrees: a joint's angle lies "
            f"within {MOST_ANGLE_DEG:g} degrees"
        )
    knees = {name: angles[:, :, ANGLES.index(name)] for name in ("knee_angle_r", "knee_angle_l")}
    moved = judge.of_each(np.max([np.ptp(knee, axis=1) for knee in knees.values()], axis=0))
    judge.refuse(
        moved,
        moved < LEAST_KNEE_RANGE,
        "the knees move in a stride by",
        "X looks like radians, it must be degrees: multiply it by 180 / pi",
    )
    for name, knee in knees.items():
        lowest = judge.of_each(knee.min(axis=1))
        judge.refuse(
            lowest,
            lowest < LOWEST_KNEE_DEG,
            f"{name} goes down to",
            "flexion must be positive: multiply it by -1",
        )
    opposed = {
        name: course.opposed(angles[:, :, ANGLES.index(name)])
        for name, course in HIP_FLEXION_DEG.items()
    }
    other_leg = RIGHT_LESS_LEFT_KNEE_DEG.opposed(knees["knee_angle_r"] - knees["knee_angle_l"])
    judge.refuse_most(
        np.logical_or(*opposed.values()) & other_leg,
        "the legs are half a cycle off",
        "cycles must begin at right initial contact, strides of the left leg with the columns of "
        "the sides swapped",
    )
    judge.refuse_most(
        other_leg & ~np.logical_or(*opposed.values()),
        "the knees bend half a cycle off from the hips",
        "either pair has the columns of its sides swapped, or hip flexion is negative: multiply it "
        "by -1",
    )
    for name, wrong in opposed.items():
        judge.refuse_most(
            wrong & ~other_leg,
            f"{name} is least where a hip is flexed most",
            "flexion must be positive: multiply it by -1",
        )


def _judge_sizes(judge: _Judge, per_kg: Floats, target: Target) -> None:
    unit = UNITS[target]
    peak = judge.of_each(np.abs(per_kg).max(axis=(1, 2)))
    what = f"the {target} peak, in {unit}/kg, at"
    low, high = USUAL_PER_KG[target]
    judge.refuse(
        peak,
        peak < LEAST_PER_KG[target],
        what,
        f"Y looks already divided by body mass or weight, it must be in {unit}: multiply it by "
        f"what it lacks ({OTHERS[target]})",
    )
    judge.refuse(
        peak,
        peak > MOST_PER_KG[target],
        what,
        f"more than the {MOST_PER_KG[target]:g} of any walking hip: Y must be in {unit}"
        + (" (Nmm / 1000)" if target == "moments" else ""),
    )
    judge.doubt(
        peak,
        (peak < low) | (peak > high),
        what,
        f"walking hips' mostly lie between {low:g} and {high:g}, is Y in {unit}? If not, multiply "
        f"{OTHERS[target]}",
    )


def _judge_moments(judge: _Judge, per_kg: Floats) -> None:
    flexion, adduction = (per_kg[:, :, MOMENTS.index(f"hip_{n}")] for n in ("flexion", "adduction"))
    judge.refuse_most(
        FLEXION_PER_KG.opposed(flexion),
        "hip_flexion_r_moment extends where a hip's flexors work",
        "it must be what muscles do to the right thigh, flexion positive: multiply moments by -1 "
        "that are external, or positive in extension; if legs are mixed up, give each its own",
    )
    judge.doubt_any(
        ADDUCTION_PER_KG.opposed(adduction),
        "hip_adduction_r_moment adducts in stance, where a hip's abductors work",
        "it must be positive in adduction, of a left leg as well: if it is not, multiply it by -1",
    )


def _judge_forces(judge: _Judge, per_kg: Floats) -> None:
    lowest, highest = (judge.of_each(end(per_kg, axis=(1, 2))) for end in (np.min, np.max))
    judge.refuse(
        lowest,
        -lowest > highest,
        "the forces, in N/kg, go down to",
        "muscles pull: their forces must be positive, multiply them by -1",
    )
    judge.refuse_most(
        GLMED_PER_KG.opposed(per_kg[:, :, MUSCLES.index("glmed")]),
        "glmed_r works in swing",
        "Y must be of the right leg, in the cycles of X",
    )
