"""A curve in one line of text."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 4
_LEFT: Final = (0x40, 0x04, 0x02, 0x01)
_RIGHT: Final = (0x80, 0x20, 0x10, 0x08)
_ASCII: Final = "_.-'"


def sparkline(curve: NDArray[np.float32], cells: int, ascii_only: bool = False) -> str:
    """Return a curve as braille, two points wide and four high in a cell, or one wide in ASCII."""
    count = cells if ascii_only else 2 * cells
    points = np.interp(np.linspace(0, len(curve) - 1, count), np.arange(len(curve)), curve)
    # A line at zero is no curve; the records say what is unknown, and the peaks what is infinite.
    points = np.where(np.isfinite(points), points, 0.0)
    span = float(points.max() - points.min()) or 1.0
    levels = np.round((LEVELS - 1) * (points - points.min()) / span).astype(int).tolist()
    if ascii_only:
        return "".join(_ASCII[level] for level in levels)
    return "".join(
        chr(0x2800 + _LEFT[a] + _RIGHT[b]) for a, b in zip(levels[::2], levels[1::2], strict=True)
    )
