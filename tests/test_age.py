"""Samples that do not come, or are old when they do or are worked on, are not followed."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgehip import Pipeline, Stream, load_model
from edgehip.cues import parse_cue
from edgehip.events import (
    Chunk,
    CueChange,
    Fault,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    LinkChange,
    LinkState,
    PortLost,
    PortOpened,
    SourceItem,
)
from edgehip.link import LinkMonitor
from edgehip.runtime import StreamEvent
from tests.listed_source import ListedSource
from tests.sample_model import leaky_model
from tests.streams import synthetic_walk

WALK = synthetic_walk(24.0, stand_s=1.0, noise_deg=0.1)
ALWAYS = parse_cue("glmed_r > -1 N/kg")
PEAK = parse_cue("peak glmed_r > 1 N/kg")
S = 10**9


def over(link: Callable[[float], float]) -> list[Chunk]:
    """Return the walk's frames when a link gives them that needs so long at such a time."""
    return [
        replace(chunk, received_ns=S + round((t + link(t)) * 1e9))
        for t, chunk in zip(WALK.time_s.tolist(), WALK.chunks(), strict=True)
    ]


def events(items: list[SourceItem], *, live: bool = False) -> list[StreamEvent]:
    source = ListedSource(items, live=live)
    with Stream(
        source, load_model(), sample_model=leaky_model(), cues=[ALWAYS, PEAK], correct=False
    ) as stream:
        return [event for event in stream if event is not None]


def flagged(found: list[StreamEvent], flag: Flag = Flag.LINK_DOWN) -> list[tuple[float, bool]]:
    samples = [e for e in found if isinstance(e, HipSampleEstimate)]
    return [(e.time_s, flag in e.flags) for e in samples]


def test_a_link_that_falls_behind_is_not_followed_and_followed_again_when_it_is_back() -> None:
    found = events(list(over(lambda t: 3.0 if 8.0 <= t < 16.0 else 0.0)))
    assert all(old == (8.0 <= t < 16.0) for t, old in flagged(found))
    links = [e for e in found if isinstance(e, LinkChange)]
    # Nothing comes for three seconds; then old samples do; then those of now.
    assert [e.state for e in links] == ["live", "lost", "stale", "live"]
    assert "3.00 s old" in links[2].detail
    assert links[3].at_ns == S + 16 * S
    for cue in (0, 1):
        changes = [e for e in found if isinstance(e, CueChange) and e.cue == cue]
        assert [e.on for e in changes] == [True, False, True, False]  # and at the end
        assert changes[1].flags == (Flag.LINK_DOWN,)
        assert changes[1].received_ns <= S + 11.01 * S
        assert changes[2].time_s >= 16.0
    strides = [e for e in found if isinstance(e, HipEstimate)]
    assert {e.confirmed_s >= 8.0 and e.confirmed_s < 16.0 for e in strides} == {True, False}
    for e in strides:
        assert (Flag.LINK_DOWN in e.flags) == (8.0 <= e.confirmed_s < 16.0)


@pytest.mark.parametrize(
    ("silent_s", "between"), [(0.2, []), (0.3, ["stale"]), (1.9, ["stale"]), (2.1, ["lost"])]
)
def test_a_silent_link_is_stale_then_lost_and_holds_no_cue(
    silent_s: float, between: list[str]
) -> None:
    found = events(
        [c for c in over(lambda t: 0.0)[:1200] if not 8.0 <= c.received_ns / S - 1 < 8 + silent_s]
    )
    links = [e for e in found if isinstance(e, LinkChange)]
    assert [e.state for e in links] == ["live", *between, *["live"] * len(between)]
    assert all(f"no sample for {silent_s + 0.01:.2f} s" in e.detail for e in links[1:2])
    for cue in (0, 1):
        changes = [e for e in found if isinstance(e, CueChange) and e.cue == cue]
        off = [e.flags for e in changes if not e.on and e.time_s < 8.0]
        assert off == [(Flag.LINK_DOWN,)] * len(between)


def test_after_bad_news_of_a_device_the_next_sample_tells_that_the_link_is_live() -> None:
    link = LinkMonitor()
    link.sampled(1, 0)
    away = LinkChange(LinkState.STALE, 1, "the left leg sends nothing")
    assert link.news(away) == away
    back = link.news(LinkChange(LinkState.LIVE, 2, "the left leg is back"))
    assert back.state is LinkState.STALE
    live = link.sampled(1, 3)
    assert live is not None
    assert live.state is LinkState.LIVE


