"""``edgehip evaluate``: a model on a cohort."""

from pathlib import Path

import click

from edgehip_export.commands.names import FILE, FOLDER, MODEL
from edgehip_export.commands.told import tell_the_bundled
from edgehip_export.dataset import read_cohort
from edgehip_export.error_report import print_errors
from edgehip_export.evaluate import evaluate as evaluate_model


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
    tell_the_bundled(model)
    found = evaluate_model(model, read_cohort(cohort), output)
    click.echo(
        f"{found.name}: {found.strides} strides of {found.people} "
        f"{'held-out people' if found.known.held_out else 'people'}"
    )
    for note in found.notes():
        click.echo(f"  {note}")
    print_errors(found.unit, found.rows())
    click.echo(f"tables and plots: {output}")
