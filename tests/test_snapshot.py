"""A state saved and resumed: the same walk goes on, and nothing else is ever made of it."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import Pipeline, load_model, snapshot
from edgehip.errors import SnapshotError
from edgehip.events import Chunk, JointAngleSample
from edgehip.lines import LineDecoder
from edgehip.model import Model
from edgehip.model_card import PersonalCard
from edgehip.zero import Profile
from tests.pipelines import run, told
from tests.sample_model import leaky_model
from tests.streams import Walk


@settings(max_examples=15)
@given(st.integers(0, 800), st.sampled_from([None, "standing", "strides"]))
def test_a_state_saved_and_resumed_anywhere_changes_nothing(
    model: Model, walk: Walk, cut: int, calibrate: str
) -> None:
    def fresh() -> Pipeline:
        return Pipeline(model, calibrate=calibrate)  # type: ignore[arg-type]

    chunks = walk.chunks()
    halves = [Chunk(c.data[:9], c.received_ns) for c in chunks[cut : cut + 1]]
    rest = [Chunk(c.data[9:], c.received_ns) for c in chunks[cut : cut + 1]] + chunks[cut + 1 :]
    uncut = fresh()
    expected = [event for chunk in chunks for event in uncut.feed(chunk)]
    first, second = fresh(), fresh()
    events = [event for chunk in chunks[:cut] + halves for event in first.feed(chunk)]
    snapshot.restore(second, snapshot.save(first))
    events += [event for chunk in rest for event in second.feed(chunk)]
    assert told(events) == told(expected)
    assert snapshot.save(second) == snapshot.save(uncut)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"edgehip_snapshot": 1, "model": "x"}', "null"])
def test_a_damaged_snapshot_is_refused(model: Model, text: str) -> None:
    pipeline = Pipeline(model)
    with pytest.raises(SnapshotError, match=r"damaged|another edgehip version"):
        snapshot.restore(pipeline, text)


def signed(saved: dict[str, Any]) -> str:
    """Return a saved state that somebody altered and made look whole."""
    rooms = json.dumps(saved["rooms"]).encode()
    return json.dumps(saved | {"sha256": hashlib.sha256(rooms).hexdigest()})


def test_a_snapshot_makes_no_foreign_objects(model: Model) -> None:
    pipeline = Pipeline(model)
    text = snapshot.save(pipeline).replace("ReceiverState", "Popen")
    with pytest.raises(SnapshotError, match="holds a Popen"):
        snapshot.restore(pipeline, signed(json.loads(text)))


def test_a_saved_state_of_which_one_number_changed_is_refused(model: Model, walk: Walk) -> None:
    pipeline = Pipeline(model)
    run(pipeline, walk)
    saved = json.loads(snapshot.save(pipeline))
    saved["rooms"]["pipeline"]["fields"]["samples"] += 1
    with pytest.raises(SnapshotError, match=r"damaged .*not what was saved"):
        snapshot.restore(pipeline, json.dumps(saved))


def test_a_saved_state_goes_on_only_where_it_belongs(model: Model) -> None:
    sample_model = leaky_model()
    saved = snapshot.save(Pipeline(model, sample_model=sample_model))
    other_version = json.dumps(json.loads(saved) | {"edgehip_snapshot": snapshot.FORMAT - 1})
    personal = PersonalCard({"moments_nm_per_kg": ((0.1, 0.0, 0.0),) * 180}, strides=1)
    somebodys = replace(model, card=replace(model.card, personal=personal))
    for pipeline, text, why in (
        (Pipeline(model, sample_model=sample_model), other_version, "another edgehip version"),
        (Pipeline(model), saved, "other models"),
        (Pipeline(model, sample_model=load_model("hip-sample")), saved, "other models"),
        (Pipeline(somebodys, sample_model=sample_model), saved, "other models"),
        (Pipeline(model, sample_model=sample_model, body_height_m=1.2), saved, "another body"),
        (Pipeline(model, sample_model=sample_model, correct=False), saved, "other options"),
        (Pipeline(model, sample_model=sample_model, devices=2), saved, "other options"),
        (Pipeline(model, sample_model=sample_model, decoder=LineDecoder), saved, "other options"),
    ):
        before = snapshot.save(pipeline)
        with pytest.raises(SnapshotError, match=why):
            snapshot.restore(pipeline, text)
        assert snapshot.save(pipeline) == before


@pytest.mark.parametrize(
    "absurd",
    [
        {},
        {"deque": [], "maxlen": 10**30},
        {"array": [10**400], "dtype": "float64"},
        {"array": ["a"], "dtype": "U100000"},
        {"class": "PipelineState", "fields": {"profile": 5}},
        {
            "class": "PipelineState",
            "fields": {
                "profile": {
                    "class": "Profile",
                    "fields": {"method": "standing", "mean_deg": [999.0] * 10, "count": 1},
                }
            },
        },
    ],
)
def test_a_snapshot_with_absurd_contents_changes_nothing(
    model: Model, absurd: dict[str, object]
) -> None:
    pipeline = Pipeline(model)
    before = snapshot.save(pipeline)
    changed = json.loads(before)
    changed["rooms"]["pipeline"] = absurd
    with pytest.raises(SnapshotError, match=r"damaged \((?!.*not what was saved)"):
        snapshot.restore(pipeline, signed(changed))
    assert snapshot.save(pipeline) == before


def test_numpys_numbers_are_numbers_and_can_be_saved(model: Model, walk: Walk) -> None:
    def numpys(sample: JointAngleSample) -> JointAngleSample:
        angles: Any = np.array(sample.angles_deg, np.float32)
        return JointAngleSample(np.float64(sample.time_s), angles, np.int64(sample.received_ns))  # type: ignore[arg-type]

    samples = [numpys(sample) for sample in walk.samples()]
    kept, resumed = (Pipeline(model, sample_model=leaky_model()) for _ in range(2))
    for sample in samples[:412]:
        kept.feed_sample(sample)
    snapshot.restore(resumed, snapshot.save(kept))
    one, other = (
        told([event for sample in samples[412:] for event in pipeline.feed_sample(sample)])
        for pipeline in (kept, resumed)
    )
    assert one == other
    assert len(one) > 300


LAST_WEEK = Profile("standing", (1.0,) * 10, 300, name="last week")


TODAY = replace(LAST_WEEK, mean_deg=(4.0,) * 10, name="today")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"profile": LAST_WEEK}, {"profile": TODAY}),
        ({}, {"profile": TODAY}),
        ({"profile": LAST_WEEK}, {}),
        ({}, {"calibrate": "standing"}),
        ({"calibrate": "strides"}, {"calibrate": "standing"}),
    ],
)
def test_a_saved_zero_does_not_take_the_place_of_the_one_that_is_asked_for(
    model: Model, before: dict[str, Any], now: dict[str, Any]
) -> None:
    saved = snapshot.save(Pipeline(model, **before))
    pipeline = Pipeline(model, **now)
    unchanged = snapshot.save(pipeline)
    with pytest.raises(SnapshotError, match="another personal zero"):
        snapshot.restore(pipeline, saved)
    assert snapshot.save(pipeline) == unchanged
    same = Pipeline(model, **before)
    snapshot.restore(same, saved)
    assert snapshot.save(same) == saved


def test_a_saved_zero_that_one_model_refuses_is_in_use_by_none(model: Model) -> None:
    sample_model = load_model("hip-sample")
    other = replace(sample_model, card=replace(sample_model.card, zero=None))
    pipeline = Pipeline(model, sample_model=other)
    saved = json.loads(snapshot.save(pipeline))
    zeroed = json.loads(snapshot.save(Pipeline(model, profile=LAST_WEEK)))
    saved["rooms"]["pipeline"] = zeroed["rooms"]["pipeline"]
    with pytest.raises(SnapshotError, match="takes no personal zero"):
        snapshot.restore(pipeline, signed(saved))
    assert pipeline.zero == "none"
    assert pipeline.estimators.by_cycle is not None
    assert not pipeline.estimators.by_cycle.zero.offset_deg.any()
