"""How well found gait events match true ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.gait_recordings import Recording
from edgehip.channels import SIDES, Side
from edgehip.events import FootOff, JointAngleSample
from edgehip.segmentation import GaitSegmenter, SegmentationParameters

Kind = Literal["contact", "foot off"]
KINDS: Final[tuple[Kind, Kind]] = ("contact", "foot off")
Floats = NDArray[np.float64]

TOLERANCE_S: Final = 0.06
"""A found event this far from a true one, offset removed, is the same event."""
NEAREST_S: Final = 0.25
"""Pairs further apart have no say in the offset."""
FEWEST: Final = 5
"""Of fewer events the median takes most of the scatter with it; they say nothing about it."""
LAST_S: Final = 0.15
"""Events so near a recording's end may not be confirmed any more, and are not scored."""


@dataclass(frozen=True, slots=True)
class Score:
    """Found against true events of one kind and side in one recording; all times in seconds.

    ``offset_s`` is found minus true (median), nan if there was nothing to compare; ``residual_s``
    what is left of each matched pair; ``delay_s`` from each matched event to its confirmation.
    """

    matched: int
    missed: int
    extra: int
    offset_s: float
    residual_s: Floats
    delay_s: Floats


Scores = dict[tuple[Kind, Side], Score]
"""What is known of one recording."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores of several recordings and sides put together; times in milliseconds.

    The scatter is that of the sides with at least :data:`FEWEST` events.
    """

    events: int
    missed: int
    extra: int
    f1: float
    sd_ms: float
    offset_ms: float
    delay_median_ms: float
    delay_p95_ms: float


def score_recording(
    recording: Recording, parameters: SegmentationParameters | None = None
) -> Scores:
    """Feed a recording to the segmenter, sample by sample, and score what it finds."""
    segmenter = GaitSegmenter(parameters or SegmentationParameters())
    found: dict[tuple[Kind, Side], list[tuple[float, float]]] = {
        key: [] for key in product(KINDS, SIDES)
    }
    for time_s, angles_deg in zip(
        recording.time_s.tolist(), recording.angles_deg.tolist(), strict=True
    ):
        for event in segmenter.feed(JointAngleSample(time_s, tuple(angles_deg), received_ns=0)):
            kind: Kind = "foot off" if isinstance(event, FootOff) else "contact"
            found[kind, event.side].append((event.time_s, event.confirmed_s))
    return score_events(recording, found)


def score_events(
    recording: Recording, found: Mapping[tuple[Kind, Side], Sequence[tuple[float, float]]]
) -> Scores:
    """Score events given as (time, confirmation) by kind and side."""
    scores: Scores = {}
    start_s = float(recording.time_s[0]) + recording.warm_up_s
    end_s = float(recording.time_s[-1]) - LAST_S
    for kind, side in product(KINDS, SIDES):
        true_s = (recording.contacts_s if kind == "contact" else recording.foot_offs_s)[side]
        if len(true_s):
            times_s = [at for at, _ in found[kind, side]]
            confirmed_s = [at for _, at in found[kind, side]]
            scores[kind, side] = score(true_s, times_s, confirmed_s, start_s, end_s)
    return scores


def score(
    true_s: Sequence[float] | Floats,
    found_s: Sequence[float],
    confirmed_s: Sequence[float],
    start_s: float,
    end_s: float,
) -> Score:
    """Compare events of one kind and side between two times, after removing the median offset."""
    true = np.array([time for time in true_s if start_s <= time <= end_s])
    found, confirmed = np.array(found_s), np.array(confirmed_s)
    difference = np.array(
        [found[np.argmin(abs(found - time))] - time for time in true if found.size]
    )
    near = difference[abs(difference) < NEAREST_S]
    offset_s = float(np.median(near)) if near.size else float("nan")
    aligned = found - (offset_s if near.size else 0.0)
    inside = (aligned >= start_s - TOLERANCE_S) & (aligned <= end_s + TOLERANCE_S)
    aligned, delay = aligned[inside], (confirmed - found)[inside]
    pairs = _match(true, aligned)
    # What is found just inside may belong to an event just outside.
    outside = np.array([time for time in true_s if not start_s <= time <= end_s])
    unmatched = np.array(
        [
            time
            for time in np.delete(aligned, [there for _, there in pairs])
            if not np.any(abs(outside - time) <= TOLERANCE_S)
        ]
    )
    return Score(
        matched=len(pairs),
        missed=len(true) - len(pairs),
        extra=int(np.sum((unmatched >= start_s) & (unmatched <= end_s))),
        offset_s=offset_s,
        residual_s=np.array([aligned[there] - true[here] for here, there in pairs]),
        delay_s=np.array([delay[there] for _, there in pairs]),
    )


def _match(true: Floats, found: Floats) -> list[tuple[int, int]]:
    """Pair events one to one, nearest first."""
    distance = sorted(
        (abs(a - b), i, j)
        for i, a in enumerate(true)
        for j, b in enumerate(found)
        if abs(a - b) <= TOLERANCE_S
    )
    pairs: list[tuple[int, int]] = []
    for _, i, j in distance:
        if all(i != here and j != there for here, there in pairs):
            pairs.append((i, j))
    return pairs


def summarise(scores: Iterable[Score]) -> Summary:
    """Put scores together; the offset is the median of theirs."""
    scores = list(scores)
    matched = sum(one.matched for one in scores)
    missed = sum(one.missed for one in scores)
    extra = sum(one.extra for one in scores)
    residual_s = np.concatenate(
        [np.array([]), *(one.residual_s for one in scores if one.matched >= FEWEST)]
    )
    delay_s = np.concatenate([np.array([]), *(one.delay_s for one in scores)])
    offsets = [one.offset_s for one in scores if np.isfinite(one.offset_s)]
    nan = float("nan")
    return Summary(
        events=matched + missed,
        missed=missed,
        extra=extra,
        f1=2 * matched / (2 * matched + missed + extra) if matched + missed + extra else nan,
        sd_ms=1e3 * float(np.std(residual_s)) if residual_s.size else nan,
        offset_ms=1e3 * float(np.median(offsets)) if offsets else nan,
        delay_median_ms=1e3 * float(np.median(delay_s)) if matched else nan,
        delay_p95_ms=1e3 * float(np.percentile(delay_s, 95)) if matched else nan,
    )
