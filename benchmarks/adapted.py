"""What a few labelled strides of a person are worth, to estimates of people left out.

What they are adapted by is made by the very function that ``edgehip adapt`` runs.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_claims import ANOTHER_WALK, CYCLE, EVERYBODY, OFFSETS, REPEATING, Row
from benchmarks.corrected import repeating
from edgehip.channels import MOMENTS
from edgehip_export.adapt import offset_of
from edgehip_export.default_evaluate import Curves, moments_and_forces
from edgehip_export.strides import Strides

WRONG: Final = f"{CYCLE}, {OFFSETS} later"
SPLIT: Final = len(MOMENTS)
OUTPUTS: Final = {"moments": slice(SPLIT), "forces": slice(SPLIT, None)}
Places = NDArray[np.intp]
Choose = Callable[[Strides, int, Places], Iterator[Places]]
"""Yields the sets of a person's strides that one of them is adapted by, each in turn."""


def _one_of_another_walk(strides: Strides, place: int, others: Places) -> Iterator[Places]:
    for other in others:
        if strides.trial[other] != strides.trial[place]:
            yield np.array([other])


def _other_walks(strides: Strides, place: int, others: Places) -> Iterator[Places]:
    elsewhere = others[strides.trial[others] != strides.trial[place]]
    if len(elsewhere):
        yield elsewhere


def _one(strides: Strides, place: int, others: Places) -> Iterator[Places]:
    yield from others[:, None]


def _all(strides: Strides, place: int, others: Places) -> Iterator[Places]:
    if len(others):
        yield others


BY: Final[dict[str, Choose]] = {
    ANOTHER_WALK: _one_of_another_walk,
    "all strides of other walks": _other_walks,
    "one other stride": _one,
    "all other strides": _all,
}


def adapted(
    strides: Strides, estimates: Curves, choose: Choose, later: Curves | None = None
) -> tuple[Places, Curves]:
    """Return which strides were adapted (M,), some of them often, and their loads (M, 180, 17).

    What is their people's own is taken from ``estimates`` (N, 180, 17), and added to them, or to
    other estimates of the same strides.
    """
    later = estimates if later is None else later
    missed = np.nan_to_num(strides.loads - estimates)  # unlabelled forces stay as they are
    places: list[int] = []
    found = [np.empty((0, *estimates.shape[1:]), np.float32)]
    for place, person in enumerate(strides.person):
        same = np.flatnonzero(strides.person == person)
        for teachers in choose(strides, place, same[same != place]):
            adapted_to = later[place] + offset_of(missed[teachers])
            adapted_to[:, SPLIT:] = np.maximum(adapted_to[:, SPLIT:], 0.0)
            places.append(place)
            found.append(adapted_to[None])
    return np.array(places, np.intp), np.concatenate(found)


def adapted_rows(
    strides: Strides,
    cycles: Curves,
    samples: Curves,
    width: Curves,
    wrong: Sequence[Curves],
) -> list[Row]:
    """Return errors before and after, by laboratory.

    ``cycles`` and ``samples`` (N, 180, 17) are both models' estimates of people left out; the
    latter are corrected by adapted strides as in a stream. ``width`` (N, 180, 17) is the half-width
    of the former's interval, which an adapted model keeps: the share of references inside is told.
    ``wrong`` are ``cycles`` with other zeros of the angles each, for which the laboratory's angles
    were right.
    """
    found: list[Row] = []
    for by, choose in BY.items():
        places, after = adapted(strides, cycles, choose)
        judged = strides.take(places)
        found += _rows(CYCLE, by, judged, cycles[places], after, width[places])
        if len(set(places.tolist())) < len(places):
            continue
        taken = cycles[places], samples[places], width[places]
        before = repeating(judged, *taken)
        walked = repeating(judged, after, *taken[1:])
        found += _rows(REPEATING, by, judged, before, walked)
        draws = [adapted(strides, cycles, choose, later)[1] for later in wrong]
        if draws:
            often = strides.take(np.tile(places, len(draws)))
            untold = np.concatenate([later[places] for later in wrong])
            found += _rows(WRONG, by, often, untold, np.concatenate(draws))
    return found


def variance_rows(strides: Strides, cycles: Curves) -> list[Row]:
    """Return of whom the variance is that whole-cycle estimates miss: of person, walk, or stride.

    A nested analysis of variance (Searle, Casella and McCulloch, Variance Components, 1992, ch. 3)
    of the people who walked twice, two strides each time.
    """
    missed = strides.loads - cycles
    walks: dict[str, list[Curves]] = {}
    for person in strides.people:
        own = strides.person == person
        trials = [missed[own & (strides.trial == trial)] for trial in np.unique(strides.trial[own])]
        if [len(trial) for trial in trials] == [2, 2]:
            walks[person] = trials
    every = np.array([*walks.values()], np.float64)  # (people, 2, 2, 180, 17)
    found: list[Row] = []
    for name, outputs in OUTPUTS.items():
        curves = every[..., outputs]
        of_stride = curves.var(axis=2, ddof=1).mean()
        of_walk = curves.mean(axis=2).var(axis=1, ddof=1).mean() - of_stride / 2
        of_person = (curves.mean(axis=(1, 2)) ** 2).mean() - of_walk / 2 - of_stride / 4
        found.append(
            {
                "of": name,
                "people": len(curves),
                "walk_over_person": float(of_walk / of_person),
                "stride_over_person": float(of_stride / of_person),
            }
        )
    return found


def _rows(
    model: str,
    by: str,
    strides: Strides,
    before: Curves,
    after: Curves,
    width: Curves | None = None,
) -> Iterator[Row]:
    reference = strides.loads
    missed = np.abs(after - reference)
    inside = np.full_like(missed, np.nan) if width is None else (missed <= width).astype(np.float32)
    inside[~np.isfinite(missed)] = np.nan
    for of in (*strides.labs, EVERYBODY):
        here = (strides.lab == of) | (of == EVERYBODY)
        row: Row = {"of": of, "model": model, "adapted by": by, "estimates": int(here.sum())}
        was, now = (moments_and_forces(reference[here], each[here]) for each in (before, after))
        for name, one in was.items():
            other = now[name]
            row[f"{name}_r2_before"] = one.r2 if one else None
            row[f"{name}_r2"] = other.r2 if other else None
        for name, outputs in OUTPUTS.items():
            held = inside[here][..., outputs]
            row[f"{name}_inside"] = float(np.nanmean(held)) if np.isfinite(held).any() else None
        yield row
