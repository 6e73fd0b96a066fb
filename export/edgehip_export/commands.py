"""The workstation's commands, ``train`` to ``export``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgehip.channels import Side
from edgehip.commands.idle import refuse_idle
from edgehip.commands.numbers import FiniteRange
from edgehip.commands.paths import NamedPath
from edgehip.errors import DatasetError, ParityError
from edgehip.given import HEIGHT_M, MASS_KG
from edgehip.model import is_bundled
from edgehip.model_file import Format
from edgehip_export.acquaintance import meet
from edgehip_export.adapt import adapt as adapt_model
from edgehip_export.checkpoint import import_checkpoints
from edgehip_export.collect import Person
from edgehip_export.collect import collect as collect_strides
from edgehip_export.comparison_strides import Labelled
from edgehip_export.dataset import DATA_SET, NO_ID, Cohort, read_cohort
from edgehip_export.error_report import print_errors
from edgehip_export.evaluate import evaluate as evaluate_model
from edgehip_export.evaluate import stored_errors
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
from edgehip_export.fit import Recipe
from edgehip_export.forms import TYPICAL_STRIDE_S
from edgehip_export.many_option import ManyOption
from edgehip_export.networks import FAMILIES
from edgehip_export.opensim_table import OpenSimTable, read_opensim_table
from edgehip_export.progress_bar import ProgressBar
from edgehip_export.quantize import PRECISIONS, Precision
from edgehip_export.run_folder import model_file
from edgehip_export.sources import open_trained
from edgehip_export.train import Protocol
from edgehip_export.train import train as train_model
from edgehip_export.trained import UNITS, Target, save_trained

RECIPE = Recipe()
FILE = NamedPath(dir_okay=False)
FOLDER = NamedPath(file_okay=False)
MODEL = NamedPath(path_type=str)
"""As it was written: ``hip-cycle`` is a bundled model, ``./hip-cycle`` a run's folder."""

STEPS_NOTE = (
    "step forms are for callers that put the state back to zero at the very instant of initial "
    "contact; 'edgehip stream' knows it only later, and runs cycle forms"
)


def _file_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Return a model's name, if files can be called so."""
    if name is not None and (
        not name or name.startswith(".") or not name.isprintable() or set(name) & set("/\\:")
    ):
        raise click.BadParameter(f"{name!r} cannot be the name of a file")
    return name


def _somebody(_: click.Context, __: click.Parameter, subject: str) -> str:
    """Return whose id this is, if it names anybody."""
    if subject.strip() in NO_ID:
        raise click.BadParameter(f"{subject!r} names nobody: give an id, as P1")
    return subject


def _tell_the_bundled(model: str) -> None:
    if is_bundled(model) and Path(model).exists():
        click.echo(f"{model}: the bundled model, not what lies here (./{model})", err=True)


