"""Samples to estimates: whole strides only, the same however cut, saved and resumed anywhere."""

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import Pipeline, Stream, load_model, open_source, snapshot
from edgehip.cycles import MAX_SAMPLES
from edgehip.errors import ModelInputError, ProfileError, SnapshotError
from edgehip.events import (
    BrokenCycle,
    Chunk,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    Hop,
    InitialContact,
    JointAngleSample,
    LinkFault,
    PortLost,
    PortOpened,
)
from edgehip.model import Model
from edgehip.pipeline import Event
from edgehip.sinks.recorder import Recorder
from edgehip.zero import Profile
from tests.sample_model import leaky_model
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, recut, synthetic_walk


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def walk() -> Walk:
    return synthetic_walk(8.0, stand_s=1.0)


def told(events: list[Event]) -> list[str]:
    """Every digit of every event, but when its bytes arrived."""
    lines = []
    for event in events:
        if isinstance(event, HipEstimate):
            curves = [*event.moments_nm_per_kg.values(), *event.forces_n_per_kg.values()]
            digits = [curve.tobytes().hex() for curve in curves]
            lines.append(f"{event.side} {event.start_s!r} {event.end_s!r} {event.flags} {digits}")
        else:
            lines.append(str(event))
    return lines


def estimates(events: list[Event]) -> list[HipEstimate]:
    return [event for event in events if isinstance(event, HipEstimate)]


def run(pipeline: Pipeline, walk: Walk) -> list[Event]:
    return [event for sample in walk.samples() for event in pipeline.feed_sample(sample)]


@pytest.mark.parametrize(("rate_hz", "lost"), [(50.0, 2), (100.0, 5)])
def test_the_stated_number_of_lost_samples_is_always_bridged(
    model: Model, rate_hz: float, lost: int
) -> None:
    rng = np.random.default_rng(1)
    walk = synthetic_walk(20.0, stand_s=1.0, rate_hz=rate_hz)
    jitter_s = rng.integers(-500, 500, len(walk)) * 1e-6
    kept = np.arange(len(walk)) % 40 >= lost
    gappy = Walk((walk.time_s + jitter_s)[kept], walk.angles_deg[kept])
    events = run(Pipeline(model), gappy)
    assert len(estimates(events)) >= 20
    assert not [event for event in events if isinstance(event, BrokenCycle)]


def test_a_clock_that_crawls_fills_no_memory(model: Model) -> None:
    pipeline = Pipeline(model)
    for i in range(MAX_SAMPLES + 100):
        pipeline.cycles.add(JointAngleSample(i * 1e-6, (0.0,) * 10, 0))
    assert len(pipeline.cycles.state.samples) == MAX_SAMPLES


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


@settings(max_examples=15)
@given(st.lists(st.integers(0, 3000), max_size=30))
def test_bytes_cut_anywhere_give_the_same_estimates_bit_for_bit(sizes: list[int]) -> None:
    data = b"".join(_WALK.frames())
    whole = Pipeline(_MODEL).feed(Chunk(data, 0))
    pipeline = Pipeline(_MODEL)
    cut = [event for chunk in recut(data, sizes) for event in pipeline.feed(chunk)]
    assert told(cut) == told(whole)
    assert len(estimates(whole)) > 4


@settings(max_examples=15)
@given(st.integers(0, 800), st.sampled_from([None, "standing", "strides"]))
def test_a_state_saved_and_resumed_anywhere_changes_nothing(cut: int, calibrate: str) -> None:
    def fresh() -> Pipeline:
        return Pipeline(_MODEL, calibrate=calibrate)  # type: ignore[arg-type]

    chunks = _WALK.chunks()
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
    with pytest.raises(SnapshotError):
        snapshot.restore(pipeline, text)


def test_a_snapshot_makes_no_foreign_objects(model: Model) -> None:
    pipeline = Pipeline(model)
    text = snapshot.save(pipeline).replace("ReceiverState", "Popen")
    with pytest.raises(SnapshotError, match="damaged"):
        snapshot.restore(pipeline, text)


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
    with pytest.raises(SnapshotError, match="damaged"):
        snapshot.restore(pipeline, json.dumps(changed))
    assert snapshot.save(pipeline) == before


