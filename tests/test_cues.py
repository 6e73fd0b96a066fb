"""Cues: they switch at their threshold, and none is on, or stays on, without trust."""

import contextlib
import dataclasses
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehip import Pipeline, Stream, open_source, parse_cue, snapshot
from edgehip.channels import ANGLES, MUSCLES, SIDES, Side
from edgehip.cues import Cues
from edgehip.errors import ArgumentError, CueError, DeviceError, SnapshotError
from edgehip.events import (
    CueChange,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    InitialContact,
    JointAngleSample,
    PortLost,
)
from edgehip.model import Model
from tests.pipelines import estimates, run
from tests.receiving import HEADER
from tests.sample_model import leaky_model
from tests.streams import Walk, synthetic_walk


def estimate(value: float, time_s: float, *flags: Flag) -> HipSampleEstimate:
    moments = {"l": np.zeros(3, np.float32), "r": np.zeros(3, np.float32)}
    forces = {"l": np.zeros(14, np.float32), "r": np.zeros(14, np.float32)}
    forces["r"][10] = value
    return HipSampleEstimate(time_s, moments, forces, "none", flags, (), 0)  # type: ignore[arg-type]


def switched(text: str, values: list[float], step_s: float = 0.01) -> list[tuple[int, bool]]:
    cues = Cues([parse_cue(text)])
    told = []
    for i, value in enumerate(values):
        told += [(i, change.on) for change in cues.feed(estimate(value, i * step_s))]
    return told


def test_a_cue_switches_at_its_threshold() -> None:
    values = [0.0, 11.9, 12.1, 13.0, 11.9, 12.1]
    assert switched("glmed_r > 12 N/kg", values) == [(2, True), (4, False), (5, True)]
    assert switched("glmed_r < 12 N/kg", values) == [(0, True), (2, False), (4, True), (5, False)]


def test_hysteresis_holds_a_cue_on() -> None:
    values = [12.5, 11.5, 12.5, 10.9, 12.5]
    assert switched("glmed_r > 12 N/kg, hysteresis=1", values) == [(0, True), (3, False), (4, True)]
    values = [11.5, 12.5, 13.1, 12.5, 11.9]
    assert switched("glmed_r < 12 N/kg, hysteresis=1", values) == [(0, True), (2, False), (4, True)]


def test_a_cue_rests_after_it_went_off() -> None:
    values = [13.0, 0.0, 13.0, 13.0, 13.0, 13.0]
    text = "glmed_r > 12 N/kg, refractory_s=0.025"
    assert switched(text, values) == [(0, True), (1, False), (4, True)]


def test_a_cue_does_not_rest_until_a_clock_that_began_anew_is_where_it_was() -> None:
    cues = Cues([parse_cue("glmed_r > 12 N/kg, refractory_s=2")])
    for value, time_s in ((13.0, 1000.0), (0.0, 1000.5)):
        assert len(cues.feed(estimate(value, time_s))) == 1
    assert not cues.feed(estimate(13.0, 1002.0))
    assert [change.on for change in cues.feed(estimate(13.0, 1.0))] == [True]


@pytest.mark.parametrize("flag", [Flag.WARMING_UP, Flag.OUT_OF_RANGE])
def test_no_cue_stays_on_without_trust(flag: Flag) -> None:
    cues = Cues([parse_cue("glmed_r > 12 N/kg")])
    assert not cues.feed(estimate(20.0, 0.0, flag))
    assert [c.on for c in cues.feed(estimate(20.0, 0.01))] == [True]
    (off,) = cues.feed(estimate(20.0, 0.02, flag))
    assert not off.on
    assert off.flags == (flag,)
    assert [c.on for c in cues.feed(estimate(20.0, 0.03))] == [True]
    (off,) = cues.all_off(0.04, 0)
    assert off.flags == (Flag.LINK_DOWN,)
    assert not cues.feed(estimate(float("nan"), 0.05))


def test_newtons_need_the_body_mass() -> None:
    cue = parse_cue("glmed_r > 840 N, hysteresis=70", body_mass_kg=70.0)
    assert (cue.threshold, cue.hysteresis) == (12.0, 1.0)
    (on,) = Cues([cue]).feed(estimate(13.0, 0.0))
    assert on.value == pytest.approx(910.0)
    with pytest.raises(CueError, match="--body-mass"):
        parse_cue("glmed_r > 840 N")


