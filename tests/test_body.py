"""Bodies of another size: the same movement in their own time loads them in proportion."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pytest

from edgehip import Pipeline, load_model
from edgehip.body import Body
from edgehip.channels import MOMENTS, MUSCLES, SIDES
from edgehip.events import Flag, HipEstimate, HipSampleEstimate
from edgehip.model import Model
from edgehip.pipeline import Event
from tests.sample_model import CARD, leaky_model
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, synthetic_walk

KNOWN_M = 1.7
"""The height the bundled models know."""
HEIGHTS_M = (1.2, 1.5, 1.95)


@pytest.fixture(scope="module")
def models() -> tuple[Model, Model]:
    return load_model("hip-cycle"), load_model("hip-sample")


def walked_by(walk: Walk, height_m: float) -> Walk:
    """Return the same walk as a body of another height walks it."""
    return Walk(walk.time_s * math.sqrt(height_m / KNOWN_M), walk.angles_deg)


def events_of(models: tuple[Model, Model], walk: Walk, height_m: float | None) -> list[Event]:
    pipeline = Pipeline(models[0], sample_model=models[1], correct=False, body_height_m=height_m)
    return [event for chunk in walk.chunks() for event in pipeline.feed(chunk)]


def samples_in(events: list[Event]) -> list[HipSampleEstimate]:
    return [event for event in events if isinstance(event, HipSampleEstimate)]


def strides_in(events: list[Event]) -> list[HipEstimate]:
    return [event for event in events if isinstance(event, HipEstimate)]


@pytest.fixture(scope="module")
def walk() -> Walk:
    return synthetic_walk(8.0)


@pytest.mark.parametrize("height_m", HEIGHTS_M)
def test_who_walks_alike_is_loaded_in_proportion_at_every_sample(
    models: tuple[Model, Model], walk: Walk, height_m: float
) -> None:
    usual = samples_in(events_of(models, walk, None))
    other = samples_in(events_of(models, walked_by(walk, height_m), height_m))
    taller = height_m / KNOWN_M
    assert len(other) == len(usual)
    # Times on the wire are whole microseconds, so the grid is met but for rounding.
    for place, (one, two) in enumerate(zip(usual, other, strict=True)):
        # How long a sensor may hang in standing is no matter of the body's time.
        assert two.flags == one.flags or place < 150
        for side in SIDES:
            moments, forces = one.moments_nm_per_kg[side], one.forces_n_per_kg[side]
            np.testing.assert_allclose(
                two.moments_nm_per_kg[side], taller * moments, rtol=2e-3, atol=1e-3
            )
            np.testing.assert_allclose(two.forces_n_per_kg[side], forces, rtol=2e-3, atol=1e-2)
            spread = one.moment_spread_nm_per_kg[side]
            np.testing.assert_allclose(
                two.moment_spread_nm_per_kg[side], taller * spread, rtol=1e-2, atol=1e-3
            )


def similar(one: HipEstimate, two: HipEstimate, taller: float) -> Iterator[float]:
    """Yield how far each output is from what similarity says, in shares of its largest value."""
    for name in MOMENTS:
        wanted = taller * one.moments_nm_per_kg[name]
        yield float(abs(two.moments_nm_per_kg[name] - wanted).max() / abs(wanted).max())
        wanted = taller * one.moment_spread_nm_per_kg[name]
        yield float(abs(two.moment_spread_nm_per_kg[name] - wanted).max() / wanted.max())
    for name in MUSCLES:
        wanted = one.forces_n_per_kg[name]
        yield float(abs(two.forces_n_per_kg[name] - wanted).max() / wanted.max())


@pytest.mark.parametrize("height_m", HEIGHTS_M)
def test_who_walks_alike_is_loaded_in_proportion_over_a_stride(
    models: tuple[Model, Model], walk: Walk, height_m: float
) -> None:
    usual = strides_in(events_of(models, walk, None))
    other = strides_in(events_of(models, walked_by(walk, height_m), height_m))
    assert len(other) == len(usual) > 8
    for one, two in zip(usual, other, strict=True):
        assert two.flags == one.flags
        assert (one.body_height_m, two.body_height_m) == (None, height_m)
        assert two.stride_s == pytest.approx(one.stride_s * math.sqrt(height_m / KNOWN_M), rel=0.02)
        # Contacts are found some milliseconds apart, as the detector knows no height, and a muscle
        # that begins to pull at contact (the last one) shows it most.
        assert max(similar(one, two, height_m / KNOWN_M)) < 0.12


def test_a_body_as_the_model_knows_it_is_as_if_nothing_were_told(
    models: tuple[Model, Model], walk: Walk
) -> None:
    untold, told = (samples_in(events_of(models, walk, height)) for height in (None, KNOWN_M))
    for one, two in zip(untold, told, strict=True):
        for side in SIDES:
            assert np.array_equal(one.moments_nm_per_kg[side], two.moments_nm_per_kg[side])


def test_a_model_that_knows_no_height_is_left_as_it_is(walk: Walk) -> None:
    short, usual = (
        samples_in(list(_fed(Pipeline(None, sample_model=leaky_model(), body_height_m=height))))
        for height in (1.2, None)
    )
    for one, two in zip(short, usual, strict=True):
        assert np.array_equal(one.moments_nm_per_kg["r"], two.moments_nm_per_kg["r"])


def _fed(pipeline: Pipeline) -> Iterator[Event]:
    for sample in synthetic_walk(2.0).samples():
        yield from pipeline.feed_sample(sample)


def test_a_tall_body_warms_up_for_longer() -> None:
    card = dataclasses.replace(CARD, reference_height_m=1.0)
    cold = {}
    for height_m in (1.0, 2.25):
        pipeline = Pipeline(None, sample_model=leaky_model(card), body_height_m=height_m)
        cold[height_m] = sum(
            Flag.WARMING_UP in estimate.flags for estimate in samples_in(list(_fed(pipeline)))
        )
    assert cold[2.25] == pytest.approx(1.5 * cold[1.0], abs=1)


def test_a_childs_quick_stride_is_no_stride_out_of_range(models: tuple[Model, Model]) -> None:
    # 0.66 s is quicker than any adult's of the training data, not than a body's of 1.1 m.
    walk = synthetic_walk(6.0, cadence_spm=182.0)

    def named(height_m: float | None) -> set[str]:
        strides = strides_in(events_of(models, walk, height_m))
        assert len(strides) > 6
        return {name for stride in strides for name in stride.out_of_range}

    assert "stride_s" in named(None)
    assert "stride_s" not in named(1.1)


@needs_shared_data
def test_a_recorded_walk_of_a_smaller_body_is_followed_all_the_same(
    models: tuple[Model, Model],
) -> None:
    recorded = recorded_walk()
    walk = Walk(recorded.time_s[:2500], recorded.angles_deg[:2500])
    usual, smaller = (
        samples_in(events_of(models, walked_by(walk, height), height)) for height in (1.7, 1.3)
    )
    # Angles are interpolated between other samples where rounded times miss the grid: not a bit
    # more than a stated spread is worth, anywhere.
    for one, two in zip(usual[300:], smaller[300:], strict=True):
        for side in SIDES:
            off = abs(two.moments_nm_per_kg[side] - one.moments_nm_per_kg[side] * (1.3 / 1.7))
            assert np.all(off < 0.2 * one.moment_spread_nm_per_kg[side])


def test_a_heavy_body_is_given_what_the_card_says_of_its_index_and_no_more_than_of_the_heaviest(
    models: tuple[Model, Model], walk: Walk
) -> None:
    card = models[0].card
    known = card.body_mass_index
    assert known is not None

    def moments(mass_kg: float | None, height_m: float | None = 1.7) -> np.ndarray:
        pipeline = Pipeline(models[0], body_height_m=height_m, body_mass_kg=mass_kg)
        events = [event for chunk in walk.chunks() for event in pipeline.feed(chunk)]
        return np.stack([[one.moments_nm_per_kg[m] for m in MOMENTS] for one in strides_in(events)])

    usual = moments(None)
    slope = np.array(known.slopes["moments_nm_per_kg"]).T
    for index in (known.low_kg_per_m2, 20.0, known.high_kg_per_m2):
        heavier = math.log(index / known.reference_kg_per_m2)
        found = moments(index * 1.7**2) - usual
        np.testing.assert_allclose(found, heavier * slope[None].repeat(len(found), 0), atol=1e-4)
    heaviest = moments(known.high_kg_per_m2 * 1.7**2)
    np.testing.assert_array_equal(moments(150.0), heaviest)
    # Without a height nobody knows an index, and a child's means something else.
    np.testing.assert_array_equal(moments(60.0, None), usual)
    np.testing.assert_array_equal(moments(30.0, 1.3), moments(None, 1.3))


def test_a_muscle_of_which_something_is_taken_off_does_not_push() -> None:
    body = Body(offsets={"forces_n_per_kg": np.array([[-2.0, 0.0], [1.0, -0.5]], np.float32)})
    told = np.array([[1.0, 1.0], [1.0, 1.0]], np.float32)
    assert body.load("forces_n_per_kg", told).tolist() == [[0.0, 1.0], [2.0, 0.5]]
    assert body.load("force_spread_n_per_kg", told).tolist() == told.tolist()
