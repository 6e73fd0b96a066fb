"""A device at each leg, each with its own clock: one stream of ten angles."""

import math
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgehip import Pipeline, Stream, load_model, open_source, snapshot
from edgehip.channels import ANGLES
from edgehip.errors import DeviceError, SourceError
from edgehip.events import (
    Chunk,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    LinkChange,
    LinkState,
    PortOpened,
)
from edgehip.intake import Intake
from edgehip.messages import Angles, Cue, Description, SampleEstimate, Stop
from edgehip.sinks.recorder import Recorder
from edgehip.wire import Frame, FrameDecoder, encode
from tests.listed_source import ListedSource
from tests.programs import edgehip, running, until
from tests.pty_device import PtyDevice
from tests.sample_model import leaky_model
from tests.streams import Walk, synthetic_walk


def leg(walk: Walk, side: str, *, drift_ppm: float, start_us: int) -> list[tuple[float, bytes]]:
    """One leg's frames with when they are sent, on a clock of its own."""
    mine = [name.endswith(side) for name in ANGLES]
    frames = []
    for i, (t, angles) in enumerate(
        zip(walk.time_s.tolist(), walk.angles_deg.tolist(), strict=True)
    ):
        measured = tuple(a if own else math.nan for a, own in zip(angles, mine, strict=True))
        frames.append((t, encode(Angles(measured), i, start_us + round(t * (1e6 + drift_ppm)))))
    return frames


@pytest.fixture
def legs(tmp_path: Path) -> Iterator[tuple[PtyDevice, PtyDevice]]:
    folders = tmp_path / "right", tmp_path / "left"
    for folder in folders:
        folder.mkdir()
    devices = PtyDevice(folders[0]), PtyDevice(folders[1])
    yield devices
    for device in devices:
        device.close()


def play(
    stream: Stream, sent: list[tuple[float, PtyDevice, bytes]], more_s: float = 0.3
) -> list[object]:
    """Send each frame at its time while the stream runs; return its events."""
    events: list[object] = []
    started_s = time.monotonic()
    waiting = iter(sorted(sent, key=lambda piece: piece[0]))
    coming = next(waiting, None)
    for event in stream:
        events.append(event)
        now_s = time.monotonic() - started_s
        while coming is not None and coming[0] <= now_s:
            coming[1].write(coming[2])
            coming = next(waiting, None)
        if coming is None and now_s > sent[-1][0] + more_s:
            stream.stop()
    return events


def test_two_legs_walk_as_one(legs: tuple[PtyDevice, PtyDevice], tmp_path: Path) -> None:
    walk = synthetic_walk(6.0, stand_s=0.5)
    right, left = legs
    sent = [(t, right, f) for t, f in leg(walk, "r", drift_ppm=100, start_us=5_000_000)]
    sent += [(t, left, f) for t, f in leg(walk, "l", drift_ppm=-100, start_us=2**32 - 1_000_000)]
    recorder = Recorder(tmp_path / "two.rec", {"devices": "2"})
    source = open_source(str(right.port), str(left.port))
    with Stream(source, load_model(), recorder=recorder.add) as stream:
        events = play(stream, sorted(sent, key=lambda piece: piece[0]))
        summary = stream.summary()
    assert recorder.close() is None
    estimates = [e for e in events if isinstance(e, HipEstimate)]
    assert {e.side for e in estimates} == {"l", "r"}
    assert len(estimates) >= 6
    assert summary.frames_lost == 0
    assert summary.samples >= len(walk) - 40
    # Both legs' strides are alike: the clocks were brought together within a few milliseconds.
    stances = [e.stance_percent for e in estimates if e.stance_percent]
    assert np.ptp(stances) < 8
    # The recording knows its devices, and replays to the same estimates.
    with Stream(open_source(f"replay:{tmp_path / 'two.rec'}?speed=max"), load_model()) as again:
        repeated = list(again.estimates())
    assert [(e.side, e.start_s, e.end_s) for e in repeated] == [
        (e.side, e.start_s, e.end_s) for e in estimates
    ]


def test_a_leg_that_stalls_is_named_and_not_waited_for(legs: tuple[PtyDevice, PtyDevice]) -> None:
    walk = synthetic_walk(3.0, stand_s=0.5)
    right, left = legs
    sent = [(t, right, f) for t, f in leg(walk, "r", drift_ppm=0, start_us=0)]
    sent += [(t, left, f) for t, f in leg(walk, "l", drift_ppm=0, start_us=0) if t < 1.5]
    with Stream(open_source(str(right.port), str(left.port)), load_model()) as stream:
        events = play(stream, sorted(sent, key=lambda piece: piece[0]))
    changes = [e for e in events if isinstance(e, LinkChange)]
    assert changes[0].state is LinkState.LIVE
    stale = [change for change in changes if change.state is LinkState.STALE]
    assert any("second device" in change.detail for change in stale)
    assert stream.link.state in (LinkState.STALE, LinkState.LOST)


