"""What a model file says of itself: one clear line, or a card that the runtime can obey."""

import json
from typing import Any

import pytest

from edgehip import load_model
from edgehip.card_json import card_from_json, card_to_json
from edgehip.channels import ANGLES
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard
from edgehip.model_report import describe

INDEX = {
    "reference_kg_per_m2": 22.0,
    "low_kg_per_m2": 17.0,
    "high_kg_per_m2": 28.0,
    "slopes": {"moments_nm_per_kg": [[0.0] * 3] * 180},
}
TENS = [0.0] * len(ANGLES)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return load_model().card


def test_a_card_is_read_back_as_it_was_written(card: ModelCard) -> None:
    assert card_from_json(card_to_json(card), "here") == card


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
        {"name": 5},
        {"warm_up_s": "x"},
        {"warm_up_s": float("nan")},
        {"warm_up_s": -1.0},
        {"rate_hz": True},
        {"reference_height_m": 170.0},
        {"reference_height_m": "1.7"},
        {"personal": {"offsets": {"moments_nm_per_kg": [[0.0] * 3] * 179}, "strides": 1}},
        {"personal": {"offsets": {"moments_nm_per_kg": [[0.0] * 2] * 180}, "strides": 1}},
        {"personal": {"offsets": {"moments_nm_per_kg": [[float("nan")] * 3] * 180}, "strides": 1}},
        {"personal": {"offsets": {"moments_nm_per_kg": [[1e9] * 3] * 180}, "strides": 1}},
        {"personal": {"offsets": {"moment_spread_nm_per_kg": [[0.0] * 3] * 180}, "strides": 1}},
        {"personal": {"offsets": {}, "strides": 1, "body_height_m": 170}},
        {"personal": {"offsets": {}, "strides": 1, "body_mass_kg": 0.07}},
        {"personal": {"offsets": []}},
        {"body_mass_index": INDEX | {"slopes": {"moments_nm_per_kg": [[0.0] * 3] * 179}}},
        {"body_mass_index": INDEX | {"slopes": {"moments_nm_per_kg": [[float("nan")] * 3] * 180}}},
        {"body_mass_index": INDEX | {"slopes": {"out_of_range_score": [[0.0]]}}},
        {"body_mass_index": INDEX | {"low_kg_per_m2": 23.0}},
        {"body_mass_index": INDEX | {"low_kg_per_m2": 0.0}},
        {"body_mass_index": INDEX | {"high_kg_per_m2": float("inf")}},
        {"rate_hz": "100"},
        {"resets_at_contact": 1},
        {"spread_coverage": "x"},
        {"spread_coverage": 90.0},
        {"training": [1]},
        {"metrics": None},
        {"inputs": {}},
        {"inputs": [{"name": "angles_deg", "shape": [1, 180, 10], "channels": "angles"}]},
        {"outputs": [5]},
        {"ranges": {"stride_s": {"low": [float("nan")], "high": [2.0]}}},
        {"ranges": {"stride_s": {"low": [0.5], "high": [float("inf")]}}},
        {"ranges": {"stride_s": {"low": [2.0], "high": [0.5]}}},
        {"ranges": {"stride_s": {"low": [0.5], "high": [2.0], "middle": [1.0]}}},
        {"zero": {"standing_deg": TENS, "stride_mean_deg": TENS, "strength": float("nan")}},
        {"zero": {"standing_deg": TENS, "stride_mean_deg": TENS, "strength": 50}},
        {"zero": {"standing_deg": [*TENS, 0.0], "stride_mean_deg": TENS[:9], "strength": 0.5}},
        {"colour": "red"},
    ],
)
def test_a_card_with_absurd_contents_is_refused(card: ModelCard, changed: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="here: its card"):
        card_from_json(json.dumps(json.loads(card_to_json(card)) | changed), "here")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"warm_up_s": "x"}, "warm_up_s: not a number from 0 to 3600"),
        ({"training": [1]}, "training: not an object"),
        (
            {"ranges": {"stride_s": {"low": [None], "high": [2.0]}}},
            "ranges: stride_s: low: not a number",
        ),
    ],
)
def test_a_field_of_another_type_is_named(
    card: ModelCard, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(ModelFileError, match=told):
        card_from_json(json.dumps(json.loads(card_to_json(card)) | changed), "here")


def test_whatever_a_card_tells_for_people_is_told_in_lines_that_can_be_printed(
    card: ModelCard,
) -> None:
    odd = {"name": "two\nlines", "training": {"a\ud800": ["\x1b[2J"], "much": [10**400, 1.5]}}
    told = describe(card_from_json(json.dumps(json.loads(card_to_json(card)) | odd), "here"))
    assert told.replace("\n", "").isprintable()
    assert told.startswith("two?lines ")
