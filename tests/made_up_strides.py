"""Strides nobody walked, for tests of training."""

import numpy as np
import torch

from edgehip_export.augmentation import Batch
from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_mechanics import Mechanics
from edgehip_export.default_student import Student
from edgehip_export.strides import POINTS, Strides, close_cycles

OUTPUTS = 17
MECHANICS = Mechanics(torch.zeros(10))
MUTE = Student(CycleNetwork().eval(), torch.zeros(10))
"""Says that nothing is borne at all."""
MUTE.network.target_sd.zero_()


def made_up(people_of: dict[str, int], each: int = 4, seed: int = 0) -> Strides:
    """Return strides of a few laboratories whose loads are linear in few movements."""
    rng = np.random.default_rng(seed)
    lab = np.repeat(list(people_of), [n * each for n in people_of.values()])
    person = np.array([f"{name}/{i // each}" for i, name in enumerate(lab)])
    n = len(lab)
    phase = np.linspace(0, 2 * np.pi, POINTS)[None, :, None]
    movement = rng.standard_normal((n, 1, 10))
    angles = (10 + 3 * movement) * np.cos(phase + np.arange(10)) + 5 * movement
    loads = np.sin(phase + np.arange(OUTPUTS)) * (1 + 0.3 * movement[..., :1]) + 2.0
    return Strides(
        angles.astype(np.float32),
        loads[..., :3].astype(np.float32),
        loads[..., 3:].astype(np.float32),
        rng.uniform(0.9, 1.3, n).astype(np.float32),
        lab,
        person,
        np.full(n, "walk"),
        np.full(n, "r"),
        np.full(n, np.nan, np.float32),
        np.full(n, np.nan, np.float32),
    )


def batch(strides: Strides) -> Batch:
    loads = np.concatenate([strides.moments, strides.forces], -1)
    return Batch(
        torch.from_numpy(close_cycles(strides.angles_deg)),
        torch.from_numpy(close_cycles(loads)),
        torch.from_numpy(strides.stride_s),
    )
