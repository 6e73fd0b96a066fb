"""A per-sample model made without PyTorch: a leaky integrator in ONNX's own terms, known exactly.

``hidden' = 0.8 hidden + 0.2 angles``; the moments are its first three values over ten, the forces
its absolute values (four of them twice). Enough memory to notice any mistake in keeping state.
"""

import dataclasses
from pathlib import Path

import numpy as np

from edgehip.backends import Tensor
from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.model import Model
from edgehip.model_card import ModelCard, RangeCard, TensorCard

KEEP = np.float32(0.8)
CARD = ModelCard(
    name="leaky",
    version="1",
    kind="sample",
    side="r",
    rate_hz=100.0,
    warm_up_s=0.195,
    inputs=(TensorCard("angles_deg", (1, 1, 10), ANGLES), TensorCard("state.hidden", (1, 10))),
    outputs=(
        TensorCard("moments_nm_per_kg", (1, 1, 3), MOMENTS),
        TensorCard("forces_n_per_kg", (1, 1, 14), MUSCLES),
        TensorCard("state.hidden", (1, 10)),
    ),
    ranges={"angles_deg": RangeCard((-90.0,) * 10, (90.0,) * 10)},
    licence="MIT",
    description="a leaky integrator",
)


class LeakyEngine:
    """The model as an engine, counting its calls."""

    name = "numpy"

    def __init__(self) -> None:
        self.calls = 0

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        self.calls += 1
        angles, hidden = inputs
        hidden = KEEP * hidden + (1 - KEEP) * angles[0]
        moments = hidden[:, None, :3] / np.float32(10)
        forces = np.abs(hidden[:, None, [*range(10), *range(4)]])
        return moments, forces, hidden


def leaky_model() -> Model:
    return Model(dataclasses.replace(CARD), LeakyEngine(), str(Path("leaky.onnx")))
