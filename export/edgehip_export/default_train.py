"""Train the models that edgehip ships: ``hip-cycle`` and ``hip-sample``.

``python -m edgehip_export.default_train --data DIR -o FOLDER``; the result is reproducible from
the seed on one machine and one version of PyTorch.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgehip.channels import MOMENTS, MUSCLES
from edgehip.model_card import ModelCard
from edgehip_export.augmentation import Augmentation
from edgehip_export.default_card import Facts, cycle_card, sample_card
from edgehip_export.default_ensemble import CycleModel
from edgehip_export.default_evaluate import (
    LARGE_LAB,
    Condition,
    Curves,
    Fold,
    answers,
    errors,
    folds,
    gathered,
    left_out,
    moments_and_forces,
    warm_up_s,
)
from edgehip_export.default_fit import chances
from edgehip_export.default_foreign import Mask, cycle_score, sample_score
from edgehip_export.default_lessons import OFFSET_DEG
from edgehip_export.default_movement import fit_movement
from edgehip_export.default_spread import Spread, fit_spread
from edgehip_export.default_step import SampleStep
from edgehip_export.default_workshop import Models, Workshop
from edgehip_export.export import export_onnx, export_tflite
from edgehip_export.metrics import Errors
from edgehip_export.strides import Strides

MOVEMENTS = 24
"""Components of a stride's movement by which it is told from what training people do."""

SENSORS = Augmentation(offset_deg=OFFSET_DEG, noise_deg=0.2)
"""What angles may be wrong by without being foreign: as in lessons, and by what sensors add."""

PROTOCOL = (
    f"each person of a laboratory of {LARGE_LAB} or more left out in turn, every other laboratory "
    "left out whole; a few constants were chosen by such figures"
)
"""Of the results a card states."""


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


def _judged(workshop: Workshop) -> tuple[dict[str, tuple[Facts, Spread]], list[Mask]]:
    """Return what estimates of people left out say of each kind of model.

    That is what its card states, how far it may be off, and who was left out together.
    """
    strides = workshop.strides
    every = list(folds(strides))

    def judge(fold: Fold) -> dict[str, dict[str, Curves]]:
        hidden = set(strides.take(fold.held).people)
        estimates = workshop.models(strides.take(~fold.held), hidden).estimates()
        raw: dict[str, Condition] = {"raw": lambda held, mean: held.of_nobody()}
        return answers(strides, fold, estimates, raw)

    def report(fold: str) -> None:
        print(f"  left out: {fold}", flush=True)

    found = gathered(strides, left_out(every, judge, report))
    known = {}
    for kind, told in found.items():
        metrics = card_metrics(strides, told["raw"])
        spread = fit_spread(told["raw"], strides.loads, strides)
        metrics["spread"] = spread.plain()
        known[kind] = Facts(strides, workshop.zero, metrics), spread
    return known, [fold.held for fold in every]


def cycle_model(
    models: Models, facts: Facts, spread: Spread, held: list[Mask]
) -> tuple[nn.Module, ModelCard]:
    """Return the whole-cycle model and its card."""
    strides = facts.strides
    movement = fit_movement(strides, chances(strides), MOVEMENTS)
    score = cycle_score(strides, movement, OFFSET_DEG, held)
    model = CycleModel(models.ensemble, spread, movement, score)
    card = cycle_card("hip-cycle", facts)
    if models.build is not None:
        card = replace(card, body_mass_index=models.build.card())
    return model.eval(), card


def sample_model(
    models: Models, facts: Facts, spread: Spread, held: list[Mask]
) -> tuple[nn.Module, ModelCard]:
    """Return the per-sample model and its card."""
    strides, network = facts.strides, models.network
    score = sample_score(strides, network, SENSORS, held)
    step = SampleStep(network, spread, score)
    ready_s = warm_up_s(network, strides)
    return step.eval(), sample_card("hip-sample", facts, step.state_sizes, ready_s)


KINDS = {"cycle": cycle_model, "sample": sample_model}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the models."""
    parser = argparse.ArgumentParser(prog="python -m edgehip_export.default_train")
    parser.add_argument("--data", type=Path, required=True, help="folder with the recordings")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the models")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for folder in ("gait2hip60", "imu_walking", "other_labs", "walking"):
        if not (options.data / folder).is_dir():
            parser.error(f"{options.data}: holds no {folder}/")
    options.output.mkdir(parents=True, exist_ok=True)
    print("asking the released networks")
    workshop = Workshop.load(options.data, options.seed)
    known, held = _judged(workshop)
    models = workshop.models(workshop.strides, set())
    built = {kind: make(models, *known[kind], held) for kind, make in KINDS.items()}
    # Only now: what converts them starts threads, which processes that are forked cannot have.
    for kind, (module, card) in built.items():
        for suffix, export in ((".onnx", export_onnx), (".tflite", export_tflite)):
            path = options.output / f"hip-{kind}{suffix}"
            export(module, card, path)
            print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
