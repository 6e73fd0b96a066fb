"""What a stream gives up as never going to be of use, and what it must not take for that."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from edgehip import Stream, load_model, parse_cue, runtime
from edgehip.channels import ANGLES
from edgehip.errors import ArgumentError, DeviceError, ProfileError
from edgehip.events import Chunk, CueChange, Fault, LinkChange, PortOpened, SourceItem
from edgehip.messages import Angles, Description
from edgehip.wire import encode
from tests.listed_source import ListedSource
from tests.sample_model import leaky_model
from tests.streams import synthetic_walk

WALK = synthetic_walk(12.0, stand_s=0.5)
START_NS = time.monotonic_ns() - 20 * 10**9
"""So that the last sample, too, was there before it is taken."""
KNEE = ANGLES.index("knee_angle_l")


def arriving(link: Callable[[float], float], pace: float = 1.0) -> list[SourceItem]:
    """Return the walk's frames, each when a link has it, from a clock of such a pace."""
    return [
        Chunk(
            encode(Angles(tuple(angles)), i, round(t * pace * 1e6)), START_NS + round(link(t) * 1e9)
        )
        for i, (t, angles) in enumerate(
            zip(WALK.time_s.tolist(), WALK.angles_deg.tolist(), strict=True)
        )
    ]


def taken(items: list[SourceItem]) -> Stream:
    with Stream(ListedSource(items, live=True), None, sample_model=leaky_model()) as stream:
        list(stream)
    return stream


@pytest.mark.parametrize("stall_s", [2.1, 3.0, 4.0])
@pytest.mark.parametrize("since_s", [0.05, 0.5])
@pytest.mark.parametrize("catches_up", [True, False])
def test_a_link_that_stalls_after_the_start_is_no_clock_in_another_unit(
    stall_s: float, since_s: float, catches_up: bool
) -> None:
    def link(t: float) -> float:
        if t < since_s:
            return t
        return max(t, since_s + stall_s) if catches_up else t + stall_s

    assert taken(arriving(link)).summary().samples == len(WALK)


@pytest.mark.parametrize("stalls", [False, True])
def test_a_clock_that_counts_milliseconds_is_told_also_over_a_link_that_stalls(
    stalls: bool,
) -> None:
    items = arriving(lambda t: max(t, 3.0) if stalls and 0.5 < t < 3.0 else t, pace=1e-3)
    with pytest.raises(DeviceError, match="seconds or milliseconds"):
        taken(items)


def test_a_described_device_may_begin_with_samples_that_lack_an_angle() -> None:
    """Its sensors may need a moment."""
    every = 2 ** len(ANGLES) - 1
    described = Chunk(encode(Description(100.0, every, "rig", "1"), 2**32 - 1, 0), START_NS)
    items = arriving(lambda t: t)
    for i in range(30):
        chunk = items[i]
        angles = WALK.angles_deg[i].tolist()
        angles[KNEE] = math.nan
        assert isinstance(chunk, Chunk)
        items[i] = replace(chunk, data=encode(Angles(tuple(angles)), i, round(i * 1e4)))
    summary = taken([described, *items]).summary()
    assert summary.samples == len(WALK) - 30
    assert summary.faults == {str(Fault.INCOMPLETE): 30}


def test_what_a_device_says_that_it_lacks_is_told_at_once() -> None:
    every = 2 ** len(ANGLES) - 1
    described = Chunk(encode(Description(100.0, every & ~(1 << KNEE), "rig", "1"), 0, 0), START_NS)
    with pytest.raises(DeviceError, match="does not measure knee_angle_l,"):
        taken([described])


def test_an_angle_that_never_comes_is_told_after_a_while() -> None:
    angles = Angles(tuple(math.nan if i == KNEE else 1.0 for i in range(len(ANGLES))))
    items: list[SourceItem] = [
        Chunk(encode(angles, i, i * 10_000), START_NS + i * 10_000_000) for i in range(1000)
    ]
    source = ListedSource(items, live=True)
    with Stream(source, None, sample_model=leaky_model()) as stream:
        with pytest.raises(DeviceError, match="knee_angle_l,"):
            list(stream)
        assert source.items