def test_each_device_is_answered_by_its_own_clock(legs: tuple[PtyDevice, PtyDevice]) -> None:
    """By the other's it could not tell how old an estimate is, and would follow it for ever."""
    walk = synthetic_walk(3.0, stand_s=0.5)
    starts_us = 5_000_000, 2**32 - 1_000_000
    sent = [
        (t, device, frame)
        for device, side, start_us in zip(legs, "rl", starts_us, strict=True)
        for t, frame in leg(walk, side, drift_ppm=0, start_us=start_us)
    ]
    ports = [option for device in legs for option in ("--port", str(device.port))]
    command = edgehip("stream", *ports, "--estimates", "sample", "--send", str(legs[1].port))
    command += ["--cue", "glmed_r > 0 N/kg"]
    heard: list[list[object]] = [[], []]
    decoders = FrameDecoder(), FrameDecoder()

    def listen() -> None:
        for device, decoder, messages in zip(legs, decoders, heard, strict=True):
            frames = decoder.feed(Chunk(device.read(), 0))
            messages += [frame.message for frame in frames if isinstance(frame, Frame)]

    with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        for device in legs:
            device.wait_for_greeting(process)
        started_s = time.monotonic()
        for t, device, frame in sorted(sent, key=lambda piece: piece[0]):
            time.sleep(max(0.0, started_s + t - time.monotonic()))
            device.write(frame)
            listen()
        for device in legs:
            device.wait_until_taken(process)
        process.send_signal(signal.SIGINT)

        def are_let_go() -> bool:
            listen()
            return all(Stop() in messages for messages in heard)

        until(are_let_go, "that both are let go")
    for messages, start_us in zip(heard, starts_us, strict=True):
        times_us = [m.sample_us for m in messages if isinstance(m, SampleEstimate)]
        times_us += [m.event_us for m in messages if isinstance(m, Cue)]
        assert len(times_us) > 100
        # A busy machine may make one link seem slower than the other.
        since_s = [(us - start_us + 1_000_000) % 2**32 / 1e6 - 1.0 for us in times_us]
        assert -0.5 < min(since_s) < max(since_s) < 3.5
        assert [m.state for m in messages if isinstance(m, Cue)][-1] == 0


def test_a_device_that_was_not_heard_since_its_port_was_opened_is_told_its_last_time() -> None:
    intake = Intake(2)
    times = [(0, 5_000_000), (1, 90_000_000)]
    for device, start_us in times:
        for i in range(3):
            frame = encode(Angles((1.0,) * 10), i, start_us + 10_000 * i)
            intake.feed(Chunk(frame, 10_000_000 * i, device))
    assert intake.device_us(5.01) == 5_010_000
    assert intake.device_us(5.01, device=1) == pytest.approx(90_010_000, abs=1)
    for device, _ in times:
        intake.feed(PortOpened(40_000_000, "back", device))
        assert intake.device_us(5.02) == 5_020_000
        assert intake.device_us(5.02, device=1) == 90_020_000


def test_a_pair_is_two_live_ports() -> None:
    with pytest.raises(SourceError, match="two live ports"):
        open_source("synthetic:", "synthetic:")


