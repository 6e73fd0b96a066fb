"""Whom of a cohort a model has met: told by their strides, or by ids where a model kept no strides.

Ids tell little: another laboratory may number its people alike, and the same people may be renamed.
So a trained model keeps digests of the angles of its people's strides, and one that was adapted to
somebody a few points of each of theirs, by which even what was cut out anew is known.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from edgehip.errors import DatasetError
from edgehip_export.answers import Floats
from edgehip_export.copies import copies_of, from_text
from edgehip_export.dataset import Cohort

DIGEST_BYTES: Final = 6
DIGEST_CHARACTERS: Final = 8
"""In base64. Two of a million different strides agree once in five hundred times."""

MOST_STRIDES_KEPT: Final = 64
"""Of a person: enough to know them by, when others of their strides are left out."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """Who of a cohort a model has met.

    Parameters
    ----------
    held_out, trained, new
        Ids in the cohort, sorted: of people the model was tested on, of those it was trained on,
        and of all others.
    missing
        So many more people the model was tested on, who are not in the cohort.
    namesakes
        So many of the new people have ids of people the model met, and other strides.
    told_by
        ``strides`` or ``ids``, or ``nothing`` where the model keeps neither.
    adapted
        Whoever the model was adapted by afterwards, in none of the above.
    """

    held_out: tuple[str, ...]
    trained: tuple[str, ...]
    new: tuple[str, ...]
    missing: int
    namesakes: int
    told_by: Literal["strides", "ids", "nothing"]
    adapted: tuple[str, ...] = ()

    @property
    def taught(self) -> tuple[str, ...]:
        """Who trained the model or adapted it."""
        return self.trained + self.adapted

    @property
    def judged(self) -> tuple[str, ...]:
        """Whom to judge the model on: the held-out people who are there, or else new ones.

        Where ids alone tell who trained the model, these are not left out: they may be others.
        """
        if self.held_out or self.told_by == "strides":
            return self.held_out or self.new
        return self.trained + self.new

    @property
    def complete(self) -> bool:
        """Whether everybody is there whom the model was tested on."""
        return bool(self.held_out) and not self.missing

    def judge(self, cohort: Cohort) -> Cohort:
        """Return the strides to judge the model on.

        Raises
        ------
        DatasetError
            If everybody in the cohort trained the model.
        """
        if not self.judged:
            met = "trained on"
            if self.adapted:
                met = "adapted by strides of" if not self.trained else "trained on, or adapted by,"
            raise DatasetError(
                f"{cohort.path}: the model was {met} every one of its {len(self.taught)} people: "
                f"give {'walks that it never saw' if self.adapted else 'others'}"
            )
        return cohort.of_people(self.judged)

    def notes(self) -> list[str]:
        """Return what somebody who reads the figures must know, a line each."""
        lines = []
        if self.held_out and self.missing:
            of = len(self.held_out) + self.missing
            lines.append(f"missing: {self.missing} of the {of} people held out from training")
        aside = len(self.held_out + self.taught + self.new) - len(self.judged)
        if aside:
            of_them = f", {len(self.taught)} of them trained the model" if self.taught else ""
            lines.append(f"left out: {aside} others{of_them}")
        if self.namesakes and not self.held_out:
            lines.append(
                f"{self.namesakes} of them have ids of people whom the model was trained or tested "
                "on, and other strides: if they are the same people, filtered or resampled anew, "
                "the figures are not of new people"
            )
        if self.told_by == "ids":
            lines.append(
                "people are told by their ids alone: this model keeps none of their strides"
            )
            if not self.held_out and self.trained:
                lines.append(
                    f"{len(self.trained)} of them have ids of people who trained the model: if "
                    "they are the same, the figures are not of new people"
                )
        return lines


def digests(angles_deg: Floats) -> list[str]:
    """Return a digest of every stride's angles (N, 180, 10)."""
    strides = np.ascontiguousarray(angles_deg, dtype="<f4") + np.float32(0)  # no -0.0
    hashes = (hashlib.sha256(stride.tobytes()).digest()[:DIGEST_BYTES] for stride in strides)
    return [base64.urlsafe_b64encode(digest).decode() for digest in hashes]


def remember(cohort: Cohort, people: Sequence[str]) -> str:
    """Return what a model keeps of some people: digests of their strides, a word per person."""
    words = []
    for person in people:
        own = sorted(set(digests(cohort.of_people([person]).angles_deg)))
        words.append("".join(own[:MOST_STRIDES_KEPT]))
    return " ".join(words)


def meet(provenance: Mapping[str, Any], cohort: Cohort) -> Acquaintance:
    """Return whom of a cohort a model knows.

    Parameters
    ----------
    provenance
        The model's, see :class:`edgehip_export.trained.TrainedNetwork`; ``test_strides`` and
        ``training_strides`` hold what :func:`remember` returned, ``test_subjects`` and
        ``training_subjects`` ids. Of a model that was adapted, ``adapted_strides`` holds all
        strides' traces (see :mod:`edgehip_export.copies`), ``adapted_subjects`` the id.
    """
    own = from_text("".join(_words(provenance.get("adapted_strides"))))
    known = np.zeros(len(cohort), np.bool_)
    for trace in own:
        known |= copies_of(trace, cohort.angles_deg)
    adapted = tuple(str(person) for person in np.unique(cohort.subjects[known]))
    others = cohort.of(~np.isin(cohort.subjects, adapted))
    return replace(_meet(provenance, others), adapted=adapted)


def _meet(provenance: Mapping[str, Any], cohort: Cohort) -> Acquaintance:
    tested = [_digests_in(word) for word in _words(provenance.get("test_strides"))]
    trained_on = [_digests_in(word) for word in _words(provenance.get("training_strides"))]
    people = set(cohort.people())
    ids, training_ids, adapted_ids = (
        set(_words(provenance.get(f"{w}_subjects"))) for w in ("test", "training", "adapted")
    )
    told_by: Literal["strides", "ids", "nothing"]
    if tested or trained_on:
        told_by = "strides"
        of_person = {p: set(digests(cohort.of_people([p]).angles_deg)) for p in people}
        everybody = set().union(*trained_on)
        trained = {p for p in people if of_person[p] & everybody}
        shown = set().union(*(of_person[p] for p in people - trained))
        missing = sum(not (one & shown) for one in tested)
        all_tested = set().union(*tested)
        held_out = {p for p in people if of_person[p] & all_tested} - trained
        met = ids | training_ids | adapted_ids
    else:
        told_by = "ids" if ids or training_ids else "nothing"
        held_out = ids & people
        trained = training_ids & (people - held_out)
        missing, met = len(ids - held_out), adapted_ids
    new = people - held_out - trained
    parts = tuple(sorted(held_out)), tuple(sorted(trained)), tuple(sorted(new))
    return Acquaintance(*parts, missing, len(new & met), told_by)


def _words(plain: object) -> list[str]:
    """Return the words of what a file of unknown origin holds."""
    if isinstance(plain, str):
        return plain.split()
    return [str(item) for item in plain] if isinstance(plain, list | tuple) else []


def _digests_in(word: str) -> set[str]:
    return {word[i : i + DIGEST_CHARACTERS] for i in range(0, len(word), DIGEST_CHARACTERS)}
