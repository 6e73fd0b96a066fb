"""``edgehip adapt``: a model to one person."""

from pathlib import Path

import click

from edgehip.errors import DatasetError
from edgehip_export.adapt import adapt as adapt_model
from edgehip_export.commands.names import FILE, MODEL
from edgehip_export.commands.told import tell_the_bundled, told
from edgehip_export.error_report import print_errors
from edgehip_export.trained import UNITS


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
    tell_the_bundled(model)
    read = told(cohorts)
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
