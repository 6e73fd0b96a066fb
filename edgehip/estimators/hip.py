"""The estimators of one stream, by stride and by sample, and what one tells of the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehip.estimators.agreement import Agreement
from edgehip.estimators.correction import Correction
from edgehip.estimators.cycle import CycleEstimator
from edgehip.estimators.sample import SampleEstimator
from edgehip.events import (
    GaitCycle,
    HipEstimate,
    HipSampleEstimate,
    InitialContact,
    JointAngleSample,
)
from edgehip.model import Model
from edgehip.zero import ModelZero, Profile


class HipEstimators:
    """An estimator of strides, one of samples, or both.

    Parameters
    ----------
    model, sample_model, correct, body_mass_kg, body_height_m
        As of :class:`edgehip.pipeline.Pipeline`.

    Attributes
    ----------
    by_cycle, by_sample
        None without such a model.
    agreement, correction
        None unless there are both; the second only if wanted.
    cards
        What the models say of themselves, in the times of this body.

    Raises
    ------
    ModelInputError
        If a model does not fit what is given.
    """

    def __init__(
        self,
        model: Model | None,
        sample_model: Model | None,
        *,
        correct: bool,
        body_mass_kg: float | None,
        body_height_m: float | None,
    ) -> None:
        self.by_cycle = (
            CycleEstimator(model, body_mass_kg=body_mass_kg, body_height_m=body_height_m)
            if model
            else None
        )
        if self.by_cycle and body_height_m is None:
            body_height_m = self.by_cycle.body.height_m  # a model of one person knows theirs
        self.by_sample = (
            SampleEstimator(sample_model, body_height_m=body_height_m) if sample_model else None
        )
        both = self.by_cycle, self.by_sample
        self._all = [estimator for estimator in both if estimator is not None]
        self.agreement = Agreement() if model and sample_model else None
        self.correction = Correction() if correct and model and sample_model else None
        self.cards = [estimator.body.timed(estimator.model.card) for estimator in self._all]

    @property
    def zero(self) -> str:
        """The personal zero in use, in a few words."""
        return self._all[0].zero.text

    def set_zero(self, profile: Profile | None) -> None:
        """Use a personal zero, or none, from now on.

        Raises
        ------
        ProfileError
            If it is none for a model; then the zero in use stays as it was.
        """
        zeros = [ModelZero(profile, estimator.model.card) for estimator in self._all]
        for estimator, zero in zip(self._all, zeros, strict=True):
            estimator.zero = zero

    def of_sample(self, sample: JointAngleSample) -> HipSampleEstimate:
        """Return what a sample says of both hips, corrected by the strides before."""
        assert self.by_sample is not None
        estimate = self.by_sample.feed(sample)
        if self.correction is not None:
            estimate = self.correction.correct(estimate)
            _seal(estimate.own_moments_nm_per_kg, estimate.own_forces_n_per_kg)
        _seal_loads(estimate)
        # Whether a stride teaches is for itself to say, not for the one before it.
        if self.agreement is not None:
            self.agreement.add(estimate)
        return estimate

    def of_cycle(self, cycle: GaitCycle) -> tuple[HipEstimate, list[HipSampleEstimate]]:
        """Return what a stride says of its side's hip, and what its samples said, to learn from."""
        assert self.by_cycle is not None
        estimate = self.by_cycle.estimate(cycle)
        _seal_loads(estimate)
        if self.agreement is None:
            return estimate, []
        samples = self.agreement.samples(estimate)
        return self.agreement.compare(estimate, samples), samples

    def learn(self, estimate: HipEstimate, samples: Sequence[HipSampleEstimate]) -> None:
        """Take a finished stride, and what its samples said, into account for those to come."""
        if self.correction is not None:
            self.correction.learn(estimate, samples)

    def lose_step(self, contact: InitialContact) -> None:
        """Hear of a contact that closed no stride."""
        if self.correction is not None:
            self.correction.lose_step(contact)

    def reset(self) -> None:
        """Begin anew: what comes next has no connection with what was."""
        self._forget_answers()
        if self.by_sample is not None:
            self.by_sample.reset()

    def renew(self) -> None:
        """Begin anew without a break in what is said of samples."""
        self._forget_answers()
        if self.by_sample is not None:
            self.by_sample.renew()

    def _forget_answers(self) -> None:
        """Let nothing be compared with, or learnt from, what was said of samples so far."""
        if self.agreement is not None:
            self.agreement.reset()
        if self.correction is not None:
            self.correction.reset()


def _seal_loads(estimate: HipEstimate | HipSampleEstimate) -> None:
    """Let nobody change what is told: the arrays are the estimators' memory as well."""
    _seal(estimate.moments_nm_per_kg, estimate.forces_n_per_kg)
    _seal(estimate.moment_spread_nm_per_kg, estimate.force_spread_n_per_kg)


def _seal(*loads: Mapping[Any, NDArray[np.float32]]) -> None:
    for arrays in loads:
        for array in arrays.values():
            array.setflags(write=False)
