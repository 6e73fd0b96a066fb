"""Choose the segmenter's weights and leads without a person, then score that person."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final

import numpy as np

from benchmarks.gait_recordings import Recording
from benchmarks.gait_scores import FEWEST, KINDS, Kind, Scores, score_recording
from edgehip.segmentation import SegmentationParameters

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
    table = [[score_recording(one, parameters) for one in recordings] for parameters in grid]
    folds = [one.laboratory if one.optical else one.person for one in recordings]
    chosen: list[dict[str, Any]] = []
    left_out: dict[str, list[Scores]] = {}
    offsets_ms: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    for fold in dict.fromkeys(folds):
        others = [index for index, own in enumerate(folds) if own != fold]
        costs = [
            _cost([recordings[i] for i in others], [scores[i] for i in others]) for scores in table
        ]
        best = int(np.argmin(costs))
        chosen.append({"left out": fold} | {name: getattr(grid[best], name) for name in GRID})
        scores = table[best]
        bias_ms = {
            kind: float(
                np.nanmedian(
                    _offsets_ms([recordings[i] for i in others], [scores[i] for i in others], kind)
                )
            )
            for kind in KINDS
        }
        own_recordings = [one for one, own in zip(recordings, folds, strict=True) if own == fold]
        own_scores = [one for one, own in zip(scores, folds, strict=True) if own == fold]
        for one, its in zip(own_recordings, own_scores, strict=True):
            left_out.setdefault(one.group, []).append(its)
        for kind in KINDS:
            own_ms = _offsets_ms(own_recordings, own_scores, kind)
            offsets_ms[kind] += [offset - bias_ms[kind] for offset in own_ms]
    return chosen, left_out, offsets_ms


def _offsets_ms(
    recordings: Sequence[Recording], scores: Sequence[Scores], kind: Kind
) -> list[float]:
    """Return the offsets of one kind of event on the optical recordings, side by side."""
    return [
        1e3 * one.offset_s
        for recording, each in zip(recordings, scores, strict=True)
        for (what, _), one in each.items()
        if what == kind and recording.optical
    ]


def _cost(recordings: Sequence[Recording], scores: Sequence[Scores]) -> float:
    """Return mean scatter, plus half the spread of optical offsets, plus 1 ms for each error."""
    cost = 0.0
    for kind in KINDS:
        own = [one for each in scores for (what, _), one in each.items() if what == kind]
        cost += float(
            np.mean([1e3 * np.std(one.residual_s) for one in own if one.matched >= FEWEST])
        )
        cost += sum(one.missed + one.extra for one in own)
        cost += 0.5 * float(np.nanstd(_offsets_ms(recordings, scores, kind)))
    return cost