@pytest.mark.parametrize("mass_kg", [-70.0, 0.0, math.nan, 1e6])
@pytest.mark.parametrize("text", ["peak glmed_r > 500 N", "glmed_r > 12 N/kg"])
def test_no_cue_is_of_a_body_that_nobody_has(text: str, mass_kg: float) -> None:
    with pytest.raises(ArgumentError, match=r"a body's mass is 5 to 350 kg|a finite number"):
        parse_cue(text, mass_kg)


@pytest.mark.parametrize(
    ("number", "threshold"),
    [("+12", 12.0), ("1e-1", 0.1), ("-1.5E+1", -15.0), (".5", 0.5), ("3.", 3.0)],
)
def test_a_cue_takes_numbers_as_they_are_written(number: str, threshold: float) -> None:
    cue = parse_cue(f"hip_flexion_l<{number}Nm/kg,hysteresis=+2e-1")
    assert (cue.threshold, cue.hysteresis) == (threshold, 0.2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "write it like"),
        ("glmed > 12 N/kg", "write it like"),
        ("glmed_r = 12 N/kg", "write it like"),
        ("glmed_r > 12", "write it like"),
        ("gluteus_r > 12 N/kg", "no output 'gluteus'"),
        ("glmed_r > 12 Nm/kg", "is in N/kg or N"),
        ("hip_flexion_l > 1 N/kg", "is in Nm/kg or Nm"),
        ("glmed_r > 12 N/kg, histeresis=1", "unknown 'histeresis'"),
        ("glmed_r > 1.2.3 N/kg", "'1.2.3' is no number"),
        ("glmed_r > 1e999 N/kg", "'1e999' is too large"),
        ("glmed_r > 1e N/kg", "write it like"),
        ("glmed_r >= 12 N/kg", "write '>' for '>='"),
        ("glmed_r <= 12 N/kg", "write '<' for '<='"),
        ("glmed_r > 12 N/kg, hysteresis=1, hysteresis=5", "hysteresis is there twice"),
        ("glmed_r > 12 N/kg, hysteresis=-1", "hysteresis is negative"),
    ],
)
def test_a_cue_that_is_not_understood_says_how_to_write_it(text: str, complaint: str) -> None:
    with pytest.raises(CueError, match=complaint):
        parse_cue(text)


def test_a_peak_cue_follows_strides_and_ends_with_the_walk(model: Model) -> None:
    cue = parse_cue("peak glmed_r > 3 N/kg")
    pipeline = Pipeline(model, cues=[cue])
    walk = synthetic_walk(14.0, stand_s=1.0, walk_s=6.0, pause_s=60.0)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    changes = [e for e in events if isinstance(e, CueChange)]
    assert [c.on for c in changes] == [True, False]
    assert changes[0].value > 3
    assert changes[1].flags == (Flag.NOT_WALKING,)
    # The first stride after a start is not trusted with a cue.
    strides = [e for e in events if isinstance(e, HipEstimate) and e.side == "r"]
    assert changes[0].time_s == strides[1].confirmed_s


@pytest.mark.parametrize("pause_s", [0.2, 0.5, 1.0])
def test_no_peak_cue_rests_on_a_stride_that_holds_a_stop(model: Model, pause_s: float) -> None:
    cue = parse_cue("peak glmed_r > 1 N/kg")
    pipeline = Pipeline(model, cues=[cue])
    walk = synthetic_walk(14.0, stand_s=1.0, walk_s=4.0, pause_s=pause_s)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    strides = [e for e in events if isinstance(e, HipEstimate) and e.side == "r"]
    stops = [place for place, stride in enumerate(strides) if stride.stride_s > 1.5]
    assert stops
    doubted = {0, *stops, *(place + 1 for place in stops)}
    for place, stride in enumerate(strides):
        assert (Flag.FIRST_AFTER_GAP in stride.flags) == (place in doubted)
    ons = [e.time_s for e in events if isinstance(e, CueChange) and e.on]
    trusted = [stride.confirmed_s for p, stride in enumerate(strides) if p not in doubted]
    assert set(ons) <= set(trusted)
    assert ons[0] == strides[1].confirmed_s


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("sign", "<>")
def test_a_cue_on_peaks_looks_at_the_extremes_of_its_own_hips_strides(
    model: Model, side: Side, sign: str
) -> None:
    threshold = 0.3 if sign == ">" else -0.3
    cue = parse_cue(f"peak hip_flexion_{side} {sign} {threshold} Nm/kg")
    pipeline, found = Pipeline(model, cues=[cue]), list[HipEstimate | CueChange]()
    for sample in synthetic_walk(8.0, stand_s=1.0).samples():
        events = pipeline.feed_sample(sample)
        found += [e for e in events if isinstance(e, HipEstimate | CueChange)]
    (on,) = (event for event in found if isinstance(event, CueChange))
    strides = [e for e in found if isinstance(e, HipEstimate) and e.side == side]
    first = next(e for e in strides if Flag.FIRST_AFTER_GAP not in e.flags)
    curve = first.moments_nm_per_kg["hip_flexion"]
    assert curve.min() < -0.3 < 0.3 < curve.max()
    assert (on.on, on.time_s) == (True, first.confirmed_s)
    assert on.value == pytest.approx(curve.max() if sign == ">" else curve.min())


