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


SCORED = dataclasses.replace(
    CARD,
    outputs=(
        *CARD.outputs[:2],
        TensorCard("moment_spread_nm_per_kg", (1, 1, 3), MOMENTS),
        TensorCard("force_spread_n_per_kg", (1, 1, 14), MUSCLES),
        TensorCard("out_of_range_score", (1, 1)),
        CARD.outputs[2],
    ),
    spread_coverage=0.9,
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


class ScoredEngine(LeakyEngine):
    """The same, with spreads of half the loads' size and the right hip's flexion over 10 as score.

    A hip angle of -90 degrees makes the score not a number.
    """

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        moments, forces, hidden = super().run(*inputs)
        flexion = inputs[0][:, :, 0]
        score = np.where(flexion == -90, np.nan, flexion / 10).astype(np.float32)
        half = np.float32(0.5)
        return moments, forces, half * np.abs(moments), half * forces, score, hidden


def scored_model() -> Model:
    return Model(SCORED, ScoredEngine(), str(Path("scored.onnx")))


def leaky_model(card: ModelCard = CARD) -> Model:
    return Model(dataclasses.replace(card), LeakyEngine(), str(Path("leaky.onnx")))
