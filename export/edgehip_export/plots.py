"""Pictures of an evaluation: curves over the gait cycle, and agreement of their peaks."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehip.errors import MissingExtraError
from edgehip.whole_file import write_file
from edgehip_export.answers import Floats
from edgehip_export.trained import CHANNELS, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS: dict[Target, str] = {"moments": "Nm/kg", "forces": "N/kg"}
REFERENCE, ESTIMATE = "0.25", "tab:red"
LIMITS_OF_AGREEMENT = 1.96


def plot_curves(
    path: Path, target: Target, reference: Floats, estimate: Floats, title: str
) -> None:
    """Draw mean and SD over strides of reference and estimate, one panel per output.

    Parameters
    ----------
    reference, estimate
        (N, S, D).
    """
    percent = np.linspace(0, 100, reference.shape[1])

    def draw(axes: "Axes", index: int) -> None:
        for values, colour, name in (
            (reference, REFERENCE, "reference"),
            (estimate, ESTIMATE, "estimate"),
        ):
            mean = values[..., index].mean(axis=0)
            sd = values[..., index].std(axis=0)
            axes.fill_between(percent, mean - sd, mean + sd, color=colour, alpha=0.2, lw=0)
            axes.plot(percent, mean, color=colour, lw=1.4, label=name)
        axes.axhline(0, color="0.8", lw=0.6, zorder=0)
        axes.set_xlim(0, 100)

    labels = ("gait cycle (%)", UNITS[target])
    _panels(path, target, f"{title}: mean ± SD of {len(reference)} strides", labels, draw)


def plot_peaks(path: Path, target: Target, reference: Floats, estimate: Floats, title: str) -> None:
    """Draw the difference of peaks over their mean (Bland & Altman, Lancet 327:307, 1986).

    The peak of an output is its maximum, or its minimum where that is the larger on average in the
    reference.
    """

    def draw(axes: "Axes", index: int) -> None:
        truth, answer = _peaks(reference[..., index], estimate[..., index])
        difference = answer - truth
        bias, sd = float(difference.mean()), float(difference.std(ddof=min(1, len(truth) - 1)))
        axes.plot((truth + answer) / 2, difference, ".", color="tab:blue", ms=4, alpha=0.6)
        axes.axhline(bias, color=ESTIMATE, lw=1.2)
        for sign in (-1, 1):
            axes.axhline(bias + sign * LIMITS_OF_AGREEMENT * sd, color=ESTIMATE, lw=0.9, ls="--")
        axes.axhline(0, color="0.8", lw=0.6, zorder=0)

    unit = UNITS[target]
    labels = (f"mean of peaks ({unit})", f"estimate - reference ({unit})")
    _panels(path, target, f"{title}: peaks, bias and 95 % limits of agreement", labels, draw)


def _peaks(reference: Floats, estimate: Floats) -> tuple[Floats, Floats]:
    """Return the peak of every stride (N,)."""
    if reference.max(axis=1).mean() >= -reference.min(axis=1).mean():
        return reference.max(axis=1), estimate.max(axis=1)
    return reference.min(axis=1), estimate.min(axis=1)


def _panels(path: Path, target: Target, title: str, labels: tuple[str, str], draw: Any) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "export", "a plot") from error
    names = CHANNELS[target]
    columns = min(len(names), 5)
    rows = -(-len(names) // columns)
    size = (3.6 * columns, 2.9 * rows + 0.5) if rows == 1 else (2.9 * columns, 2.3 * rows + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for index, axes in enumerate(grid.flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        draw(axes, index)
        axes.set_title(names[index], fontsize=10)
        axes.tick_params(labelsize=8)
        if index + columns >= len(names):
            axes.set_xlabel(labels[0], fontsize=9)
        if index % columns == 0:
            axes.set_ylabel(labels[1], fontsize=9)
        if axes.get_legend_handles_labels()[0] and index == 0:
            axes.legend(fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120, format="png")
    write_file(path, drawn.getvalue())
