"""Samples to estimates: whole strides only, the same however cut, saved and resumed anywhere."""

import contextlib
import hashlib
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip import Pipeline, Stream, load_model, open_source, parse_cue, snapshot
from edgehip.channels import ANGLES, MIRROR, angles_of
from edgehip.cycles import MAX_SAMPLES
from edgehip.errors import (
    ArgumentError,
    CueError,
    DeviceError,
    EdgehipError,
    ModelInputError,
    ProfileError,
    SnapshotError,
)
from edgehip.events import (
    BrokenCycle,
    Chunk,
    CueChange,
    Fault,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    Hop,
    InitialContact,
    JointAngleSample,
    LinkChange,
    LinkFault,
    PortLost,
    PortOpened,
    SourceItem,
)
from edgehip.lines import LineDecoder, TimeUnit
from edgehip.messages import Angles
from edgehip.model import Model
from edgehip.model_card import PersonalCard
from edgehip.pipeline import Event
from edgehip.runtime import StreamEvent
from edgehip.sinks.recorder import Recorder
from edgehip.sinks.summary import summary_lines
from edgehip.wire import encode
from edgehip.zero import Method, Profile
from tests.listed_source import ListedSource
from tests.sample_model import leaky_model
from tests.shared_data import needs_shared_data
from tests.streams import Walk, joined, recorded_walk, recut, synthetic_walk


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
    pipeline = Pipeline(model, sample_model=leaky_model())
    sample = JointAngleSample(0.0, (0.0,) * 10, 0)
    assert pipeline.sample_estimator is not None
    assert pipeline.agreement is not None
    estimate = pipeline.sample_estimator.feed(sample)
    for i in range(MAX_SAMPLES + 100):
        pipeline.cycles.add(replace(sample, time_s=i * 1e-6))
        pipeline.agreement.add(replace(estimate, time_s=i * 1e-6))
    assert len(pipeline.cycles.state.samples) == MAX_SAMPLES
    assert len(pipeline.agreement.state.recent) == MAX_SAMPLES


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


@pytest.mark.parametrize("time_s", [math.nan, math.inf, -math.inf, 2.5e14, -1e10])
def test_a_time_that_is_none_is_a_fault_and_nothing_is_trusted_for_it(time_s: float) -> None:
    cues = [parse_cue("glmed_r > -1 N/kg")]
    pipeline = Pipeline(None, sample_model=leaky_model(), cues=cues)
    angles = (1.0,) * 10
    for _ in range(3):
        assert pipeline.feed_sample(JointAngleSample(time_s, angles, 0)) == [
            LinkFault(Fault.BAD_VALUE, 1, 0)
        ]
    events = [
        event
        for i in range(60)
        for event in pipeline.feed_sample(
            JointAngleSample(time_s if i == 40 else i / 100, (1.0 + i % 2,) * 10, 0)
        )
    ]
    now = [event for event in events if isinstance(event, HipSampleEstimate)]
    assert [Flag.WARMING_UP in e.flags for e in now] == [True] * 20 + [False] * 39
    assert [e.time_s for e in now if Flag.SAMPLES_LOST in e.flags] == [0.0, 0.41]
    assert [e.on for e in events if isinstance(e, CueChange)] == [True]


@pytest.mark.parametrize("begin_s", [1e9, 2.5e14, -2.5e14])
def test_times_so_large_that_small_steps_are_none_end(begin_s: float) -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    for i in range(20):
        sample = JointAngleSample(begin_s + i / 32, (1.0 + i % 2,) * 10, i * 10_000_000)
        events = pipeline.feed_sample(sample)
        assert any(isinstance(e, HipSampleEstimate) for e in events) == (begin_s == 1e9)


def test_a_host_clock_that_leaps_by_ages_ends_nothing_for_ever() -> None:
    """A recording may claim so; a device's time goes on by the host's where its own leapt."""
    pipeline, events = Pipeline(None, sample_model=leaky_model()), list[Event]()
    for i in range(20):
        frame = encode(Angles((1.0 + i % 2,) * 10), i, 31_250 * max(i - 1, 0))
        came_ns = 240_737_488_355_328 * 10**9 + 31_250_000 * i if i else 0
        events += pipeline.feed(Chunk(frame, came_ns))
    faults = [e.fault for e in events if isinstance(e, LinkFault)]
    assert faults == [Fault.CLOCK_JUMP, *[Fault.BAD_VALUE] * 19]
    assert sum(isinstance(e, HipSampleEstimate) for e in events) == 1


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


