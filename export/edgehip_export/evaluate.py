"""A model on a cohort it was not trained on: tables with the published columns, and pictures."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgehip.whole_file import write_file
from edgehip_export.acquaintance import Acquaintance, meet
from edgehip_export.dataset import Cohort
from edgehip_export.file_digest import file_sha256
from edgehip_export.metrics import (
    Errors,
    Row,
    by_cadence,
    per_output,
    per_subject,
    subject_mean,
    write_table,
)
from edgehip_export.peaks import peaks
from edgehip_export.plots import plot_curves, plot_peaks
from edgehip_export.sources import Estimate, estimate
from edgehip_export.trained import UNITS


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Parameters
    ----------
    name, unit
        The model's, and that of the errors.
    strides, people
        How many were evaluated.
    doubts
        The cohort's.
    known
        Whom of the cohort the model has met.
    pooled, subject_mean
        Errors over everything at once, and the mean of people's.
    cadences, outputs
        Rows of the two tables.
    left_out
        What the model's card says of people left out of its training, per source, where all were
        trained on in the end.
    stored
        What the model says of itself on its own test: pooled and subject-mean figures, if it was
        evaluated on all of the same people.
    personal
        Whether the model was adapted to one person.
    """

    name: str
    unit: str
    strides: int
    people: int
    doubts: tuple[str, ...]
    known: Acquaintance
    pooled: Errors
    subject_mean: Errors
    cadences: list[Row]
    outputs: list[Row]
    left_out: dict[str, Errors]
    stored: dict[str, Errors]
    personal: bool

    def notes(self) -> list[str]:
        """Return what somebody who reads the figures must know, a line each."""
        return [*self.doubts, *self._of_people()]

    def _of_people(self) -> list[str]:
        lines = []
        if self.left_out:
            lines.append(
                f"trained on people of {', '.join(self.left_out)}: the figures are not of new "
                "people if yours are among them; 'left out' is how it did on people of each before"
            )
        elif self.known.told_by == "nothing":
            lines.append("this model does not say whom it was trained on")
        if self.personal:
            lines.append(
                "adapted to one person, and meant for nobody else; what is 'stored' or 'left out' "
                "is from before"
            )
        return lines + self.known.notes()

    def rows(self) -> list[tuple[str, Errors]]:
        """Return the errors by what they are of."""
        return [
            ("pooled", self.pooled),
            ("subject-mean", self.subject_mean),
            *((f"stored, {name}", errors) for name, errors in self.stored.items()),
            *((f"left out, {name}", errors) for name, errors in self.left_out.items()),
            *(
                (f"subject-mean, {row['speed']}", Errors.of(row, "subject_mean_"))
                for row in self.cadences[1:]
            ),
        ]


def evaluate(path: str | Path, cohort: Cohort, folder: Path) -> Evaluation:
    """Return how well a model does on a cohort; write tables and pictures to ``folder``.

    A model that knows its own people (see :mod:`edgehip_export.acquaintance`) is evaluated on the
    held-out ones among the cohort's; if there are none, on everybody who did not train it.

    Raises
    ------
    DatasetError
        If everybody trained it.
    ModelFileError
        If the file is no model, or gives no estimates of what the cohort is labelled with.
    ModelInputError
        If the model wants something the cohort does not tell.
    """
    answer = estimate(path, cohort)
    known = meet(answer.provenance, cohort)
    chosen = known.judge(cohort)
    found = answer.per_kg[np.isin(cohort.subjects, known.judged)]
    truth, subjects = chosen.per_kg, chosen.subjects
    evaluation = Evaluation(
        name=answer.name,
        unit=UNITS[cohort.target],
        strides=len(chosen),
        people=len(chosen.people()),
        doubts=cohort.doubts,
        known=known,
        pooled=Errors.between(truth, found),
        subject_mean=subject_mean(truth, found, subjects),
        cadences=by_cadence(truth, found, subjects, chosen.cadences),
        outputs=per_output(truth, found, subjects),
        left_out=answer.left_out,
        stored=stored_errors(answer.provenance) if known.complete else {},
        personal=answer.personal,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "metrics_by_cadence.csv", evaluation.cadences)
    write_table(folder / "metrics_per_output.csv", evaluation.outputs)
    each = per_subject(truth, found, subjects)
    rows = [{"subject": name} | errors.row() for name, errors in each.items()]
    write_table(folder / "metrics_per_subject.csv", rows)
    agreement = peaks(cohort.target, truth, found)
    write_table(folder / "peaks.csv", [each.row() for each in agreement])
    about = _about(evaluation, answer, cohort)
    write_file(folder / "metrics.json", (json.dumps(about, indent=2) + "\n").encode())
    title = f"{answer.name} on {Path(cohort.path).name}"
    plot_curves(folder / "curves.png", cohort.target, truth, found, title)
    plot_peaks(folder / "peaks.png", cohort.target, agreement, title)
    return evaluation


def stored_errors(provenance: dict[str, Any]) -> dict[str, Errors]:
    """Return a model's own figures; none if they are not as ours and the released ones are."""
    keys = {"pooled": "test_metrics_overall", "subject-mean": "test_metrics_subject_mean"}
    try:
        return {name: Errors.of(provenance[key]) for name, key in keys.items()}
    except (KeyError, TypeError, ValueError):
        return {}


def _about(evaluation: Evaluation, answer: Estimate, cohort: Cohort) -> dict[str, Any]:
    """Return what was evaluated on what, and the figures, as plain values."""
    known = evaluation.known
    return {
        "model": {
            "name": answer.name,
            "file": Path(answer.path).name,
            "sha256": file_sha256(answer.path),
        },
        "cohort": {
            "file": Path(cohort.path).name,
            "sha256": cohort.sha256,
            "target": cohort.target,
            "unit": evaluation.unit,
            "strides": evaluation.strides,
            "people": list(known.judged),
        },
        "held_out_only": bool(known.held_out),
        "held_out_missing": known.missing if known.held_out else None,
        "trained_the_model": list(known.taught),
        "told_by": known.told_by,
        "notes": evaluation.notes(),
        "errors": {name: _plain(errors) for name, errors in evaluation.rows()},
    }


def _plain(errors: Errors) -> dict[str, float | int | None]:
    """Return errors for JSON, which has no NaN."""
    return {k: None if math.isnan(value) else value for k, value in errors.mean_row().items()}
