"""What ``edgehip stream`` writes and replays, in a process of its own."""

import json
import shlex
import signal
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edgehip import Pipeline, load_model, load_profile
from edgehip.channels import ANGLES, MIRROR
from edgehip.events import Chunk, HipEstimate
from edgehip.profiles import doubt
from edgehip.recording import RecordingReader, header, record
from tests.programs import PATIENCE_S, edgehip, running, until
from tests.small_disk import with_room_for
from tests.streams import synthetic_walk


def test_a_killed_program_leaves_every_frame_older_than_a_second(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    command = edgehip("stream", "--port", "synthetic:?seed=1&stand_s=0.5", "--record", str(path))
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: path.exists() and path.stat().st_size > 20_000, "a recording of some size")
        killed_ns = time.monotonic_ns()
        process.kill()
    reader = RecordingReader(path)
    kept = [item for item in reader if isinstance(item, Chunk)]
    reader.close()
    assert killed_ns - kept[-1].received_ns < 1e9
    pipeline = Pipeline(load_model())
    events = [event for chunk in kept for event in pipeline.feed(chunk)]
    assert pipeline.state.samples > 250
    assert any(isinstance(event, HipEstimate) for event in events)


def test_a_full_disk_is_told_at_once_while_estimates_go_on(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    command = edgehip("stream", "--port", "synthetic:?stand_s=0.5", "--record", str(path))
    with running(
        with_room_for(8000, [*command, "--no-curves"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        told = process.stderr.readline()
        written = path.stat().st_size
        assert told.startswith(f"edgehip: {path}: recording ended early: ")
        # The first stride takes longer than the file has room for.
        assert any('"record":"estimate"' in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        *_, last = process.stderr.readlines()
    assert process.returncode == 1
    assert last == told
    reader = RecordingReader(path)
    assert sum(isinstance(item, Chunk) for item in reader) > 100
    reader.close()
    assert path.stat().st_size == written


def test_a_disk_without_room_for_its_beginning_leaves_no_recording(tmp_path: Path) -> None:
    """One that is there would refuse the next attempt."""
    command = edgehip("stream", "--port=synthetic:", "--record=walk.rec")
    done = subprocess.run(
        with_room_for(30, command),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "edgehip: walk.rec: cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == []


def replayed(path: Path, *options: str) -> tuple[int, list[str]]:
    """Return the exit status of a replay and what it told."""
    command = edgehip("stream", "--port", f"replay:{path}?speed=max", *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stderr.splitlines()


def test_a_damaged_recording_is_told_apart_from_one_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    records = [record(chunk) for chunk in synthetic_walk(3.0, stand_s=0.5).chunks()]
    content = header({}) + b"".join(records)
    broken_at = len(header({})) + sum(map(len, records[:100]))
    left = len(content) - broken_at
    for at, bit in ((1, 0x40), (2, 0x01), (12, 0x80), (20, 0x80)):  # length, kind, payload
        damaged = bytearray(content)
        damaged[broken_at + at] ^= bit
        path.write_bytes(damaged)
        status, told = replayed(path)
        assert status == 1
        assert told[1].startswith("samples    100;")
        assert told[-1] == (
            f"edgehip: {path}: damaged at byte {broken_at}: what stands before was replayed, "
            f"{left} bytes were left; copy it again from its origin"
        )
    for tail in (content[broken_at : broken_at + 5], bytes(8192)):
        path.write_bytes(content[:broken_at] + tail)
        status, told = replayed(path)
        assert status == 0
        assert told[-1].startswith(f"replay     {path}: cut off at byte {broken_at}: ")


def test_a_replay_waits_for_a_reader_that_takes_long_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    chunks = synthetic_walk(8.0, stand_s=0.5).chunks()
    path.write_bytes(header({}) + b"".join(map(record, chunks)))
    pipeline = Pipeline(load_model())
    events = [event for chunk in chunks for event in pipeline.feed(chunk)]
    command = shlex.join(edgehip("stream", "--port", f"replay:{path}?speed=max"))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | (sleep 4; cat)"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    records = [json.loads(line) for line in done.stdout.splitlines()]
    strides = [one for one in records if one["record"] == "estimate"]
    assert len(strides) == sum(isinstance(event, HipEstimate) for event in events) > 8
    assert "dropped" not in done.stderr


def test_damage_hides_no_other_trouble_of_a_replay(tmp_path: Path) -> None:
    path = tmp_path / "walk.rec"
    damaged = record(Chunk(b"abc", 2))[:-1] + b"\0"
    path.write_bytes(header({}) + record(Chunk(b"hello", 1)) + damaged)
    status, told = replayed(path)
    assert status == 1
    assert told[-2].startswith(f"replay     {path}: damaged at byte ")
    assert told[-1].startswith("edgehip: 5 bytes came and not one good frame: ")


def test_what_is_no_text_has_no_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "frames.bin"
    path.write_bytes(b"".join(synthetic_walk(3.0, stand_s=0.5).frames()))
    status, told = replayed(path)
    assert status == 0
    assert not any("lines were left out" in line for line in told)


def test_lines_that_are_none_are_told_with_the_first_of_them(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    rows = [",".join([str(10 * i), *["1.5"] * 10]) for i in range(400)]
    rows[0], rows[199], rows[299] = "walk of Monday", "gar\0bage,", "x" * 2000
    path.write_text("\n".join(rows) + "\n")
    status, told = replayed(path, "--format", "lines")
    assert status == 0
    assert told[1].startswith("samples    397;")
    assert f"{path}: 3 lines were left out, the first is line 1; " in told[-1]


def test_a_profile_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    command = edgehip("stream", "--port", "synthetic:?stand_s=4&duration_s=5&speed=max")
    done = subprocess.run(
        with_room_for(100, [*command, "--calibrate=standing", "--profile=me.json"]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "edgehip: me.json: cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"started_at": "2025-11-03T10:00:00+01:00"}, "was measured on 2025-11-03 "),
        ({"started_at": "on Monday"}, "nobody knows when"),
        ({"started_at": 5}, "nobody knows when"),
        ({}, "nobody knows when"),
    ],
)
def test_a_zero_measured_from_a_recording_is_none_of_today(
    tmp_path: Path, about: dict[str, Any], why: str
) -> None:
    chunks = synthetic_walk(4.0, stand_s=9.0, noise_deg=0.1).chunks()
    (tmp_path / "walk.rec").write_bytes(header(about) + b"".join(map(record, chunks)))
    status, told = replayed(
        tmp_path / "walk.rec", "--calibrate=standing", f"--profile={tmp_path / 'me.json'}"
    )
    assert status == 0, told
    told_of = doubt(load_profile(tmp_path / "me.json"), datetime.now().astimezone())
    assert told_of is not None
    assert why in told_of


@pytest.mark.parametrize(("stands_on_s", "is_there"), [(1.0, False), (4.0, True)])
def test_a_zero_of_other_columns_does_not_stay_in_its_file(
    tmp_path: Path, stands_on_s: float, is_there: bool
) -> None:
    """A header that comes late shows that left was right in what was measured before."""
    rows = [
        ",".join([str(10 * i), *(f"{column + 0.1 * (i % 2):.1f}" for column in range(10))])
        for i in range(round(100 * (4.0 + stands_on_s)))
    ]
    names = [ANGLES[place] for place in MIRROR]
    rows.insert(400, ",".join(["time_ms", *names]))
    (tmp_path / "walk.csv").write_text("\n".join(rows) + "\n")
    command = edgehip("stream", "--port=replay:walk.csv?speed=max", "--format=lines")
    done = subprocess.run(
        [*command, "--calibrate=standing", "--profile=me.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE_S,
    )
    last = done.stderr.splitlines()[-1]
    if is_there:
        assert done.returncode == 0
        mean_deg = load_profile(tmp_path / "me.json").mean_deg
        assert mean_deg == pytest.approx([MIRROR[place] + 0.05 for place in range(10)], abs=0.01)
    else:
        assert done.returncode == 1
        assert last.startswith("edgehip: me.json: not written: the stream ended before there were")
        assert not (tmp_path / "me.json").exists()