def test_what_ends_one_foots_strides_leaves_the_other_foots_peak_cue_on(
    model: Model, walk: Walk
) -> None:
    cues = Cues([parse_cue(f"peak glmed_{side} > 1 N/kg") for side in SIDES])
    *_, last = walk.samples()
    strides = estimates(run(Pipeline(model), walk))[-2:]
    for stride in strides:
        assert [change.on for change in cues.feed(stride)] == [True]
    for place, side in enumerate(SIDES):
        (off,) = cues.peaks_off(side, Flag.OUT_OF_RANGE, last)
        assert (off.cue, off.on, off.flags) == (place, False, (Flag.OUT_OF_RANGE,))


def test_a_cue_looks_at_samples_or_at_strides(model: Model) -> None:
    """What only the other kind of estimate says switches nothing."""
    cues = [parse_cue("iliopsoas_r > 10 N/kg"), parse_cue("peak glmed_r > 15 N/kg")]
    pipeline = Pipeline(model, sample_model=leaky_model(), correct=False, cues=cues)
    walk = synthetic_walk(8.0, stand_s=1.0)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    strides = [e for e in events if isinstance(e, HipEstimate)]
    samples = [e for e in events if isinstance(e, HipSampleEstimate)]
    assert max(e.forces_n_per_kg["iliopsoas"].max() for e in strides) > 10.0
    assert max(e.forces_n_per_kg["r"][MUSCLES.index("glmed")] for e in samples) > 15.0
    assert not any(isinstance(e, CueChange) for e in events)


def test_a_cue_on_what_a_model_does_not_give_is_off(model: Model) -> None:
    cues = Cues([parse_cue("peak glmed_r > 1 N/kg")])
    pipeline = Pipeline(model)
    walk = synthetic_walk(8.0, stand_s=1.0)
    events = [e for sample in walk.samples() for e in pipeline.feed_sample(sample)]
    last = [e for e in events if isinstance(e, HipEstimate) and e.side == "r"][-1]
    (on,) = cues.feed(last)
    (off,) = cues.feed(dataclasses.replace(last, forces_n_per_kg={}))
    assert (on.on, off.on, off.flags) == (True, False, (Flag.OUT_OF_RANGE,))


@pytest.mark.parametrize("kind", ["slow", "gaps"])
def test_no_peak_cue_outlives_the_strides_it_rests_on(model: Model, kind: str) -> None:
    usual = synthetic_walk(30.0, stand_s=0.0)
    slow = synthetic_walk(30.0, cadence_spm=43, stand_s=0.0)
    angles_deg = usual.angles_deg.copy()
    if kind == "slow":  # from a contact of the right foot on steps are found, but no strides
        angles_deg[808:] = slow.angles_deg[383 : 383 + len(usual) - 808]
    kept = np.ones(len(usual), bool)
    if kind == "gaps":  # in every stride
        kept = (usual.time_s < 8.0) | (usual.time_s % 0.7 > 0.1)
    pipeline = Pipeline(model, cues=[parse_cue("peak glmed_r > 1 N/kg")])
    samples = Walk(usual.time_s[kept], angles_deg[kept]).samples()
    events = [e for sample in samples for e in pipeline.feed_sample(sample)]
    on, off = (e for e in events if isinstance(e, CueChange))
    assert on.on
    assert off.flags == ((Flag.OUT_OF_RANGE if kind == "slow" else Flag.FIRST_AFTER_GAP),)
    assert 8.0 < off.time_s < 12.5
    assert any(isinstance(e, InitialContact) and e.time_s > 25.0 for e in events)


