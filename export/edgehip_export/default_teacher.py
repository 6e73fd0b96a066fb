"""Strides nobody walked, labelled by the released networks: one more laboratory to learn from.

The networks of Gait2Hip-60 saw sixty people no other source has. Their mean answer to mixtures of
real people's strides, sensor recordings included, teaches a new network what that laboratory knows,
on kinematics wider than the few labelled people's.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgehip.channels import MIRROR, SIDES, angles_of
from edgehip_export.augmentation import Batch
from edgehip_export.checkpoint import import_checkpoint
from edgehip_export.default_zero import INVERTED
from edgehip_export.strides import POINTS, Strides, close_cycles, resample

FAMILIES = ("LSTM", "Transformer", "Mamba")
COUNT = 3000
TOWARDS_TEACHERS_ZERO = 0.7
"""Share of the difference to the networks' own mean angles taken out before asking them."""

MIXED = 0.8
BEYOND = 0.2
"""Share of mixtures among the strides, and how far they may reach beyond either parent."""

GAIN_SD = 0.08
UNSURE = 2
"""Points at either end of a cycle at which the networks are unreliable."""

BLOCK = 50
"""Strides asked about at once, which bounds the memory a scan takes."""

SMOOTHED = 9
"""Points the Transformer's jitter is averaged over."""


@dataclass(frozen=True)
class TeacherStrides:
    """N ``strides`` with the teacher's loads; ``parents`` (N, 2): whose movements were mixed."""

    strides: Batch
    parents: NDArray[np.str_]

    def without(self, people: "set[str]") -> "TeacherStrides":
        """Return the strides to which none of these people lent a movement."""
        kept = ~np.isin(self.parents, list(people)).any(1)
        rows = torch.from_numpy(np.flatnonzero(kept))
        return TeacherStrides(self.strides.take(rows), self.parents[kept])

    def lend(self, count: int, random: torch.Generator) -> Batch:
        """Return some of the strides as they are."""
        return self.strides.draw(count, random)


def teacher_strides(
    data: Path, strides: Strides, standing_deg: NDArray[np.float64], seed: int
) -> TeacherStrides:
    """Return mixtures of real strides with the released networks' mean answer.

    Parameters
    ----------
    data
        Folder with ``gait2hip60`` and ``imu_walking``.
    standing_deg
        (10,), added to sensor angles, which are zero in standing.
    """
    random = np.random.default_rng(seed)
    sensors = sensor_strides(data / "imu_walking", standing_deg)
    angles = close_cycles(np.concatenate([strides.angles_deg, sensors[0]]))
    stride_s = np.concatenate([strides.stride_s, sensors[1]])
    person = np.concatenate([strides.person, sensors[2]])
    people = list(dict.fromkeys(person.tolist()))
    places = {name: np.flatnonzero(person == name) for name in people}
    first, second = (
        np.array(
            [random.choice(places[people[i]]) for i in random.integers(len(people), size=COUNT)]
        )
        for _ in range(2)
    )
    share = random.uniform(-BEYOND, 1 + BEYOND, COUNT) * (random.random(COUNT) < MIXED)
    mixed = angles[first] + share[:, None, None] * (angles[second] - angles[first])
    mean = mixed.mean(1, keepdims=True)
    mixed = mean + (mixed - mean) * (1 + GAIN_SD * random.standard_normal((COUNT, 1, 10)))
    made = torch.from_numpy(mixed.astype(np.float32))
    duration = stride_s[first] + share * (stride_s[second] - stride_s[first])
    loads = ask_released(data / "gait2hip60", made, TOWARDS_TEACHERS_ZERO)
    return TeacherStrides(
        Batch(made, loads, torch.from_numpy(duration.astype(np.float32))),
        np.stack([person[first], person[second]], axis=1),
    )


def ask_released(folder: Path, angles_deg: Tensor, towards_zero: float) -> Tensor:
    """Return the released networks' mean loads (N, 180, 17), smoothed and closed to a cycle."""
    families = released_answers(folder, angles_deg, angles_deg.mean(1), towards_zero)
    answers = torch.stack(list(families.values())).mean(0)
    answers[:, :UNSURE] = answers[:, UNSURE : UNSURE + 1]
    answers[:, -1] = answers[:, -2]
    reach = SMOOTHED // 2
    around = torch.cat([answers[:, -reach - 1 : -1], answers, answers[:, 1 : reach + 1]], 1)
    smooth = torch.nn.functional.avg_pool1d(around.transpose(1, 2), SMOOTHED, 1).transpose(1, 2)
    return torch.from_numpy(close_cycles(smooth.numpy()))


def released_answers(
    folder: Path, angles_deg: Tensor, means_deg: Tensor, towards_zero: float
) -> dict[str, Tensor]:
    """Return each released network's loads (N, 180, 17).

    ``towards_zero`` is the share of the difference between ``means_deg`` (N, 10) and the networks'
    own mean angles that is taken out first.
    """
    answers = {}
    for family in FAMILIES:
        loads = []
        for target in ("JM", "MF"):
            trained = import_checkpoint(folder / f"{family}_{target}60.pt")
            network = trained.module()
            shifted = angles_deg + towards_zero * (trained.angle_mean_deg - means_deg)[:, None]
            with torch.no_grad():
                loads.append(torch.cat([network(part) for part in torch.split(shifted, BLOCK)]))
        answers[family] = torch.cat(loads, -1)
    return answers


def sensor_strides(
    folder: Path, standing_deg: NDArray[np.float64], every: int = 4
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
    """Return angles (N, 180, 10), durations (N,) and people (N,) of the sensor recordings.

    They are ``PERSON_TRIAL.npz`` (normal walking: ``...Baseline.npz``) with ``t`` (T,) in seconds,
    ``angles_deg`` (T, 10) relative to quiet standing, and ``HS_r`` and ``HS_l``, times of initial
    contacts.
    """
    curves, durations, people = [], [], []
    for path in sorted(folder.glob("*.npz")):
        person = path.stem.partition("_")[0]
        with np.load(path) as saved:
            time, recorded = saved["t"], saved["angles_deg"] + standing_deg
            contacts = {side: saved[f"HS_{side}"] for side in SIDES}
        for side in SIDES:
            if (person, side) in INVERTED:
                ankle = angles_of(side)[-1]
                recorded[:, ankle] = 2 * standing_deg[ankle] - recorded[:, ankle]
        for side in SIDES:
            seen = recorded if side == "r" else recorded[:, MIRROR]
            pairs = list(zip(contacts[side][:-1], contacts[side][1:], strict=True))
            for start, end in pairs[2::every]:
                if 0.6 < end - start < 2.0:
                    curves.append(resample(np.linspace(start, end, POINTS), time, seen))
                    durations.append(end - start)
                    people.append(person)
    return np.stack(curves), np.array(durations, np.float32), np.array(people)
