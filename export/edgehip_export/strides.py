"""Labelled strides of real people: angles of a whole cycle and what inverse dynamics made of them.

Every stride is seen from its own leg: a left stride is mirrored, so that the hip the labels belong
to is always the right one (see :data:`edgehip.channels.MIRROR`).
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import MIRROR

POINTS = 180
"""Points of a stride, the first at one initial contact and the last at the next (inclusive)."""

Array = NDArray[np.float32]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Strides:
    """N strides, cut from initial contact to the next of the same foot.

    ``angles_deg`` (N, 180, 10), ``moments`` (N, 180, 3) Nm/kg, ``forces`` (N, 180, 14) N/kg (NaN
    where the laboratory has none), ``stride_s`` (N,), and per stride the ``lab``, the ``person``,
    the ``trial`` and the ``leg`` it came from, ``body_mass_kg`` and ``body_height_m`` (N,), NaN
    where nobody wrote them down.
    """

    angles_deg: Array
    moments: Array
    forces: Array
    stride_s: Array
    lab: Names
    person: Names
    trial: Names
    leg: Names
    body_mass_kg: Array
    body_height_m: Array

    def __len__(self) -> int:
        return len(self.stride_s)

    def take(self, chosen: NDArray[Any]) -> "Strides":
        """Return the strides a boolean mask or a list of places chooses."""
        return Strides(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def of_nobody(self) -> "Strides":
        """Return the strides without the mass and height of who walked them."""
        unknown = np.full_like(self.stride_s, np.nan)
        return replace(self, body_mass_kg=unknown, body_height_m=unknown)

    @property
    def loads(self) -> Array:
        """Moments and forces side by side (N, 180, 17)."""
        return np.concatenate([self.moments, self.forces], axis=-1)

    @property
    def mean_angles_deg(self) -> Array:
        """Mean angles (10,) of everybody, each person counting the same."""
        means = [self.angles_deg[self.person == p].mean((0, 1)) for p in self.people]
        mean: Array = np.mean(means, axis=0)
        return mean

    @property
    def people(self) -> tuple[str, ...]:
        """The people, in order of first appearance."""
        return tuple(dict.fromkeys(self.person.tolist()))

    @property
    def labs(self) -> tuple[str, ...]:
        """The laboratories, in order of first appearance."""
        return tuple(dict.fromkeys(self.lab.tolist()))


def join(parts: "list[Strides]") -> Strides:
    """Return the strides of several collections as one."""
    return Strides(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Strides))
    )


def load_strides(data: Path) -> Strides:
    """Return every labelled adult stride below a data folder.

    Angles are in degrees in the order of :data:`edgehip.channels.ANGLES`, moments in Nm/kg, forces
    in N/kg (NaN where there are none), times in seconds.

    ``walking/strides_180.npz`` holds N strides, left ones mirrored: ``X`` (N, 180, 10),
    ``Y_moment`` (N, 180, 3), ``Y_force`` (N, 180, 14), ``stride_s`` and ``mass`` (N,), and as text
    ``dataset`` (the laboratory), ``subject``, ``trial`` and ``leg`` (``r`` or ``l``), each (N,).
    The recordings they were cut of, ``walking/LAB__PERSON__TRIAL.npz``, tell the ``height``.

    ``other_labs/LAB__PERSON__TRIAL.npz`` hold T samples each: ``t`` (T,), ``X`` (T, 10), ``M_r``
    and ``M_l`` (T, 3), ``F_r`` and ``F_l`` (T, 14), ``strides`` (K, 3): leg, start and end, and
    ``mass`` and ``height``.

    Raises
    ------
    FileNotFoundError
        If the folder lacks ``walking/strides_180.npz`` or ``other_labs``.
    """
    return join([_walking(data / "walking" / "strides_180.npz"), *_other_labs(data / "other_labs")])


def _walking(path: Path) -> Strides:
    heights_m = {}
    for recording in sorted(path.parent.glob("*__*.npz")):
        with np.load(recording) as saved:
            heights_m[recording.stem.split("__")[1]] = saved["height"]
    with np.load(path) as saved:
        lab, person, trial, leg = (
            saved[key].astype(str) for key in ("dataset", "subject", "trial", "leg")
        )
        # The file's left strides are mirrored already.
        return Strides(
            saved["X"],
            saved["Y_moment"],
            saved["Y_force"],
            saved["stride_s"].astype(np.float32),
            lab,
            person,
            trial,
            leg,
            saved["mass"].astype(np.float32),
            np.array([heights_m.get(one, np.nan) for one in person.tolist()], np.float32),
        )


def _other_labs(folder: Path) -> list[Strides]:
    paths = sorted(folder.glob("*__*.npz"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no recordings (LAB__PERSON__TRIAL.npz)")
    return [_cut(path) for path in paths]


def _cut(path: Path) -> Strides:
    """Return one recording's strides."""
    lab, person, trial = path.stem.split("__", 2)
    rows = []
    with np.load(path) as saved:
        cuts = [(leg, float(start), float(end)) for leg, start, end in saved["strides"]]
        body = [np.full(len(cuts), saved[key], np.float32) for key in ("mass", "height")]
        for leg, start, end in cuts:
            angles = saved["X"] if leg == "r" else saved["X"][:, MIRROR]
            at = np.linspace(start, end, POINTS)
            rows.append(
                [
                    resample(at, saved["t"], curves)
                    for curves in (angles, saved[f"M_{leg}"], saved[f"F_{leg}"])
                ]
            )
    angles_deg, moments, forces = (np.stack(curves) for curves in zip(*rows, strict=True))
    return Strides(
        angles_deg,
        moments,
        forces,
        stride_s=np.array([end - start for _, start, end in cuts], np.float32),
        lab=np.full(len(cuts), lab),
        person=np.full(len(cuts), f"{lab}/{person}"),
        trial=np.full(len(cuts), trial),
        leg=np.array([leg for leg, _, _ in cuts]),
        body_mass_kg=body[0],
        body_height_m=body[1],
    )


def resample(at: NDArray[Any], time: NDArray[Any], curves: NDArray[Any]) -> Array:
    """Return (T, C) ``curves`` at other times, linearly between samples, (len(at), C)."""
    columns = [np.interp(at, time, column) for column in curves.T]
    return np.stack(columns, axis=-1).astype(np.float32)


def close_cycles(curves: NDArray[Any]) -> Array:
    """Return (N, 180, C) curves that end exactly where they begin.

    What lies between a real stride's end and its beginning is shared out over the cycle.
    """
    ramp = np.linspace(-0.5, 0.5, curves.shape[1])[:, None]
    closed: Array = (curves - (curves[:, -1:] - curves[:, :1]) * ramp).astype(np.float32)
    return closed
