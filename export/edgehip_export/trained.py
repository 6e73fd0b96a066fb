"""A trained model on the workstation: networks with their normalisation, and how they are kept.

On disk it is one PyTorch file that holds tensors and plain values alone, so that it loads with
``weights_only=True`` and no further permission.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import nn

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.errors import ModelFileError
from edgehip_export.networks import Network, build
from edgehip_export.safe_load import load_tensors
from edgehip_export.safe_save import save_tensors

TRAINED_FORMAT: Final = 1

Target = Literal["moments", "forces"]
TARGETS: Final[tuple[Target, Target]] = ("moments", "forces")
"""What a network may be trained for, in the order a model gives them."""

CHANNELS: Final[dict[Target, tuple[str, ...]]] = {"moments": MOMENTS, "forces": MUSCLES}
UNITS: Final[dict[Target, str]] = {"moments": "Nm/kg", "forces": "N/kg"}


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """One network, trained for one target.

    Parameters
    ----------
    target
        ``moments`` (Nm/kg) or ``forces`` (N/kg).
    family, sizes
        As :func:`edgehip_export.networks.build` takes them.
    weights
        The network's state dict.
    angle_mean_deg, angle_sd_deg
        (10,), taken off and divided by on the way in.
    target_mean, target_sd
        (D,), multiplied by and added on the way out.
    angle_range_deg
        (2, 10): below the first and above the second row, angles are foreign to the network.
    provenance
        Plain values: data, protocol, held-out subjects, metrics.
    """

    target: Target
    family: str
    sizes: dict[str, Any]
    weights: dict[str, torch.Tensor]
    angle_mean_deg: torch.Tensor
    angle_sd_deg: torch.Tensor
    target_mean: torch.Tensor
    target_sd: torch.Tensor
    angle_range_deg: torch.Tensor
    provenance: dict[str, Any] = field(default_factory=dict)

    def weights_sha256(self) -> str:
        """Return what tells this network from any other: a digest of all its numbers."""
        digest = hashlib.sha256()
        tensors = self.weights | {
            name: getattr(self, name)
            for name in ("angle_mean_deg", "angle_sd_deg", "target_mean", "target_sd")
        }
        for name, tensor in sorted(tensors.items()):
            digest.update(name.encode())
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def module(self) -> "NormalisedNetwork":
        """Return the network in eval mode, degrees in, Nm/kg or N/kg out.

        Raises
        ------
        ModelFileError
            If the weights are not those of the family and sizes, or a tensor has a wrong shape.
        """
        channels = CHANNELS[self.target]
        for name, tensor, shape in (
            ("angle_mean_deg", self.angle_mean_deg, (len(ANGLES),)),
            ("angle_sd_deg", self.angle_sd_deg, (len(ANGLES),)),
            ("target_mean", self.target_mean, (len(channels),)),
            ("target_sd", self.target_sd, (len(channels),)),
            ("angle_range_deg", self.angle_range_deg, (2, len(ANGLES))),
        ):
            if tuple(tensor.shape) != shape or not bool(torch.isfinite(tensor).all()):
                raise ModelFileError(f"{name} must be {shape} finite numbers")
        if not bool((self.angle_sd_deg > 0).all()):
            raise ModelFileError("angle_sd_deg must be above zero")
        try:
            network = build(self.family, len(channels), self.sizes)
            network.load_state_dict(self.weights, strict=True)
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(
                f"its weights are not those of a {self.family}: {reason}"
            ) from error
        return NormalisedNetwork(network, self).eval()


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """One network per target, moments before forces, under one name."""

    name: str
    networks: tuple[TrainedNetwork, ...]

    @classmethod
    def of(cls, name: str, networks: Sequence[TrainedNetwork]) -> "TrainedModel":
        """Return the model that networks make, whatever their order.

        Raises
        ------
        ModelFileError
            If two networks are for the same target.
        """
        targets = [network.target for network in networks]
        if twice := [target for target in TARGETS if targets.count(target) > 1]:
            raise ModelFileError(
                f"{name}: {targets.count(twice[0])} networks are for {twice[0]}: a model takes one "
                "for moments (JM60), one for forces (MF60), or one of each"
            )
        ordered = sorted(networks, key=lambda network: TARGETS.index(network.target))
        return cls(name, tuple(ordered))


class NormalisedNetwork(nn.Module):
    """A network between its normalisation: degrees (N, S, 10) to Nm/kg or N/kg (N, S, D)."""

    angle_mean: torch.Tensor
    angle_scale: torch.Tensor
    target_mean: torch.Tensor
    target_sd: torch.Tensor

    def __init__(self, network: Network, trained: TrainedNetwork) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("angle_mean", trained.angle_mean_deg)
        self.register_buffer("angle_scale", 1 / trained.angle_sd_deg)
        self.register_buffer("target_mean", trained.target_mean)
        self.register_buffer("target_sd", trained.target_sd)

    def forward(self, angles_deg: torch.Tensor) -> torch.Tensor:
        """Return the target over the whole window."""
        return self.denormalise(self.network(self.normalise(angles_deg)))

    def normalise(self, angles_deg: torch.Tensor) -> torch.Tensor:
        """Return z-scored angles."""
        return (angles_deg - self.angle_mean) * self.angle_scale

    def denormalise(self, output: torch.Tensor) -> torch.Tensor:
        """Return the target in its own units."""
        return output * self.target_sd + self.target_mean


def save_trained(path: str | Path, model: TrainedModel) -> None:
    """Write a trained model as one file."""
    networks = [
        {f.name: getattr(network, f.name) for f in dataclasses.fields(network)}
        for network in model.networks
    ]
    save_tensors(path, {"edgehip": TRAINED_FORMAT, "name": model.name, "networks": networks})


def load_trained(path: str | Path) -> TrainedModel:
    """Return the trained model in a file written by :func:`save_trained`.

    Raises
    ------
    ModelFileError
        If the file is anything else, or its parts do not fit one another.
    """
    return trained_in(load_tensors(path), path)


def trained_in(content: Mapping[str, Any], path: str | Path) -> TrainedModel:
    """Return the trained model in what such a file holds.

    Raises
    ------
    ModelFileError
        As :func:`load_trained`.
    """
    if content.get("edgehip") != TRAINED_FORMAT:
        raise ModelFileError(
            f"{path}: is not a model of 'edgehip train' or 'edgehip import'; a released "
            "checkpoint becomes one with 'edgehip import'"
        )
    try:
        networks = tuple(TrainedNetwork(**network) for network in content["networks"])
        model = TrainedModel(content["name"], networks)
        if [network.target for network in networks] not in (
            ["moments"],
            ["forces"],
            ["moments", "forces"],
        ):
            raise ModelFileError("it must hold moments, forces or both in this order")
        for network in networks:
            network.module()
    except (KeyError, TypeError, AttributeError, ModelFileError) as error:
        raise ModelFileError(f"{path}: is damaged: {error}: import or train it again") from error
    return model
