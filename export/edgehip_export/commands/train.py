"""``edgehip train``: a network by the paper's protocol."""

from dataclasses import replace
from pathlib import Path

import click

from edgehip_export.commands.names import FILE, FOLDER
from edgehip_export.dataset import DATA_SET, read_cohort
from edgehip_export.error_report import print_errors
from edgehip_export.evaluate import stored_errors
from edgehip_export.fit import Recipe
from edgehip_export.networks import FAMILIES
from edgehip_export.progress_bar import ProgressBar
from edgehip_export.train import Protocol
from edgehip_export.train import train as train_model
from edgehip_export.trained import UNITS

RECIPE = Recipe()


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
