"""A made-up cohort in the exact shape of Gait2Hip-60's NPZ files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgehip.channels import ANGLES
from edgehip_export.dataset import COLUMNS
from edgehip_export.trained import Target

SIXTY = tuple(f"H{number:02d}" for number in range(1, 61))

PEAKS: Final = np.array([0.97, 0.2, 0.1, 0.47, 0.7, 0.6, 0.74, 0.4, 0.24, 0.9])
"""When in the cycle every angle is greatest."""

DRIVEN_BY: Final[dict[Target, dict[str, tuple[str, float]]]] = {
    "moments": {
        "hip_flexion_r_moment": ("hip_flexion_r", -3.0),
        "hip_adduction_r_moment": ("knee_angle_r", 3.0),
    },
    "forces": {"glmed_r": ("hip_adduction_r", 3.0)},
}
"""Outputs that every walking hip has at the same time of the cycle: which angle makes them."""


def cohort_arrays(
    people: Sequence[str] = SIXTY[:8],
    strides_each: int = 3,
    target: Target = "moments",
    seed: int = 0,
) -> dict[str, Any]:
    """Return arrays a network can learn from: targets are a smooth function of the angles."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 2 * np.pi, 180)
    names = COLUMNS[target]
    mix = np.random.default_rng(1).normal(size=(20, len(names)))
    for name, (angle, weight) in DRIVEN_BY[target].items():
        mix[:, names.index(name)] *= 0.2
        mix[ANGLES.index(angle), names.index(name)] = weight
    subject, mass, angles = [], [], []
    for person in people:
        body, amplitude = rng.uniform(50, 90), rng.uniform(0.7, 1.3, 10)
        for _ in range(strides_each):
            lag = 2 * np.pi * PEAKS + rng.normal(0, 0.05, 10)
            angles.append(10 + 25 * amplitude * np.cos(phase[:, None] - lag))
            subject.append(person)
            mass.append(body)
    x = np.array(angles, dtype=np.float32)
    drive = np.concatenate([x, np.roll(x, 20, axis=1)], axis=2) / 20
    load = np.tanh(drive @ mix / 3)
    y = 0.6 * load if target == "moments" else 8.0 * (1 + load)
    return {
        "X": x,
        "Y": (y * np.array(mass)[:, None, None]).astype(np.float32),
        "subject_id": np.array(subject),
        "height_m": np.full(len(x), 1.7, np.float32),
        "weight_kg": np.array(mass, dtype=np.float32),
        "speed_label": np.array([("slow", "med", "fast")[i % 3] for i in range(len(x))]),
        "in_cols": np.array(ANGLES),
        "out_cols": np.array(names),
    }


def write_cohort(path: Path, **changes: Any) -> Path:
    """Write such a cohort; a change to None leaves the key out."""
    made = {k: changes.pop(k) for k in ("people", "strides_each", "target", "seed") if k in changes}
    arrays = cohort_arrays(**made) | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path