def test_a_sample_given_again_or_too_late_is_counted_and_changes_nothing(
    model: Model, walk: Walk
) -> None:
    samples = list(walk.samples())
    often: list[JointAngleSample] = []
    for i, sample in enumerate(samples):
        often += [sample] if i % 40 else [sample, sample]
        if i % 50 == 49:
            often.append(samples[i - 5])
    one, other = Pipeline(model), Pipeline(model)
    expected = [event for sample in samples for event in one.feed_sample(sample)]
    events = [event for sample in often for event in other.feed_sample(sample)]
    faults = [event.fault for event in events if isinstance(event, LinkFault)]
    assert Counter(faults) == {"duplicate": 20, "reordered": 16}
    assert told([e for e in events if not isinstance(e, LinkFault)]) == told(expected)
    assert len(estimates(expected)) > 5


def test_a_clock_that_goes_back_far_begins_anew(model: Model, walk: Walk) -> None:
    samples = list(walk.samples())
    pipeline = Pipeline(model)
    for sample in samples[:400]:
        pipeline.feed_sample(sample)
    events = [e for sample in samples[250:] for e in pipeline.feed_sample(sample)]
    assert [e.fault for e in events if isinstance(e, LinkFault)] == ["restart"]
    for side in ("l", "r"):
        first = next(estimate for estimate in estimates(events) if estimate.side == side)
        assert Flag.FIRST_AFTER_GAP in first.flags
        assert first.start_s > samples[250].time_s


@pytest.mark.parametrize(
    ("how", "for_s"),
    [("put back", 0.08), ("put back", 0.9), ("stood still", 0.07), ("stood still", 0.9)],
)
def test_what_a_clock_does_not_tell_of_lies_in_no_estimate_that_is_trusted(
    model: Model, how: str, for_s: float
) -> None:
    """Put back by a time server, say: by their times, samples go on where they were."""
    walk = synthetic_walk(12.0, stand_s=0.5)
    pipeline = Pipeline(model, sample_model=leaky_model())
    began_s = walk.time_s[600]

    def by_that_clock(sample: JointAngleSample) -> JointAngleSample:
        since_s = sample.time_s - began_s
        if since_s < 0.0:
            return sample
        off_s = for_s if how == "put back" else min(since_s + 0.01, for_s)
        return replace(sample, time_s=sample.time_s - off_s)

    before, after = (
        [event for sample in part for event in pipeline.feed_sample(by_that_clock(sample))]
        for part in (list(walk.samples())[:600], list(walk.samples())[600:])
    )
    faults = [event.fault for event in after if isinstance(event, LinkFault)]
    assert faults[-1] == Fault.RESTART
    assert set(faults[:-1]) <= {Fault.REORDERED, Fault.DUPLICATE}
    assert any(estimate.trusted for estimate in estimates(before))
    for side in ("l", "r"):
        first = next(estimate for estimate in estimates(after) if estimate.side == side)
        assert Flag.FIRST_AFTER_GAP in first.flags
    now = [event for event in after if isinstance(event, HipSampleEstimate)]
    assert [Flag.WARMING_UP in e.flags for e in now[:21]] == [True] * 20 + [False]


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


def test_a_stream_that_was_closed_tells_nothing_of_its_device(model: Model) -> None:
    with Stream(open_source("loop://"), model) as stream:
        for _ in stream:  # as from another thread, while nothing has come
            stream.close()


def test_there_is_one_device_or_one_at_each_leg() -> None:
    with pytest.raises(ArgumentError, match="1 or 2 devices, one at each leg, not 3"):
        Pipeline(None, sample_model=leaky_model(), devices=3)


def test_without_a_model_there_is_nothing_to_do() -> None:
    with pytest.raises(ArgumentError, match="neither a model nor a sample_model"):
        Pipeline(None)
    with pytest.raises(CueError, match="looks at every cycle"):
        Pipeline(None, sample_model=leaky_model(), cues=[parse_cue("peak glmed_r > 1 N/kg")])


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


def as_lines(walk: Walk, names: list[str]) -> list[bytes]:
    """The walk as a device prints it that has its columns in another order."""
    places = [ANGLES.index(name) for name in names]
    rows = zip(walk.time_s.tolist(), walk.angles_deg[:, places].tolist(), strict=True)
    texts = (",".join(f"{number:.2f}" for number in [1000 * t, *angles]) for t, angles in rows)
    return [f"{text}\n".encode() for text in texts]


LEFT_FIRST = [ANGLES[place] for place in MIRROR]
HEADER = ",".join(["time_ms", *LEFT_FIRST]).encode() + b"\n"


