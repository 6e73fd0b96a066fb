"""Labelled strides out of what OpenSim's tools wrote of a walk: a cohort of one person.

Inverse kinematics gives the ten angles, inverse dynamics the moments, static optimization the
forces of single muscles or of their parts, which are summed. Strides of either leg are taken, left
ones of the mirrored body.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR, MOMENTS, MUSCLES, SIDES, Side
from edgehip.cycles import MAX_STRIDE_S, MIN_STRIDE_S
from edgehip.errors import DatasetError
from edgehip.events import InitialContact, JointAngleSample
from edgehip.segmentation import GaitSegmenter
from edgehip.whole_file import write_file
from edgehip_export.dataset import COLUMNS, Cohort, cohort_of
from edgehip_export.opensim_table import OpenSimTable
from edgehip_export.strides import POINTS
from edgehip_export.trained import Target

KNEES: Final = ("knee_angle_r", "knee_angle_l")

PARTS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "addbrev": (("addbrev",), ("add_brev",)),
    "addlong": (("addlong",), ("add_long",)),
    "addmag": (
        ("addmagDist", "addmagIsch", "addmagMid", "addmagProx"),
        ("add_mag1", "add_mag2", "add_mag3"),
    ),
    "grac": (("grac",),),
    "iliopsoas": (("iliacus", "psoas"),),
    "recfem": (("recfem",), ("rect_fem",)),
    "sart": (("sart",), ("sar",)),
    "glmax": (("glmax1", "glmax2", "glmax3"), ("glut_max1", "glut_max2", "glut_max3")),
    "bflh": (("bflh",), ("bifemlh",)),
    "hamstring": (("semimem", "semiten"),),
    "glmed": (("glmed1", "glmed2", "glmed3"), ("glut_med1", "glut_med2", "glut_med3")),
    "glmin": (("glmin1", "glmin2", "glmin3"), ("glut_min1", "glut_min2", "glut_min3")),
    "tfl": (("tfl",),),
    "piri": (("piri",), ("peri",)),
}
"""What each muscle is made of in the models of Rajagopal et al. (2016), and of Delp et al. (1990:
gait2392). A model in which a muscle is whole may call it as it is called here."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whose walk it is."""

    subject: str
    body_mass_kg: float
    body_height_m: float


def collect(
    angles: OpenSimTable,
    labels: Mapping[Target, OpenSimTable],
    person: Person,
    folder: Path,
    contacts_s: Mapping[Side, Sequence[float]] | None = None,
) -> tuple[list[Cohort], list[str]]:
    """Write ``moments.npz`` and ``forces.npz`` to a folder; return them, and what was mended.

    Parameters
    ----------
    angles
        Of inverse kinematics.
    labels
        Of inverse dynamics (Nm), of static optimization (N), or of both.
    contacts_s
        When either foot came to the ground; by default as a stream finds it in the angles.

    Raises
    ------
    DatasetError
        If columns are missing, no whole stride lies in all tables, or what is found cannot be
        anybody's.
    """
    angles_deg, mended = _angles_deg(angles)
    if contacts_s is None:
        contacts_s = _contacts_s(angles.time_s, angles_deg)
    begin_s = max(table.time_s[0] for table in (angles, *labels.values()))
    end_s = min(table.time_s[-1] for table in (angles, *labels.values()))
    strides = [
        (side, start, end)
        for side in SIDES
        for start, end in zip(contacts_s[side], contacts_s[side][1:], strict=False)
        if begin_s <= start and end <= end_s and MIN_STRIDE_S <= end - start <= MAX_STRIDE_S
    ]
    if not strides:
        raise DatasetError(
            f"{angles.path}: no whole stride lies between {begin_s:.2f} and {end_s:.2f} s, where "
            f"all tables are: there are {len(contacts_s['r'])} contacts of the right foot and "
            f"{len(contacts_s['l'])} of the left (--right-contacts and --left-contacts tell them)"
        )
    cohorts, contents = [], {}
    for target, table in labels.items():
        loads = {side: _loads(target, table, side) for side in SIDES}
        x, y = [], []
        for side, start, end in strides:
            at = np.linspace(start, end, POINTS)
            seen = angles_deg if side == "r" else angles_deg[:, MIRROR]
            x.append(_resampled(at, angles.time_s, seen))
            y.append(_resampled(at, table.time_s, loads[side]))
        count = len(strides)
        arrays: dict[str, NDArray[Any]] = {
            "X": np.array(x, np.float32),
            "Y": np.array(y, np.float32),
            "subject_id": np.array([person.subject] * count),
            "weight_kg": np.full(count, person.body_mass_kg),
            "height_m": np.full(count, person.body_height_m),
            "speed_label": np.array(["as walked"] * count),
            "stride_s": np.array([end - start for _, start, end in strides]),
            "in_cols": np.array(ANGLES),
            "out_cols": np.array(COLUMNS[target]),
        }
        packed, path = io.BytesIO(), folder / f"{target}.npz"
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        contents[path] = packed.getvalue()
        sha256 = hashlib.sha256(contents[path]).hexdigest()
        cohorts.append(cohort_of(arrays, path, sha256))
    folder.mkdir(parents=True, exist_ok=True)  # only now: what is no walk replaces nothing
    for path, content in contents.items():
        write_file(path, content)
    return cohorts, mended


def _angles_deg(table: OpenSimTable) -> tuple[NDArray[np.float64], list[str]]:
    """Return the ten angles (T, 10), and what was mended."""
    mended = []
    angles = np.column_stack([table.column(name) for name in ANGLES])
    if table.in_degrees is False:
        angles = np.degrees(angles)
        mended.append(f"{table.path}: radians turned into degrees")
    knees = [ANGLES.index(name) for name in KNEES]
    if np.all(angles[:, knees].mean(axis=0) < 0.0):
        angles[:, knees] *= -1.0
        mended.append(f"{table.path}: knees bend by negative angles there; turned round")
    return angles, mended


def _contacts_s(
    time_s: NDArray[np.float64], angles_deg: NDArray[np.float64]
) -> dict[Side, list[float]]:
    """Return when either foot came to the ground, as a stream finds it."""
    segmenter = GaitSegmenter()
    found: dict[Side, list[float]] = {side: [] for side in SIDES}
    for at, angles in zip(time_s.tolist(), angles_deg.tolist(), strict=True):
        for event in segmenter.feed(JointAngleSample(at, tuple(angles), received_ns=0)):
            if isinstance(event, InitialContact):
                found[event.side].append(event.time_s)
    return found


def _loads(target: Target, table: OpenSimTable, side: Side) -> NDArray[np.float64]:
    """Return one hip's loads (T, D)."""
    if target == "moments":
        return np.column_stack([table.column(f"{name}_{side}_moment") for name in MOMENTS])
    return np.column_stack([_force(table, muscle, side) for muscle in MUSCLES])


def _force(table: OpenSimTable, muscle: str, side: Side) -> NDArray[np.float64]:
    """Return a muscle's force (T,), the sum of its parts."""
    known = [tuple(f"{part}_{side}" for part in parts) for parts in PARTS[muscle]]
    whole = (f"{muscle}_{side}",)
    for parts in (*known, whole):
        if set(parts) <= set(table.names):
            return table.column(*parts)
    raise DatasetError(
        f"{table.path}: has no {muscle}: neither {' nor '.join(', '.join(p) for p in known)}"
    )


def _resampled(
    at: NDArray[np.float64], time_s: NDArray[np.float64], curves: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.column_stack([np.interp(at, time_s, curve) for curve in curves.T])
