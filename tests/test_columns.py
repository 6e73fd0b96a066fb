"""Which column of a text line is which: named by a header, told if assumed, never guessed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehip import Pipeline, Stream, open_source, parse_cue, snapshot
from edgehip.channels import ANGLES
from edgehip.events import (
    Chunk,
    CueChange,
    Fault,
    Flag,
    HipSampleEstimate,
    LinkChange,
    LinkFault,
    PortOpened,
)
from edgehip.lines import LineDecoder, TimeUnit
from edgehip.model import Model
from edgehip.receiver import Receiver
from edgehip.sinks.summary import summary_lines
from edgehip.zero import Profile
from tests.pipelines import estimates, run, told
from tests.receiving import HEADER, LEFT_FIRST, LINE, MS, at_pace, feed
from tests.sample_model import leaky_model
from tests.streams import Walk, synthetic_walk


def test_columns_that_were_others_are_a_beginning(model: Model) -> None:
    """A header that comes late: all that was before it was read in another order."""
    walk = synthetic_walk(14.0, stand_s=0.5)
    lines = walk.lines(LEFT_FIRST)
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
    lines = [HEADER, *walk.lines(LEFT_FIRST)]
    repeated = [part for line in lines for part in (line, HEADER)]
    once, often = Pipeline(model, decoder=LineDecoder), Pipeline(model, decoder=LineDecoder)
    expected = estimates(once.feed(Chunk(b"".join(lines), 0)))
    assert len(expected) > 5
    assert told(list(estimates(often.feed(Chunk(b"".join(repeated), 0))))) == told(list(expected))


def test_a_zero_measured_by_other_columns_is_measured_anew(model: Model) -> None:
    still = synthetic_walk(9.0, stand_s=9.0, noise_deg=0.1)
    walk = Walk(still.time_s, still.angles_deg + np.arange(10))
    lines = walk.lines(LEFT_FIRST)
    pipeline = Pipeline(model, calibrate="standing", decoder=LineDecoder)
    told = pipeline.feed(Chunk(b"".join(lines[:400]), 0))
    assert pipeline.zero != "none"
    told += pipeline.feed(Chunk(b"".join([HEADER, *lines[400:600]]), 0))
    assert pipeline.zero == "none"  # until there is one of these columns
    told += pipeline.feed(Chunk(b"".join(lines[600:]), 0))
    wrong, right = (event for event in told if isinstance(event, Profile))
    mean_deg = walk.angles_deg[400:700].mean(axis=0)
    assert right.mean_deg == pytest.approx(mean_deg, abs=0.05)
    assert wrong.mean_deg != pytest.approx(mean_deg, abs=0.05)
    assert pipeline.state.profile == right


def test_other_columns_are_news_of_the_link(model: Model, tmp_path: Path) -> None:
    walk = synthetic_walk(4.0, stand_s=0.5)
    lines = walk.lines(LEFT_FIRST)
    path = tmp_path / "walk.csv"
    path.write_bytes(b"".join([*lines[:200], HEADER, *lines[200:]]))
    with Stream(open_source(f"replay:{path}?speed=max"), model, format="lines") as stream:
        news = [event for event in stream if isinstance(event, LinkChange)]
        assert stream.summary().faults == {"columns": 1}
    assert [change.state for change in news] == ["live", "live", "stale", "live"]
    assert "other columns" in news[2].detail


def test_lines_whose_columns_nobody_named_are_told_once(model: Model, tmp_path: Path) -> None:
    """A port opened on a running device misses the header that it printed when it began."""
    lines = synthetic_walk(4.0, stand_s=0.5).lines(LEFT_FIRST)
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
    lines = synthetic_walk(1.0, stand_s=0.5).lines(LEFT_FIRST)
    first, second = (Pipeline(model, decoder=LineDecoder) for _ in range(2))
    (told,) = (e for e in first.feed(Chunk(lines[0], 0)) if isinstance(e, LinkChange))
    assert "no header came" in told.detail
    snapshot.restore(second, snapshot.save(first))
    rest = [*second.feed(PortOpened(1, "again")), *second.feed(Chunk(b"".join(lines[1:]), 2))]
    assert second.state.samples > 90
    assert not any(isinstance(event, LinkChange) for event in rest)


def test_a_header_names_unit_and_order() -> None:
    names = ["battery", "time_us", *reversed(ANGLES)]
    rows = [["3.7", str(10_000 * i), *(str(float(k)) for k in range(10))] for i in range(3)]
    text = "\r\n".join(",".join(row) for row in [names, *rows]).encode() + b"\r\n"
    samples, faults = feed(Receiver(LineDecoder()), (text, 0))
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02])
    assert samples[0].angles_deg == tuple(float(9 - k) for k in range(10))
    assert not faults


def left_first(header: str, count: int = 3, first: int = 0) -> bytes:
    """A header, and lines of a device that names its left leg first: each angle is its place."""
    values = ",".join(str(float(ANGLES.index(name))) for name in LEFT_FIRST)
    rows = [f"{10 * i},{values}" for i in range(first, first + count)]
    return "".join(f"{line}\n" for line in [*([header] if header else []), *rows]).encode()


IN_PLACE = tuple(map(float, range(10)))


@pytest.mark.parametrize(
    "header",
    [
        ",".join(["time_ms", *LEFT_FIRST]),
        "\ufeff" + ",".join(["time_ms", *LEFT_FIRST]),
        ",".join(f'"{name}"' for name in ["time_ms", *LEFT_FIRST]),
        "\ufeff" + ",".join(f'"{name}"' for name in ["Time_ms", *LEFT_FIRST]),
        ",".join(["Time_ms", *LEFT_FIRST]),
        ",".join(["TIME_MS", *map(str.upper, LEFT_FIRST)]),
        " , ".join(["timestamp_ms", *LEFT_FIRST]),
        ",".join(["time_ms", *LEFT_FIRST]) + "\r",
    ],
)
def test_a_header_is_understood_as_programs_write_it(header: str) -> None:
    samples, faults = feed(Receiver(LineDecoder()), (left_first(header), 0))
    assert [s.angles_deg for s in samples] == [IN_PLACE] * 3
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02])
    assert not faults


def test_lines_whose_unit_is_named_late_lost_nothing() -> None:
    """Their period is another one than it seemed before, and a doubtful time is counted once."""
    receiver = Receiver(LineDecoder("us"))
    feed(receiver, *at_pace([LINE.format(10 * i).encode() for i in range(50)]))
    header = ",".join(["time_ms", *ANGLES]).encode() + b"\n"
    doubtful = LINE.format(90_000_000).encode()
    lines = [doubtful, header, *(LINE.format(10 * i).encode() for i in range(50, 100))]
    samples, faults = feed(receiver, *((line, (500 + 10 * i) * MS) for i, line in enumerate(lines)))
    assert faults == {Fault.COLUMNS: 1, Fault.BAD_VALUE: 1}
    assert [s.samples_lost for s in samples] == [0] * 50


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (["time", *LEFT_FIRST], "'time' names no unit of time"),
        (["Timestamp", *LEFT_FIRST], "'timestamp' names no unit of time"),
        (["time (ms)", *LEFT_FIRST], "names no unit of time"),
        (["t", *LEFT_FIRST], "names no time"),
        (["time_ms", "hip_flexion_l", "hip_flexion_l", *LEFT_FIRST[2:]], "hip_flexion_l twice"),
        (["time_ms", "time_s", *LEFT_FIRST[1:]], "the time more than once"),
        (["t", "LHF", "LHA", "LHR", "LK", "LA", "RHF", "RHA", "RHR", "RK", "RA"], "names no time"),
        (["time_ms", *(f"left {i}" for i in range(10))], "names no angle"),
        (["time_ms", *LEFT_FIRST[:-1], f"{LEFT_FIRST[-1]}10", "1.5"], "numbers stand in it"),
    ],
)
@pytest.mark.parametrize("before", [b"", left_first("", 3), left_first("")[:9] + b"\n"])
def test_columns_that_cannot_be_told_are_never_guessed(
    header: list[str], why: str, before: bytes
) -> None:
    decoder = LineDecoder()
    receiver = Receiver(decoder)
    receiver.feed(PortOpened(0, "here"))
    feed(receiver, (before, 0))
    samples, faults = feed(receiver, (left_first(",".join(header), 5, first=3), 0))
    assert not samples
    assert faults[Fault.BAD_LINE] >= 5
    assert why in decoder.unusable_header
    assert "time_us, time_ms or time_s" in decoder.unusable_header
    # One that can be used makes an end of it.
    named = ",".join(["time_ms", *LEFT_FIRST])
    samples, faults = feed(receiver, (left_first(named, 5, first=8), 0))
    assert [s.angles_deg for s in samples] == [IN_PLACE] * 5
    assert decoder.unusable_header == ""


def test_wherever_a_port_is_opened_in_a_header_no_side_is_exchanged() -> None:
    header = ",".join(["time_ms", *LEFT_FIRST])
    for cut in range(1, len(header) - 1):
        receiver = Receiver(LineDecoder())
        receiver.feed(PortOpened(0, "here"))
        sent = left_first(header)[cut:] + left_first(header, first=3)
        samples, _ = feed(receiver, (sent, 0))
        assert [s.angles_deg for s in samples] == [IN_PLACE] * 3, header[cut:]


@given(st.integers(0, len(",".join(["time_ms", *LEFT_FIRST]))), st.integers(0, 7))
def test_a_bit_that_flips_in_a_header_exchanges_no_side(at: int, bit: int) -> None:
    sent = bytearray(left_first(",".join(["time_ms", *LEFT_FIRST])))
    sent[at] ^= 1 << bit
    samples, _ = feed(Receiver(LineDecoder()), (bytes(sent), 0))
    assert {s.angles_deg for s in samples} <= {IN_PLACE}


def test_a_header_is_heard_at_once() -> None:
    """A board that starts when its port is opened prints it first."""
    receiver = Receiver(LineDecoder())
    receiver.feed(PortOpened(0, "x"))
    header = ",".join([*ANGLES, "time_us"]).encode() + b"\n"
    lines = [(",".join(["1.0"] * 10) + f",{i}0000\n").encode() for i in range(3)]
    samples, faults = feed(receiver, *at_pace([header, *lines]))
    assert [s.time_s for s in samples] == pytest.approx([0.0, 0.01, 0.02])
    assert not faults
