"""The released checkpoints of Gait2Hip-60 (arXiv 2605.30374), read without unpickling code."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from edgehip.channels import ANGLES
from edgehip.errors import ModelFileError
from edgehip_export.dataset import COLUMNS, RELEASED_IDS
from edgehip_export.safe_load import load_tensors
from edgehip_export.trained import (
    CHANNELS,
    TrainedModel,
    TrainedNetwork,
)

FOREIGN_SD: Final = 3.0
"""The checkpoints keep no range of their training angles; their mean plus and minus so many SD
stands for it."""

_NO_SIZES: Final = ("d_in", "d_out", "T")


def import_checkpoints(paths: Sequence[str | Path], name: str | None = None) -> TrainedModel:
    """Return the model that one or two released checkpoints make.

    Parameters
    ----------
    paths
        One checkpoint, or one for moments (JM60) and one for forces (MF60) in any order.
    name
        The model's name; by default from the family and the targets.

    Raises
    ------
    ModelFileError
        If a file is not a released checkpoint, or two of them are for the same target.
    """
    return model_of([import_checkpoint(path) for path in paths], name)


def model_of(networks: Sequence[TrainedNetwork], name: str | None = None) -> TrainedModel:
    """Return the model that one or two released checkpoints' networks make.

    Raises
    ------
    ModelFileError
        If two of them are for the same target.
    """
    families = dict.fromkeys(network.family for network in networks)
    only = "" if len(networks) > 1 else f"-{networks[0].target}"
    return TrainedModel.of(name or f"gait2hip60-{'-'.join(families)}{only}", networks)


def import_checkpoint(path: str | Path) -> TrainedNetwork:
    """Return the network in one released checkpoint.

    Raises
    ------
    ModelFileError
        If the file is not one, would run code, or its columns are not the data set's.
    """
    return network_in(load_tensors(path), path)


def network_in(content: Mapping[str, Any], path: str | Path) -> TrainedNetwork:
    """Return the network in what one released checkpoint holds.

    Raises
    ------
    ModelFileError
        As :func:`import_checkpoint`.
    """
    if "edgehip" in content:
        raise ModelFileError(
            f"{path}: is a model of edgehip already: evaluate and export take it as it is"
        )
    try:
        angles = tuple(content["in_cols"])
        outputs = tuple(content["out_cols"])
        family = content["model_type"]
        sizes = {k: v for k, v in content["hparams"].items() if k not in _NO_SIZES}
        mean = torch.from_numpy(np.asarray(content["mu_x"], dtype=np.float32))
        sd = torch.from_numpy(np.asarray(content["sd_x"], dtype=np.float32))
        angle_range = torch.stack([mean - FOREIGN_SD * sd, mean + FOREIGN_SD * sd])
        weights = dict(content["state_dict"])
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise ModelFileError(
            f"{path}: is not a released Gait2Hip-60 checkpoint: {type(error).__name__}: {error}"
        ) from error
    if angles != ANGLES:
        raise ModelFileError(
            f"{path}: its inputs are {', '.join(map(str, angles))}; they must be "
            f"{', '.join(ANGLES)}"
        )
    target = next((target for target, names in COLUMNS.items() if names == outputs), None)
    if target is None:
        raise ModelFileError(
            f"{path}: its outputs are {', '.join(map(str, outputs))}; they must be those of "
            "Gait2Hip_JM60 (3 hip moments) or Gait2Hip_MF60 (14 muscle forces)"
        )
    channels = len(CHANNELS[target])
    network = TrainedNetwork(
        target=target,
        family=family,
        sizes=sizes,
        weights=weights,
        angle_mean_deg=mean,
        angle_sd_deg=sd,
        target_mean=torch.zeros(channels),
        target_sd=torch.ones(channels),
        angle_range_deg=angle_range,
        provenance=_provenance(content, Path(path)),
    )
    try:
        network.module()
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    return network


def _provenance(content: Any, path: Path) -> dict[str, Any]:
    """Return what a checkpoint says of its own making, without its authors' file names."""
    kept = {
        key: content[key]
        for key in (
            "protocol",
            "global_seed",
            "test_subjects",
            "test_metrics_overall",
            "test_metrics_subject_mean",
        )
        if key in content
    }
    tested = kept.get("test_subjects")
    if isinstance(tested, list):
        kept["training_subjects"] = [person for person in RELEASED_IDS if person not in tested]
    return {
        "data": "Gait2Hip-60 (doi.org/10.5281/zenodo.20175768)",
        "citation": "Zhang et al., Gait2Hip-60, arXiv 2605.30374",
        "licence": "MIT",
        "checkpoint": path.name,
        **kept,
    }
