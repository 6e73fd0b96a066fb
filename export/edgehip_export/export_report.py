"""The table an export prints, a line per file as it is done."""

from typing import Final

import click

from edgehip_export.export_model import Exported
from edgehip_export.forms import OUTPUTS
from edgehip_export.trained import TARGETS

LAYOUT: Final = "{:>7}{:>6}{:>10}{:>9}{:>8}{:>9}{:>10}{:>10}  {}"
HEADING: Final = (
    *("KiB", "size", "max Nm/kg", "max N/kg", "error", "R² loss", "p50 (µs)", "p99 (µs)"),
    "file",
)
LEGEND: Final = (
    "size: over the float32 file; max: largest difference from its source, of moments and of "
    "forces; error: RMS difference over the output's SD"
)


class ExportReport:
    """Prints what it is called with, under a heading."""

    def __init__(self) -> None:
        self._begun = False

    def __call__(self, exported: Exported) -> None:
        """Print a file's line."""
        if not self._begun:
            self._begun = True
            click.echo(LAYOUT.format(*HEADING))
        click.echo(_line(exported))


def _line(exported: Exported) -> str:
    parity, name = exported.parity, exported.path.name
    if parity is None:
        nothing = ["-"] * (len(HEADING) - 1)
        return LAYOUT.format(*nothing, f"{name}  not offered: {exported.refusal}")
    losses = [accuracy.r2_loss for accuracy in parity.accuracy.values()]
    most = (parity.max_error.get(OUTPUTS[target]) for target in TARGETS)
    line = LAYOUT.format(
        f"{parity.size_bytes / 1024:.0f}",
        f"{parity.size_ratio:.0%}",
        *("-" if error is None else f"{error:.2g}" for error in most),
        f"{parity.normalised_error:.2%}",
        f"{max(losses):+.4f}" if losses else "-",
        f"{parity.latency_us_p50:.1f}",
        f"{parity.latency_us_p99:.1f}",
        name,
    )
    return line if exported.refusal is None else f"{line}  NOT WRITTEN: {exported.refusal}"