def test_columns_that_were_others_are_a_beginning(model: Model) -> None:
    """A header that comes late: all that was before it was read in another order."""
    walk = synthetic_walk(14.0, stand_s=0.5)
    lines = as_lines(walk, LEFT_FIRST)
    cues = [parse_cue("glmed_r > -1 N/kg")]
    pipeline = Pipeline(model, sample_model=leaky_model(), cues=cues, decoder=LineDecoder)
    times_ns = (walk.time_s * 1e9).round().astype(int).tolist()
    chunks = [Chunk(line, t_ns) for line, t_ns in zip(lines, times_ns, strict=True)]
    before = [event for chunk in chunks[:777] for event in pipeline.feed(chunk)]
    at_header = pipeline.feed(Chunk(HEADER, times_ns[777]))
    after = [event for chunk in chunks[777:] for event in pipeline.feed(chunk)]
    assert len(estimates(before)) > 5
    assert [e.on for e in before if isinstance(e, CueChange)][-1] is True
    assert [e.fault for e in at_header if isinstance(e, LinkFault)] == ["columns"]
    assert [e.on for e in at_header if isinstance(e, CueChange)] == [False]
    assert not any(isinstance(e, LinkFault) for e in after)
    for side in ("l", "r"):
        first = next(e for e in estimates(after) if e.side == side)
        assert first.start_s > 7.76
        assert Flag.FIRST_AFTER_GAP in first.flags
    now = [e for e in after if isinstance(e, HipSampleEstimate)]
    assert [Flag.WARMING_UP in e.flags for e in now[:20]] == [True] * 20
    # From there on it is the walk as it was meant.
    clean = estimates(run(Pipeline(model), walk))
    ends_s = [(e.side, round(e.end_s, 2)) for e in estimates(after)]
    assert len(ends_s) > 5
    assert set(ends_s) <= {(e.side, round(e.end_s, 2)) for e in clean}


def test_a_header_that_is_only_repeated_changes_nothing(model: Model, walk: Walk) -> None:
    lines = [HEADER, *as_lines(walk, LEFT_FIRST)]
    repeated = [part for line in lines for part in (line, HEADER)]
    once, often = Pipeline(model, decoder=LineDecoder), Pipeline(model, decoder=LineDecoder)
    expected = estimates(once.feed(Chunk(b"".join(lines), 0)))
    assert len(expected) > 5
    assert told(list(estimates(often.feed(Chunk(b"".join(repeated), 0))))) == told(list(expected))


def test_a_zero_measured_by_other_columns_is_measured_anew(model: Model) -> None:
    still = synthetic_walk(9.0, stand_s=9.0, noise_deg=0.1)
    walk = Walk(still.time_s, still.angles_deg + np.arange(10))
    lines = as_lines(walk, LEFT_FIRST)
    pipeline = Pipeline(model, calibrate="standing", decoder=LineDecoder)
    sent = b"".join([*lines[:400], HEADER, *lines[400:]])
    wrong, right = (e for e in pipeline.feed(Chunk(sent, 0)) if isinstance(e, Profile))
    mean_deg = walk.angles_deg[400:700].mean(axis=0)
    assert right.mean_deg == pytest.approx(mean_deg, abs=0.05)
    assert wrong.mean_deg != pytest.approx(mean_deg, abs=0.05)
    assert pipeline.state.profile == right


def test_other_columns_are_news_of_the_link(model: Model, tmp_path: Path) -> None:
    walk = synthetic_walk(4.0, stand_s=0.5)
    lines = as_lines(walk, LEFT_FIRST)
    path = tmp_path / "walk.csv"
    path.write_bytes(b"".join([*lines[:200], HEADER, *lines[200:]]))
    with Stream(open_source(f"replay:{path}?speed=max"), model, format="lines") as stream:
        news = [event for event in stream if isinstance(event, LinkChange)]
        assert stream.summary().faults == {"columns": 1}
    assert [change.state for change in news] == ["live", "live", "stale", "live"]
    assert "other columns" in news[2].detail


