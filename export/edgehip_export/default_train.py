"""Train the models that edgehip ships.

``python -m edgehip_export.default_train --data DIR -o FOLDER``; the result is reproducible from the seed on one machine and one version of PyTorch.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgehip_export.augmentation import Augmentation, disturb
from edgehip_export.default_card import cycle_card
from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_zero import zero_card
from edgehip_export.export import export_onnx, export_tflite
from edgehip_export.strides import Strides, load_strides

VERSION = "0.1.0"


@dataclass(frozen=True)
class Protocol:
    """How long and how hard a network is trained."""

    steps: int = 400
    batch: int = 32
    rate: float = 3e-3
    weight_decay: float = 1e-2
    averaging: float = 0.99
    augmentation: Augmentation = field(default_factory=Augmentation)


def train_cycle(strides: Strides, protocol: Protocol, seed: int) -> CycleNetwork:
    """Return a whole-cycle network fitted to these people, in eval mode."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    network = CycleNetwork()
    angles, targets, stride_s = tensors(strides)
    set_scales(network, angles, targets)
    weight = 1.0 / network.target_sd**2
    to_common = towards_common_mean(strides, angles)
    chance = torch.from_numpy(chances(strides))
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=protocol.rate, weight_decay=protocol.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, protocol.rate, total_steps=protocol.steps, pct_start=0.15
    )
    average = copy.deepcopy(network)
    for step in range(protocol.steps):
        rows = torch.multinomial(chance, protocol.batch, replacement=True, generator=random)
        x, duration = disturb(
            angles[rows], stride_s[rows], to_common[rows], protocol.augmentation, random
        )
        loads = torch.cat(network(x, duration[:, None]), -1)
        known = torch.isfinite(targets[rows])
        error = (loads - targets[rows].nan_to_num()) ** 2 * weight * known
        optimizer.zero_grad()
        torch.autograd.backward(error.sum() / known.sum())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        keep = min(protocol.averaging, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, current in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(current, 1.0 - keep)
    return average.eval()


def tensors(strides: Strides) -> tuple[Tensor, Tensor, Tensor]:
    """Return angles (N, 180, 10), loads (N, 180, 17) and durations (N,)."""
    loads = np.concatenate([strides.moments, strides.forces], axis=-1)
    return (
        torch.from_numpy(strides.angles_deg),
        torch.from_numpy(loads),
        torch.from_numpy(strides.stride_s),
    )


def set_scales(network: CycleNetwork, angles: Tensor, targets: Tensor) -> None:
    """Give the network the training people's means and spreads."""
    flat = targets.flatten(0, 1)
    mean = torch.nanmean(flat, 0)
    network.target_mean.copy_(mean)
    network.target_sd.copy_(torch.nanmean((flat - mean) ** 2, 0).sqrt())
    network.angle_mean.copy_(angles.mean((0, 1)))
    network.angle_sd.copy_((angles - angles.mean(1, keepdim=True)).std((0, 1)))


def towards_common_mean(strides: Strides, angles: Tensor) -> Tensor:
    """Return, per stride, everybody's mean angles less its person's, (N, 10)."""
    means = {p: angles[torch.from_numpy(strides.person == p)].mean((0, 1)) for p in strides.people}
    common = torch.stack(list(means.values())).mean(0)
    return torch.stack([common - means[p] for p in strides.person])


def chances(strides: Strides) -> NDArray[np.float64]:
    """Return each stride's chance of being drawn.

    A person's strides share one chance, and a laboratory's people share the square root of their
    number: a laboratory weighs more than one person of it, less than all of them.
    """
    chance = np.empty(len(strides))
    for lab in strides.labs:
        people = set(strides.person[strides.lab == lab])
        for person in people:
            own = strides.person == person
            chance[own] = len(people) ** -0.5 / own.sum()
    total: float = chance.sum()
    return np.asarray(chance / total)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the models."""
    parser = argparse.ArgumentParser(prog="python -m edgehip_export.default_train")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with walking/, other_labs/"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the models")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    strides = load_strides(options.data)
    network = train_cycle(strides, Protocol(), options.seed)
    card = cycle_card("hip-cycle", VERSION, strides, zero_card(options.data, strides, 0.0))
    options.output.mkdir(parents=True, exist_ok=True)
    for path, export in (
        (options.output / "hip-cycle.onnx", export_onnx),
        (options.output / "hip-cycle.tflite", export_tflite),
    ):
        export(network, card, path)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
