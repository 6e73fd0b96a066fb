"""Choose the segmenter's weights and leads without a person, then score that person."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final

import numpy as np

from benchmarks.gait_recordings import Recording
from benchmarks.gait_scores import FEWEST, KINDS, Kind, Scores, score_recording
from edgehip.segmentation import SegmentationParameters

Scored = tuple[Recording, Scores]

GRID: Final = {
    "hip_weight": (1.5, 1.8, 2.1),
    "contact_horizon_s": (0.008, 0.016, 0.024),
    "foot_off_horizon_s": (0.03, 0.05, 0.08),
}


def leave_one_out(
    recordings: Sequence[Recording],
) -> tuple[list[dict[str, Any]], dict[str, list[Scores]], dict[Kind, list[float]]]:
    """Leave out each person of ``imu_walking`` and each optical laboratory once.

    From :data:`GRID` the others choose the least cost (see :func:`_cost`); the leads are what takes
    their median offset out.

    Returns
    -------
    chosen
        What was chosen for each that was left out.
    scores
        By group, on those left out.
    offsets_ms
        To the force plates, of each side of each optical recording left out.
    """
    grid = [
        replace(SegmentationParameters(), **dict(zip(GRID, values, strict=True)))
        for values in product(*GRID.values())
    ]
    tables = [[(one, score_recording(one, tried)) for one in recordings] for tried in grid]
    chosen: list[dict[str, Any]] = []
    left_out: dict[str, list[Scores]] = {}
    offsets_ms: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    for fold in dict.fromkeys(map(_fold, recordings)):
        others = [[pair for pair in table if _fold(pair[0]) != fold] for table in tables]
        best = int(np.argmin([_cost(scored) for scored in others]))
        chosen.append({"left out": fold} | {name: getattr(grid[best], name) for name in GRID})
        own = [pair for pair in tables[best] if _fold(pair[0]) == fold]
        for recording, scores in own:
            left_out.setdefault(recording.group, []).append(scores)
        for kind in KINDS:
            bias_ms = float(np.nanmedian(_offsets_ms(others[best], kind)))
            offsets_ms[kind] += [offset - bias_ms for offset in _offsets_ms(own, kind)]
    return chosen, left_out, offsets_ms


def _fold(recording: Recording) -> str:
    """Return who is left out together."""
    return recording.laboratory if recording.optical else recording.person


def _offsets_ms(scored: Sequence[Scored], kind: Kind) -> list[float]:
    """Return the offsets of one kind of event on the optical recordings, side by side."""
    return [
        1e3 * one.offset_s
        for recording, scores in scored
        for (what, _), one in scores.items()
        if what == kind and recording.optical
    ]


def _cost(scored: Sequence[Scored]) -> float:
    """Return mean scatter, plus half the spread of optical offsets, plus 1 ms for each error."""
    cost = 0.0
    for kind in KINDS:
        own = [one for _, scores in scored for (what, _), one in scores.items() if what == kind]
        cost += float(
            np.mean([1e3 * np.std(one.residual_s) for one in own if one.matched >= FEWEST])
        )
        cost += sum(one.missed + one.extra for one in own)
        cost += 0.5 * float(np.nanstd(_offsets_ms(scored, kind)))
    return cost