@pytest.mark.parametrize(("angle", "fault"), [(math.nan, "incomplete"), (400.0, "bad_value")])
def test_one_sample_that_cannot_be_does_not_end_all_strides(
    model: Model, walk: Walk, angle: float, fault: str
) -> None:
    samples = list(walk.samples())
    samples[400] = replace(samples[400], angles_deg=(angle,) * 10)
    pipeline = Pipeline(model)
    events = [event for sample in samples for event in pipeline.feed_sample(sample)]
    found = estimates(events)
    assert len(found) == len(estimates(run(Pipeline(model), walk)))
    assert [e.fault for e in events if isinstance(e, LinkFault)] == [fault]
    bridged = {e.samples_lost for e in found if e.start_s < walk.time_s[400] < e.end_s}
    assert bridged == {1}
    assert not any(np.isnan(c).any() for e in found for c in e.moments_nm_per_kg.values())


def test_times_that_go_back_begin_anew(model: Model, walk: Walk) -> None:
    samples = list(walk.samples())
    pipeline = Pipeline(model)
    for sample in samples[:400]:
        pipeline.feed_sample(sample)
    after = estimates([e for sample in samples[350:] for e in pipeline.feed_sample(sample)])
    for side in ("l", "r"):
        first = next(estimate for estimate in after if estimate.side == side)
        assert Flag.FIRST_AFTER_GAP in first.flags
        assert first.start_s > samples[350].time_s


def test_a_model_without_a_zero_cannot_be_calibrated(model: Model) -> None:
    card = replace(model.card, zero=None)
    with pytest.raises(ProfileError, match="takes no personal zero"):
        Pipeline(replace(model, card=card), calibrate="standing")


def test_a_device_whose_clock_stood_still_while_it_was_away_was_away(
    model: Model, walk: Walk
) -> None:
    """Its numbers and times go on as if nothing had been, but the walk went on without it."""
    kept = np.r_[0:430, 470:800]
    walk = Walk(walk.time_s[: len(kept)], walk.angles_deg[kept])
    before, after = walk.chunks()[:430], walk.chunks()[430:]
    back_ns = before[-1].received_ns + 3 * 10**9
    lost, back = PortLost(back_ns - 2 * 10**9, "gone"), PortOpened(back_ns, "back")
    later = [replace(chunk, received_ns=chunk.received_ns + 3 * 10**9) for chunk in after]
    pipeline = Pipeline(model, sample_model=leaky_model())
    items: list[Chunk | PortOpened | PortLost]
    items = [PortOpened(0, "here"), *before, lost, back, *later]
    events = [event for item in items for event in pipeline.feed(item)]
    assert not any(isinstance(event, LinkFault) for event in events)
    for side in ("l", "r"):
        first = next(e for e in estimates(events) if e.side == side and e.end_s > 4.3)
        assert first.start_s > 4.29
        assert Flag.FIRST_AFTER_GAP in first.flags
    now = [e for e in events if isinstance(e, HipSampleEstimate) and Flag.WARMING_UP in e.flags]
    assert [e.time_s for e in now if e.time_s > 1.0] == pytest.approx(np.arange(4.3, 4.495, 0.01))


def without(walk: Walk, gone: Callable[[float], bool]) -> list[JointAngleSample]:
    kept, lost = [], 0
    for sample in walk.samples():
        if gone(sample.time_s):
            lost += 1
            continue
        kept.append(JointAngleSample(sample.time_s, sample.angles_deg, sample.received_ns, lost))
        lost = 0
    return kept


