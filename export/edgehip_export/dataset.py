"""Gait2Hip-60's NPZ files, and any other cohort in their shape.

The data set lies at https://doi.org/10.5281/zenodo.20175768 (its code at
https://github.com/ygsiete7/Gait2Hip-60): ``Gait2Hip_JM60.npz`` holds hip moments in Nm,
``Gait2Hip_MF60.npz`` muscle forces in N, both of the right leg.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.errors import DatasetError
from edgehip.given import HEIGHT_M, MASS_KG
from edgehip_export.file_digest import file_sha256
from edgehip_export.npz import read_npz, texts
from edgehip_export.plausibility import doubts_of
from edgehip_export.strides import POINTS
from edgehip_export.trained import Target

Floats = NDArray[np.float32]

DATA_SET: Final = "https://doi.org/10.5281/zenodo.20175768"
KEYS: Final = (
    "X",
    "Y",
    "subject_id",
    "height_m",
    "weight_kg",
    "speed_label",
    "in_cols",
    "out_cols",
)
COLUMNS: Final[dict[Target, tuple[str, ...]]] = {
    "moments": tuple(f"{name}_r_moment" for name in MOMENTS),
    "forces": tuple(f"{name}_r" for name in MUSCLES),
}
"""The data set's own names of its output columns, in the order of our channels."""

RELEASED_STRIDES: Final = 713
RELEASED_IDS: Final = tuple(f"H{number:02d}" for number in range(1, 61))

CADENCE_SPM: Final = {"slow": 78.0, "med": 115.0, "fast": 135.0}
"""The metronome's steps per minute for each label of the data set."""

NO_ID: Final = ("", "nan")
"""What a cell of a table that nobody filled becomes."""

SPANS: Final = {
    "weight_kg": (*MASS_KG, "body mass in kg"),
    "height_m": (*HEIGHT_M, "body height in metres (centimetres / 100)"),
    "stride_s": (0.3, 5.0, "a stride's duration in seconds (milliseconds / 1000)"),
}
"""Least and most of what there is one number of per stride, and what it is."""

PER_STRIDE: Final = (
    "angles_deg",
    "per_kg",
    "subjects",
    "cadences",
    "body_mass_kg",
    "body_height_m",
    "stride_s",
)
"""Fields of a cohort."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Labelled strides of one target.

    Parameters
    ----------
    angles_deg
        (N, 180, 10).
    target
        What ``per_kg`` holds.
    per_kg
        (N, 180, 3) in Nm/kg or (N, 180, 14) in N/kg.
    subjects, cadences
        (N,) who walked, and the label of the cadence condition.
    body_mass_kg, body_height_m
        (N,).
    stride_s
        (N,) from the optional key of this name, or else from the data set's cadence labels; None
        where neither tells.
    path, sha256
        The file it came from.
    doubts
        What hardly is a walking person's in it: lines to show.
    """

    angles_deg: Floats
    target: Target
    per_kg: Floats
    subjects: NDArray[np.str_]
    cadences: NDArray[np.str_]
    body_mass_kg: Floats
    body_height_m: Floats
    stride_s: Floats | None
    path: str
    sha256: str
    doubts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.angles_deg)

    @property
    def others(self) -> dict[str, Floats]:
        """What a model may want, or heed, beyond angles."""
        known = {
            "stride_s": self.stride_s,
            "body_height_m": self.body_height_m,
            "body_mass_kg": self.body_mass_kg,
        }
        return {name: values for name, values in known.items() if values is not None}

    def people(self) -> tuple[str, ...]:
        """Return everyone's id, sorted."""
        return tuple(str(subject) for subject in np.unique(self.subjects))

    def of(self, chosen: NDArray[Any]) -> "Cohort":
        """Return the strides a mask or indices choose."""
        own = {name: values[chosen] for name, values in self._per_stride().items()}
        return replace(self, **own)

    def joined(self, other: "Cohort") -> "Cohort":
        """Return these strides and then another cohort's of the same target."""
        own, theirs = self._per_stride(), other._per_stride()
        both: dict[str, Any] = {"stride_s": None}
        both |= {name: np.concatenate([own[name], theirs[name]]) for name in own.keys() & theirs}
        path, doubts = f"{self.path}, {other.path}", self.doubts + other.doubts
        return replace(self, **both, path=path, doubts=doubts)

    def _per_stride(self) -> dict[str, Any]:
        """Return the fields of one value, or one curve, per stride."""
        fields = {name: getattr(self, name) for name in PER_STRIDE}
        return {name: values for name, values in fields.items() if values is not None}

    def of_people(self, people: Sequence[str]) -> "Cohort":
        """Return the strides of some people."""
        return self.of(np.isin(self.subjects, list(people)))

    def is_release(self) -> bool:
        """Return whether it has the people of the released data set, and as many strides."""
        return len(self) == RELEASED_STRIDES and self.people() == RELEASED_IDS


def read_cohort(path: str | Path) -> Cohort:
    """Return the labelled strides in an NPZ file of Gait2Hip-60's shape.

    Columns in another order are put right by their names; other columns are left out.

    Raises
    ------
    DatasetError
        If the file is anything else: keys, columns or ids missing, shapes that do not fit, NaN,
        durations in milliseconds, or what nobody who walks can have (see
        :mod:`edgehip_export.plausibility`).
    """
    if not Path(path).is_file():
        raise DatasetError(
            f"{path}: no such file; labelled strides are an NPZ file, as 'edgehip collect' writes "
            f"it or as Gait2Hip-60's ({DATA_SET})"
        )
    return cohort_of(read_npz(path, (*KEYS, "stride_s")), path, file_sha256(path))


