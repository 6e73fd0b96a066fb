"""Who is held out and who trains: always by person, never by stride."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

TEST_SHARE: Final = 0.2
SPLIT_SEED: Final = 42
FOLDS: Final = 5


def hold_out(
    subjects: Sequence[str] | NDArray[np.str_], share: float = TEST_SHARE, seed: int = SPLIT_SEED
) -> tuple[str, ...]:
    """Return the subjects kept for the test, in the order they were drawn.

    Sorted ids are shuffled and the first ``share`` of them taken, at least one: with the 60 ids of
    Gait2Hip-60 these are the twelve published ones (arXiv 2605.30374).
    """
    ids = np.unique(np.asarray(subjects, dtype=str))
    np.random.default_rng(seed).shuffle(ids)
    return tuple(str(subject) for subject in ids[: max(1, round(len(ids) * share))])


def folds(
    subjects: Sequence[str] | NDArray[np.str_], count: int = FOLDS
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield the strides (training, validation) of each fold; a person is in one fold only.

    People are dealt out from the one with most strides to the one with fewest, each to the fold
    with fewest strides so far. Ties fall as in scikit-learn's ``GroupKFold``, which the published
    folds were made with: later ids and earlier folds first.

    Raises
    ------
    ValueError
        If there are fewer people than folds.
    """
    ids, member, strides = np.unique(
        np.asarray(subjects, dtype=str), return_inverse=True, return_counts=True
    )
    if len(ids) < count:
        raise ValueError(f"{len(ids)} people cannot be dealt out to {count} folds")
    fold_of = np.zeros(len(ids), dtype=np.intp)
    held = np.zeros(count, dtype=np.intp)
    for person in np.argsort(strides, kind="stable")[::-1]:
        fold = int(np.argmin(held))
        fold_of[person] = fold
        held[fold] += strides[person]
    for fold in range(count):
        chosen = fold_of[member] == fold
        yield np.flatnonzero(~chosen), np.flatnonzero(chosen)
