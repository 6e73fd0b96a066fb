"""What a command says of what it was given, before it does anything with it."""

from pathlib import Path

import click

from edgehip.model import is_bundled
from edgehip_export.dataset import Cohort, read_cohort


def tell_the_bundled(model: str) -> None:
    """Say that a name is taken for the bundled model's though something here is called so."""
    if is_bundled(model) and Path(model).exists():
        click.echo(f"{model}: the bundled model, not what lies here (./{model})", err=True)


def told(paths: tuple[Path, ...]) -> list[Cohort]:
    """Return the cohorts in some files; tell what is doubtful of them."""
    cohorts = [read_cohort(path) for path in paths]
    for cohort in cohorts:
        for doubt in cohort.doubts:
            click.echo(f"{cohort.path}: {doubt}")
    return cohorts
