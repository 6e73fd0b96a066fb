"""How the joints of a healthy adult move through one gait cycle, from published norms.

Each curve is a periodic cubic spline through published key points, reduced to its first
:data:`HARMONICS` harmonics: walking holds practically nothing above them (Winter, "Biomechanics and
Motor Control of Human Movement", 4th ed. 2009, ch. 2: 99.7 % of a walking marker's signal power
lies in the first seven).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

JOINTS: Final = ("hip_flexion", "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle")
"""The curves of one leg, in the order of :func:`edgehip.channels.angles_of`."""

HARMONICS: Final = 10

FOOT_OFF_PERCENT: Final = 62.0
"""End of stance. Perry & Burnfield, "Gait Analysis: Normal and Pathological Function", 2nd ed.
2010, ch. 1: stance takes 62 % of the gait cycle at free speed."""

FREE_CADENCE_SPM: Final = 113.0
"""Cadence of the adults the key points belong to (Perry & Burnfield 2010, stride analysis: 113
steps/min at 82 m/min)."""

# Points are (percent of the gait cycle, degrees), OpenSim signs, zero in the anatomical position.
KEY_POINTS: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    # Perry & Burnfield 2010, ch. 6: thigh relative to the vertical, at the end of each phase. For
    # early stance (12 and 31 %): share of the range in Schwartz et al. 2008 (below).
    "hip_flexion": ((0, 20), (12, 17), (31, -4), (50, -20), (62, -10), (75, 15), (87, 25)),
    # Schwartz, Rozumalski & Trost, J Biomech 41:1639 (2008), supplement: middle of the means of
    # slow and very fast walking (here and below).
    "hip_adduction": (
        (0, -2.4), (9, 2.5), (18, 5.9), (30, 4.2), (40, 2.7), (50, 0.5), (58, -3.5), (67, -7.3),
        (76, -5.1), (84, -3.2), (92, -3.2),
    ),
    # Perry & Burnfield 2010, ch. 6: an arc of 8 degrees, most internal at the end of loading
    # response (12 %), most external at foot off.
    "hip_rotation": ((12, 4), (37, 0), (62, -4), (87, 0)),
    # Perry & Burnfield 2010, ch. 5 (5 degrees at contact, 20 in loading, 5 in terminal stance, 40
    # at foot off, 60 in swing, 25 in mid swing, almost straight before contact); times of the two
    # peaks: Winter 2009, appendix A, natural cadence. Between them (27 and 50 %: share of the way)
    # and the time of the last extension: Schwartz et al. 2008, as above.
    "knee_angle": (
        (0, 5), (14, 20), (27, 10.4), (40, 5), (50, 10.7), (62, 40), (72, 60), (87, 25), (97.5, 3),
    ),
    # Perry & Burnfield 2010, ch. 4 (5 plantarflexion after contact, 5 and 10 dorsiflexion at the
    # end of mid and terminal stance, 15 plantarflexion at foot off, 5 at the end of initial swing,
    # then neutral); time of greatest dorsiflexion: Winter 2009; zero crossings (13 and 54 %):
    # Schwartz et al. 2008, as above.
    "ankle_angle": (
        (0, 0), (6, -5), (13, 0), (31, 5), (45, 10), (54, 0), (62, -15), (75, -5), (87, 0), (94, 0),
    ),
}  # fmt: skip
"""Published key points of each joint's curve."""

GROWTH: Final[dict[str, float]] = {
    "hip_flexion": 1.0,
    "hip_adduction": 1.0,
    "hip_rotation": 0.0,
    "knee_angle": 0.32,
    "ankle_angle": 0.22,
}
"""Exponent with which a joint's excursion grows with step length.

From Schwartz et al. 2008, slow to very fast walking: hip flexion's range grows 1.43 times (and step
length with it: a two-link leg of constant length), hip adduction's about as much, the knee's swing
peak 1.12 times, the ankle's range 1.08 times; hip rotation shows no trend.
"""


def normal_angles_deg(gait_cycle_percent: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return one leg's joint angles at free cadence.

    Parameters
    ----------
    gait_cycle_percent
        (...) Place in the leg's own gait cycle; any number, the curves repeat every 100.

    Returns
    -------
    (..., 5) degrees, in the order of :data:`JOINTS`.
    """
    turns = np.asarray(gait_cycle_percent, dtype=np.float64)[..., None] / 100.0
    return np.real(np.exp(2j * np.pi * turns * _ORDERS) @ _COEFFICIENTS)


def excursion_at(cadence_spm: float) -> NDArray[np.float64]:
    """Return by how much each joint's curve is multiplied at a cadence, (5,).

    Step length is proportional to cadence (the walk ratio is constant: Sekiya & Nagasaki, Gait &
    Posture 7:225, 1998). Below about 98 steps/min people keep somewhat longer steps than that
    (Murakami & Otaka, J Phys Ther Sci 29:722, 2017).
    """
    step_length_ratio = cadence_spm / FREE_CADENCE_SPM
    return np.array([step_length_ratio ** GROWTH[joint] for joint in JOINTS])


def _periodic_spline(
    points: Sequence[tuple[float, float]], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a cubic spline with period 100 through ``points``, twice continuously differentiable.

    Solves for the second derivatives at the knots (de Boor, "A Practical Guide to Splines", ch. 4,
    with periodic end conditions).
    """
    x, y = np.array(points, dtype=np.float64).T
    width = np.diff(np.append(x, x[0] + 100.0))
    slope = (np.roll(y, -1) - y) / width
    before = np.roll(width, 1)
    count = len(x)
    system = np.diag(2.0 * (before + width))
    for row in range(count):
        system[row, row - 1] += before[row]
        system[row, (row + 1) % count] += width[row]
    bend = np.linalg.solve(system, 6.0 * (slope - np.roll(slope, 1)))
    i: NDArray[np.intp] = (
        np.searchsorted(x, at, side="right") - 1
    )  # before the first knot: -1, the last interval
    left = (at - x[i]) % 100.0
    right = width[i] - left
    bend_end = np.roll(bend, -1)[i]
    result: NDArray[np.float64] = (
        (bend[i] * right**3 + bend_end * left**3) / (6.0 * width[i])
        + (y[i] / width[i] - bend[i] * width[i] / 6.0) * right
        + (np.roll(y, -1)[i] / width[i] - bend_end * width[i] / 6.0) * left
    )
    return result


def _fourier_coefficients() -> NDArray[np.complex128]:
    """Return (HARMONICS + 1, 5): the real part of their series is the five curves."""
    percent = np.arange(0.0, 100.0, 0.25)
    curves = np.stack([_periodic_spline(KEY_POINTS[joint], percent) for joint in JOINTS], axis=-1)
    coefficients = np.fft.rfft(curves, axis=0)[: HARMONICS + 1] * (2.0 / len(percent))
    coefficients[0] /= 2.0
    return coefficients


_ORDERS: Final = np.arange(HARMONICS + 1)
_COEFFICIENTS: Final = _fourier_coefficients()
