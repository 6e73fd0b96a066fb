"""Both of edgehip's own models, made of some people's strides, step by step.

The student learns from the released networks, the kernel member from labelled strides beside the
student, and recurrent networks from the kernel member and people. The whole-cycle model is the
kernel member and a network that learns what the recurrent networks say of strides. It teaches the
per-sample model, which is shown no stride as anybody walked it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edgehip.channels import MOMENTS
from edgehip.model_card import ZeroCard
from edgehip_export.augmentation import Batch
from edgehip_export.default_build import Build, fit_build
from edgehip_export.default_ensemble import CycleEnsemble
from edgehip_export.default_evaluate import (
    Curves,
    Estimate,
    estimate_cycles,
    estimate_samples,
    pulling,
)
from edgehip_export.default_fit import (
    DISTILLED,
    PUPIL,
    RECURRENT,
    STUDENT,
    Material,
    Pose,
    chances,
    distil,
    fit_recurrent,
    fit_student,
    teach,
)
from edgehip_export.default_kernel import KernelCycle, KernelProtocol, fit_kernel
from edgehip_export.default_legendre import LegendreNetwork
from edgehip_export.default_lessons import FAR, NEAR, Lessons, Reach
from edgehip_export.default_mechanics import Mechanics
from edgehip_export.default_sample import RecurrentNetwork
from edgehip_export.default_steady import steady
from edgehip_export.default_teacher import TeacherStrides, teacher_strides
from edgehip_export.default_zero import zero_card
from edgehip_export.strides import Strides, load_strides

TEACHERS = 2
"""Recurrent networks whose answers are averaged: those of different seeds err differently."""

ZERO_STRENGTH = 0.0
"""Taking out the zero found from strides did not help on people left out (accuracy table)."""

STANDING_FORCE_PERCENTILE = 10
"""Standing asks of a muscle about what the idle part of a stride does."""


@dataclass(frozen=True)
class Workshop:
    """Everything training needs, read or made once."""

    strides: Strides
    zero: ZeroCard
    teacher: TeacherStrides
    seed: int

    @classmethod
    def load(cls, data: Path, seed: int) -> "Workshop":
        """Return what a folder of recordings gives."""
        strides = load_strides(data)
        zero = zero_card(data, strides, ZERO_STRENGTH)
        teacher = teacher_strides(data, strides, np.array(zero.standing_deg), seed)
        return cls(strides, zero, teacher, seed)

    def pose(self, strides: Strides) -> Pose:
        """Return quiet standing: no hip moment to speak of, and muscles at their idle."""
        idle = np.nanpercentile(strides.forces, STANDING_FORCE_PERCENTILE, axis=(0, 1))
        loads = np.concatenate([np.zeros(len(MOMENTS)), idle]).astype(np.float32)
        angles = np.array(self.zero.standing_deg, np.float32)
        return Pose(torch.from_numpy(angles), torch.from_numpy(loads))

    def kernel(self, strides: Strides, hidden: set[str]) -> KernelCycle:
        """Return a kernel member that knows nothing of the hidden people."""
        teacher = self.teacher.without(hidden)
        mean_deg = torch.from_numpy(strides.mean_angles_deg)
        student = fit_student(teacher, mean_deg, STUDENT, self.seed)
        mechanics = Mechanics(mean_deg)
        return fit_kernel(strides, chances(strides), KernelProtocol(), mechanics, student)

    def recurrent(
        self, strides: Strides, hidden: set[str], kernel: KernelCycle, count: int
    ) -> list[RecurrentNetwork]:
        """Return recurrent networks that know nothing of the hidden people.

        The kernel member teaches them, which errs less than what they make of people alone.
        """
        lessons = Lessons(self.teacher.without(hidden), kernel.at_points, FAR)
        material, pose = Material(strides, lessons.lend), self.pose(strides)
        return [fit_recurrent(material, pose, RECURRENT, self.seed + i) for i in range(count)]

    def cycle(
        self, hidden: set[str], kernel: KernelCycle, networks: Sequence[RecurrentNetwork]
    ) -> CycleEnsemble:
        """Return the whole-cycle ensemble with a kernel member, taught by recurrent networks."""

        def told(angles_deg: Tensor, stride_s: Tensor) -> Tensor:
            return steady(networks, angles_deg, stride_s[:, 0])

        lessons = self._lessons(hidden, told, FAR, DISTILLED.lessons)
        return CycleEnsemble(distil(lessons, DISTILLED, self.seed), kernel).eval()

    def sample(
        self,
        strides: Strides,
        hidden: set[str],
        ensemble: CycleEnsemble,
        look_ahead_s: float = 0.0,
    ) -> LegendreNetwork:
        """Return the per-sample network, taught by the whole-cycle ensemble.

        With ``look_ahead_s`` above zero it answers for the sample that long ago.
        """
        lessons = self._lessons(hidden, ensemble, NEAR, PUPIL.lessons)
        pose = self.pose(strides)
        return teach(lessons, pose, PUPIL, self.seed, look_ahead_s)

    def late(
        self, strides: Strides, hidden: set[str], models: "Models", look_ahead_s: float
    ) -> Estimate:
        """Return a per-sample model that answers for the sample ``look_ahead_s`` ago."""
        network = self.sample(strides, hidden, models.ensemble, look_ahead_s)
        return lambda held: estimate_samples([network], held, look_ahead_s)

    def _lessons(
        self,
        hidden: set[str],
        told: Callable[[Tensor, Tensor], Tensor],
        reach: Reach,
        count: int,
    ) -> Batch:
        lessons = Lessons(self.teacher.without(hidden), told, reach)
        return lessons.many(count, torch.Generator().manual_seed(self.seed))

    def models(self, strides: Strides, hidden: set[str], count: int = TEACHERS) -> "Models":
        """Return both models trained without the hidden people."""
        kernel = self.kernel(strides, hidden)
        networks = self.recurrent(strides, hidden, kernel, count)
        ensemble = self.cycle(hidden, kernel, networks)
        build = build_of(kernel, strides)
        return Models(ensemble, build, self.sample(strides, hidden, ensemble))


@dataclass(frozen=True)
class Models:
    """Both models as they come out of training."""

    ensemble: CycleEnsemble
    build: Build | None
    network: LegendreNetwork

    def estimates(self) -> dict[str, Estimate]:
        """Return what estimates loads for strides, by the model's kind."""
        return {
            "cycle": lambda held: estimate_cycles(self.ensemble, held, self.build),
            "sample": lambda held: estimate_samples([self.network], held),
        }


def build_of(kernel: KernelCycle, strides: Strides) -> Build | None:
    """Return what the builds of the people it learnt from change, as a kernel member misses it.

    The networks are left out, which take long to train without each of them.
    """

    def estimate(rest: Strides, held: Strides) -> Curves:
        fitted = fit_kernel(rest, chances(rest), kernel.protocol, kernel.mechanics, kernel.student)
        angles, stride_s = map(torch.from_numpy, (held.angles_deg, held.stride_s))
        with torch.no_grad():
            loads = fitted.at_points(angles, stride_s[:, None])
        return pulling(loads.numpy())

    return fit_build(strides, estimate)
