"""Which flags an estimate has, and why: what decides about any of them is here, or named here.

What lies in a stride or sample itself, its model and its zero flags the estimate as it is made; on
these flags rests whether a stride teaches the samples that follow. What else is known of the
moment is added afterwards:

- ``out_of_range``, where angles or times are not what they are taken for
  (:mod:`edgehip.estimators.unit_watch`, :mod:`edgehip.pace`), and of a sample where the legs, or
  what measures them, are known to do what no model knows (:mod:`edgehip.estimators.walk_watch`);
- ``link_down``, while samples are too old to be followed (:mod:`edgehip.link`).

Flags of a cue say why it was switched off (:mod:`edgehip.cues`).
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from edgehip.backends import Tensor
from edgehip.events import Flag, GaitCycle, HipEstimate, HipSampleEstimate, JointAngleSample
from edgehip.zero import ModelZero

Estimate = TypeVar("Estimate", HipEstimate, HipSampleEstimate)


def flags_of_stride(
    cycle: GaitCycle,
    zero: ModelZero,
    out_of_range: tuple[str, ...],
    score: float | None,
    loads: Iterable[Tensor],
) -> tuple[Flag, ...]:
    """Return the flags of a stride's estimate, whose inputs ``out_of_range`` leave their range."""
    return _raised(
        (Flag.FIRST_AFTER_GAP, cycle.strides_since_gap == 0),
        (Flag.SAMPLES_LOST, cycle.samples_lost > 0),
        (Flag.OUT_OF_RANGE, bool(out_of_range) or is_foreign(score) or not _are_numbers(loads)),
        (Flag.NO_ZERO, zero.is_missed),
        (Flag.NO_FOOT_OFF, cycle.foot_off_s is None),
    )


def flags_of_sample(
    sample: JointAngleSample,
    zero: ModelZero,
    out_of_range: tuple[str, ...],
    score: float | None,
    loads: Iterable[Tensor],
    *,
    is_warm: bool,
) -> tuple[Flag, ...]:
    """Return the flags of a sample's estimate by a model that has seen enough if it ``is_warm``."""
    return _raised(
        (Flag.WARMING_UP, not is_warm),
        (Flag.SAMPLES_LOST, sample.samples_lost > 0),
        (Flag.OUT_OF_RANGE, bool(out_of_range) or is_foreign(score) or not _are_numbers(loads)),
        (Flag.NO_ZERO, zero.is_missed),
    )


def is_foreign(score: float | None) -> bool:
    """Return whether an out-of-range score forbids trust; one that is not a number does."""
    return score is not None and not score <= 1.0


def flagged(estimate: Estimate, flag: Flag, when: bool) -> Estimate:
    """Return an estimate with a flag, once, when it is to have it."""
    if not when or flag in estimate.flags:
        return estimate
    return replace(estimate, flags=(*estimate.flags, flag))


def _are_numbers(loads: Iterable[Tensor]) -> bool:
    """Return whether all (N,) are finite: a model may have no score, and still no answer."""
    return all(math.isfinite(load.dot(load)) for load in loads)  # the quickest way to see all


def _raised(*reasons: tuple[Flag, bool]) -> tuple[Flag, ...]:
    return tuple([flag for flag, holds in reasons if holds])
