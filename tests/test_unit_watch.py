"""Angles in radians, which look like somebody who stands: recognised by the walk they make."""

from pathlib import Path

import numpy as np
import pytest

from edgehip import Pipeline, Stream, load_model, open_source, snapshot
from edgehip.cues import parse_cue
from edgehip.estimators.unit_watch import UnitWatch
from edgehip.events import CueChange, Flag, HipSampleEstimate, PortOpened
from edgehip.sinks.summary import summary_lines
from tests.sample_model import leaky_model
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk, synthetic_walk


def in_radians(walk: Walk) -> Walk:
    return Walk(walk.time_s, np.radians(walk.angles_deg))


def seen_s(walk: Walk) -> float | None:
    """Return when the angles are taken for radians."""
    watch = UnitWatch()
    for sample in walk.samples():
        watch.feed(sample)
        if watch.state.are_radians:
            return sample.time_s
    return None


@pytest.mark.parametrize("cadence_spm", [60.0, 80.0, 110.0, 160.0])
@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 500.0])
def test_a_walk_in_radians_is_seen_within_a_few_strides(cadence_spm: float, rate_hz: float) -> None:
    walk = synthetic_walk(20.0, cadence_spm=cadence_spm, rate_hz=rate_hz, noise_deg=0.2)
    at_s = seen_s(in_radians(walk))
    assert at_s is not None
    assert at_s < 2.0 + 7 * 60.0 / cadence_spm
    assert seen_s(walk) is None


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "within_s"),
    [("Sub01_EMGBaseline", 8.0), ("Sub04_EMGStiffKnee", 12.0), ("Sub07_CSBaseline", 7.0)],
)
def test_a_recorded_walk_in_radians_is_seen(name: str, within_s: float) -> None:
    walk = recorded_walk(name)
    at_s = seen_s(in_radians(walk))
    assert at_s is not None
    assert at_s < within_s
    assert seen_s(walk) is None


@pytest.mark.parametrize("noise_deg", [0.05, 0.3])
@pytest.mark.parametrize("sway_hz", [0.3, 0.7, 1.2])
@pytest.mark.parametrize("sway_deg", [0.1, 0.5, 1.0])
def test_the_sway_of_standing_is_no_walk_in_radians(
    noise_deg: float, sway_hz: float, sway_deg: float
) -> None:
    rng = np.random.default_rng(0)
    time_s = np.arange(0.0, 120.0, 0.01)
    ring = np.arange(0.0, 6.0, 0.01)
    ring = np.exp(-0.3 * 2 * np.pi * sway_hz * ring) * np.cos(2 * np.pi * sway_hz * ring)
    sway = np.stack([np.convolve(rng.normal(size=len(time_s)), ring) for _ in range(10)], axis=1)
    sway = sway[: len(time_s)] / sway.std(axis=0)
    angles_deg = sway_deg * sway + rng.normal(0.0, noise_deg, sway.shape)
    assert seen_s(Walk(time_s, angles_deg)) is None


@pytest.mark.parametrize(("hips", "knees"), [(0.3, 1.0), (3.0, 1.0), (1.0, 0.3), (1.0, 2.0)])
def test_a_rhythm_that_is_no_bodys_walk_is_none_in_radians(hips: float, knees: float) -> None:
    walk = synthetic_walk(20.0, noise_deg=0.1)
    walk.angles_deg[:, [0, 3]] *= hips
    walk.angles_deg[:, [6, 8]] *= knees
    assert seen_s(in_radians(walk)) is None


@pytest.mark.parametrize("cut", [None, 430, 500, 900])
def test_no_sample_in_radians_is_trusted(cut: int | None) -> None:
    def fresh() -> Pipeline:
        cue = parse_cue("glmed_r > -1 N/kg")  # which every sample that is trusted switches on
        return Pipeline(None, sample_model=leaky_model(), cues=[cue])

    walk = in_radians(synthetic_walk(20.0, noise_deg=0.1))
    walk.angles_deg[1500:] *= 180.0 / np.pi  # mended
    pipeline, events = fresh(), []
    for i, sample in enumerate(walk.samples()):
        if i == cut:
            saved = snapshot.save(pipeline)
            pipeline = fresh()
            snapshot.restore(pipeline, saved)
        events += pipeline.feed_sample(sample)
    at_s = seen_s(walk)
    assert at_s is not None
    foreign = [
        one.time_s
        for one in events
        if isinstance(one, HipSampleEstimate) and Flag.OUT_OF_RANGE in one.flags
    ]
    assert foreign[0] == pytest.approx(at_s, abs=0.015)
    assert [one for one in foreign if one < 14.99] == pytest.approx(
        np.arange(foreign[0], 14.99, 0.01)
    )
    assert foreign[-1] < 15.5
    off = [event.flags for event in events if isinstance(event, CueChange) and not event.on]
    assert off[0] == (Flag.OUT_OF_RANGE,)


@pytest.mark.parametrize("how", ["gap", "port"])
def test_what_interrupts_a_walk_in_radians_does_not_make_degrees_of_them(how: str) -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    walk = in_radians(synthetic_walk(14.0, noise_deg=0.1))
    samples = list(walk.samples())
    before = [event for sample in samples[:1000] for event in pipeline.feed_sample(sample)]
    if how == "port":
        pipeline.feed(PortOpened(samples[1000].received_ns, "back"))
    rest = samples[1000 if how == "port" else 1050 :]
    after = [event for sample in rest for event in pipeline.feed_sample(sample)]
    *_, last = (event for event in before if isinstance(event, HipSampleEstimate))
    told = [last, *(event for event in after if isinstance(event, HipSampleEstimate))]
    assert len(told) == 1 + len(rest)
    assert all(Flag.OUT_OF_RANGE in event.flags for event in told)


def test_another_device_may_send_radians_after_one_that_sent_degrees() -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    walk = synthetic_walk(20.0, noise_deg=0.1)
    walk.angles_deg[500:] = np.radians(walk.angles_deg[500:])
    samples = list(walk.samples())
    before = [event for sample in samples[:500] for event in pipeline.feed_sample(sample)]
    pipeline.feed(PortOpened(samples[500].received_ns, "another one is plugged in"))
    after = [event for sample in samples[500:] for event in pipeline.feed_sample(sample)]
    told = [
        [
            Flag.OUT_OF_RANGE in event.flags
            for event in events
            if isinstance(event, HipSampleEstimate)
        ]
        for events in (before, after)
    ]
    assert not any(told[0])
    assert all(told[1][800:])


def test_who_sends_radians_is_told_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "radians.csv"
    walk = in_radians(synthetic_walk(9.0, noise_deg=0.1))
    rows = np.column_stack([walk.time_s * 1000, walk.angles_deg])
    np.savetxt(path, rows, fmt=["%d", *["%.4f"] * 10], delimiter=",")
    source = open_source(f"replay:{path}?speed=max")
    with Stream(source, None, sample_model=load_model("hip-sample"), format="lines") as stream:
        list(stream)
        (hint,) = (one for one in summary_lines(stream.summary()) if one.startswith("hint"))
    assert "radians: they must be in degrees" in hint
