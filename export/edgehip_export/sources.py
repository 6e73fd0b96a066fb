"""Anything that can be evaluated or exported: trained models, released checkpoints, model files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from edgehip.errors import ModelFileError
from edgehip.model import load_model
from edgehip_export.checkpoint import import_checkpoints
from edgehip_export.fit import predict
from edgehip_export.forms import OUTPUTS
from edgehip_export.parity import Floats, answers
from edgehip_export.safe_load import load_tensors
from edgehip_export.trained import Target, TrainedModel, load_trained

MODEL_FILES = (".onnx", ".tflite")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model's answers to a cohort, and what it says of its own training.

    Parameters
    ----------
    name
        The model's.
    per_kg
        (N, 180, D).
    provenance
        Plain values, see :class:`edgehip_export.trained.TrainedNetwork`.
    """

    name: str
    per_kg: Floats
    provenance: dict[str, Any]


def open_trained(paths: Sequence[str | Path]) -> TrainedModel:
    """Return the model in files of ``edgehip train`` or ``edgehip import``, or in checkpoints.

    Files for different targets make one model.

    Raises
    ------
    ModelFileError
        If a file is neither, or two are for the same target.
    """
    models = [
        load_trained(path) if "edgehip" in load_tensors(path) else import_checkpoints([path])
        for path in paths
    ]
    if len(models) == 1:
        return models[0]
    names = [model.name.removesuffix(f"-{model.networks[0].target}") for model in models]
    networks = [network for model in models for network in model.networks]
    return TrainedModel.of("-".join(dict.fromkeys(names)), networks)


def estimate(path: str | Path, target: Target, strides_deg: Floats) -> Estimate:
    """Return what any model says of some strides.

    Raises
    ------
    ModelFileError
        If the file is no model, or gives no such target.
    """
    if Path(path).suffix.lower() in MODEL_FILES:
        model = load_model(path)
        found = answers(model.engine.run, model.card, strides_deg)
        if (per_kg := found.get(OUTPUTS[target])) is None:
            raise _lacks(path, target)
        return Estimate(Path(path).stem, per_kg, model.card.training.get(target, {}))
    trained = open_trained([path])
    network = next((n for n in trained.networks if n.target == target), None)
    if network is None:
        raise _lacks(path, target)
    per_kg = predict(network.module(), torch.from_numpy(strides_deg))
    return Estimate(trained.name, per_kg, network.provenance)


def _lacks(path: str | Path, target: Target) -> ModelFileError:
    return ModelFileError(f"{path}: gives no {target}, which these strides are labelled with")
