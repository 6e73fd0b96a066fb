"""What is estimated of one hip, as rows of text: as many, and as wide, as there is room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from edgehip.channels import MOMENTS, MUSCLES, Side
from edgehip.events import DISTRUST, Flag, HipEstimate, HipSampleEstimate
from edgehip.peaks import maximum, minimum
from edgehip.sinks.fitting import GAP, as_many, first_that_fits, number
from edgehip.sinks.sparkline import sparkline

FORCES_SHOWN: Final = 6
CURVE_CELLS: Final = 22
LEAST_CURVE_CELLS: Final = 4
NUMBERS_WIDTH: Final = 20
"""Of a name and one number, with no room for a curve."""
_JOINT: Final = "hip_"


@dataclass(frozen=True, slots=True)
class Columns:
    """How wide the columns are, 0 for none, and what curves and peaks consist of."""

    name: int
    curve: int
    high: int
    low: int
    with_places: bool
    ascii_only: bool

    @classmethod
    def of(cls, width: int, *, ascii_only: bool) -> Self:
        """Return the columns for a width: first the peaks, then curves, places and whole names."""
        with_places = width >= 36
        peak = 9 if with_places else 5
        low = peak if width >= 21 else 0
        left = width - sum(column + 1 for column in (peak, low) if column)
        name = 13 if left >= 22 else 9
        curve = min(left - name - 1, CURVE_CELLS)
        curve = curve if curve >= LEAST_CURVE_CELLS else 0
        return cls(name, curve, peak, low, with_places, ascii_only)

    @property
    def before_low(self) -> int:
        """How much of a row is taken before the last column."""
        return sum(width + 1 for width in (self.name, self.curve, self.high) if width)

    def row(
        self,
        name: str,
        high: str,
        low: str = "",
        curve: NDArray[np.float32] | None = None,
        style: str = "",
    ) -> Text:
        """Return a row of the table; the style is the curve's."""
        if len(name) > self.name:
            name = name.removeprefix(_JOINT)
        row = Text(f"{name:<{self.name}}", no_wrap=True, overflow="crop")
        if self.curve:
            cells = "" if curve is None else sparkline(curve, self.curve, self.ascii_only)
            row.append(f" {cells:<{self.curve}}", style)
        row.append(f" {high:<{self.high}}")
        return row.append(f" {low:<{self.low}}") if self.low else row

    def head(self, unit: str, high: str, low: str) -> Text:
        """Return a row that names what is below it, as far as there is room."""
        row = self.row(unit, high, low)
        row.stylize("dim")
        return row

    def peak(self, value: str, gait_cycle_percent: float) -> str:
        """Return a peak with its place, if that is shown."""
        return f"{value} {gait_cycle_percent:3.0f}" if self.with_places else value


def stride_rows(estimate: HipEstimate, width: int, rows: int, *, ascii_only: bool) -> list[Text]:
    """Return a stride's moments and strongest muscles, each as a curve with its peaks."""
    columns = Columns.of(width, ascii_only=ascii_only)
    moments = []
    for name, curve in estimate.moments_nm_per_kg.items():
        high, low = maximum(curve), minimum(curve)
        if not columns.low:
            high = max(high, low, key=lambda peak: abs(peak.value))
        highest = columns.peak(_moment(high.value), high.gait_cycle_percent)
        lowest = columns.peak(_moment(low.value), low.gait_cycle_percent)
        moments.append(columns.row(name, highest, lowest, curve, "cyan"))
    curves, mass_kg = estimate.forces_n_per_kg, estimate.body_mass_kg
    forces = []
    for name in _strongest({name: float(np.max(curve)) for name, curve in curves.items()}):
        peak = maximum(curves[name])
        greatest = columns.peak(_force(peak.value), peak.gait_cycle_percent)
        newton = "" if mass_kg is None else number(peak.value * mass_kg, 0, min(columns.low, 6))
        forces.append(columns.row(name, greatest, newton, curves[name], "magenta"))
    at = " at %" if columns.with_places else ""
    moments_head = columns.head("Nm/kg", f"max{at}" if columns.low else " peak", f"min{at}")
    heads = ("",) if mass_kg is None else (f"N ({mass_kg:g} kg)", "    N", "")
    newton = first_that_fits(heads, width - columns.before_low)
    return _table(moments_head, moments, columns.head("N/kg", "", newton), forces, rows)


def sample_rows(
    side: Side, now: HipSampleEstimate, greatest: NDArray[np.float32], width: int, rows: int
) -> list[Text]:
    """Return what is estimated right now, of the muscles whose forces were the greatest."""
    columns = Columns.of(min(width, NUMBERS_WIDTH), ascii_only=True)
    moments = zip(MOMENTS, now.moments_nm_per_kg[side].tolist(), strict=True)
    forces = dict(zip(MUSCLES, now.forces_n_per_kg[side].tolist(), strict=True))
    strongest = _strongest(dict(zip(MUSCLES, greatest.tolist(), strict=True)))
    return _table(
        columns.head("Nm/kg", "  now", ""),
        [columns.row(name, _moment(value)) for name, value in moments],
        columns.head("N/kg", "", ""),
        [columns.row(name, _force(forces[name])) for name in strongest],
        rows,
    )


def sample_row(side: Side, now: HipSampleEstimate | None, width: int) -> Text:
    """Return the moments right now, if they are known, in one row with as many flags as fit."""
    if now is None:
        return Text("now  -", "dim", no_wrap=True, overflow="crop")
    values = now.moments_nm_per_kg[side].tolist()
    told = GAP.join(
        f"{name.removeprefix(_JOINT)} {value:+.2f}"
        for name, value in zip(MOMENTS, values, strict=True)
    )
    title = "now  "
    if len(title) + len(told) > width:
        title, told = "now ", " ".join(_moment(value) for value in values)
    row = Text.assemble((title, "dim"), told, no_wrap=True, overflow="crop")
    flags = as_many(worst_first(now.flags), width - len(row) - len(GAP), GAP)
    return row.append(f"{GAP}{flags}", "yellow")


def worst_first(flags: Sequence[Flag]) -> list[Flag]:
    """Return flags with those first that forbid acting."""
    return sorted(flags, key=lambda flag: flag not in DISTRUST)


def _moment(nm_per_kg: float) -> str:
    return number(nm_per_kg, 2, 5, "+")


def _force(n_per_kg: float) -> str:
    return number(n_per_kg, 1, 5)


def _strongest(greatest: Mapping[str, float]) -> list[str]:
    return sorted(greatest, key=lambda name: -greatest[name])[:FORCES_SHOWN]


def _table(
    moments_head: Text, moments: list[Text], forces_head: Text, forces: list[Text], rows: int
) -> list[Text]:
    """Return both kinds with their heads, or without where that makes room for the forces."""
    if rows < len(moments) + len(forces[:2]) + 2:
        return [*moments, *forces][:rows]
    table = [moments_head, *moments] if moments else []
    return [*table, forces_head, *forces][:rows] if forces else table[:rows]
