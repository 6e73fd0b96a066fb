"""The table an export prints, a line per file as it is done."""

from typing import Final

import click

from edgehip_export.export_model import Exported

LAYOUT: Final = "{:<44}{:>9}{:>7}{:>10}{:>9}{:>10}{:>11}{:>11}"
LEGEND: Final = (
    "size: over the float32 file; max: largest difference from its source, of moments (Nm/kg) or "
    "else forces (N/kg); error: RMS difference over the output's SD"
)


class ExportReport:
    """Prints what it is called with, under a heading."""

    def __init__(self) -> None:
        self._begun = False

    def __call__(self, exported: Exported) -> None:
        """Print a file's line."""
        if not self._begun:
            self._begun = True
            click.echo(
                LAYOUT.format(
                    "file", "KiB", "size", "max", "error", "R² loss", "p50 (µs)", "p99 (µs)"
                )
            )
        click.echo(_line(exported))


def _line(exported: Exported) -> str:
    parity, name = exported.parity, exported.path.name
    if parity is None:
        return f"{name:<44}not offered: {exported.refusal}"
    losses = [accuracy.r2_loss for accuracy in parity.accuracy.values()]
    line = LAYOUT.format(
        name,
        f"{parity.size_bytes / 1024:.0f}",
        f"{parity.size_ratio:.0%}",
        f"{next(iter(parity.max_error.values())):.2g}",
        f"{parity.normalised_error:.2%}",
        f"{max(losses):+.4f}" if losses else "-",
        f"{parity.latency_us_p50:.1f}",
        f"{parity.latency_us_p99:.1f}",
    )
    return line if exported.refusal is None else f"{line}  NOT WRITTEN: {exported.refusal}"