def test_a_device_that_says_nothing_at_first_is_told_once() -> None:
    silence: list[SourceItem] = [Chunk(b"\0", S + i * S // 2) for i in range(10)]
    walk = [replace(c, received_ns=c.received_ns + 5 * S) for c in over(lambda t: 0.0)[:100]]
    links = [e for e in events([*silence, *walk]) if isinstance(e, LinkChange)]
    assert [e.state for e in links] == ["waiting", "live"]
    assert links[0].detail == "no sample in the first 2.00 s"


def test_a_frame_that_came_late_is_not_lost() -> None:
    chunks = over(lambda t: 0.0)[:400]
    chunks[50:52] = chunks[51], chunks[50]
    del chunks[99]
    with Stream(ListedSource(chunks), None, sample_model=leaky_model()) as stream:
        list(stream)
        summary = stream.summary()
    assert (summary.frames_lost, summary.samples) == (1, 398)
    assert summary.loss_percent == pytest.approx(100 / 400)


def test_a_link_that_stays_behind_stays_stale() -> None:
    """Also when nothing is left of what it was before."""
    pipeline = Pipeline(None, sample_model=leaky_model())
    walk = synthetic_walk(100.0, rate_hz=50.0)
    old = []
    for chunk in walk.chunks():
        late_ns = 3 * S if chunk.received_ns >= 10 * S else 0
        for event in pipeline.feed(replace(chunk, received_ns=chunk.received_ns + late_ns)):
            if isinstance(event, HipSampleEstimate):
                old.append(Flag.LINK_DOWN in event.flags)
    assert old == [t >= 10.0 for t in walk.time_s]


def test_a_link_that_falls_behind_bit_by_bit_holds_no_cue() -> None:
    """Nor one that rests on the last stride, until the next."""
    pipeline = Pipeline(load_model(), sample_model=leaky_model(), cues=[ALWAYS, PEAK])
    found = [e for item in over(lambda t: 0.5 * max(0.0, t - 8.0)) for e in pipeline.feed(item)]
    late_s = next(t for t, old in flagged(list(found)) if old)
    assert 8.5 <= late_s < 8.55
    for cue in (0, 1):
        changes = [e for e in found if isinstance(e, CueChange) and e.cue == cue]
        assert [e.on for e in changes] == [True, False]
        assert (changes[1].time_s, changes[1].flags) == (late_s, (Flag.LINK_DOWN,))


@pytest.mark.parametrize("backlog_s", [1.0, 10.0])
@pytest.mark.parametrize("pace", [2.0, 10.0, 1000.0])
def test_what_waited_before_the_port_was_opened_makes_nothing_old(
    backlog_s: float, pace: float
) -> None:
    """Not what comes after, whose way is the fastest: that of the backlog itself nobody knows."""
    found = events(list(over(lambda t: max(0.0, backlog_s - t * (1 - 1 / pace)))))
    assert not any(old for _, old in flagged(found))


def test_bursts_of_a_link_are_no_delay() -> None:
    """Ten frames at once, as some radios give them."""
    bursts = [
        replace(chunk, received_ns=S + 10_000_000 * (10 * (i // 10) + 9))
        for i, chunk in enumerate(WALK.chunks())
    ]
    found = events(list(bursts))
    assert not any(old for _, old in flagged(found))
    assert [e.state for e in found if isinstance(e, LinkChange)] == ["live"]


@pytest.mark.parametrize("live", [True, False])
def test_what_waited_for_this_computer_is_as_old_but_a_replay_is_not(live: bool) -> None:
    past_ns = time.monotonic_ns() - 60 * S
    chunks = [replace(c, received_ns=past_ns + c.received_ns) for c in WALK.chunks()[:300]]
    found = events(list(chunks), live=live)
    assert [old for _, old in flagged(found)] == [live] * 300
    states = [e.state for e in found if isinstance(e, LinkChange)]
    assert states == (["stale"] if live else ["live"])


def test_a_backlog_is_worked_off_and_forgotten() -> None:
    waited_s = [0.0, 0.2, 0.26, 0.2, 0.13, 0.12, 0.2, 0.0]
    pipeline = Pipeline(
        None,
        sample_model=leaky_model(),
        cues=[ALWAYS],
        waited_ns=lambda received_ns: round(waited_s[received_ns // 10_000_000 - 50] * 1e9),
    )
    for sample in list(WALK.samples())[:50]:
        pipeline.feed_sample(replace(sample, received_ns=500_000_000))  # warms up
    told = [pipeline.feed_sample(sample) for sample in list(WALK.samples())[50:58]]
    assert [old for found in told for _, old in flagged(list(found))] == [
        # It does not flicker.
        *[False, False, True, True, True],
        *[False, False, False],
    ]
    changes = [e.on for found in told for e in found if isinstance(e, CueChange)]
    assert changes == [False, True]


def test_a_late_sample_of_numpy_numbers_is_as_old_as_any_other() -> None:
    pipeline = Pipeline(None, sample_model=leaky_model())
    samples = list(WALK.samples())[:2]
    late = replace(samples[0], time_s=np.float64(samples[0].time_s), late_ns=3 * S // 10)
    told = [pipeline.feed_sample(sample) for sample in (late, samples[1])]
    assert [old for found in told for _, old in flagged(list(found))] == [True, False]


def test_a_clock_that_stood_still_while_the_port_was_away_makes_nothing_old() -> None:
    first = over(lambda t: 0.0)[:800]
    again = over(lambda t: 5.0)[800:]
    away: list[SourceItem] = [PortLost(S + 8 * S, "gone"), PortOpened(S + 13 * S, "back")]
    found = events([*first, *away, *again])
    assert not any(old for _, old in flagged(found))
    assert [e.state for e in found if isinstance(e, LinkChange)][-1] is LinkState.LIVE


def test_a_delay_that_grew_is_counted_once() -> None:
    items = list(over(lambda t: 0.08 if t >= 12.0 else 0.0))
    with Stream(ListedSource(items), None, sample_model=leaky_model()) as stream:
        list(stream)
        summary = stream.summary()
    assert summary.faults == {str(Fault.DELAYED): 1}
    assert abs(summary.clock_drift_ppm) < 1.0
