"""What a model file says of itself: one clear line, or a card that the runtime can obey."""

import json
from typing import Any

import pytest

from edgehip import load_model
from edgehip.channels import ANGLES
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard

TENS = [0.0] * len(ANGLES)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_model().card


def test_a_card_is_read_back_as_it_was_written(card: ModelCard) -> None:
    assert ModelCard.from_json(card.to_json(), "here") == card


@pytest.mark.parametrize(
    "changed",
    [
        {"samples_per_cycle": "180"},
        {"samples_per_cycle": 180.0},
        {"samples_per_cycle": 10**400},
        {"inputs": [{"name": "angles_deg", "shape": [1, float("inf"), 10], "channels": []}]},
        {"ranges": {"angles_deg": {"low": [0.0], "high": TENS}}},
        {"ranges": {"stride_s": {"low": [10**400], "high": [1.0]}}},
        {"ranges": []},
        {"zero": {"standing_deg": [1.0], "stride_mean_deg": TENS, "strength": 1.0}},
        {"zero": {"standing_deg": [float("nan")] * 10, "stride_mean_deg": TENS, "strength": 1.0}},
        {"zero": {"standing_deg": [10**400] * 10, "stride_mean_deg": TENS, "strength": 1.0}},
        {"side": []},
        {"kind": "poem"},
    ],
)
def test_a_card_with_absurd_contents_is_refused(card: ModelCard, changed: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="here: its card"):
        ModelCard.from_json(json.dumps(json.loads(card.to_json()) | changed), "here")
