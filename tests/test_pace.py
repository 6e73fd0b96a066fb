"""A device's clock against the arrival of its samples: what is told of it, and what is not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip import Pipeline, snapshot
from edgehip.cues import parse_cue
from edgehip.events import (
    DISTRUST,
    Chunk,
    CueChange,
    HipEstimate,
    HipSampleEstimate,
    JointAngleSample,
    LinkChange,
    LinkState,
)
from edgehip.model import load_model
from edgehip.pace import Pace
from edgehip.runtime import Stream
from edgehip.sinks.records import link_record
from tests.listed_source import ListedSource
from tests.sample_model import leaky_model
from tests.streams import Walk, synthetic_walk

RATE_HZ = 100.0


def told(device_s: np.ndarray, arrival_s: np.ndarray) -> list[tuple[float, str]]:
    """Return what is told of samples, and when they had arrived."""
    pace = Pace()
    arrival_s = np.maximum.accumulate(arrival_s)  # none overtakes another
    news = []
    for at_s, host_s in zip(device_s.tolist(), arrival_s.tolist(), strict=True):
        one = pace.feed(at_s, round(host_s * 1e9))
        if one is not None:
            news.append((host_s, one))
    return news


def arrivals(taken_s: np.ndarray, kind: str) -> np.ndarray:
    """Return when samples that were taken at some time on the host's clock arrive."""
    late_s: np.ndarray = np.random.default_rng(0).exponential(0.03, len(taken_s))
    if kind == "in bursts":
        late_s = np.ceil(taken_s / 1.5) * 1.5 - taken_s
    if kind == "after a backlog":  # which comes at once
        late_s += np.maximum(12.0 - taken_s, 0.0)
    if kind == "stalls":
        for begins_s in (7.0, 31.0, 33.5, 50.0):
            stalled = (taken_s > begins_s) & (taken_s < begins_s + 2.2)
            late_s[stalled] += begins_s + 2.2 - taken_s[stalled]
    if kind == "hesitates":
        late_s += (
            0.7
            * np.random.default_rng(1).random(len(taken_s) // 150 + 1).repeat(150)[: len(taken_s)]
        )
    if kind == "moves back":  # to a link of another delay
        late_s[taken_s > 20.0] += 5.0
    arrival_s: np.ndarray = taken_s + late_s
    return arrival_s


LINKS = ("steady", "in bursts", "after a backlog", "stalls", "hesitates", "moves back")


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("pace", [0.98, 1.0, 1.0002, 1.02])
def test_a_clock_that_keeps_pace_is_not_blamed_for_its_link(kind: str, pace: float) -> None:
    taken_s = np.arange(0.0, 120.0, 1 / RATE_HZ)
    assert told(1000.0 + pace * taken_s, arrivals(taken_s, kind)) == []


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("pace", [0.5, 0.7, 0.85, 1.2, 1.5, 2.0])
def test_a_clock_that_is_far_off_is_told_once_whatever_its_link(kind: str, pace: float) -> None:
    taken_s = np.arange(0.0, 120.0, 1 / RATE_HZ)
    news = told(pace * taken_s, arrivals(taken_s, kind))
    assert 1 <= len(news) <= 2  # it may be told to be off before it is known how far
    assert "nothing is to be acted upon" in news[-1][1]
    value = float(news[-1][1].split("go on ")[1].split()[0])
    assert value == pytest.approx(pace, rel=0.25)
    begins_s = 22.0 if kind == "moves back" else 12.0 if kind == "after a backlog" else 2.0
    assert news[-1][0] < begins_s + 2 * (6.0 + 3.0 / abs(pace - 1.0))


def test_a_clock_that_is_off_is_told_and_trusted() -> None:
    taken_s = np.arange(0.0, 120.0, 1 / RATE_HZ)
    for pace in (0.93, 1.07):
        ((_, news),) = told(pace * taken_s, arrivals(taken_s, "steady"))
        assert f"go on {pace:.2f} times as fast as its samples arrive" in news
        assert "acted" not in news


def test_a_clock_at_a_limit_is_not_told_again_and_again() -> None:
    taken_s = np.arange(0.0, 120.0, 1 / RATE_HZ)
    rate = np.where(taken_s < 40.0, 1.15, np.where(taken_s // 20.0 % 2 == 0.0, 1.09, 1.11))
    ((_, news),) = told(np.cumsum(rate) / RATE_HZ, taken_s)
    assert "nothing is to be acted upon" in news


def test_a_clock_that_keeps_pace_again_is_believed() -> None:
    taken_s = np.arange(0.0, 120.0, 1 / RATE_HZ)
    device_s = np.where(taken_s < 30.0, 1.5 * taken_s, taken_s + 15.0)
    first, last = told(device_s, arrivals(taken_s, "steady"))
    assert "1.50 times" in first[1]
    assert last[1] == "the device's clock keeps pace again"
    assert 30.0 < last[0] < 45.0


@pytest.mark.parametrize("pace", [4.0, 20.0, np.inf])
def test_what_comes_as_fast_as_it_can_has_no_pace(pace: float) -> None:
    device_s = np.arange(0.0, 600.0, 1 / RATE_HZ)
    assert told(device_s, device_s / pace) == []


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(0, 2**60)), max_size=60))
def test_no_times_raise(pairs: list[tuple[float, int]]) -> None:
    pace = Pace()
    for time_s, received_ns in pairs:
        pace.feed(time_s, received_ns)


