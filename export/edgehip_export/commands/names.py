"""What files, people and models may be called."""

import click

from edgehip.commands.paths import NamedPath
from edgehip_export.dataset import NO_ID

FILE = NamedPath(dir_okay=False)
FOLDER = NamedPath(file_okay=False)
MODEL = NamedPath(path_type=str)
"""As it was written: ``hip-cycle`` is a bundled model, ``./hip-cycle`` a run's folder."""


def file_name(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    """Return a model's name, if files can be called so."""
    if name is not None and (
        not name or name.startswith(".") or not name.isprintable() or set(name) & set("/\\:")
    ):
        raise click.BadParameter(f"{name!r} cannot be the name of a file")
    return name


def somebody(_: click.Context, __: click.Parameter, subject: str) -> str:
    """Return whose id this is, if it names anybody."""
    if subject.strip() in NO_ID:
        raise click.BadParameter(f"{subject!r} names nobody: give an id, as P1")
    return subject