def test_lines_whose_columns_nobody_named_are_told_once(model: Model, tmp_path: Path) -> None:
    """A port opened on a running device misses the header that it printed when it began."""
    lines = as_lines(synthetic_walk(4.0, stand_s=0.5), LEFT_FIRST)
    path = tmp_path / "walk.csv"

    def told_of(content: list[bytes], unit: TimeUnit = "ms") -> tuple[list[str], list[str]]:
        path.write_bytes(b"".join(content))
        source = open_source(f"replay:{path}?speed=max", time_unit=unit)
        with Stream(source, model, format="lines", time_unit=unit) as stream:
            news = [event.detail for event in stream if isinstance(event, LinkChange)]
            return news, summary_lines(stream.summary())

    news, summed_up = told_of(lines)
    assert len(news) == 2
    assert f"no header came, so lines are read as time_ms,{','.join(ANGLES)}; if" in news[1]
    assert [line for line in summed_up if line.startswith("columns")] == [f"columns    {news[1]}"]
    news, summed_up = told_of([b"IMU ready\n", HEADER, *lines])
    assert news == ["samples are coming"]
    assert not any(line.startswith("columns") for line in summed_up)
    (_, unsaid), _ = told_of(lines[:5], "us")
    assert "read as time_us," in unsaid


def test_who_resumes_is_not_told_again_as_what_lines_are_read(model: Model) -> None:
    lines = as_lines(synthetic_walk(1.0, stand_s=0.5), LEFT_FIRST)
    first, second = (Pipeline(model, decoder=LineDecoder) for _ in range(2))
    (told,) = (e for e in first.feed(Chunk(lines[0], 0)) if isinstance(e, LinkChange))
    assert "no header came" in told.detail
    snapshot.restore(second, snapshot.save(first))
    rest = [*second.feed(PortOpened(1, "again")), *second.feed(Chunk(b"".join(lines[1:]), 2))]
    assert second.state.samples > 90
    assert not any(isinstance(event, LinkChange) for event in rest)


@pytest.mark.parametrize("ends", ["source", "stop", "error"])
def test_no_cue_outlives_its_stream(model: Model, tmp_path: Path, ends: str) -> None:
    walk = synthetic_walk(3.0, stand_s=0.5)
    lines = as_lines(walk, list(ANGLES))
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
    for estimator in (pipeline.estimator, pipeline.sample_estimator):
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
    assert pipeline.estimator is not None
    offset_deg = pipeline.estimator.zero.offset_deg.tolist()
    with pytest.raises(ProfileError, match="stand upright"):
        run(pipeline, bent(35.0, 40.0))
    assert pipeline.state.profile == straight
    assert pipeline.estimator.zero.offset_deg.tolist() == offset_deg


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
    assert pipeline.estimator is not None
    assert not pipeline.estimator.zero.offset_deg.any()


def test_what_lies_outside_the_training_range_is_named(model: Model, walk: Walk) -> None:
    bent = walk.angles_deg.copy()
    bent[:, 6] += 90.0  # the right knee
    found = estimates(run(Pipeline(model), Walk(walk.time_s, bent)))
    assert len(found) > 4
    for estimate in found:
        assert Flag.OUT_OF_RANGE in estimate.flags
        assert "knee_angle_r" in estimate.out_of_range
        assert "knee_angle_l" not in estimate.out_of_range


def test_a_sample_model_does_not_pass_for_a_cycle_model(model: Model) -> None:
    card = replace(model.card, kind="sample")
    with pytest.raises(ModelInputError, match=r"--sample-model .*kind 'cycle'"):
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
    with Stream(source, None, sample_model=leaky_model()) as stream:
        assert any(isinstance(event, InitialContact) for event in stream)  # looks no further
        assert source.ended is False
        for _ in stream:
            pass
    assert stream.pipeline.state.samples == len(walk)
    assert stream.summary().samples == len(walk)


def test_who_leaves_a_stream_and_comes_back_goes_on_with_the_next_event() -> None:
    def stream() -> Stream:
        chunks = recut(b"".join(_WALK.frames()), [9000])
        items: list[SourceItem] = [PortOpened(0, "x"), *chunks]
        cues = [parse_cue("peak glmed_r > 1 N/kg")]
        return Stream(ListedSource(items), _MODEL, sample_model=leaky_model(), cues=cues)

    def told(event: StreamEvent) -> tuple[str, str]:
        return type(event).__name__, str(getattr(event, "time_s", getattr(event, "end_s", "")))

    at_once = stream()
    expected = [told(event) for event in at_once if event is not None]
    assert {"CueChange", "HipEstimate", "HipSampleEstimate", "LinkChange"} <= {
        n for n, _ in expected
    }
    leaving, found = stream(), list[tuple[str, str]]()
    for _ in expected:
        for event in leaving:
            if event is not None:
                found.append(told(event))
                break
    assert found == expected
    assert not any(leaving)
    one, other = at_once.summary(), leaving.summary()
    assert one.cues_switched_on == 1
    assert (one.estimates, one.cues_switched_on, one.samples, one.faults) == (
        other.estimates,
        other.cues_switched_on,
        other.samples,
        other.faults,
    )
