"""The table of errors that commands print, a line per name."""

from collections.abc import Iterable
from typing import Final

import click

from edgehip_export.metrics import Errors

LAYOUT: Final = "{:<{}}{:>9}{:>9}{:>9}"
SHORTEST: Final = 26


def print_errors(unit: str, rows: Iterable[tuple[str, Errors]]) -> None:
    """Print errors in a unit under a heading, and how many people an R² leaves out."""
    rows = list(rows)
    width = max(SHORTEST, *(len(name) + 1 for name, _ in rows))
    click.echo(LAYOUT.format(unit, width, "RMSE", "MAE", "R²"))
    for name, errors in rows:
        figures = (f"{x:.4f}" for x in (errors.rmse, errors.mae, errors.r2))
        line = LAYOUT.format(name, width, *figures)
        if errors.r2_undefined:
            line += f"  (R² without {errors.r2_undefined} whose reference does not vary)"
        click.echo(line)
