"""``edgehip export``: models to self-describing files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgehip.commands.idle import refuse_idle
from edgehip.commands.numbers import FiniteRange
from edgehip.errors import DatasetError, ParityError
from edgehip.model_file import Format
from edgehip_export.acquaintance import meet
from edgehip_export.commands.names import FILE, FOLDER, MODEL, file_name
from edgehip_export.commands.told import tell_the_bundled, told
from edgehip_export.comparison_strides import Labelled
from edgehip_export.export_file import export_file, is_model_file
from edgehip_export.export_model import (
    FORMATS,
    FORMS,
    Exported,
    Form,
    Limits,
    export_model,
)
from edgehip_export.export_report import LEGEND, ExportReport
from edgehip_export.forms import TYPICAL_STRIDE_S
from edgehip_export.many_option import ManyOption
from edgehip_export.quantize import PRECISIONS, Precision
from edgehip_export.run_folder import model_file
from edgehip_export.sources import open_trained
from edgehip_export.trained import Target

STEPS_NOTE = (
    "step forms are for callers that put the state back to zero at the very instant of initial "
    "contact; 'edgehip stream' knows it only later, and runs cycle forms"
)


@click.command()
@click.argument("models", type=MODEL, nargs=-1, required=True)
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder for the files.")
@click.option(
    "--to",
    "formats",
    cls=ManyOption,
    type=click.Choice(FORMATS),
    default=FORMATS,
    help="One or more; both by default.",
)
@click.option(
    "--precision",
    "precisions",
    cls=ManyOption,
    type=click.Choice(PRECISIONS),
    default=["fp32"],
    help="One or more; fp32 by default. int8 keeps state and outputs in float.",
)
@click.option(
    "--form",
    "forms",
    cls=ManyOption,
    type=click.Choice(FORMS),
    default=["cycle"],
    help="A whole gait cycle a call (default), or one sample with its state, which 'edgehip "
    "stream' cannot run: it does not know the instant of initial contact when it comes.",
)
@click.option(
    "--stride-s",
    type=FiniteRange(0.1, 10),
    default=TYPICAL_STRIDE_S,
    show_default=True,
    help="Stride a step form is for.",
)
@click.option("--name", callback=file_name, help="What the files are called, by default the model.")
@click.option("--strides", cls=ManyOption, type=FILE, help="Held-out NPZ file(s) to compare on.")
@click.option(
    "--error-limit",
    type=FiniteRange(min=0),
    help="Normalised error above which nothing is written.",
)
@click.option("--any-error", is_flag=True, help="Write files whatever their error.")
def export(
    models: tuple[str, ...],
    output: Path,
    formats: tuple[Format, ...],
    precisions: tuple[Precision, ...],
    forms: tuple[Form, ...],
    stride_s: float,
    name: str | None,
    strides: tuple[Path, ...],
    error_limit: float | None,
    any_error: bool,
) -> None:
    """Export MODELS, a trained model or released checkpoints, to self-describing files.

    Every file is compared with PyTorch; the report is printed, stored in the file and beside it.
    Files (.onnx or .tflite) of fp32 and bundled models, by their names, are brought to other
    precisions and compared with themselves.
    """
    for model in models:
        tell_the_bundled(model)
    sources = tuple(model_file(model) for model in models)
    files = all(is_model_file(source) for source in sources)
    if not files and any(is_model_file(source) for source in sources):
        raise click.UsageError("model files and checkpoints cannot be exported together")
    if files and name is not None and len(sources) > 1:
        raise click.UsageError("--name: one name cannot be that of several model files")
    steps = "step" in forms
    refuse_idle(
        ("forms", "--form", not files, "with a model file, which stays of its form"),
        ("stride_s", "--stride-s", not files, "with a model file, which stays of its form"),
        ("stride_s", "--stride-s", steps, "without --form step"),
        ("error_limit", "--error-limit", not any_error, "with --any-error"),
    )
    limits: Limits | None = None if any_error else Limits()
    if error_limit is not None:
        limits = Limits(dict.fromkeys(PRECISIONS, error_limit))
    report = ExportReport()
    done: list[Exported] = []
    if files:
        labelled = _labelled(strides, {})
        for source in sources:
            done += export_file(
                source,
                output,
                formats,
                precisions,
                name=name,
                labelled=labelled,
                limits=limits,
                on_file=report,
            )
    else:
        trained = open_trained(sources)
        trained = replace(trained, name=name or trained.name)
        provenance = {network.target: network.provenance for network in trained.networks}
        done = export_model(
            trained,
            output,
            formats,
            precisions,
            forms,
            stride_s=stride_s,
            labelled=_labelled(strides, provenance),
            limits=limits,
            on_file=report,
        )
    click.echo(LEGEND)
    if steps:
        click.echo(STEPS_NOTE)
    if refused := [exported for exported in done if exported.refusal is not None]:
        first = refused[0]
        advice = " (--error-limit and --any-error change that)" if first.parity else ""
        raise ParityError(
            f"{len(refused)} of {len(done)} files not written, first {first.path}: "
            f"{first.refusal}{advice}"
        )


def _labelled(
    paths: tuple[Path, ...], provenance: Mapping[Target, dict[str, Any]]
) -> Labelled | None:
    """Return the strides of one or two cohorts, if any: the same strides labelled in two ways.

    Only those that every network may be judged on, by its provenance.
    """
    if not paths:
        return None
    cohorts = told(paths)
    first = cohorts[0]
    for cohort in cohorts[1:]:
        if not np.array_equal(cohort.angles_deg, first.angles_deg):
            raise DatasetError(f"{cohort.path}: holds other strides than {first.path}: give one")
    for own in provenance.values():
        people = meet(own, cohorts[0]).judge(cohorts[0]).people()
        judged = np.isin(cohorts[0].subjects, people)
        cohorts = [cohort.of(judged) for cohort in cohorts]
    per_kg = {cohort.target: cohort.per_kg for cohort in cohorts}
    first = cohorts[0]
    return Labelled(first.angles_deg, per_kg, first.others, first.path)
