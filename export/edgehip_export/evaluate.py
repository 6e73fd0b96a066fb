"""A model on a cohort it was not trained on: tables with the published columns, and pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgehip_export.acquaintance import Acquaintance, meet
from edgehip_export.dataset import Cohort
from edgehip_export.metrics import (
    Errors,
    Row,
    by_cadence,
    per_output,
    per_subject,
    subject_mean,
    write_table,
)
from edgehip_export.plots import plot_curves, plot_peaks
from edgehip_export.sources import estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Parameters
    ----------
    name
        The model's.
    strides, people
        How many were evaluated.
    known
        Whom of the cohort the model has met.
    pooled, subject_mean
        Errors over everything at once, and the mean of people's.
    cadences, outputs
        Rows of the two tables.
    stored
        What the model says of itself on its own test: pooled and subject-mean figures, if it was
        evaluated on all of the same people.
    """

    name: str
    strides: int
    people: int
    known: Acquaintance
    pooled: Errors
    subject_mean: Errors
    cadences: list[Row]
    outputs: list[Row]
    stored: dict[str, Any]


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
    stored_keys = ("test_metrics_overall", "test_metrics_subject_mean")
    evaluation = Evaluation(
        name=answer.name,
        strides=len(chosen),
        people=len(chosen.people()),
        known=known,
        pooled=Errors.between(truth, found),
        subject_mean=subject_mean(truth, found, subjects),
        cadences=by_cadence(truth, found, subjects, chosen.cadences),
        outputs=per_output(truth, found, subjects),
        stored={
            k: answer.provenance[k]
            for k in stored_keys
            if known.complete and k in answer.provenance
        },
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "metrics_by_cadence.csv", evaluation.cadences)
    write_table(folder / "metrics_per_output.csv", evaluation.outputs)
    each = per_subject(truth, found, subjects)
    rows = [{"subject": name} | errors.row() for name, errors in each.items()]
    write_table(folder / "metrics_per_subject.csv", rows)
    title = f"{answer.name} on {Path(cohort.path).name}"
    plot_curves(folder / "curves.png", cohort.target, truth, found, title)
    plot_peaks(folder / "peaks.png", cohort.target, truth, found, title)
    return evaluation
