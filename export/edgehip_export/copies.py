"""Strides that are one stride, cut out twice from contacts some hundredths of a second apart.

Nobody walks a stride twice: even on a treadmill neighbours differ by more than measuring does, at
whatever pace. So strides are laid over each other, one shifted and stretched in time to fit best,
and what is left between them tells. For that a few points of a stride are enough.
"""

import base64
import binascii
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES
from edgehip_export.strides import POINTS, Array

Traces = NDArray[np.int16]

MOST_APART_DEG: Final = 0.2
"""RMS over the ten angles. In the recordings of ``../shared/data``, no two of 27000 pairs of
strides of one leg in one walk are nearer than 0.6 degrees, most of them on a treadmill (0.54 if the
angles are filtered at 6 Hz first); strides cut anew up to 30 ms away are nearly all within 0.1."""
SHIFTED: Final = 0.06
"""Of a cycle: so far is looked for the other's contacts."""
LEFT_OVER_DEG: Final = (8.0, 3.0, 1.0, 0.5, MOST_APART_DEG)
"""What is left of copies before each step of the fit is less; what is further is no copy."""
AT: Final = np.linspace(12, 167, 12).round().astype(np.intp)
"""Points of a stride that are kept, :data:`SHIFTED` and more from its ends."""
UNIT_DEG: Final = 0.02
_TRACE: Final = (len(AT), len(ANGLES))
_TRACE_BYTES: Final = 2 * len(AT) * len(ANGLES)


def traces(angles_deg: Array) -> Traces:
    """Return what is kept (N, 12, 10) of strides (N, 180, 10) to know them by."""
    kept: Traces = np.round(angles_deg[:, AT] / UNIT_DEG).astype(np.int16)
    return kept


def as_text(kept: Traces) -> str:
    """Return traces as a word of letters, digits, - and _."""
    return base64.urlsafe_b64encode(kept.astype("<i2").tobytes()).decode()


def from_text(word: str) -> Traces:
    """Return the traces in a word; none if they are not there."""
    try:
        content = base64.b64decode(word, b"-_", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if len(content) % _TRACE_BYTES:
        content = b""
    return np.frombuffer(content, "<i2").astype(np.int16).reshape(-1, *_TRACE)


def copies_of(trace: Traces, angles_deg: Array) -> NDArray[np.bool_]:
    """Return which strides (N, 180, 10) are copies of the one of a trace (12, 10)."""
    wanted = trace * UNIT_DEG
    phase = AT / (POINTS - 1)
    near = np.arange(len(angles_deg))
    shift, stretch = np.zeros(len(near)), np.zeros(len(near))
    for most_deg in LEFT_OVER_DEG:
        at = phase + shift[:, None] + stretch[:, None] * (phase - 0.5)
        there, slope = _look_up(angles_deg[near], at)
        left = wanted - there
        kept = np.sqrt((left**2).mean((1, 2))) < most_deg
        near, shift, stretch, left, slope = (
            each[kept] for each in (near, shift, stretch, left, slope)
        )
        # A step of Gauss and Newton's.
        turned = slope * (phase - 0.5)[:, None]
        of_shift, of_stretch = ((each * left).sum((1, 2)) for each in (slope, turned))
        a, b, c = (
            (x * y).sum((1, 2)) for x, y in ((slope, slope), (slope, turned), (turned, turned))
        )
        whole = np.maximum(a * c - b * b, 1e-9)
        shift = np.clip(shift + (c * of_shift - b * of_stretch) / whole, -SHIFTED, SHIFTED)
        stretch += (a * of_stretch - b * of_shift) / whole
        stretch = np.clip(stretch, -2 * SHIFTED, 2 * SHIFTED)
    found = np.zeros(len(angles_deg), np.bool_)
    found[near] = True
    return found


def copies_among(angles_deg: Array) -> int:
    """Return how many strides (N, 180, 10) are copies of one before them."""
    found = np.zeros(len(angles_deg), np.bool_)
    for place, trace in enumerate(traces(angles_deg), 1):
        found[place:] |= copies_of(trace, angles_deg[place:])
    return int(found.sum())


def _look_up(angles_deg: Array, at: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return strides (N, 180, 10) at phases (N, K), and how they change there (per cycle)."""
    place = np.clip(at, 0.0, 1.0) * (POINTS - 1)
    before = np.minimum(place.astype(np.intp), POINTS - 2)
    row = np.arange(len(angles_deg))[:, None]
    start = angles_deg[row, before].astype(np.float64)
    step = angles_deg[row, before + 1] - start
    return start + step * (place - before)[..., None], step * (POINTS - 1)
