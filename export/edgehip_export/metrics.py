"""RMSE, MAE and R² as Gait2Hip-60 published them (arXiv 2605.30374), and per output.

R² relates the squared error to the spread about **one** mean over all strides, samples and outputs
at once, unless it is for one output. "Subject-mean" is the mean over people of each one's figure.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import MOMENTS, MUSCLES
from edgehip.whole_file import write_file

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.str_]
Row = dict[str, str | int | float]
OVERALL = "overall"
UNDEFINED = "R2_undefined_people"


@dataclass(frozen=True, slots=True)
class Errors:
    """How far estimates are from their reference, in the reference's unit.

    R² is NaN where the reference does not vary; a mean leaves such out, and ``r2_undefined`` says
    how many.
    """

    rmse: float
    mae: float
    r2: float
    r2_undefined: int = 0

    @classmethod
    def between(cls, reference: Floats, estimate: Floats) -> "Errors":
        """Return the errors over everything at once; the arrays are of one shape."""
        reference = np.asarray(reference, dtype=np.float64)
        difference = np.asarray(estimate, dtype=np.float64) - reference
        spread = float(np.sum((reference - reference.mean()) ** 2))
        squared = float(np.sum(difference**2))
        return cls(
            rmse=float(np.sqrt(np.mean(difference**2))),
            mae=float(np.mean(np.abs(difference))),
            r2=1 - squared / spread if spread > 0 else float("nan"),
        )

    @classmethod
    def mean(cls, many: Sequence["Errors"]) -> "Errors":
        """Return the mean of each figure."""
        defined = [errors.r2 for errors in many if not np.isnan(errors.r2)]
        return cls(
            rmse=float(np.mean([errors.rmse for errors in many])),
            mae=float(np.mean([errors.mae for errors in many])),
            r2=float(np.mean(defined)) if defined else float("nan"),
            r2_undefined=len(many) - len(defined),
        )

    @classmethod
    def of(cls, row: Mapping[str, str | float], prefix: str = "") -> "Errors":
        """Return what :meth:`row` or :meth:`mean_row` returned."""
        rmse, mae, r2 = (float(row[f"{prefix}{name}"]) for name in ("RMSE", "MAE", "R2"))
        return cls(rmse, mae, r2, int(row.get(f"{prefix}{UNDEFINED}", 0)))

    def row(self, prefix: str = "") -> dict[str, float]:
        """Return the figures under the published column names."""
        return {f"{prefix}RMSE": self.rmse, f"{prefix}MAE": self.mae, f"{prefix}R2": self.r2}

    def mean_row(self, prefix: str = "") -> dict[str, float | int]:
        """Return the figures of a mean over people, and how many of them R² leaves out."""
        return self.row(prefix) | {f"{prefix}{UNDEFINED}": self.r2_undefined}


def per_subject(reference: Floats, estimate: Floats, subjects: Labels) -> dict[str, Errors]:
    """Return each person's errors."""
    return {
        str(subject): Errors.between(reference[subjects == subject], estimate[subjects == subject])
        for subject in np.unique(subjects)
    }


def subject_mean(reference: Floats, estimate: Floats, subjects: Labels) -> Errors:
    """Return the mean over people of each one's errors."""
    return Errors.mean(list(per_subject(reference, estimate, subjects).values()))


def by_cadence(
    reference: Floats, estimate: Floats, subjects: Labels, cadences: Labels
) -> list[Row]:
    """Return the published table: subject-mean errors over all strides and per cadence label.

    Behind the published columns stands how many people R² leaves out.
    """
    rows = []
    parts = {OVERALL: np.ones(len(cadences), dtype=bool)}
    for cadence in np.unique(cadences):
        label = f"{cadence} (label)" if cadence == OVERALL else str(cadence)
        parts[label] = cadences == cadence
    for label, chosen in parts.items():
        errors = subject_mean(reference[chosen], estimate[chosen], subjects[chosen])
        row: Row = {
            "speed": label,
            "n_trials": int(chosen.sum()),
            "n_subjects": len(np.unique(subjects[chosen])),
        }
        row |= errors.mean_row("subject_mean_")
        rows.append(row)
    return rows


def per_output(reference: Floats, estimate: Floats, subjects: Labels) -> list[Row]:
    """Return pooled and subject-mean errors of each output; R² about the output's own mean."""
    names = MOMENTS if reference.shape[-1] == len(MOMENTS) else MUSCLES
    rows = []
    for index, name in enumerate(names):
        truth, answer = reference[..., index], estimate[..., index]
        row: Row = {"output": name}
        row |= Errors.between(truth, answer).row()
        row |= subject_mean(truth, answer, subjects).mean_row("subject_mean_")
        rows.append(row)
    return rows


def write_table(path: Path, rows: Sequence[Mapping[str, str | int | float]]) -> None:
    """Write rows as CSV with four decimals, as the published tables have."""
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    write_file(path, table.getvalue().encode())
