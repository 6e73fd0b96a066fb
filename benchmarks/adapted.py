"""What a few labelled strides of a person are worth, to estimates of people left out.

What they are adapted by is made by the very function that ``edgehip adapt`` runs.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_claims import ANOTHER_WALK, EVERYBODY, Row
from edgehip.channels import MOMENTS
from edgehip_export.adapt import offset_of
from edgehip_export.default_evaluate import Curves, loads_of, moments_and_forces
from edgehip_export.strides import Strides

SPLIT: Final = len(MOMENTS)
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


def adapted_rows(strides: Strides, estimates: Curves) -> list[Row]:
    """Return errors before and after by laboratory; estimates (N, 180, 17) of people left out."""
    reference = loads_of(strides)
    missed = reference - estimates
    found: list[Row] = []
    for of in (*strides.labs, EVERYBODY):
        here = np.flatnonzero((strides.lab == of) | (of == EVERYBODY))
        for by, choose in BY.items():
            places, adapted = [], []
            for place in here:
                same = np.flatnonzero(strides.person == strides.person[place])
                for teachers in choose(strides, int(place), same[same != place]):
                    loads = estimates[place] + offset_of(missed[teachers])
                    loads[:, SPLIT:] = np.maximum(loads[:, SPLIT:], 0.0)
                    places.append(place)
                    adapted.append(loads)
            if not places:
                continue
            row: Row = {"of": of, "adapted by": by, "estimates": len(places)}
            pairs = zip(
                ("moments", "forces"),
                moments_and_forces(reference[places], estimates[places]),
                moments_and_forces(reference[places], np.array(adapted)),
                strict=True,
            )
            for name, before, after in pairs:
                row[f"{name}_r2_before"] = before.r2 if before else None
                row[f"{name}_r2"] = after.r2 if after else None
            found.append(row)
    return found