def cohort_of(arrays: dict[str, NDArray[Any]], path: str | Path, sha256: str) -> Cohort:
    """Return the labelled strides in the arrays of such a file.

    Raises
    ------
    DatasetError
        See :func:`read_cohort`.
    """
    try:
        return _cohort(arrays, str(path), sha256)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _cohort(arrays: dict[str, NDArray[Any]], path: str, sha256: str) -> Cohort:
    if missing := [key for key in KEYS if key not in arrays]:
        raise DatasetError(
            f"lacks {', '.join(missing)}; a Gait2Hip-60 file has {', '.join(KEYS)} ({DATA_SET})"
        )
    in_names, out_names = texts(arrays["in_cols"]), texts(arrays["out_cols"])
    angles = _table(arrays["X"], "X", in_names, "in_cols")
    targets = _table(arrays["Y"], "Y", out_names, "out_cols")
    angles_deg = _by_name(angles, ANGLES, in_names, "in_cols")
    target = _target(out_names)
    values = _by_name(targets, COLUMNS[target], out_names, "out_cols")
    strides = len(angles_deg)
    if len(values) != strides:
        raise DatasetError(f"X has {strides} strides, Y has {len(values)}")
    for key in ("subject_id", "weight_kg", "height_m", "speed_label", "stride_s"):
        if key in arrays and arrays[key].shape != (strides,):
            raise DatasetError(f"{key} is of shape {arrays[key].shape}, it must be ({strides},)")
    subjects = np.array(texts(arrays["subject_id"]))
    if (nameless := np.flatnonzero(np.isin(subjects, NO_ID))).size:
        raise DatasetError(
            f"subject_id does not say who walked in {len(nameless)} of {strides} strides, first in "
            f"stride {nameless[0]}: leave them out, or name their people"
        )
    mass, height = (_number_each(arrays, key, subjects) for key in ("weight_kg", "height_m"))
    stride_s = _number_each(arrays, "stride_s", subjects) if "stride_s" in arrays else None
    _check_finite(angles_deg, "X", ANGLES, subjects)
    _check_finite(values, "Y", COLUMNS[target], subjects)
    per_kg = values / mass[:, None, None]
    cadences = texts(arrays["speed_label"])
    return Cohort(
        angles_deg,
        target,
        per_kg,
        subjects,
        np.array(cadences),
        mass,
        height,
        _of_cadences(cadences) if stride_s is None else stride_s,
        path,
        sha256,
        doubts_of(angles_deg, per_kg, target, mass, height, subjects),
    )


def _number_each(arrays: dict[str, NDArray[Any]], key: str, subjects: NDArray[np.str_]) -> Floats:
    """Return one number per stride, all of them possible ones."""
    values = _numbers(arrays[key], key)
    low, high, what = SPANS[key]
    beyond = np.flatnonzero(~((values >= low) & (values <= high)))  # NaN as well
    if len(beyond):
        first = beyond[0]
        raise DatasetError(
            f"{key} cannot be right in {len(beyond)} of {len(values)} strides, first "
            f"{values[first]:.4g} in stride {first} (subject {subjects[first]}): {what} lies "
            f"between {low:g} and {high:g}"
        )
    return values


def _of_cadences(labels: tuple[str, ...]) -> Floats | None:
    """Return the strides' durations, if these are the data set's labels."""
    if not set(labels) <= set(CADENCE_SPM):
        return None
    return np.array([120.0 / CADENCE_SPM[label] for label in labels], dtype=np.float32)


def _numbers(array: NDArray[Any], key: str) -> Floats:
    if array.dtype.kind in "cmM":
        raise DatasetError(f"{key} holds {array.dtype} values, it must hold real numbers")
    try:
        with np.errstate(over="ignore"):  # infinite then, which is refused
            return array.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{key} holds something other than numbers ({error})") from error


def _table(array: NDArray[Any], key: str, names: tuple[str, ...], names_key: str) -> Floats:
    """Return an array of numbers (N, 180, columns)."""
    if array.ndim != 3 or 0 in array.shape or array.shape[1] != POINTS:
        raise DatasetError(
            f"{key} is of shape {array.shape}, it must be (strides, {POINTS}, columns): "
            "gait cycles from right heel strike to the next, resampled to 180 points"
        )
    if array.shape[2] != len(names):
        raise DatasetError(f"{key} has {array.shape[2]} columns, {names_key} names {len(names)}")
    return _numbers(array, key)


def _by_name(
    table: Floats, wanted: tuple[str, ...], names: tuple[str, ...], names_key: str
) -> Floats:
    """Return a table's columns in the wanted order."""
    if missing := [name for name in wanted if name not in names]:
        raise DatasetError(
            f"{names_key} lacks {', '.join(missing)}; it has {', '.join(names) or 'nothing'}"
        )
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise DatasetError(f"{names_key} names {', '.join(twice)} more than once")
    return np.ascontiguousarray(table[:, :, [names.index(name) for name in wanted]])


def _target(names: tuple[str, ...]) -> Target:
    for target, columns in COLUMNS.items():
        if set(names) & set(columns):
            return target
    raise DatasetError(
        f"out_cols names {', '.join(names) or 'nothing'}; it must name the hip moments "
        f"{', '.join(COLUMNS['moments'])} or the muscles {', '.join(COLUMNS['forces'])}"
    )


def _check_finite(
    table: Floats, key: str, names: tuple[str, ...], subjects: NDArray[np.str_]
) -> None:
    bad = ~np.isfinite(table)
    if bad.any():
        stride, sample, column = np.argwhere(bad)[0]
        raise DatasetError(
            f"{key} has NaN or infinite values in {int(bad.any(axis=(1, 2)).sum())} of "
            f"{len(table)} strides, first in stride {stride} (subject {subjects[stride]}), point "
            f"{sample}, {names[column]}: leave these strides out"
        )
