"""Recordings: replayed bit for bit, whole after a crash but for a torn tail."""

import errno
import io
import itertools
import os
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgehip import Stream, load_model, open_source
from edgehip.channels import ANGLES
from edgehip.errors import RecordingError
from edgehip.events import BytesMissing, Chunk, Fault, LinkState, PortLost, PortOpened, SourceItem
from edgehip.lines import TimeUnit
from edgehip.recording import MAGIC, MAX_PAYLOAD, RecordingReader, header, record
from edgehip.sinks.recorder import Recorder
from edgehip.sources import Source
from tests.streams import synthetic_walk

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

items = st.one_of(
    st.builds(Chunk, st.binary(max_size=200), st.integers(0, 2**63)),
    st.builds(PortOpened, st.integers(0, 2**63), st.text(max_size=20)),
    st.builds(PortLost, st.integers(0, 2**63), st.text(max_size=20)),
    st.builds(BytesMissing, st.integers(0, 2**63), st.integers(1, 2**40), st.integers(0, 1)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


def test_a_recording_gives_back_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    recorder = Recorder(path, {"port": "test"})
    given_items: list[SourceItem] = [PortOpened(1, "here"), Chunk(b"\0\1", 2), PortLost(3, "gone")]
    for item in given_items:
        recorder.add(item)
    assert recorder.close() is None
    reader = RecordingReader(path)
    assert reader.about == {"port": "test"}
    assert list(reader) == given_items
    assert reader.torn_bytes == 0
    reader.close()


@given(st.lists(items, max_size=8), st.data())
def test_a_torn_or_damaged_tail_costs_only_itself(
    given_items: list[SourceItem], data: st.DataObject
) -> None:
    records = [record(item) for item in given_items]
    whole = header({}) + b"".join(records)
    cut = data.draw(st.integers(len(header({})), len(whole)))
    path = Path(f"/tmp/edgehip-torn-{os.getpid()}.rec")
    try:
        path.write_bytes(whole[:cut])
        reader = RecordingReader(path)
        got = list(reader)
        reader.close()
        kept, end = 0, len(header({}))
        while kept < len(records) and end + len(records[kept]) <= cut:
            end += len(records[kept])
            kept += 1
        assert got == given_items[:kept]
        assert reader.torn_bytes == cut - end
    finally:
        path.unlink()


@pytest.mark.parametrize("line", [b"", b"5", b"{", b"[" * 60_000, b"\xff", b"1" * 5000])
def test_a_recording_whose_first_lines_are_damaged_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "walk.rec"
    path.write_bytes(MAGIC + line + b"\n")
    with pytest.raises(RecordingError, match="damaged"):
        RecordingReader(path)


def test_replaying_a_recording_gives_bit_identical_estimates(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    model = load_model()
    live = open_source("synthetic:?duration_s=9&noise_deg=0.3&drop_share=0.02&seed=3&speed=max")
    recorder = Recorder(path, {})
    with Stream(live, model, recorder=recorder.add) as stream:
        first = list(stream.estimates())
    assert recorder.close() is None
    with Stream(open_source(f"replay:{path}?speed=max"), model) as stream:
        again = list(stream.estimates())
    assert len(first) == len(again) > 8
    for one, other in zip(first, again, strict=True):
        assert (one.side, one.start_s, one.end_s, one.flags) == (
            other.side,
            other.start_s,
            other.end_s,
            other.flags,
        )
        for name, curve in (*one.moments_nm_per_kg.items(), *one.forces_n_per_kg.items()):
            outputs = {**other.moments_nm_per_kg, **other.forces_n_per_kg}
            assert curve.tobytes() == outputs[name].tobytes()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an edgehip recording"),
        (b"\x7fELF" * 100, "not an edgehip recording"),
        (b"edgehip recording 1\nnot json\n", "damaged"),
        (b"edgehip recording 1\n[1]\n", "damaged"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=complaint):
        RecordingReader(path)


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    path.write_text("precious")
    with pytest.raises(RecordingError, match="exists already"):
        Recorder(path, {})
    assert path.read_text() == "precious"


@pytest.mark.parametrize(("lost_by", "told"), [("rm", "was deleted"), ("fsync", "ended early")])
def test_a_recording_that_was_lost_does_not_go_on_to_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost_by: str, told: str
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path, troubles = tmp_path / "walk.rec", queue.SimpleQueue[str]()
    recorder = Recorder(path, {}, on_trouble=troubles.put)
    with path.open("rb") as file:
        if lost_by == "rm":
            path.unlink()
        else:
            monkeypatch.setattr(os, "fsync", failing)
        trouble = troubles.get(timeout=20.0)
        assert told in trouble
        size = os.fstat(file.fileno()).st_size
        for number in range(1000):
            recorder.add(Chunk(b"abc", number))
        assert recorder.close() == trouble
        assert os.fstat(file.fileno()).st_size == size


WALK = [record(chunk) for chunk in synthetic_walk(3.0, stand_s=0.5).chunks()]
LATEST = len(WALK) - len(record(Chunk(bytes(MAX_PAYLOAD), 0))) // len(WALK[0]) - 2
"""Up to here more records follow than the longest one could hide."""


def judged(path: Path, content: bytes) -> tuple[int, bool]:
    """Return how many items a recording gives, and whether it is called damaged."""
    path.write_bytes(header({}) + content)
    reader = RecordingReader(path)
    count = len(list(reader))
    assert reader.torn_at + reader.torn_bytes == len(header({}) + content)
    reader.close()
    return count, reader.damaged


@given(before=st.integers(0, LATEST), bit=st.integers(0, 31))
def test_a_length_with_a_wrong_bit_is_damage_unless_one_record_could_be_all_that_is_left(
    folder: Path, before: int, bit: int
) -> None:
    start = sum(map(len, WALK[:before]))
    content = bytearray(b"".join(WALK))
    content[start + bit // 8] ^= 1 << bit % 8
    assert judged(folder / "bit.rec", bytes(content)) == (before, True)


@given(kept=st.integers(0, 2000), zeros=st.integers(100, 200_000))
def test_blocks_that_a_power_cut_left_empty_are_a_tail_cut_off(
    folder: Path, kept: int, zeros: int
) -> None:
    content = b"".join(WALK)[:kept]
    whole, end = 0, 0
    while end + len(WALK[whole]) <= kept:
        end += len(WALK[whole])
        whole += 1
    assert judged(folder / "zeros.rec", content + bytes(zeros)) == (whole, False)


def test_damage_is_no_power_cut_where_something_follows_or_nothing_is_missing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "walk.rec"
    wiped = [*WALK[:9], bytes(500), *WALK[9:]]
    assert judged(path, b"".join(wiped)) == (9, True)
    last = bytearray(WALK[9])
    last[20] ^= 1
    assert judged(path, b"".join([*WALK[:9], bytes(last)])) == (9, True)


def test_a_longer_record_than_is_made_today_is_read_on(tmp_path: Path) -> None:
    long = record(Chunk(b"x" * 100_000, 5))
    assert judged(tmp_path / "old.rec", long + WALK[0]) == (2, False)


def test_a_recording_renamed_while_it_is_replayed_is_replayed_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    chunks = [Chunk(b"abc", number) for number in range(2000)]
    path.write_bytes(header({}) + b"".join(map(record, chunks)))
    source = open_source(f"replay:{path}?speed=max")
    assert source.read(0.0) == chunks[0]
    path.rename(tmp_path / "kept.rec")
    assert list(everything(source)) == chunks[1:]
    source.close()


def test_a_disk_that_cannot_be_read_is_told_as_any_trouble_of_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FailingDisk(io.FileIO):
        def readinto(self, into: "WriteableBuffer") -> int:
            if self.tell() > 8000:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().readinto(into)

    path = tmp_path / "walk.rec"
    path.write_bytes(header({}) + record(Chunk(b"abc", 1)) * 2000)
    monkeypatch.setattr(Path, "open", lambda path, mode: io.BufferedReader(FailingDisk(path)))
    reader = RecordingReader(path)
    with pytest.raises(RecordingError, match=r"walk\.rec: cannot be read: Input/output error"):
        list(reader)
    reader.close()


def test_a_text_file_of_lines_replays_too(tmp_path: Path) -> None:
    walk = synthetic_walk(6.0, stand_s=0.5)
    path = tmp_path / "walk.csv"
    rows = [
        ",".join(f"{number:.2f}" for number in [1000 * t, *angles])
        for t, angles in zip(walk.time_s, walk.angles_deg, strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")
    with Stream(open_source(f"replay:{path}?speed=max"), load_model(), format="lines") as stream:
        assert len(list(stream.estimates())) > 5


def everything(source: Source) -> Iterator[SourceItem]:
    while (item := source.read(0.0)) is not None:
        yield item


@pytest.mark.parametrize(("unit", "per_s"), [("us", 1e6), ("ms", 1e3), ("s", 1.0)])
@pytest.mark.parametrize("headed", [True, False])
def test_a_file_of_lines_is_replayed_at_the_pace_of_its_own_times(
    tmp_path: Path, unit: TimeUnit, per_s: float, headed: bool
) -> None:
    path = tmp_path / "walk.csv"
    rows = [[f"time_{unit}", *ANGLES]] if headed else []
    rows += [[repr(0.01 * i * per_s), *["1.5"] * 10] for i in range(200)]
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    source = open_source(f"replay:{path}?speed=max", time_unit="ms" if headed else unit)
    read = [item.received_ns for item in everything(source)]
    assert read[-1] - read[0] == pytest.approx(1.99e9)


def test_a_file_without_any_line_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_bytes(b"x" * 100_000)
    source = open_source(f"replay:{path}?speed=max")
    assert max(len(item.data) for item in everything(source) if isinstance(item, Chunk)) <= 512


def arrivals_s(path: Path, times_us: list[int]) -> list[float]:
    """Return when the lines of a file with such times came, to the replay."""
    path.write_text("".join(f"{t},{','.join(['1.5'] * 10)}\n" for t in times_us))
    source = open_source(f"replay:{path}?speed=max", time_unit="us")
    return [item.received_ns / 1e9 for item in everything(source)]


def streamed(path: Path) -> Stream:
    source = open_source(f"replay:{path}?speed=max", time_unit="us")
    with Stream(source, load_model(), format="lines", time_unit="us") as stream:
        list(stream)
    return stream


def test_a_counter_that_wraps_does_not_set_the_replay_back(tmp_path: Path) -> None:
    times_us = [(2**32 - 1_000_000 + 10_000 * i) % 2**32 for i in range(300)]
    path = tmp_path / "walk.csv"
    assert arrivals_s(path, times_us) == pytest.approx([0.01 * i for i in range(300)])
    assert not streamed(path).summary().faults


@pytest.mark.parametrize("garbled_us", [9_000_000_000, 0, 2_500_000, 3_400_000, 3_050_000])
def test_a_garbled_time_does_not_carry_the_replay_away(tmp_path: Path, garbled_us: int) -> None:
    times_us = [2_000_000 + 10_000 * i for i in range(300)]
    times_us[100] = garbled_us
    path = tmp_path / "walk.csv"
    came = arrivals_s(path, times_us)
    assert came[:100] == pytest.approx([0.01 * i for i in range(100)])
    assert came[101:] == pytest.approx([0.01 * i for i in range(101, 300)])
    assert came == sorted(came)
    stream = streamed(path)
    assert stream.link.state is LinkState.LIVE
    assert Fault.CLOCK_JUMP not in stream.link.faults


@pytest.mark.parametrize("noise", ["", "boot\n" * 500])
@pytest.mark.parametrize("period_us", [4_000, 10_000, 20_000])
def test_a_new_start_and_a_pause_in_a_file_of_lines(
    tmp_path: Path, noise: str, period_us: int
) -> None:
    path = tmp_path / "walk.csv"
    times_us = [60_000_000 + period_us * i for i in range(100)]
    times_us += [5_000 + period_us * i for i in range(100)]
    times_us += [31_000_000 + period_us * i for i in range(100)]
    period_s = period_us / 1e6
    expected = [period_s * i for i in range(200)]
    expected += [expected[-1] + (31.0 - 0.005 - 99 * period_s) + period_s * i for i in range(100)]
    assert arrivals_s(path, times_us) == pytest.approx(expected)
    assert streamed(path).link.faults == {Fault.RESTART: 1}
    # Lines that are none are no reason to hold much.
    rows = path.read_text().splitlines(keepends=True)
    path.write_text(noise + "".join(rows[:150]) + noise + "".join(rows[150:]))
    items = list(everything(open_source(f"replay:{path}?speed=max", time_unit="us")))
    assert b"".join(item.data for item in items if isinstance(item, Chunk)) == path.read_bytes()
    assert [item.received_ns for item in items] == sorted(item.received_ns for item in items)


@given(st.lists(st.integers(0, 2**33), max_size=50))
@example([1, 2**32 - 10**6, 0])
def test_whatever_the_times_the_replay_goes_forward(folder: Path, times_us: list[int]) -> None:
    came = arrivals_s(folder / "any.csv", times_us or [0])
    assert came == sorted(came)
    # A second for each line that goes on as usual, and what the next line goes on from; a counter
    # of 32 bits goes on from its beginning.
    steps_us = [b - a for a, b in itertools.pairwise(times_us)]
    usual = [0 <= (step + 2**32 if step < -(2**31) else step) <= 10**6 for step in steps_us]
    assert came[-1] <= len(came) + 2**33 / 1e6 * sum(usual)
