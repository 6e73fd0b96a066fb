"""What a program asks for that would do nothing, or harm, is refused at once."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgehip import Pipeline, Stream, open_source, parse_cue
from edgehip.errors import ArgumentError, CueError, EdgehipError, ModelInputError, ProfileError
from edgehip.events import JointAngleSample
from edgehip.model import Model
from tests.sample_model import leaky_model


@pytest.mark.parametrize(
    ("angles", "shape"),
    [
        ((0.0,) * 9, "(9,)"),
        ((0.0,) * 11, "(11,)"),
        ((), "(0,)"),
        (np.zeros((1, 10)), "(1, 10)"),
        (np.zeros((10, 1)), "(10, 1)"),
        (np.float32(1.0), "()"),
        (None, "NoneType"),
        (("a",) * 10, "tuple"),
    ],
)
def test_a_sample_without_ten_angles_is_refused_at_once(
    model: Model, angles: Any, shape: str
) -> None:
    sample = JointAngleSample(0.0, angles, 0)
    with pytest.raises(ArgumentError, match="in the order hip_flexion_r, hip_adduct") as refusal:
        Pipeline(model).feed_sample(sample)
    assert f"the shape {shape} instead of (10,)" in str(refusal.value)


def test_a_sample_without_a_time_is_refused_at_once(model: Model) -> None:
    for time_s, received_ns in (("now", 0), (None, 0), (0.0, math.nan)):
        sample = JointAngleSample(time_s, (0.0,) * 10, received_ns)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="a time in seconds"):
            Pipeline(model).feed_sample(sample)


def test_a_model_without_a_zero_cannot_be_calibrated(model: Model) -> None:
    card = replace(model.card, zero=None)
    with pytest.raises(ProfileError, match="takes no personal zero"):
        Pipeline(replace(model, card=card), calibrate="standing")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"body_mass_kg": math.nan}, "Stream: body_mass_kg is nan; it has to be a finite number"),
        ({"body_mass_kg": -5}, "5 to 350 kg, not -5"),
        ({"body_mass_kg": 0.0}, "5 to 350 kg, not 0.0"),
        ({"body_mass_kg": 72_000.0}, "5 to 350 kg"),
        ({"body_height_m": 172.0}, "a body's height is 0.5 to 2.6 m, not 172.0"),
        (
            {"calibrate": "stand"},
            "is 'stand'; it has to be 'standing' or 'strides' or None",
        ),
        ({"cues": [parse_cue("glmed_r > 1 N/kg")]}, "looks at every sample: .* a sample_model"),
        ({"cues": ["peak glmed_r > 1 N/kg"]}, "is 'peak glmed.*a Cue .as edgehip.parse_cue"),
        ({"format": "csv"}, "format is 'csv'; it has to be 'frames' or 'lines'"),
        ({"time_unit": "min"}, "time_unit is 'min'; it has to be 'us' or 'ms' or 's'"),
        ({"deadline_ms": 0}, "deadline_ms is 0; it has to be above 0"),
    ],
)
def test_what_would_do_nothing_or_harm_is_refused(
    model: Model, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(EdgehipError, match=complaint):
        Stream(open_source("synthetic:?speed=max"), model, **options)


def test_a_cue_on_what_the_model_does_not_give_is_refused(model: Model) -> None:
    moments = tuple(t for t in model.card.outputs if t.name == "moments_nm_per_kg")
    only = replace(model, card=replace(model.card, outputs=moments))
    Pipeline(only, cues=[parse_cue("peak hip_flexion_l > 0.5 Nm/kg")])
    with pytest.raises(CueError, match="gives no glmed; it gives: hip_flexion, hip_adduction"):
        Pipeline(only, cues=[parse_cue("peak glmed_l > 5 N/kg")])


def test_a_cue_in_newtons_is_of_the_body_that_walks(model: Model) -> None:
    cue = parse_cue("peak glmed_l > 500 N", 70)
    Pipeline(model, cues=[cue], body_mass_kg=70.0)
    Pipeline(model, cues=[cue, parse_cue("peak glmed_l > 5 N/kg", 90)])
    with pytest.raises(CueError, match="is of a body of 70 kg, not of 80 kg"):
        Pipeline(model, cues=[cue], body_mass_kg=80)


def test_there_is_one_device_or_one_at_each_leg() -> None:
    with pytest.raises(ArgumentError, match="1 or 2 devices, one at each leg, not 3"):
        Pipeline(None, sample_model=leaky_model(), devices=3)


def test_without_a_model_there_is_nothing_to_do() -> None:
    with pytest.raises(ArgumentError, match="neither a model nor a sample_model"):
        Pipeline(None)
    with pytest.raises(CueError, match="looks at every cycle"):
        Pipeline(None, sample_model=leaky_model(), cues=[parse_cue("peak glmed_r > 1 N/kg")])


def test_a_sample_model_does_not_pass_for_a_cycle_model(model: Model) -> None:
    card = replace(model.card, kind="sample")
    with pytest.raises(ModelInputError, match=r"--sample-model .*kind 'cycle'"):
        Pipeline(replace(model, card=card))
