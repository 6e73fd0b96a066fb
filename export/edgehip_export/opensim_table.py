"""Tables that OpenSim's tools write (``.mot``, ``.sto``): a header, names of columns, numbers."""

import codecs
import io
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.errors import DatasetError

MOST_BYTES: Final = 1 << 28
"""An hour at 100 Hz of all of a body's coordinates has half as many."""
LONGEST_HEADER: Final = 1000
AS_WRITTEN: Final = (
    "give it as OpenSim wrote it; what a spreadsheet saves must be text with tabs between columns, "
    "decimal points, no quotes, and the header down to the line 'endheader'"
)


@dataclass(frozen=True, slots=True)
class OpenSimTable:
    """``values`` (T, D) of named columns at ``time_s`` (T,), which increases.

    ``in_degrees`` is what the header says of rotations, None where it does not.
    """

    path: str
    names: tuple[str, ...]
    time_s: NDArray[np.float64]
    values: NDArray[np.float64]
    in_degrees: bool | None

    def column(self, *names: str) -> NDArray[np.float64]:
        """Return the sum (T,) of some columns.

        Raises
        ------
        DatasetError
            If one is not there, or there twice.
        """
        for name in names:
            if name not in self.names:
                near = get_close_matches(name, self.names, cutoff=0.0)
                raise DatasetError(
                    f"{self.path}: has no column {name}; most like it of its {len(self.names)} "
                    f"are {', '.join(near)}"
                )
            if self.names.count(name) > 1:
                raise DatasetError(f"{self.path}: names two columns {name}: leave one out")
        total: NDArray[np.float64]
        total = self.values[:, [self.names.index(name) for name in names]].sum(axis=1)
        return total

    def holds(self, start_s: float, end_s: float, longest_gap_s: float) -> bool:
        """Return whether rows reach from one time to another, none further from the next."""
        first = int(np.searchsorted(self.time_s, start_s, "right")) - 1
        last = int(np.searchsorted(self.time_s, end_s, "left"))
        if first < 0 or last == len(self.time_s):
            return False
        return bool(np.diff(self.time_s[first : last + 1]).max() <= longest_gap_s)


def read_opensim_table(path: str | Path) -> OpenSimTable:
    """Return the table in a file that an OpenSim tool wrote.

    A coordinate's value under a model's path (``/jointset/hip_r/hip_flexion_r/value``) goes by the
    coordinate's name, a force (``/forceset/psoas_r``) by the muscle's.

    Raises
    ------
    DatasetError
        If the file cannot be read or is anything else.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise DatasetError(f"{path}: has more than {MOST_BYTES >> 20} MiB: cut the walk out of it")
    wide = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # a spreadsheet's Unicode text
    text = content.decode("utf-16" if wide else "utf-8-sig", "replace")
    lines = io.StringIO(text, newline=None)
    said: dict[str, str] = {}
    for _, line in zip(range(LONGEST_HEADER), lines, strict=False):
        key, _, value = (part.strip().lower() for part in line.partition("="))
        if key == "endheader":
            break
        said[key] = value
    else:
        raise DatasetError(
            f"{path}: is no .mot or .sto file of OpenSim: its header does not end: {AS_WRITTEN}"
        )
    names = lines.readline().split()
    if not names or names[0].lower() != "time":
        first = repr(names[0][:20]) if names else "nothing"
        raise DatasetError(f"{path}: its first column is not called time but {first}: {AS_WRITTEN}")
    rows = [line for line in lines if line.strip()]
    if len(rows) < 2:
        raise DatasetError(f"{path}: holds {len(rows)} rows: there is no walk in it")
    try:
        table = np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError as error:
        raise DatasetError(f"{path}: {_first_wrong(rows, names) or error}") from error
    if table.shape[1] != len(names):
        raise DatasetError(
            f"{path}: names {len(names)} columns, and has {table.shape[1]}: a name has no spaces, "
            "and every column one"
        )
    time_s = table[:, 0]
    if not np.all(np.diff(time_s) > 0.0):  # NaN neither
        raise DatasetError(f"{path}: its times do not increase from row to row")
    degrees = said.get("indegrees")
    return OpenSimTable(
        str(path),
        tuple(map(_plain, names[1:])),
        time_s,
        table[:, 1:],
        None if degrees is None else degrees == "yes",
    )


def _first_wrong(rows: list[str], names: list[str]) -> str | None:
    """Return what is wrong with the first row that is no row of numbers, one for each column."""
    for number, row in enumerate(rows, 1):
        cells = row.split()
        for name, cell in zip(names, cells, strict=False):
            try:
                float(cell)
            except ValueError:
                advice = ": write decimal points, not commas" if "," in cell else ""
                return (
                    f"holds something other than numbers: {cell[:20]!r} in row {number}, column "
                    f"{name}{advice}"
                )
        if len(cells) != len(names):
            return (
                f"row {number} of {len(rows)} has {len(cells)} numbers, and {len(names)} columns "
                "are named: was the file cut off there?"
            )
    return None


def _plain(name: str) -> str:
    """Return a column's name without the path of its model."""
    return name.removesuffix("/value").rpartition("/")[2] if name.startswith("/") else name
