"""Labelled strides out of what OpenSim's tools wrote of a walk: a cohort of one person.

Inverse kinematics gives the ten angles, inverse dynamics the moments, static optimization the
forces of single muscles or of their parts, which are summed. Strides of either leg are taken, left
ones of the mirrored body.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR, MOMENTS, MUSCLES, SIDES, Side
from edgehip.cycles import MAX_BRIDGED_GAP_S, MAX_STRIDE_S, MIN_STRIDE_S, CycleTracker
from edgehip.errors import DatasetError
from edgehip.events import GaitCycle, JointAngleSample
from edgehip.segmentation import GaitSegmenter
from edgehip.whole_file import write_file
from edgehip_export.dataset import COLUMNS, Cohort, cohort_of
from edgehip_export.opensim_table import OpenSimTable
from edgehip_export.strides import POINTS, resample
from edgehip_export.trained import Target

Stride = tuple[Side, float, float]
"""The leg, and when it came to the ground (s): once, and again."""

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

HELD_UP: Final[dict[Target, str]] = {"moments": "pelvis_ty_force", "forces": "FY"}
"""The force (N) that holds up what no ground does: inverse dynamics' residual, and the actuator
that static optimization has instead."""
MOST_HELD_UP: Final = 0.5
"""Of body weight. It is nearly all of it where a foot came down beside the force plates, and little
where it met one."""
ON_ONE_LEG: Final = (0.30, 0.45)
"""Of a stride: its leg stands alone then at any pace."""
GRAVITY_M_PER_S2: Final = 9.81
MOST_RADIANS: Final = 3.0
"""A knee that walks moves by tens of degrees, and never by half a turn."""


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
    """Write ``moments.npz`` and ``forces.npz`` to a folder; return them, and lines to show.

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
    angles_deg, told = _angles_deg(angles)
    tables = (angles, *labels.values())
    begin_s = max(table.time_s[0] for table in tables)
    end_s = min(table.time_s[-1] for table in tables)
    if begin_s >= end_s:
        spans = ", ".join(
            f"{t.path} from {t.time_s[0]:.2f} to {t.time_s[-1]:.2f} s" for t in tables
        )
        raise DatasetError(
            f"the tables have no time in common: {spans}: give those of one walk, times in seconds"
        )
    if contacts_s is None:
        walked = _found(angles.time_s, angles_deg)
    else:
        walked = [(side, *ends) for side in SIDES for ends in pairwise(contacts_s[side])]
        told_s = [at for side in SIDES for at in contacts_s[side]]
        if not any(begin_s <= at <= end_s for at in told_s):
            raise DatasetError(
                f"no foot comes down between {begin_s:.2f} and {end_s:.2f} s, where all tables "
                f"are, as contacts are told: from {min(told_s):.4g} to {max(told_s):.4g}; give "
                "them in seconds, by the times in the tables"
            )
    strides = [
        (side, start, end)
        for side, start, end in walked
        if MIN_STRIDE_S <= end - start <= MAX_STRIDE_S
        and all(table.holds(start, end, MAX_BRIDGED_GAP_S) for table in tables)
    ]
    if not strides:
        right = sum(side == "r" for side, _, _ in walked)
        raise DatasetError(
            f"{angles.path}: no whole stride lies between {begin_s:.2f} and {end_s:.2f} s, where "
            f"all tables are: of {MIN_STRIDE_S} to {MAX_STRIDE_S} s, and without "
            f"{MAX_BRIDGED_GAP_S * 1000:.0f} ms that lack rows; in all there are {right} strides "
            f"of the right leg and {len(walked) - right} of the left (--right-contacts and "
            "--left-contacts tell them)"
        )
    if out := len(walked) - len(strides):
        told.append(
            f"{out} of {len(walked)} strides left out: not whole in all tables, or not of "
            f"{MIN_STRIDE_S} to {MAX_STRIDE_S} s"
        )
    for target, table in labels.items():
        strides = _borne(target, table, strides, person.body_mass_kg, told)
    x = _cut(strides, angles.time_s, {"r": angles_deg, "l": angles_deg[:, MIRROR]})
    legs = dict.fromkeys(side for side, _, _ in strides)
    y = {
        target: _cut(strides, table.time_s, {side: _loads(target, table, side) for side in legs})
        for target, table in labels.items()
    }
    known = np.all([np.isfinite(curves).all(axis=(1, 2)) for curves in (x, *y.values())], axis=0)
    if known.any() and not known.all():  # of none, what is read of it below says what is wrong
        told.append(f"{np.sum(~known)} of {len(strides)} strides left out: NaN in them")
        strides = [stride for stride, whole in zip(strides, known, strict=True) if whole]
        x, y = x[known], {target: curves[known] for target, curves in y.items()}
    cohorts, contents = [], {}
    for target, table in labels.items():
        count = len(strides)
        arrays: dict[str, NDArray[Any]] = {
            "X": x,
            "Y": y[target],
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
        try:
            read = cohort_of(arrays, f"{angles.path}, {table.path}", sha256)
        except DatasetError as error:
            meant = f"X is of --angles, Y of --{target}, weight_kg --body-mass"
            raise DatasetError(
                f"{error} ({meant}, and a cycle goes from contact to contact)"
            ) from error
        cohorts.append(replace(read, path=str(path)))
    folder.mkdir(parents=True, exist_ok=True)  # only now: what is no walk replaces nothing
    for path, content in contents.items():
        write_file(path, content)
    return cohorts, told


def _angles_deg(table: OpenSimTable) -> tuple[NDArray[np.float64], list[str]]:
    """Return the ten angles (T, 10), and what was mended."""
    mended = []
    angles = np.column_stack([table.column(name) for name in ANGLES])
    knees = [ANGLES.index(name) for name in KNEES]
    whole = angles[np.isfinite(angles).all(axis=1)]
    moved = float(np.ptp(whole[:, knees], axis=0).max()) if len(whole) else 0.0
    in_degrees = moved > MOST_RADIANS
    said = table.in_degrees
    if moved and said is not None and said != in_degrees:
        raise DatasetError(
            f"{table.path}: its header says inDegrees={'yes' if said else 'no'}, and its knees "
            f"move by {moved:.3g}: write inDegrees={'no' if said else 'yes'} there"
        )
    if not in_degrees:
        angles = np.degrees(angles)
        mended.append(f"{table.path}: radians turned into degrees")
    if np.all(np.nansum(angles[:, knees], axis=0) < 0.0):
        angles[:, knees] *= -1.0
        mended.append(f"{table.path}: knees bend by negative angles there; turned round")
    return angles, mended


def _found(time_s: NDArray[np.float64], angles_deg: NDArray[np.float64]) -> list[Stride]:
    """Return the strides that a stream finds in the angles."""
    segmenter, tracker = GaitSegmenter(), CycleTracker()
    found: list[Stride] = []
    known = np.isfinite(angles_deg).all(axis=1)  # rows that are not are missing to a stream
    for at, angles in zip(time_s[known].tolist(), angles_deg[known].tolist(), strict=True):
        sample = JointAngleSample(at, tuple(angles), received_ns=0)
        tracker.add(sample)
        for event in segmenter.feed(sample):
            cycle = tracker.event(event, received_ns=0)
            if isinstance(cycle, GaitCycle):
                found.append((cycle.side, cycle.start_s, cycle.end_s))
    return sorted(found)


def _borne(
    target: Target,
    table: OpenSimTable,
    strides: list[Stride],
    body_mass_kg: float,
    told: list[str],
) -> list[Stride]:
    """Return the strides whose leg stands on ground that was measured, if the table shows that."""
    name = HELD_UP[target]
    if name not in table.names:
        return strides
    force_n, most_n = table.column(name), MOST_HELD_UP * GRAVITY_M_PER_S2 * body_mass_kg
    borne = []
    for side, start, end in strides:
        at = start + (end - start) * np.linspace(*ON_ONE_LEG, POINTS)
        if not np.abs(np.interp(at, table.time_s, force_n)).mean() > most_n:  # NaN is told later
            borne.append((side, start, end))
    if out := len(strides) - len(borne):
        line = (
            f"{table.path}: {out} of {len(strides)} strides left out: {name} bears more than half "
            "of body weight while the leg stands alone, so no ground reaction force was applied"
        )
        if not borne:
            raise DatasetError(line)
        told.append(line)
    return borne


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
    neither = " nor ".join(", ".join(parts) for parts in dict.fromkeys((*known, whole)))
    raise DatasetError(
        f"{table.path}: has no {muscle}, neither {neither}: give static optimization's forces, of "
        "all muscles of the hip"
    )


def _cut(
    strides: list[Stride], time_s: NDArray[np.float64], of_leg: Mapping[Side, NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Return each stride's curves (N, 180, D) of its own leg's (T, D)."""
    return np.array(
        [
            resample(np.linspace(start, end, POINTS), time_s, of_leg[side])
            for side, start, end in strides
        ]
    )