def test_single_lost_samples_are_bridged_and_told(model: Model, walk: Walk) -> None:
    clean = estimates(run(Pipeline(model), walk))
    pipeline = Pipeline(model)
    samples = without(walk, lambda t: round(t * 100) % 20 == 7)
    bridged = estimates([e for s in samples for e in pipeline.feed_sample(s)])
    assert len(bridged) == len(clean)
    for one, other in zip(clean, bridged, strict=True):
        assert Flag.SAMPLES_LOST in other.flags
        assert other.samples_lost == pytest.approx(other.stride_s * 5, abs=1)
        for name, curve in one.moments_nm_per_kg.items():
            assert np.max(np.abs(curve - other.moments_nm_per_kg[name])) < 0.1


@pytest.mark.parametrize("gap_s", [0.08, 0.15, 0.6, 3.0])
def test_a_stride_with_a_gap_is_never_estimated(model: Model, gap_s: float) -> None:
    walk = synthetic_walk(14.0, stand_s=1.0)
    pipeline = Pipeline(model)
    samples = without(walk, lambda t: 5.0 < t < 5.0 + gap_s)
    events = [e for s in samples for e in pipeline.feed_sample(s)]
    for estimate in estimates(events):
        assert estimate.end_s <= 5.0 + 0.001 or estimate.start_s >= 5.0 + gap_s - 0.02
    if gap_s < 0.25:
        assert any(isinstance(event, BrokenCycle) for event in events)
    after = [e for e in estimates(events) if e.start_s > 5.0]
    assert Flag.FIRST_AFTER_GAP in after[0].flags
    # Walking is recognised again within two strides.
    assert min(e.start_s for e in after) < 5.0 + gap_s + 2 * after[0].stride_s


def test_a_pause_ends_a_stride_and_begins_anew(model: Model) -> None:
    walk = synthetic_walk(20.0, stand_s=1.0, walk_s=6.0, pause_s=4.0)
    found = estimates(run(Pipeline(model), walk))
    assert all(e.stride_s < 1.6 for e in found)
    firsts = [e for e in found if Flag.FIRST_AFTER_GAP in e.flags]
    assert len(firsts) == 4


def test_a_zero_takes_the_offset_out(model: Model, walk: Walk) -> None:
    """The same person with sensors mounted askew, calibrated standing, gets the same estimates."""
    askew = Walk(walk.time_s, np.round(walk.angles_deg + np.linspace(-8, 8, 10), 2))
    quiet = synthetic_walk(6.0, stand_s=6.0)
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


def test_what_lies_outside_the_training_range_is_named(model: Model, walk: Walk) -> None:
    bent = walk.angles_deg.copy()
    bent[:, 6] += 90.0  # the right knee
    events = run(Pipeline(model), Walk(walk.time_s, bent))
    for estimate in estimates(events):
        assert Flag.OUT_OF_RANGE in estimate.flags
        assert "knee_angle_r" in estimate.out_of_range
        assert "knee_angle_l" not in estimate.out_of_range


def test_a_sample_model_does_not_pass_for_a_cycle_model(model: Model) -> None:
    card = replace(model.card, kind="sample")
    with pytest.raises(ModelInputError, match=r"--sample-model; .*kind 'cycle'"):
        Pipeline(replace(model, card=card))


@needs_shared_data
def test_a_recorded_walk_gives_every_stride(model: Model) -> None:
    walk = recorded_walk()
    found = estimates(run(Pipeline(model), walk))
    # The force plates count 43 strides of each leg (see the recording's index).
    for side in ("l", "r"):
        assert 42 <= sum(e.side == side for e in found) <= 46


_MODEL = load_model()
_WALK = synthetic_walk(8.0, stand_s=1.0)


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


def test_who_leaves_a_stream_between_two_events_loses_no_sample(walk: Walk, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "walk.rec", {})
    for chunk in recut(b"".join(walk.frames()), [9000]):
        recorder.add(chunk)
    assert recorder.close() is None
    source = open_source(f"replay:{tmp_path}/walk.rec?speed=max")
    with Stream(source, None) as stream:
        assert any(isinstance(event, InitialContact) for event in stream)  # looks no further
        assert source.ended is False
        for _ in stream:
            pass
    assert stream.pipeline.state.samples == len(walk)
    assert stream.summary().samples == len(walk)
