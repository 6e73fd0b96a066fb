"""Anything that can be evaluated or exported: trained models, released checkpoints, model files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from edgehip.errors import ModelFileError
from edgehip.model import load_model
from edgehip.model_card import ModelCard
from edgehip_export.answers import Floats, answers, require_duration
from edgehip_export.checkpoint import model_of, network_in
from edgehip_export.dataset import Cohort
from edgehip_export.export_file import is_model_file
from edgehip_export.fit import predict
from edgehip_export.forms import OUTPUTS
from edgehip_export.metrics import Errors
from edgehip_export.run_folder import model_file
from edgehip_export.safe_load import load_tensors
from edgehip_export.trained import Target, TrainedModel, trained_in


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model's answers to a cohort, and what it says of its own training.

    Parameters
    ----------
    name, path
        The model's, and the file it came from.
    per_kg
        (N, 180, D).
    provenance
        Plain values, see :class:`edgehip_export.trained.TrainedNetwork`.
    left_out
        Of a model that was trained on several sources: its errors on people of each, who were left
        out then.
    """

    name: str
    path: str
    per_kg: Floats
    provenance: dict[str, Any]
    left_out: dict[str, Errors] = field(default_factory=dict)
    personal: bool = False


def open_trained(paths: Sequence[str | Path]) -> TrainedModel:
    """Return the model in files of ``edgehip train`` or ``edgehip import``, or in checkpoints.

    Files for different targets make one model.

    Raises
    ------
    ModelFileError
        If a file is neither, or two are for the same target.
    """
    models = []
    for path in paths:
        content = load_tensors(path)
        own = "edgehip" in content
        models.append(trained_in(content, path) if own else model_of([network_in(content, path)]))
    if len(models) == 1:
        return models[0]
    names = [model.name.removesuffix(f"-{model.networks[0].target}") for model in models]
    networks = [network for model in models for network in model.networks]
    return TrainedModel.of("-".join(dict.fromkeys(names)), networks)


def estimate(path: str | Path, cohort: Cohort) -> Estimate:
    """Return what any model says of a cohort: a file, a run's folder, or a bundled model's name.

    Raises
    ------
    ModelFileError
        If the file is no model, or gives no such target.
    ModelInputError
        If the model wants something the cohort does not tell.
    """
    target = cohort.target
    path = model_file(path)
    if is_model_file(path):
        model = load_model(path, trusted=False)
        if (name := OUTPUTS[target]) not in (tensor.name for tensor in model.card.outputs):
            raise _lacks(path, target)
        require_duration(model.card, model.path, cohort.stride_s, cohort.path)
        per_kg = answers(model.engine.run, model.card, cohort.angles_deg, cohort.others)[name]
        own = model.card.training.get(target)
        return Estimate(
            Path(path).stem,
            model.path,
            per_kg,
            own if isinstance(own, dict) else {},
            _left_out(model.card, target),
            model.card.personal is not None,
        )
    trained = open_trained([path])
    network = next((n for n in trained.networks if n.target == target), None)
    if network is None:
        raise _lacks(path, target)
    per_kg = predict(network.module(), torch.from_numpy(cohort.angles_deg))
    return Estimate(trained.name, str(path), per_kg, network.provenance)


def _left_out(card: ModelCard, target: Target) -> dict[str, Errors]:
    """Return what a card says of people left out, per laboratory; nothing if it says it otherwise.

    Cards of other makers hold anything there.
    """
    try:
        by_laboratory = card.metrics["by_laboratory"]
        return {
            str(name): Errors.of(found[target])
            for name, found in by_laboratory.items()
            if target in found
        }
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}


def _lacks(path: str | Path, target: Target) -> ModelFileError:
    return ModelFileError(f"{path}: gives no {target}, which these strides are labelled with")
