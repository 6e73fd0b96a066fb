"""A stream that somebody leaves, comes back to, or closes."""

from pathlib import Path

from edgehip import Stream, open_source, parse_cue
from edgehip.events import InitialContact, PortOpened, SourceItem
from edgehip.model import Model
from edgehip.runtime import StreamEvent
from edgehip.sinks.recorder import Recorder
from tests.listed_source import ListedSource
from tests.sample_model import leaky_model
from tests.streams import Walk, recut


def test_a_stream_that_was_closed_tells_nothing_of_its_device(model: Model) -> None:
    with Stream(open_source("loop://"), model) as stream:
        for _ in stream:  # as from another thread, while nothing has come
            stream.close()


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


def test_who_leaves_a_stream_and_comes_back_goes_on_with_the_next_event(
    model: Model, walk: Walk
) -> None:
    def stream() -> Stream:
        chunks = recut(b"".join(walk.frames()), [9000])
        items: list[SourceItem] = [PortOpened(0, "x"), *chunks]
        cues = [parse_cue("peak glmed_r > 1 N/kg")]
        return Stream(ListedSource(items), model, sample_model=leaky_model(), cues=cues)

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