@click.command()
@click.argument("family", type=click.Choice(FAMILIES, case_sensitive=False))
@click.argument("cohort", type=FILE)
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder of the run.")
@click.option("--scale-targets", is_flag=True, help="Fit z-scored targets (not as published).")
@click.option(
    "--most-epochs",
    type=click.IntRange(min=1),
    default=RECIPE.most_epochs,
    show_default=True,
)
@click.option("--patience", type=click.IntRange(min=1), default=RECIPE.patience, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=RECIPE.seed, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def train(
    family: str,
    cohort: Path,
    output: Path,
    scale_targets: bool,
    most_epochs: int,
    patience: int,
    seed: int,
    device: str,
) -> None:
    """Train a network by the protocol of Gait2Hip-60 on COHORT, one of its NPZ files.

    One fifth of the people are held out; five folds of the others choose the number of epochs.
    The same command goes on with a run that was interrupted.
    """
    strides = read_cohort(cohort)
    release = "as many as released" if strides.is_release() else f"not the release ({DATA_SET})"
    click.echo(
        f"{cohort}: {len(strides)} strides of {len(strides.people())} people, {strides.target}, "
        f"{release}"
    )
    for doubt in strides.doubts:
        click.echo(f"  {doubt}")
    recipe = replace(RECIPE, most_epochs=most_epochs, patience=patience, seed=seed)
    protocol = Protocol(recipe, scale_targets=scale_targets)
    bar = ProgressBar()
    try:
        model = train_model(
            strides,
            family,
            output,
            protocol,
            device=device,
            on_stage=bar.begin,
            on_epoch=bar.show,
        )
    except KeyboardInterrupt as interrupt:
        bar.close()
        click.echo(f"interrupted: the same command goes on from here ({output})", err=True)
        raise click.Abort from interrupt
    finally:
        bar.close()
    for line in (output / "test_metrics_by_cadence.csv").read_text().splitlines():
        click.echo(line)
    print_errors(UNITS[strides.target], stored_errors(model.networks[0].provenance).items())
    click.echo(f"{output / 'model.pt'}: trained")


@click.command()
@click.argument("model", type=MODEL)
@click.argument("cohort", type=FILE)
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder for tables and plots.")
def evaluate(model: str, cohort: Path, output: Path) -> None:
    """Evaluate MODEL on COHORT, an NPZ file of Gait2Hip-60's shape.

    MODEL is a trained model or its run's folder, a released checkpoint, an exported file, or a
    bundled model's name.
    Where COHORT holds people the model was tested on, these alone are taken, and people it was
    trained on never: a trained model knows both by their strides.
    """
    _tell_the_bundled(model)
    found = evaluate_model(model, read_cohort(cohort), output)
    click.echo(
        f"{found.name}: {found.strides} strides of {found.people} "
        f"{'held-out people' if found.known.held_out else 'people'}"
    )
    for note in found.notes():
        click.echo(f"  {note}")
    print_errors(found.unit, found.rows())
    click.echo(f"tables and plots: {output}")


@click.command()
@click.option("--angles", type=FILE, required=True, help="Of inverse kinematics (.mot, .sto).")
@click.option("--moments", type=FILE, help="Of inverse dynamics.")
@click.option("--forces", type=FILE, help="Of static optimization.")
@click.option("--subject", required=True, metavar="ID", callback=_somebody, help="Who walked.")
@click.option(
    "--body-mass", "body_mass_kg", type=FiniteRange(*MASS_KG), required=True, metavar="KG"
)
@click.option(
    "--body-height", "body_height_m", type=FiniteRange(*HEIGHT_M), required=True, metavar="M"
)
@click.option(
    "--right-contacts",
    cls=ManyOption,
    type=FiniteRange(min=0),
    metavar="S",
    help="When the right foot came to the ground, by the files' times; give these or the left "
    "ones if contacts are not to be found in the angles, as a stream finds them.",
)
@click.option("--left-contacts", cls=ManyOption, type=FiniteRange(min=0), metavar="S")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder for the NPZ files.")
def collect(
    angles: Path,
    moments: Path | None,
    forces: Path | None,
    subject: str,
    body_mass_kg: float,
    body_height_m: float,
    right_contacts: tuple[float, ...],
    left_contacts: tuple[float, ...],
    output: Path,
) -> None:
    """Collect labelled strides from OpenSim's files of a walk, for evaluate, adapt and export.

    Whole strides of either leg are written as NPZ files of Gait2Hip-60's shape: moments.npz,
    forces.npz.
    """
    labels: dict[Target, OpenSimTable] = {}
    if moments:
        labels["moments"] = read_opensim_table(moments)
    if forces:
        labels["forces"] = read_opensim_table(forces)
    if not labels:
        raise click.UsageError("give --moments, --forces, or both")
    contacts_s: dict[Side, list[float]] | None = None
    if right_contacts or left_contacts:
        contacts_s = {"r": sorted(right_contacts), "l": sorted(left_contacts)}
    person = Person(subject, body_mass_kg, body_height_m)
    cohorts, mended = collect_strides(
        read_opensim_table(angles), labels, person, output, contacts_s
    )
    for line in mended:
        click.echo(f"  {line}")
    for cohort in cohorts:
        for doubt in cohort.doubts:
            click.echo(f"  {doubt}")
        click.echo(f"{cohort.path}: {len(cohort)} strides")


@click.command()
@click.argument("model", type=MODEL)
@click.argument("cohorts", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=FILE, required=True, help="The adapted model file.")
@click.option("--subject", metavar="ID", help="Whose strides to take, if there are several people.")
def adapt(model: str, cohorts: tuple[Path, ...], output: Path, subject: str | None) -> None:
    """Adapt MODEL to one person, by strides that a laboratory labelled.

    MODEL is a whole-cycle model's file, or a bundled model's name. COHORTS are NPZ files of
    Gait2Hip-60's shape, labelled with moments or with forces. One stride does, of either leg and
    any pace; more do better.
    """
    _tell_the_bundled(model)
    read = _told(cohorts)
    if subject is not None:
        for cohort in read:
            if subject not in cohort.people():
                there = ", ".join(cohort.people()[:5])
                line = f"{cohort.path}: nobody is called {subject!r}; there are: {there}"
                raise DatasetError(line)
        read = [cohort.of_people([subject]) for cohort in read]
    for found in adapt_model(model, read, output):
        rows = [(f"{found.target}, as the model is", found.before)]
        if found.after is not None:
            rows.append((f"{found.target}, adapted by the other strides", found.after))
        print_errors(UNITS[found.target], rows)
        if doubt := found.doubt():
            click.echo(f"  {doubt}")
        if found.after is None:
            click.echo("  one stride: nothing is there to tell how well others are met")
    click.echo(
        f"{output}: adapted to {read[0].people()[0]}; a stream's samples follow its strides with "
        "--estimates cycle,sample, and intervals stay as wide as everybody's"
    )


@click.command("import")
@click.argument("checkpoints", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=FILE, required=True, help="The model, ending in .pt.")
@click.option(
    "--name", callback=_file_name, help="The model's name, by default after its networks."
)
def import_(checkpoints: tuple[Path, ...], output: Path, name: str | None) -> None:
    """Import released CHECKPOINTS of Gait2Hip-60 as one model.

    Give one checkpoint, or one for moments (JM60) and one for forces (MF60). Nothing in them is
    run.
    """
    if output.suffix != ".pt":
        raise click.BadParameter(f"{output}: must end in .pt", param_hint="--output")
    model = import_checkpoints(checkpoints, name)
    output.parent.mkdir(parents=True, exist_ok=True)
    save_trained(output, model)
    targets = " and ".join(network.target for network in model.networks)
    click.echo(f"{output}: {model.name}, {targets}")


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
@click.option(
    "--name", callback=_file_name, help="What the files are called, by default the model."
)
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
        _tell_the_bundled(model)
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
    cohorts = _told(paths)
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


def _told(paths: tuple[Path, ...]) -> list[Cohort]:
    """Return the cohorts in some files; tell what is doubtful of them."""
    cohorts = [read_cohort(path) for path in paths]
    for cohort in cohorts:
        for doubt in cohort.doubts:
            click.echo(f"{cohort.path}: {doubt}")
    return cohorts