@pytest.mark.parametrize(
    "others",
    [
        ["glmed_r > 12 N/kg"],
        ["glmed_r > 12 N/kg", "glmed_l > 11 N/kg"],
        ["glmed_l > 12 N/kg", "glmed_r > 12 N/kg"],
        [],
    ],
)
def test_a_cue_that_is_on_is_never_resumed_as_another(others: list[str]) -> None:
    def pipeline(texts: list[str]) -> Pipeline:
        return Pipeline(None, sample_model=leaky_model(), cues=[parse_cue(t) for t in texts])

    texts = ["glmed_r > 12 N/kg", "glmed_l > 12 N/kg"]
    first = pipeline(texts)
    first.cues.state.cues[0].on = True
    saved = snapshot.save(first)
    other = pipeline(others)
    before = snapshot.save(other)
    with pytest.raises(SnapshotError, match="other cues"):
        snapshot.restore(other, saved)
    assert snapshot.save(other) == before
    same = pipeline(texts)
    snapshot.restore(same, saved)
    assert snapshot.save(same) == saved


def test_a_cue_in_newtons_is_not_resumed_for_another_body() -> None:
    light, heavy = (
        Pipeline(None, sample_model=leaky_model(), cues=[parse_cue("glmed_r > 800 N", mass_kg)])
        for mass_kg in (50.0, 100.0)
    )
    with pytest.raises(SnapshotError, match="other cues"):
        snapshot.restore(heavy, snapshot.save(light))


def test_no_cue_stays_on_when_the_port_is_lost(walk: Walk) -> None:
    cues = [parse_cue("glmed_r > -1 N/kg")]
    pipeline = Pipeline(None, sample_model=leaky_model(), cues=cues)
    for chunk in walk.chunks()[:300]:
        pipeline.feed(chunk)
    (off,) = pipeline.feed(PortLost(3_000_000_000, "unplugged"))
    assert isinstance(off, CueChange)
    assert (off.on, off.flags) == (False, (Flag.LINK_DOWN,))


@pytest.mark.parametrize(
    ("spoilt", "is_told_ns"),
    [
        ({"angles_deg": (math.nan,) * 10}, True),
        ({"angles_deg": (math.nan,) * 10}, False),
        ({"angles_deg": (999.0,) * 10}, True),
        ({"time_s": math.nan}, True),
        ({"time_s": 0.99}, True),
        ({"time_s": 0.5}, True),
    ],
)
def test_no_cue_stays_on_while_samples_come_that_are_of_no_use(
    spoilt: dict[str, Any], is_told_ns: bool
) -> None:
    cues = [parse_cue("glmed_r > -1 N/kg")]
    pipeline = Pipeline(None, sample_model=leaky_model(), cues=cues)
    switched: list[tuple[float, bool]] = []
    for i in range(200):
        received_ns = round(i * 1e7) if is_told_ns else 0
        sample = JointAngleSample(i / 100, (1.0 + i % 2,) * 10, received_ns)
        if i >= 100:
            sample = replace(sample, **spoilt)
        events = pipeline.feed_sample(sample)
        switched += [(i / 100, event.on) for event in events if isinstance(event, CueChange)]
    assert switched == [(0.2, True), (pytest.approx(1.24), False)]


@pytest.mark.parametrize("ends", ["source", "stop", "error"])
def test_no_cue_outlives_its_stream(model: Model, tmp_path: Path, ends: str) -> None:
    walk = synthetic_walk(3.0, stand_s=0.5)
    lines = walk.lines(list(ANGLES))
    if ends == "error":
        lines.insert(200, HEADER.replace(b"time_ms", b"time"))
    (tmp_path / "walk.csv").write_bytes(b"".join(lines))
    source = open_source(f"replay:{tmp_path / 'walk.csv'}?speed=max")
    cues = [parse_cue("glmed_r > -1 N/kg"), parse_cue("glmed_l > 999 N/kg")]
    changes = []
    with Stream(source, None, sample_model=leaky_model(), cues=cues, format="lines") as stream:
        refused = pytest.raises(DeviceError, match="names no unit")
        with refused if ends == "error" else contextlib.nullcontext():
            for event in stream:
                if isinstance(event, CueChange):
                    changes.append(event)
                    if ends == "stop":
                        stream.stop()
        last = stream.pipeline.state.last_sample_s
    assert [(change.cue, change.on) for change in changes] == [(0, True), (0, False)]
    assert (changes[-1].time_s, changes[-1].flags) == (last, (Flag.LINK_DOWN,))
