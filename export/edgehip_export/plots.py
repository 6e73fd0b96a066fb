"""Pictures of an evaluation: curves over the gait cycle, and agreement of their peaks."""

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgehip.errors import MissingExtraError
from edgehip.whole_file import write_file
from edgehip_export.answers import Floats
from edgehip_export.peaks import Peaks
from edgehip_export.trained import CHANNELS, UNITS, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REFERENCE, ESTIMATE = "0.25", "tab:red"
LETTERS_PER_INCH = 8
ROOM_INCHES = 0.1
"""Above and below a panel, and what is at the picture's edge."""


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
    about = f"{title}: mean ± SD of {len(reference)} strides"
    _panels(path, CHANNELS[target], about, labels, draw)


def plot_peaks(path: Path, target: Target, agreement: Sequence[Peaks], title: str) -> None:
    """Draw the difference of peaks over their mean, with bias and limits of agreement."""

    def draw(axes: "Axes", index: int) -> None:
        each = agreement[index]
        difference = each.estimate - each.reference
        mean = (each.estimate + each.reference) / 2
        axes.plot(mean, difference, ".", color="tab:blue", ms=4, alpha=0.6, label="a stride")
        axes.axhline(each.bias, color=ESTIMATE, lw=1.2, label="bias")
        said = f"bias {each.bias:+.2g}"
        if each.limits is not None:
            for limit, label in zip(each.limits, ("95 % limits of agreement", None), strict=True):
                axes.axhline(limit, color=ESTIMATE, lw=0.9, ls="--", label=label)
            said += f", limits {each.limits[0]:+.2g} to {each.limits[1]:+.2g}"
        axes.axhline(0, color="0.8", lw=0.6, zorder=0)
        axes.margins(y=0.2)  # what is said above has room
        axes.text(0.02, 0.98, said, transform=axes.transAxes, va="top", fontsize=7)

    unit = UNITS[target]
    labels = (f"mean of peaks ({unit})", f"estimate - reference ({unit})")
    names = [f"{each.output} ({each.extreme})" for each in agreement]
    strides = len(agreement[0].reference)
    _panels(path, names, f"{title}: peaks of {strides} strides", labels, draw)


def _panels(
    path: Path,
    names: Sequence[str],
    title: str,
    labels: tuple[str, str],
    draw: Callable[["Axes", int], None],
) -> None:
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtraError("matplotlib", "export", "a plot") from error
    columns = min(len(names), 5)
    rows = -(-len(names) // columns)
    size = (3.6 * columns, 2.9 * rows + 0.5) if rows == 1 else (2.9 * columns, 2.45 * rows + 0.6)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=ROOM_INCHES))
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
    drawn, marks = grid.flat[0].get_legend_handles_labels()
    if len(names) < len(grid.flat):
        grid.flat[-1].legend(drawn, marks, loc="center", fontsize=9, frameon=False)
    else:
        figure.legend(
            drawn, marks, loc="outside lower center", ncols=len(marks), fontsize=9, frameon=False
        )
    width = int(size[0] * LETTERS_PER_INCH)
    # As it is: file names may have dollar signs, which would begin a formula.
    figure.suptitle("\n".join(textwrap.wrap(title, width)), fontsize=11, parse_math=False)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    write_file(path, picture.getvalue())
