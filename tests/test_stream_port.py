"""The program itself on a real pseudo-terminal: true pace, unplugging, reboot, sending back."""

import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgehip import Pipeline, load_model
from edgehip.events import Chunk, HipEstimate
from edgehip.messages import Angles, Cue, CycleEstimate, Describe, Description, Rate, Start, Stop
from edgehip.wire import Frame, FrameDecoder, encode
from tests.programs import Watch, edgehip, running, until
from tests.pty_device import PtyDevice
from tests.streams import Walk, synthetic_walk


@pytest.fixture
def device(tmp_path: Path) -> Iterator[PtyDevice]:
    device = PtyDevice(tmp_path)
    yield device
    device.close()


class Program:
    """``edgehip stream`` in a process of its own, which listens to the device by now."""

    def __init__(self, device: PtyDevice, *options: str, port: str | None = None) -> None:
        command = edgehip("stream", "--port", port or str(device.port))
        self._device = device
        # A file is a reader that is never slow; finish closes it.
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, "--output", "jsonl", "--no-curves", *options],
            stdout=self.output,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._watch = Watch(self.process)
        self.greeting = device.wait_for_greeting(self.process)

    def records(self) -> list[dict[str, Any]]:
        """Return the records so far."""
        written = os.pread(self.output.fileno(), 1 << 30, 0)
        return [json.loads(line) for line in written.splitlines(keepends=True) if b"\n" in line]

    def until_link(self, *states: str) -> None:
        """Wait until the link is in the last of these states, after it was in the others."""

        def is_there() -> bool:
            told = [record["link"] for record in self.records() if record["record"] == "link"]
            coming = iter(told)
            return told[-1:] == [states[-1]] and all(state in coming for state in states)

        until(is_there, f"a link that is {' and then '.join(states)}")

    def finish(self) -> tuple[list[dict[str, Any]], str]:
        """Press Ctrl-C, once all is dealt with; return the records and what else was said."""
        self._device.wait_until_taken(self.process)
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate()
        self._watch.stop()
        with self.output:
            records = self.records()
        assert self.process.returncode == 0, err
        assert "Traceback" not in err
        return records, err