def chunks(walk: Walk, host_s: Callable[[float], float]) -> list[Chunk]:
    times = [round(host_s(at) * 1e9) for at in walk.time_s.tolist()]
    return [Chunk(frame, at) for frame, at in zip(walk.frames(), times, strict=True)]


@pytest.mark.parametrize("cut", [None, 700, 1500])
def test_nothing_is_acted_upon_while_the_clock_is_far_off(cut: int | None) -> None:
    def fresh() -> Pipeline:
        cue = parse_cue("glmed_r > -1 N/kg")  # which every sample that is trusted switches on
        return Pipeline(load_model(), sample_model=leaky_model(), cues=[cue])

    walk = synthetic_walk(40.0, noise_deg=0.1)
    # For 20 s of its own time the device's clock runs 1.5 times as fast as the host's.
    given_chunks = chunks(walk, lambda at: at / 1.5 if at < 20.0 else at - 20.0 / 3.0)
    pipeline, events = fresh(), []
    for i, chunk in enumerate(given_chunks):
        if i == cut:
            saved = snapshot.save(pipeline)
            pipeline = fresh()
            snapshot.restore(pipeline, saved)
        events += pipeline.feed(chunk)
    off, again = (event for event in events if isinstance(event, LinkChange))
    assert (off.state, again.state) == (LinkState.LIVE, LinkState.LIVE)
    assert link_record(off)["detail"].startswith("the device's times go on 1.50 times as fast")
    estimates = [e for e in events if isinstance(e, HipSampleEstimate | HipEstimate)]
    between = [e for e in estimates if off.at_ns < e.received_ns < again.at_ns]
    assert any(isinstance(e, HipEstimate) for e in between)
    assert all(not DISTRUST.isdisjoint(e.flags) for e in between)
    after = [e for e in estimates if e.received_ns > again.at_ns]
    assert all(DISTRUST.isdisjoint(e.flags) for e in after)
    switched = [event.on for event in events if isinstance(event, CueChange)]
    assert switched == [True, False, True]


@pytest.mark.parametrize("cut", [None, 300, 2500])
@pytest.mark.parametrize("pace", [0.5, 1.0, 2.0])
def test_the_clock_of_a_programs_own_samples_is_held_against_when_they_came(
    pace: float, cut: int | None
) -> None:
    pipeline, events = Pipeline(None, sample_model=leaky_model()), []
    for i, sample in enumerate(synthetic_walk(30.0, noise_deg=0.1).samples()):
        if i == cut:
            saved = snapshot.save(pipeline)
            pipeline = Pipeline(None, sample_model=leaky_model())
            snapshot.restore(pipeline, saved)
        came_s = 1000.0 + sample.time_s / pace
        events += pipeline.feed_sample(replace(sample, received_ns=round(came_s * 1e9)))
    links = [event for event in events if isinstance(event, LinkChange)]
    assert [f"go on {pace:.2f} times" in event.detail for event in links] == [True] * (pace != 1.0)
    now = [event for event in events if isinstance(event, HipSampleEstimate)]
    assert any(e.trusted for e in now)
    assert {e.trusted for e in now[-500:]} == {pace == 1.0}


def test_a_programs_clock_that_begins_anew_is_not_held_against_what_was_before() -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    for i in range(4000):
        sample = JointAngleSample(i % 400 / RATE_HZ, (1.0 + i % 2,) * 10, i * 10_000_000)
        events = pipeline.feed_sample(sample)
        assert not any(isinstance(event, LinkChange) for event in events)


def test_a_clock_is_held_against_a_host_that_started_again() -> None:
    pace = Pace()
    for i in range(1000):
        assert pace.feed(i / RATE_HZ, round((5000.0 + i / RATE_HZ) * 1e9)) is None
    saved = pace.state
    pace = Pace()
    pace.state = saved
    news = [pace.feed(10.0 + 2.0 * i / RATE_HZ, i * 10_000_000) for i in range(1500)]
    (told_then,) = filter(None, news)
    assert "go on 2.00 times as fast" in told_then


@pytest.mark.parametrize(("pace", "state"), [(0.8, LinkState.STALE), (1.25, LinkState.LIVE)])
def test_news_of_a_clock_does_not_make_a_link_live_whose_samples_are_old(
    pace: float, state: LinkState
) -> None:
    items = chunks(synthetic_walk(30.0, noise_deg=0.1), lambda at: at / pace)
    with Stream(ListedSource(items), None, sample_model=leaky_model()) as stream:
        links = [event for event in stream if isinstance(event, LinkChange)]
        assert stream.link.state is state
    assert links[-1].state is state
    assert f"go on {pace:.2f} times" in links[-1].detail