def test_an_angle_that_comes_no_more_is_named() -> None:
    items: list[SourceItem] = []
    for i, angles in enumerate(WALK.angles_deg[:420].tolist()):
        if i >= 200:
            angles[KNEE] = math.nan
        items.append(Chunk(encode(Angles(tuple(angles)), i, 10_000 * i), START_NS + i * 10**7))
    with Stream(ListedSource(items), None, sample_model=leaky_model()) as stream:
        links = [event for event in stream if isinstance(event, LinkChange)]
    assert [(link.state, link.detail) for link in links[1:]] == [
        ("stale", "no sample for 0.25 s: knee_angle_l not measured"),
        ("lost", "no sample for 2.00 s: knee_angle_l not measured"),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{};1.5;2.5\r\n", "(the last was '1990;1.5;2.5')"),
        ("{}\t1.5\n", "(the last was '1990\\t1.5')"),
        ("{},abc" + 80 * "x" + "\n", "(the last was '1990,abc" + 52 * "x" + "...')"),
        ("{},1.5,2.5\r", "(none ended with a line feed)"),
        ("\x1b[1m{}\n", "not one good line: a line is"),
    ],
)
def test_what_came_instead_of_lines_is_shown(line: str, told: str) -> None:
    texts = (line.format(10 * i) for i in range(200))
    items = [Chunk(text.encode(), START_NS + i * 10**7) for i, text in enumerate(texts)]
    with (
        Stream(ListedSource(items), None, sample_model=leaky_model(), format="lines") as stream,
        pytest.raises(DeviceError) as raised,
    ):
        list(stream)
    assert told in str(raised.value)
    assert "time,angle1,...,angle10" in str(raised.value)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        (Chunk(b"", time.time_ns()), "s from now: received_ns is what time.monotonic_ns"),
        (b"bytes alone", "an item is b'bytes alone'"),
        (Chunk(b"", START_NS, 1), "an item's device is 1"),
    ],
)
def test_a_source_of_ones_own_that_errs_is_told_so_and_no_cue_stays_on(
    item: SourceItem, complaint: str
) -> None:
    """Times of the day lie ahead: by them silence would look like news for years."""
    now_ns = time.monotonic_ns()
    frames = (encode(Angles((1.0 + i % 2,) * 10), i, 10_000 * i) for i in range(60))
    items = [Chunk(frame, now_ns - 10**7 * (60 - i)) for i, frame in enumerate(frames)]
    cues = [parse_cue("glmed_r > -1 N/kg")]
    source = ListedSource([*items, item], live=True)
    switched: list[bool] = []
    with Stream(source, None, sample_model=leaky_model(), cues=cues) as stream:
        events = (event for event in stream if isinstance(event, CueChange))
        with pytest.raises(ArgumentError) as refusal:
            switched.extend(event.on for event in events)
    assert complaint in str(refusal.value)
    assert switched == [True, False]


def test_no_cue_stays_on_when_something_that_is_not_edgehips_fails() -> None:
    def record(item: SourceItem) -> None:
        if item.received_ns >= 10**9:
            raise OSError("the disk is gone")

    frames = (encode(Angles((1.0 + i % 2,) * 10), i, 10_000 * i) for i in range(200))
    source = ListedSource([Chunk(frame, 10**7 * i) for i, frame in enumerate(frames)])
    cues = [parse_cue("glmed_r > -1 N/kg")]
    stream = Stream(source, None, sample_model=leaky_model(), cues=cues, recorder=record)
    switched: list[bool] = []
    events = (event for event in stream if isinstance(event, CueChange))
    with pytest.raises(OSError, match="the disk is gone"):
        switched.extend(event.on for event in events)
    assert switched == [True, False]


class Filling(ListedSource):
    """A live source that has more whenever it is asked, received at that moment."""

    @property
    def ended(self) -> bool:
        return False

    def read(self, timeout_s: float) -> SourceItem | None:
        item = super().read(timeout_s)
        return item or Chunk(b"", time.monotonic_ns())


def test_what_was_received_before_a_stream_is_stopped_is_not_lost() -> None:
    walk = synthetic_walk(1.0)
    now_ns = time.monotonic_ns()
    chunks = [replace(chunk, received_ns=now_ns) for chunk in walk.chunks()]
    kept: list[SourceItem] = []
    source = Filling([PortOpened(now_ns, "made"), *chunks], live=True)
    stream = Stream(source, load_model(), recorder=kept.append)
    for event in stream:
        if isinstance(event, PortOpened):
            stream.stop()
    assert kept[: len(chunks) + 1] == [PortOpened(now_ns, "made"), *chunks]
    assert len(kept) <= len(chunks) + 2  # and no more is waited for
    assert stream.summary().samples == len(walk)


def test_a_computer_that_is_far_behind_ends_soon_and_keeps_what_it_received(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "STOPPING_NS", 0)
    now_ns = time.monotonic_ns()
    chunks = [replace(chunk, received_ns=now_ns) for chunk in synthetic_walk(1.0).chunks()]
    kept: list[SourceItem] = []
    stream = Stream(Filling([*chunks], live=True), load_model(), recorder=kept.append)
    for _ in stream:
        stream.stop()
    assert kept[: len(chunks)] == chunks
    assert stream.summary().samples < len(chunks) / 2


def test_what_was_received_before_something_goes_wrong_is_recorded() -> None:
    walk = synthetic_walk(4.0, stand_s=9.0, noise_deg=0.1)
    walk.angles_deg[:, KNEE] += 60.0  # of this there is no zero
    now_ns = time.monotonic_ns()
    chunks = [replace(chunk, received_ns=now_ns) for chunk in walk.chunks()]
    kept: list[SourceItem] = []
    source = Filling([PortOpened(now_ns, "made"), *chunks], live=True)
    stream = Stream(source, load_model(), calibrate="standing", recorder=kept.append)
    with pytest.raises(ProfileError, match="stand upright"):
        list(stream)
    assert kept[1 : len(chunks) + 1] == chunks
    assert len(kept) <= len(chunks) + 2
    assert stream.summary().samples < len(walk)