def estimates(records: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [(r["side"], r["start_s"], r["end_s"]) for r in records if r["record"] == "estimate"]


def steady(links: list[dict[str, Any]]) -> list[str]:
    """Return the link's states but for short silences."""
    return [r["link"] for r in links if r["link"] != "stale"]


def expected(walk: Walk) -> list[tuple[str, float, float]]:
    pipeline = Pipeline(load_model())
    events = [event for chunk in walk.chunks() for event in pipeline.feed(chunk)]
    return [
        (e.side, round(e.start_s, 6), round(e.end_s, 6))
        for e in events
        if isinstance(e, HipEstimate)
    ]


def test_a_pulled_cable_is_told_counted_and_survived(device: PtyDevice) -> None:
    walk = synthetic_walk(16.0, stand_s=0.5)
    frames = walk.frames()
    timed = list(zip(walk.time_s.tolist(), frames, strict=True))
    program = Program(device)
    device.play(timed[:600], speed=4)
    device.wait_until_taken(program.process)  # what is still in the terminal is gone with it
    device.unplug()
    program.until_link("live", "lost")
    device.plug_in()
    device.wait_for_greeting(program.process)
    device.play([(t - 9.0, frame) for t, frame in timed[900:]], speed=4)
    records, err = program.finish()
    links = [r for r in records if r["record"] == "link"]
    # A busy machine may let the walk itself pause long enough to be stale.
    states = [state for state, _ in itertools.groupby(steady(links))]
    assert states == ["live", "lost", "live"]
    assert "unplugged" in links[1]["detail"]
    found = estimates(records)
    for _, start_s, end_s in found:
        assert end_s < 6.0 or start_s > 8.9
    assert len([f for f in found if f[1] > 8.9]) >= 8
    assert "frames lost 300 " in err
    first_after = next(r for r in records if r.get("start_s", 0) > 8.9)
    assert "first_after_gap" in first_after["flags"]


def test_a_rebooted_device_is_recognised(device: PtyDevice) -> None:
    walk = synthetic_walk(7.0, stand_s=0.5)
    timed = list(zip(walk.time_s.tolist(), walk.frames(), strict=True))
    program = Program(device)
    device.play(timed, speed=4)
    device.write(timed[0][1][:11])  # cut off in the middle of a frame
    device.play(timed, speed=4)
    records, err = program.finish()
    # Where the accelerated clock restarts, no estimate may reach across.
    assert "restart 1" in err
    assert "frames lost 0 " in err
    assert len(estimates(records)) >= 2 * len(expected(walk)) - 4


def test_silence_is_stale_before_it_is_lost(device: PtyDevice) -> None:
    walk = synthetic_walk(2.0)
    program = Program(device)
    device.play(zip(walk.time_s.tolist(), walk.frames(), strict=True), speed=2)
    program.until_link("live", "lost")
    records, _ = program.finish()
    assert [r["link"] for r in records][-3:] == ["live", "stale", "lost"]


@pytest.mark.parametrize("says", [b"", b"\0", encode(Description(100.0, 0x3FF, "rig", "1"), 0, 0)])
def test_a_device_that_measures_nothing_is_waited_for_and_told(
    device: PtyDevice, says: bytes
) -> None:
    soon = {"edgehip.link.LOST_AFTER_S": 0.5}
    command = edgehip("stream", "--port", str(device.port), "--duration", "1", constants=soon)
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        device.wait_for_greeting(process)
        device.write(says)
        out, err = process.communicate()
    (record,) = map(json.loads, out.splitlines())
    assert (record["record"], record["link"]) == ("link", "waiting")
    assert process.returncode == 1
    complaint = {
        0: "nothing came: the device never sent a byte; check that it has power",
        1: "1 bytes came and not one good frame: check --baud",
    }.get(len(says), "the device said what it is and sent no angles")
    assert err.splitlines()[-1].startswith(f"edgehip: {complaint}")


def test_the_device_is_greeted_and_told_the_estimates(device: PtyDevice) -> None:
    walk = synthetic_walk(7.0, stand_s=0.5)
    program = Program(device, "--send", str(device.port), "--rate", "100")
    device.write(encode(Description(100.0, 0x3FF, "test rig", "1.0"), 2**32 - 1, 0))
    device.play(zip(walk.time_s.tolist(), walk.frames(), strict=True), speed=4)
    records, _ = program.finish()
    frames = FrameDecoder().feed(Chunk(program.greeting + device.read(), 0))
    messages = [frame.message for frame in frames if isinstance(frame, Frame)]
    assert len(messages) == len(frames)
    assert isinstance(messages[0], Describe)
    assert isinstance(messages[2], Start)
    assert isinstance(messages[-1], Stop)
    sent = [message for message in messages if isinstance(message, CycleEstimate)]
    told = [r for r in records if r["record"] == "estimate"]
    assert [(s.side, s.start_us) for s in sent] == [
        (int(r["side"] == "r"), round(r["start_s"] * 1e6)) for r in told
    ]
    for message, record in zip(sent, told, strict=True):
        peak = record["force_peaks_n_per_kg"]["glmed"]["max"]
        assert message.force_max_n_per_kg[10] == pytest.approx(peak["value"], abs=0.006)
        assert message.force_max_percent[10] == pytest.approx(peak["gait_cycle_percent"], abs=0.31)


@pytest.mark.parametrize("waits", [False, True])
def test_a_board_that_starts_when_its_port_is_opened_is_greeted_again(
    device: PtyDevice, waits: bool
) -> None:
    """Its boot loader has the first greeting; it sends by itself, or waits until it may start."""
    program = Program(device, "--rate", "200")
    decoder, heard = FrameDecoder(), list[object]()
    time.sleep(0.5)
    device.read()
    samples = (encode(Angles((1.0,) * 10), i, 10_000 * i) for i in itertools.count())

    def is_greeted() -> bool:
        nonlocal heard
        frames = decoder.feed(Chunk(device.read(), 0))
        heard += [frame.message for frame in frames if isinstance(frame, Frame)]
        if not waits or Start() in heard:
            device.write(next(samples))
        return Rate(200.0) in heard and Start() in heard

    until(is_greeted, "another greeting")
    device.write(next(samples))
    program.finish()


def test_the_device_is_let_go_before_a_reader_that_hangs(device: PtyDevice) -> None:
    """A motor may follow a cue: that does not wait for whoever does not read the last records."""
    walk = synthetic_walk(6.0, stand_s=0.5)
    command = edgehip("stream", "--port", str(device.port), "--output", "jsonl")
    command += ["--estimates", "sample", "--send", str(device.port)]
    command += ["--cue", "glmed_r > 0 N/kg"]
    decoder, heard = FrameDecoder(), list[object]()

    def has_let_go() -> bool:
        frames = decoder.feed(Chunk(device.read(), 0))
        heard.extend(frame.message for frame in frames if isinstance(frame, Frame))
        return Stop() in heard

    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        device.wait_for_greeting(process)
        for frame in walk.frames():
            device.write(frame)
            time.sleep(0.001)
            assert not has_let_go()
        device.wait_until_taken(process)
        process.send_signal(signal.SIGINT)
        until(has_let_go, "that the device is let go")
        assert process.poll() is None  # it still waits for its reader
    cues = [message for message in heard if isinstance(message, Cue)]
    assert [cue.state for cue in cues[-2:]] == [1, 0]


def test_a_device_that_prints_lines_can_be_answered(device: PtyDevice, tmp_path: Path) -> None:
    walk = synthetic_walk(7.0, stand_s=0.5)
    command = edgehip("stream", "--port", str(device.port), "--format", "lines")
    command += ["--send", str(device.port), "--record", str(tmp_path / "rec")]
    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        until((tmp_path / "rec").exists, "a recording")
        for time_s, angles_deg in zip(walk.time_s.tolist(), walk.angles_deg.tolist(), strict=True):
            device.write(",".join(map(str, [time_s * 1e3, *angles_deg])).encode() + b"\n")
        device.wait_until_taken(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    # Of the first line nobody knows whether it is whole.
    assert f"samples    {len(walk) - 1}; frames lost 0 " in err
    assert "faults" not in err
    frames = FrameDecoder().feed(Chunk(device.read(), 0))
    messages = [frame.message for frame in frames if isinstance(frame, Frame)]
    assert len(messages) == len(frames)
    assert any(isinstance(message, CycleEstimate) for message in messages)
    assert isinstance(messages[-1], Stop)
