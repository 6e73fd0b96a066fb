"""The personal zero of a pipeline: measured of who stands, taken out of every angle."""

from dataclasses import replace

import numpy as np
import pytest

from edgehip import Pipeline, Stream, load_model, parse_cue, snapshot
from edgehip.channels import ANGLES, angles_of
from edgehip.errors import ProfileError
from edgehip.events import Chunk, Flag, HipSampleEstimate, PortOpened
from edgehip.model import Model
from edgehip.pipeline import Event
from edgehip.runtime import StreamEvent
from edgehip.zero import Method, Profile
from tests.listed_source import ListedSource
from tests.pipelines import estimates, run, told
from tests.streams import Walk, joined, synthetic_walk


def test_a_zero_takes_the_offset_out(model: Model, walk: Walk) -> None:
    """The same person with sensors mounted askew, calibrated standing, gets the same estimates."""
    askew = Walk(walk.time_s, np.round(walk.angles_deg + np.linspace(-8, 8, 10), 2))
    quiet = synthetic_walk(6.0, stand_s=6.0, noise_deg=0.1)
    offsets = np.linspace(-8, 8, 10)
    straight = profile_of(model, quiet)
    crooked = profile_of(model, Walk(quiet.time_s, np.round(quiet.angles_deg + offsets, 2)))
    one = estimates(run(Pipeline(model, profile=straight), walk))
    other = estimates(run(Pipeline(model, profile=crooked), askew))
    assert len(one) == len(other) > 4
    for a, b in zip(one, other, strict=True):
        assert a.zero.startswith("standing")
        assert Flag.NO_ZERO not in a.flags
        for name, curve in a.moments_nm_per_kg.items():
            assert np.allclose(curve, b.moments_nm_per_kg[name], atol=0.05)


def test_a_zero_of_which_nothing_is_taken_out_is_none(model: Model, walk: Walk) -> None:
    assert model.card.zero is not None
    assert model.card.zero.strength == 0.0
    mean_deg = tuple(model.card.zero.stride_mean_deg)
    strides = Profile("strides", mean_deg, 10)
    for found in estimates(run(Pipeline(model, profile=strides), walk)):
        assert found.zero == "strides (10 strides)"
        assert Flag.NO_ZERO in found.flags
    # All the same it tells of a sensor on the wrong segment.
    with pytest.raises(ProfileError, match=r"hip_flexion_r is \+60 degrees"):
        Pipeline(model, profile=Profile("strides", (mean_deg[0] + 60.0, *mean_deg[1:]), 10))


def profile_of(model: Model, quiet: Walk) -> Profile:
    events = run(Pipeline(model, calibrate="standing"), quiet)
    return next(event for event in events if isinstance(event, Profile))


@pytest.mark.parametrize("method", ["standing", "strides"])
def test_sensors_that_hang_make_no_zero(model: Model, method: Method) -> None:
    walk = synthetic_walk(20.0, stand_s=6.0, noise_deg=0.1)
    if method == "standing":  # it hangs, measures a moment, and hangs again
        for begins in range(0, 500, 100):
            walk.angles_deg[begins : begins + 99] = walk.angles_deg[begins]
    else:
        walk.angles_deg[:, 6] = 0.0
    pipeline = Pipeline(model, calibrate=method)
    assert not any(isinstance(event, Profile) for event in run(pipeline, walk))


@pytest.mark.parametrize("channel", range(10))
def test_no_zero_is_measured_while_one_joint_moves(model: Model, channel: int) -> None:
    walk = synthetic_walk(8.0, stand_s=60.0, noise_deg=0.1)
    walk.angles_deg[:, channel] += 5.0 * np.sin(np.pi * walk.time_s)
    pipeline = Pipeline(model, calibrate="standing")
    assert not any(isinstance(event, Profile) for event in run(pipeline, walk))


@pytest.mark.parametrize("how", ["gap", "port"])
def test_no_zero_is_measured_across_an_interruption(model: Model, how: str) -> None:
    """Sensors that were away may have been put on anew."""
    walk = synthetic_walk(8.0, stand_s=60.0, noise_deg=0.1)
    walk.angles_deg[250:] += 1.0
    samples = list(walk.samples())
    pipeline = Pipeline(model, calibrate="standing")
    events = [event for sample in samples[:200] for event in pipeline.feed_sample(sample)]
    if how == "port":
        events += pipeline.feed(PortOpened(samples[250].received_ns, "back"))
        samples[250:] = [replace(s, time_s=s.time_s - 0.49) for s in samples[250:]]
    events += [event for sample in samples[250:] for event in pipeline.feed_sample(sample)]
    (profile,) = (event for event in events if isinstance(event, Profile))
    assert profile.count == 301
    assert profile.mean_deg == pytest.approx(walk.angles_deg[250:551].mean(axis=0), abs=0.02)


def bent(hip: float, knee: float, sides: str = "lr") -> Walk:
    """Return somebody who keeps a posture for 4 s, and stands upright after that."""
    walk = synthetic_walk(10.0, stand_s=60.0, noise_deg=0.2)
    for side in sides:
        hip_at, _, _, knee_at, _ = angles_of("l" if side == "l" else "r")
        walk.angles_deg[:400, [hip_at, knee_at]] += hip, knee
    return walk