def test_two_devices_for_the_same_leg_are_told_what_is_missing(
    legs: tuple[PtyDevice, PtyDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgehip.diagnosis.HOPELESS_S", 0.6)
    walk = synthetic_walk(2.0)
    sent = [(t, legs[0], f) for t, f in leg(walk, "r", drift_ppm=0, start_us=0)]
    sent += [(t, legs[1], f) for t, f in leg(walk, "r", drift_ppm=0, start_us=1000)]
    source = open_source(str(legs[0].port), str(legs[1].port))
    with (
        Stream(source, load_model()) as stream,
        pytest.raises(DeviceError, match=r"neither device measures hip_flexion_l.*different legs"),
    ):
        play(stream, sent)


@pytest.mark.parametrize("silent", [0, 1])
@pytest.mark.parametrize("says", [b"", 50 * b"nonsense\0"])
def test_of_two_devices_one_that_is_silent_is_named(silent: int, says: bytes) -> None:
    walk = synthetic_walk(4.0, noise_deg=0.1)
    items = [
        Chunk(data, round(t * 1e9), device=1 - silent)
        for t, data in leg(walk, "r", drift_ppm=0.0, start_us=0)
    ]
    items += [Chunk(says, items[-1].received_ns, device=silent)] if says else []
    which = "second" if silent else "first"
    with (
        Stream(ListedSource(items, devices=2), None, sample_model=leaky_model()) as stream,
        pytest.raises(DeviceError, match=f"nothing of use came from the {which} device: .*--port"),
    ):
        list(stream)


def recorded(path: Path, gaps: dict[int, set[int]], silent_s: tuple[float, float]) -> int:
    """Record two legs' walk without some frames; the left one's device rests for a while.

    Return how many frames were sent.
    """
    walk = synthetic_walk(12.0)
    recorder = Recorder(path, {"devices": "2"})
    begin_ns = 10**9
    for device in (0, 1):
        recorder.add(PortOpened(begin_ns, f"leg {device}", device))
    legs = [leg(walk, side, drift_ppm=0, start_us=5000 * i) for i, side in enumerate("rl")]
    sent, numbers = 0, [0, 0]
    for place, moments in enumerate(zip(*legs, strict=True)):
        for device, (at_s, data) in enumerate(moments):
            if device == 1 and silent_s[0] < at_s < silent_s[1]:
                continue  # it did not measure: no number is missing
            sent += 1
            number, numbers[device] = numbers[device], numbers[device] + 1
            if place not in gaps[device]:
                (frame,) = FrameDecoder().feed(Chunk(data, 0))
                assert isinstance(frame, Frame)
                data = encode(frame.message, number, frame.device_us)
                received_ns = begin_ns + round(at_s * 1e9) + 5_000_000 * device
                recorder.add(Chunk(data, received_ns, device))
    assert recorder.close() is None
    return sent


def test_what_two_devices_lose_is_a_share_of_what_both_sent(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gaps = {i: set(np.flatnonzero(rng.random(1190) < 0.05).tolist()) - {0} for i in (0, 1)}
    sent = recorded(tmp_path / "walk.rec", gaps, (0.0, 0.0))
    source = open_source(f"replay:{tmp_path / 'walk.rec'}?speed=max")
    with Stream(source, load_model()) as stream:
        list(stream)
        summary = stream.summary()
    lost = len(gaps[0]) + len(gaps[1])
    assert summary.frames_lost == lost
    assert summary.loss_percent == pytest.approx(100 * lost / sent)


def chunks(walk: Walk, drift_ppm: float = 0.0) -> list[Chunk]:
    """Return both legs' frames as they come, the left one's on a clock that drifts."""
    both = (
        leg(walk, "r", drift_ppm=0.0, start_us=0),
        leg(walk, "l", drift_ppm=drift_ppm, start_us=0),
    )
    pairs = zip(*both, strict=True)
    return [
        Chunk(frame, 10**9 + round(t * 1e9) + device * 10**6, device)
        for pair in pairs
        for device, (t, frame) in enumerate(pair)
    ]


def test_two_devices_that_say_what_they_measure_measure_all_together() -> None:
    said = []
    for device, side in enumerate("rl"):
        channels = sum(1 << i for i, name in enumerate(ANGLES) if name.endswith(side))
        described = Description(100.0, channels, f"{side} leg", "1")
        said.append(Chunk(encode(described, 2**32 - 1, 0), 10**9, device))
    source = ListedSource([*said, *chunks(synthetic_walk(6.0, stand_s=0.5))], devices=2)
    with Stream(source, load_model()) as stream:
        assert len(list(stream.estimates())) >= 6
        assert stream.summary().frames_lost == 0


def test_a_frame_that_one_leg_loses_costs_no_sample_of_the_other() -> None:
    kept = [c for place, c in enumerate(chunks(synthetic_walk(6.0))) if place != 2 * 300 + 1]
    with Stream(ListedSource(kept, devices=2), load_model()) as stream:
        list(stream)
        summary = stream.summary()
    assert summary.faults == {"lost": 1, "unmatched": 1}  # the first, when the other had none yet
    assert summary.samples == 599


@pytest.mark.parametrize("cut", [1, 600, 1101])
def test_a_state_of_two_devices_saved_and_resumed_changes_nothing(cut: int) -> None:
    first, second, uncut = (Pipeline(None, sample_model=leaky_model(), devices=2) for _ in range(3))
    sent = chunks(synthetic_walk(6.0, stand_s=0.5), 100.0)
    del sent[1100:1110:2]  # the leading one's
    expected = [event for chunk in sent for event in uncut.feed(chunk)]
    events = [event for chunk in sent[:cut] for event in first.feed(chunk)]
    snapshot.restore(second, snapshot.save(first))
    events += [event for chunk in sent[cut:] for event in second.feed(chunk)]
    assert [str(event) for event in events] == [str(event) for event in expected]
    assert snapshot.save(second) == snapshot.save(uncut)


def test_nothing_is_trusted_while_one_legs_clock_is_far_off() -> None:
    walk = synthetic_walk(20.0, stand_s=0.5, noise_deg=0.1)
    pipeline = Pipeline(None, sample_model=leaky_model(), devices=2)
    events = [event for chunk in chunks(walk, 300_000.0) for event in pipeline.feed(chunk)]
    (told,) = (event for event in events if isinstance(event, LinkChange))
    assert "1.30 times as fast" in told.detail
    later = [e for e in events if isinstance(e, HipSampleEstimate) and e.received_ns > told.at_ns]
    assert len(later) > 100
    assert all(Flag.OUT_OF_RANGE in each.flags for each in later)


def test_what_one_device_sent_while_the_other_rested_is_counted(tmp_path: Path) -> None:
    recorded(tmp_path / "walk.rec", {0: set(), 1: set()}, (5.0, 9.0))
    source = open_source(f"replay:{tmp_path / 'walk.rec'}?speed=max")
    with Stream(source, load_model()) as stream:
        list(stream)
        summary = stream.summary()
    assert set(summary.faults) == {"unmatched"}
    assert summary.faults["unmatched"] == pytest.approx(400, abs=3)
    assert summary.samples + summary.faults["unmatched"] == pytest.approx(1200, abs=1)
