"""A model on a cohort it was not trained on: tables with the published columns, and pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    held_out_only
        Whether the cohort held people of the model's training, who were left out.
    pooled, subject_mean
        Errors over everything at once, and the mean of people's.
    cadences, outputs
        Rows of the two tables.
    stored
        What the model says of itself on its own test: pooled and subject-mean figures, if it was
        evaluated on the same people.
    """

    name: str
    strides: int
    people: int
    held_out_only: bool
    pooled: Errors
    subject_mean: Errors
    cadences: list[Row]
    outputs: list[Row]
    stored: dict[str, Any]


def evaluate(path: str | Path, cohort: Cohort, folder: Path) -> Evaluation:
    """Return how well a model does on a cohort; write tables and pictures to ``folder``.

    A model that names its held-out people is evaluated on these where the cohort has all of them;
    any other cohort is an external one and is taken whole.

    Raises
    ------
    ModelFileError
        If the file is no model, or gives no estimates of what the cohort is labelled with.
    ModelInputError
        If the model wants something the cohort does not tell.
    """
    answer = estimate(path, cohort)
    held_out = set(answer.provenance.get("test_subjects", ()))
    only = bool(held_out) and held_out <= set(cohort.people())
    chosen = cohort.of_people(sorted(held_out)) if only else cohort
    found = answer.per_kg
    if only:
        found = found[[subject in held_out for subject in cohort.subjects]]
    truth, subjects = chosen.per_kg, chosen.subjects
    stored_keys = ("test_metrics_overall", "test_metrics_subject_mean")
    evaluation = Evaluation(
        name=answer.name,
        strides=len(chosen),
        people=len(chosen.people()),
        held_out_only=only,
        pooled=Errors.between(truth, found),
        subject_mean=subject_mean(truth, found, subjects),
        cadences=by_cadence(truth, found, subjects, chosen.cadences),
        outputs=per_output(truth, found, subjects),
        stored={k: answer.provenance[k] for k in stored_keys if only and k in answer.provenance},
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
