"""Samples to estimates: every whole stride of both hips, and nothing but those."""

import itertools
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import Pipeline, load_model
from edgehip.backends import Tensor
from edgehip.events import Chunk, Flag, HipEstimate, HipSampleEstimate, Hop
from edgehip.model import Model
from tests.pipelines import estimates, run, told
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, recut, synthetic_walk


def test_every_stride_of_a_walk_is_estimated_for_both_hips(model: Model, walk: Walk) -> None:
    found = estimates(run(Pipeline(model, body_mass_kg=70.0), walk))
    for side in ("l", "r"):
        mine = [e for e in found if e.side == side]
        assert len(mine) >= 4
        for earlier, later in itertools.pairwise(mine):
            assert earlier.end_s == later.start_s
        assert Flag.FIRST_AFTER_GAP in mine[0].flags
        assert Flag.FIRST_AFTER_GAP not in mine[1].flags
        assert mine[-1].cadence_spm == pytest.approx(110, rel=0.03)
        assert 55 < (mine[-1].stance_percent or 0) < 70


def test_a_symmetric_walk_loads_both_hips_alike(model: Model, walk: Walk) -> None:
    found = estimates(run(Pipeline(model), walk))
    left = [e for e in found if e.side == "l"][2]
    right = [e for e in found if e.side == "r"][2]
    for name, curve in left.moments_nm_per_kg.items():
        assert np.allclose(curve, right.moments_nm_per_kg[name], atol=0.03)


def test_a_stride_whose_foot_off_was_not_found_has_no_stance_and_says_so(
    model: Model, walk: Walk
) -> None:
    pipeline = Pipeline(model)
    samples = list(walk.samples())
    found = estimates([event for sample in samples[:600] for event in pipeline.feed_sample(sample)])
    pipeline.segmenter.parameters = replace(
        pipeline.segmenter.parameters, foot_off_knee_share=np.inf, lift_s=0.0
    )
    later = estimates([event for sample in samples[600:] for event in pipeline.feed_sample(sample)])
    for estimate in found:
        assert estimate.stance_percent is not None
        assert Flag.NO_FOOT_OFF not in estimate.flags
    for estimate in later[-2:]:
        assert estimate.stance_percent is None
        assert Flag.NO_FOOT_OFF in estimate.flags
        assert estimate.trusted


@pytest.mark.parametrize("score", [0.99, 1.01])
def test_a_stride_that_no_model_knows_is_not_trusted(
    model: Model, walk: Walk, score: float
) -> None:
    class Scoring:
        name = model.engine.name

        def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
            *loads, told = model.engine.run(*inputs)
            return *loads, np.full_like(told, score)

    assert model.card.outputs[-1].name == "out_of_range_score"
    found = estimates(run(Pipeline(replace(model, engine=Scoring())), walk))
    assert len(found) > 8
    for estimate in found:
        assert (Flag.OUT_OF_RANGE in estimate.flags) == (score > 1.0)
    assert any(estimate.trusted for estimate in found) == (score < 1.0)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 3000), max_size=30))
def test_bytes_cut_anywhere_give_the_same_estimates_bit_for_bit(
    model: Model, walk: Walk, sizes: list[int]
) -> None:
    data = b"".join(walk.frames())
    whole = Pipeline(model).feed(Chunk(data, 0))
    pipeline = Pipeline(model)
    cut = [event for chunk in recut(data, sizes) for event in pipeline.feed(chunk)]
    assert told(cut) == told(whole)
    assert len(estimates(whole)) > 4


def test_what_was_told_cannot_be_changed_nor_with_it_what_will_be(model: Model) -> None:
    """In newtons in place, say: the arrays are the memory that the next estimates come from."""
    pipeline = Pipeline(model, sample_model=load_model("hip-sample"))
    kinds: Counter[str] = Counter()
    for event in run(pipeline, synthetic_walk(8.0, stand_s=1.0)):
        if isinstance(event, HipEstimate | HipSampleEstimate):
            for name in (field.name for field in fields(event)):
                loads = getattr(event, name)
                if not isinstance(loads, dict):
                    continue
                for array in loads.values():
                    kinds[f"{type(event).__name__}.{name}"] += 1
                    with pytest.raises(ValueError, match="read-only"):
                        array *= 72.0
    assert len(kinds) == 4 + 6


def test_a_pause_ends_a_stride_and_begins_anew(model: Model) -> None:
    walk = synthetic_walk(20.0, stand_s=1.0, walk_s=6.0, pause_s=4.0)
    found = estimates(run(Pipeline(model), walk))
    assert all(e.stride_s < 1.6 for e in found)
    firsts = [e for e in found if Flag.FIRST_AFTER_GAP in e.flags]
    assert len(firsts) == 4


def test_what_lies_outside_the_training_range_is_named(model: Model, walk: Walk) -> None:
    bent = walk.angles_deg.copy()
    bent[:, 6] += 90.0  # the right knee
    found = estimates(run(Pipeline(model), Walk(walk.time_s, bent)))
    assert len(found) > 4
    for estimate in found:
        assert Flag.OUT_OF_RANGE in estimate.flags
        assert "knee_angle_r" in estimate.out_of_range
        assert "knee_angle_l" not in estimate.out_of_range


@needs_shared_data
def test_a_recorded_walk_gives_every_stride(model: Model) -> None:
    walk = recorded_walk()
    found = estimates(run(Pipeline(model), walk))
    # The force plates count 43 strides of each leg (see the recording's index).
    for side in ("l", "r"):
        assert 42 <= sum(e.side == side for e in found) <= 46


def test_a_sample_does_not_wait_for_the_stride_it_closes() -> None:
    """What is worked on meanwhile delays what may drive a motor."""
    done = 0

    def estimated(hop: Hop) -> None:
        nonlocal done
        done += hop is Hop.ESTIMATE

    pipeline = Pipeline(load_model(), sample_model=load_model("hip-sample"), mark=estimated)
    for chunk in synthetic_walk(8.0).chunks():
        before = done
        for event in pipeline.follow(chunk):
            assert not isinstance(event, HipSampleEstimate) or done == before
    assert done > 4