@pytest.mark.parametrize("posture", [(35.0, 40.0, "lr"), (40.0, 80.0, "lr"), (0.0, 40.0, "l")])
def test_a_zero_is_refused_of_who_does_not_stand(
    model: Model, posture: tuple[float, float, str]
) -> None:
    pipeline = Pipeline(model, sample_model=load_model("hip-sample"), calibrate="standing")
    walk = bent(*posture)
    samples = list(walk.samples())
    far = r"(hip_flexion|knee_angle)_[lr] is \+\d\d degrees from how people stand: stand upright"
    with pytest.raises(ProfileError, match=far):
        run(pipeline, walk)
    # Nothing of it is in use, and what goes on can be saved, and stand better.
    assert pipeline.zero == "none"
    for estimator in (pipeline.estimators.by_cycle, pipeline.estimators.by_sample):
        assert estimator is not None
        assert (estimator.zero.text, estimator.zero.is_missed) == ("none", True)
        assert not estimator.zero.offset_deg.any()
    other = Pipeline(model, sample_model=load_model("hip-sample"), calibrate="standing")
    snapshot.restore(other, snapshot.save(pipeline))
    assert snapshot.save(other) == snapshot.save(pipeline)
    (profile,) = (
        event
        for sample in samples[310:]
        for event in other.feed_sample(sample)
        if isinstance(event, Profile)
    )
    assert np.abs(profile.mean_deg).max() < 0.2
    assert other.zero.startswith("standing")


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("method", "angle", "off_deg"),
    [
        ("standing", "hip_adduction_l", 50.0),
        ("standing", "hip_flexion_l", 30.0),
        ("strides", "hip_adduction_l", 50.0),
        ("strides", "knee_angle_r", 50.0),
    ],
)
def test_a_sensor_on_the_wrong_segment_makes_no_zero(
    model: Model, method: Method, angle: str, off_deg: float, sign: int
) -> None:
    zero = model.card.zero
    assert zero is not None
    mean_deg = list(zero.standing_deg if method == "standing" else zero.stride_mean_deg)
    mean_deg[ANGLES.index(angle)] += sign * off_deg
    with pytest.raises(ProfileError, match=rf"{angle} is \{sign * off_deg:+.0f} degrees from"):
        Pipeline(model, profile=Profile(method, tuple(mean_deg), 10))


@pytest.mark.parametrize(("own", "at_once"), [(True, 1), (False, 1), (False, 20), (False, 600)])
def test_a_zero_that_is_refused_costs_no_sample_and_no_event(own: bool, at_once: int) -> None:
    """Whatever came with it in one piece."""
    walk = bent(35.0, 40.0)
    samples = list(walk.samples())[:600]
    each = walk.chunks()
    chunks = [
        Chunk(joined(c.data for c in each[i : i + at_once]), each[i].received_ns)
        for i in range(0, 600, at_once)
    ]

    def made(calibrate: Method | None) -> tuple[list[str], int]:
        sample_model = load_model("hip-sample")
        cues = [parse_cue("glmed_r > -1 N/kg")]
        pipeline = Pipeline(None, sample_model=sample_model, cues=cues, calibrate=calibrate)
        events: list[Event] = []
        refused = 0
        calls = map(pipeline.feed_sample, samples) if own else map(pipeline.feed, chunks)
        for _ in samples if own else chunks:
            try:
                events += next(calls)
            except ProfileError:
                refused += 1
        return told(events + pipeline.feed(Chunk(b"", each[600].received_ns))), refused

    plain, calibrating = made(None), made("standing")
    assert calibrating == (plain[0], 1)
    assert len(plain[0]) > 600


def test_a_stream_gives_all_that_came_with_a_zero_that_is_refused() -> None:
    chunks = bent(35.0, 40.0).chunks()[:400]
    piece = Chunk(joined(chunk.data for chunk in chunks), chunks[-1].received_ns)
    source = ListedSource([piece])
    stream = Stream(source, None, sample_model=load_model("hip-sample"), calibrate="standing")
    found: list[StreamEvent | None] = []
    with stream, pytest.raises(ProfileError, match="stand upright"):
        found.extend(stream)
    assert len([event for event in found if isinstance(event, HipSampleEstimate)]) == 400


def test_a_zero_measured_before_stays_where_the_next_is_refused(model: Model) -> None:
    straight = Profile("standing", (1.0,) * 10, 300)
    pipeline = Pipeline(model, profile=straight, calibrate="standing")
    assert pipeline.estimators.by_cycle is not None
    offset_deg = pipeline.estimators.by_cycle.zero.offset_deg.tolist()
    with pytest.raises(ProfileError, match="stand upright"):
        run(pipeline, bent(35.0, 40.0))
    assert pipeline.state.profile == straight
    assert pipeline.estimators.by_cycle.zero.offset_deg.tolist() == offset_deg
