"""Train the models that edgehip ships: ``hip-cycle`` and ``hip-sample``.

``python -m edgehip_export.default_train --data DIR -o FOLDER``; the result is reproducible from
the seed on one machine and one version of PyTorch.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgehip.channels import MOMENTS, MUSCLES
from edgehip.model_card import ModelCard, ZeroCard
from edgehip_export.default_build import Build, fit_build
from edgehip_export.default_card import Facts, cycle_card, sample_card
from edgehip_export.default_ensemble import CycleEnsemble, CycleModel
from edgehip_export.default_evaluate import (
    LARGE_LAB,
    Curves,
    errors,
    estimate_cycles,
    estimate_samples,
    folds,
    left_out,
    moments_and_forces,
    pulling,
    warm_up_s,
)
from edgehip_export.default_fit import (
    CYCLE,
    SAMPLE,
    STUDENT,
    Material,
    Pose,
    chances,
    fit_cycle,
    fit_sample,
    fit_student,
)
from edgehip_export.default_foreign import cycle_score, sample_score
from edgehip_export.default_kernel import KernelProtocol, fit_kernel
from edgehip_export.default_lessons import Lessons
from edgehip_export.default_mechanics import Mechanics
from edgehip_export.default_movement import fit_movement
from edgehip_export.default_sample import SampleNetwork, SampleStep
from edgehip_export.default_spread import Spread, fit_spread
from edgehip_export.default_teacher import TeacherStrides, teacher_strides
from edgehip_export.default_zero import zero_card
from edgehip_export.export import export_onnx, export_tflite
from edgehip_export.metrics import Errors
from edgehip_export.strides import Strides, load_strides

SAMPLE_NETWORKS = 2
"""Whose answers the per-sample model averages: networks of different seeds err differently."""

MOVEMENTS = 24
"""Components of a stride's movement by which it is told from what training people do."""

ZERO_STRENGTH = 0.0
"""Taking out the zero found from strides did not help on people left out (accuracy table)."""

STANDING_FORCE_PERCENTILE = 10
"""Standing asks of a muscle about what the idle part of a stride does."""

PROTOCOL = (
    f"each person of a laboratory of {LARGE_LAB} or more left out in turn, every other laboratory "
    "left out whole; a few constants were chosen by such figures"
)
"""Of the results a card states."""

Estimate = Callable[[Strides], Curves]


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

    def cycle_ensemble(self, strides: Strides, hidden: set[str]) -> CycleEnsemble:
        """Return a whole-cycle ensemble trained without the hidden people."""
        teacher = self.teacher.without(hidden)
        mean_deg = torch.from_numpy(strides.mean_angles_deg)
        student = fit_student(teacher, mean_deg, STUDENT, self.seed)
        mechanics = Mechanics(mean_deg)
        material = Material(strides, teacher.lend)
        network = fit_cycle(material, student, mechanics, CYCLE, self.seed)
        kernel = fit_kernel(strides, chances(strides), KernelProtocol(), mechanics, student)
        return CycleEnsemble(network, kernel).eval()

    def sample_networks(
        self, strides: Strides, hidden: set[str], count: int, look_ahead_s: float = 0.0
    ) -> list[SampleNetwork]:
        """Return per-sample networks trained without the hidden people.

        The whole-cycle ensemble teaches them, which errs less than what they make of people alone.
        """
        teacher = self.cycle_ensemble(strides, hidden)
        lessons = Lessons(self.teacher.without(hidden), teacher)
        material, pose = Material(strides, lessons.lend), self.pose(strides)
        return [
            fit_sample(material, pose, SAMPLE, self.seed + i, look_ahead_s) for i in range(count)
        ]

    def cycle_estimator(self) -> Callable[[Strides, set[str]], Estimate]:
        """Return what trains a whole-cycle model on some people and estimates for others."""

        def train(rest: Strides, hidden: set[str]) -> Estimate:
            ensemble = self.cycle_ensemble(rest, hidden)
            build = build_of(ensemble, rest)
            return lambda held: estimate_cycles(ensemble, held, build)

        return train

    def sample_estimator(
        self, count: int, look_ahead_s: float = 0.0
    ) -> Callable[[Strides, set[str]], Estimate]:
        """Return what trains a per-sample model on some people and estimates for others."""

        def train(rest: Strides, hidden: set[str]) -> Estimate:
            networks = self.sample_networks(rest, hidden, count, look_ahead_s)
            return lambda held: np.mean(
                [estimate_samples(n, held, look_ahead_s) for n in networks], axis=0
            )

        return train


