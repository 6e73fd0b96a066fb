"""The synthetic source: the walker's samples behind the real frame format, paced and lossy."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip.channels import ANGLES
from edgehip.errors import SourceError
from edgehip.events import Chunk, PortOpened, SourceItem
from edgehip.messages import Angles, Describe, Description
from edgehip.sources import Source, open_source
from edgehip.sources.synthetic import OPTIONS, SyntheticSource
from edgehip.walker import Walker
from edgehip.wire import Frame, FrameDecoder, encode


def read_all(source: Source) -> list[SourceItem]:
    items = []
    while not source.ended:
        if (item := source.read(1.0)) is not None:
            items.append(item)
    return items


def decode(items: list[SourceItem]) -> list[tuple[Frame, int]]:
    decoder = FrameDecoder()
    frames = []
    for item in items:
        if isinstance(item, Chunk):
            for frame in decoder.feed(item):
                assert isinstance(frame, Frame)
                frames.append((frame, item.received_ns))
    return frames


def open_synthetic(url: str) -> SyntheticSource:
    source = open_source(url)
    assert isinstance(source, SyntheticSource)
    return source


def test_a_description_and_then_the_walkers_samples_arrive_as_frames() -> None:
    source = open_synthetic("synthetic:?duration_s=10&noise_deg=0.3&seed=4&rate_hz=50&speed=max")
    assert not source.live
    opened, *items = read_all(source)
    assert isinstance(opened, PortOpened)
    (first, _), *rest = decode(items)
    assert isinstance(first.message, Description)
    assert first.message.rate_hz == 50.0
    assert first.message.channel_names == ANGLES
    assert len(rest) == 500
    for (frame, received_ns), truth in zip(rest, Walker(source.parameters), strict=False):
        assert isinstance(frame.message, Angles)
        np.testing.assert_allclose(frame.message.angles_deg, truth.angles_deg, atol=0.005001)
        assert frame.device_us == round(truth.time_s * 1e6)
        assert received_ns == round(truth.time_s * 1e9)


def test_sequence_numbers_count_what_was_dropped() -> None:
    source = open_synthetic("synthetic:?duration_s=60&drop_share=0.1&speed=max")
    sequences = [frame.sequence for frame, _ in decode(read_all(source))]
    present = set(sequences)
    assert len(present) == len(sequences)
    last = max(number for number in sequences if number is not None)
    # Frames dropped behind the last one that came leave no trace on the link.
    assert source.dropped - 5 <= last + 1 - len(sequences) <= source.dropped
    assert source.dropped == pytest.approx(600, rel=0.2)


def test_the_same_options_give_the_same_bytes() -> None:
    url = "synthetic:?duration_s=5&noise_deg=1&drop_share=0.2&walk_s=2&pause_s=1&seed=9&speed=max"
    assert read_all(open_source(url)) == read_all(open_source(url))


def test_real_time_is_kept_without_drift() -> None:
    source = open_synthetic("synthetic:?duration_s=0.3&stand_s=0")
    assert source.live
    opened, *items = read_all(source)
    for frame, received_ns in decode(items):
        assert received_ns - opened.received_ns >= frame.device_us * 1000


@pytest.mark.parametrize("speed", ["0.5", "2", "max"])
def test_at_another_pace_it_has_its_own_time(speed: str) -> None:
    """Else a slow one would seem late."""
    source = open_synthetic(f"synthetic:?duration_s=0.1&stand_s=0&speed={speed}")
    assert not source.live
    for frame, received_ns in decode(read_all(source)):
        assert received_ns == frame.device_us * 1000


def test_nothing_comes_before_its_time() -> None:
    source = open_synthetic("synthetic:?speed=0.01")
    for _ in range(3):  # opened, the description and the sample at time 0
        assert source.read(1.0) is not None
    assert source.read(0.0) is None
    assert not source.ended
    source.close()
    assert source.ended
    assert source.read(0.0) is None


def test_it_describes_itself_again_when_asked() -> None:
    source = open_synthetic("synthetic:?speed=max")
    for _ in range(5):
        source.read(0.0)
    command = encode(Describe(), 0, 0)
    assert source.write(command[:4])
    assert source.write(command[4:])
    item = source.read(0.0)
    assert item is not None
    ((frame, _),) = decode([item])
    assert isinstance(frame.message, Description)


def test_ports_are_monotonic_clock_times_when_live() -> None:
    before_ns = time.monotonic_ns()
    opened = open_synthetic("synthetic:").read(0.0)
    assert opened is not None
    assert before_ns <= opened.received_ns <= time.monotonic_ns()


@pytest.mark.parametrize("url", ["synthetic", "synthetic:", "synthetic:?"])
def test_every_option_has_a_default(url: str) -> None:
    assert isinstance(open_synthetic(url).read(0.0), PortOpened)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("synthetic:?cadnce=100", ["'cadnce'", "cadence_spm", "duration_s", "speed"]),
        ("synthetic:?cadence_spm=fast", ["cadence_spm='fast'", "from 40 to 180"]),
        ("synthetic:?cadence_spm=nan", ["cadence_spm='nan'", "from 40 to 180"]),
        ("synthetic:?noise_deg=-1", ["noise_deg='-1'", "from 0 to 20"]),
        ("synthetic:?duration_s=-1", ["duration_s='-1'", "of at least 0"]),
        ("synthetic:?seed=1.5", ["seed='1.5'", "a whole number"]),
        ("synthetic:?seed=inf", ["seed='inf'", "a whole number"]),
        ("synthetic:?speed=0", ["speed='0'", "max"]),
        ("synthetic:?cadence_spm", ["NAME=VALUE"]),
        ("synthetic:cadence_spm=100", ["'?'"]),
    ],
)
def test_a_wrong_option_is_one_clear_line(url: str, said: list[str]) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(url)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(url)
    for part in said:
        assert part in message


@given(st.sampled_from(sorted(OPTIONS)), st.text(max_size=8))
def test_no_value_does_more_than_a_source_error(name: str, text: str) -> None:
    try:
        source = open_source(f"synthetic:?{name}={text}&speed=max")
    except SourceError:
        return
    assert isinstance(source.read(0.0), PortOpened)