def build_of(ensemble: CycleEnsemble, strides: Strides) -> Build | None:
    """Return what the builds of the people it learnt from change, as its kernel member misses it.

    The network is left out, which takes long to train without each of them.
    """
    kernel = ensemble.kernel

    def estimate(rest: Strides, held: Strides) -> Curves:
        fitted = fit_kernel(rest, chances(rest), kernel.protocol, kernel.mechanics, kernel.student)
        angles, stride_s = map(torch.from_numpy, (held.angles_deg, held.stride_s))
        with torch.no_grad():
            loads = ensemble.network.at_points(fitted(angles, stride_s[:, None]))
        return pulling(loads.numpy())

    return fit_build(strides, estimate)


def card_metrics(strides: Strides, estimates: Curves) -> dict[str, Any]:
    """Return the left-out results a card states: per laboratory and per output."""
    reference = strides.loads
    labs = {}
    for lab in strides.labs:
        here = strides.lab == lab
        found_there = moments_and_forces(reference[here], estimates[here])
        labs[lab] = {name: _plain(e) for name, e in found_there.items() if e is not None}
    outputs = {}
    for place, name in enumerate(MOMENTS + MUSCLES):
        one = slice(place, place + 1)
        found = errors(reference[..., one], estimates[..., one])
        assert found is not None
        outputs[name] = _plain(found)
    return {
        "protocol": PROTOCOL,
        "by_laboratory": labs,
        "by_output": outputs,
    }


def _plain(errors: Errors) -> dict[str, float]:
    return {name: round(value, 4) for name, value in errors.row().items()}


def _judged(
    workshop: Workshop, train: Callable[[Strides, set[str]], Estimate]
) -> tuple[Facts, Spread, list[NDArray[np.bool_]]]:
    """Return what estimates of people left out say of a kind of model.

    That is what its card states, how far it may be off, and who was left out together.
    """
    strides = workshop.strides
    every = list(folds(strides))
    raw = {"raw": lambda held, mean: held.of_nobody()}
    estimates = left_out(
        strides, every, train, raw, lambda fold: print(f"  left out: {fold}", flush=True)
    )["raw"]
    metrics = card_metrics(strides, estimates)
    spread = fit_spread(estimates, strides.loads, strides)
    metrics["spread"] = spread.plain()
    return Facts(strides, workshop.zero, metrics), spread, [fold.held for fold in every]


def cycle_model(workshop: Workshop) -> tuple[nn.Module, ModelCard]:
    """Return the whole-cycle model and its card."""
    strides = workshop.strides
    facts, spread, held = _judged(workshop, workshop.cycle_estimator())
    ensemble = workshop.cycle_ensemble(strides, set())
    movement = fit_movement(strides, chances(strides), MOVEMENTS)
    score = cycle_score(strides, movement, CYCLE.augmentation.offset_deg, held)
    model = CycleModel(ensemble, spread, movement, score)
    card = cycle_card("hip-cycle", facts)
    if (build := build_of(ensemble, strides)) is not None:
        card = replace(card, body_mass_index=build.card())
    return model.eval(), card


def sample_model(workshop: Workshop) -> tuple[nn.Module, ModelCard]:
    """Return the per-sample model and its card."""
    strides = workshop.strides
    facts, spread, held = _judged(workshop, workshop.sample_estimator(SAMPLE_NETWORKS))
    networks = workshop.sample_networks(strides, set(), SAMPLE_NETWORKS)
    score = sample_score(strides, networks[0], SAMPLE.augmentation, held)
    step = SampleStep(networks, spread, score)
    ready_s = max(warm_up_s(network, strides) for network in networks)
    return step.eval(), sample_card("hip-sample", facts, step.state_sizes, ready_s)


MODELS = {"cycle": cycle_model, "sample": sample_model}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the models."""
    parser = argparse.ArgumentParser(prog="python -m edgehip_export.default_train")
    parser.add_argument("--data", type=Path, required=True, help="folder with the recordings")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the models")
    parser.add_argument("--kind", choices=MODELS, help="only this model")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for folder in ("gait2hip60", "imu_walking", "other_labs", "walking"):
        if not (options.data / folder).is_dir():
            parser.error(f"{options.data}: holds no {folder}/")
    options.output.mkdir(parents=True, exist_ok=True)
    print("asking the released networks")
    workshop = Workshop.load(options.data, options.seed)
    built = {}
    for kind in (options.kind,) if options.kind else MODELS:
        print(f"hip-{kind}")
        built[kind] = MODELS[kind](workshop)
    # Only now: what converts them starts threads, which processes that are forked cannot have.
    for kind, (module, card) in built.items():
        for suffix, export in ((".onnx", export_onnx), (".tflite", export_tflite)):
            path = options.output / f"hip-{kind}{suffix}"
            export(module, card, path)
            print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
