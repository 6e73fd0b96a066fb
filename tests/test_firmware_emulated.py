"""The real firmware on emulated boards: it walks, obeys, and what the host says comes back."""

import contextlib
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import cast

import numpy as np
import pytest
import serial
from numpy.typing import NDArray

from edgehip.events import DISTRUST, Chunk, Flag, InitialContact, JointAngleSample, LinkFault
from edgehip.messages import (
    Angles,
    Cue,
    CycleEstimate,
    Describe,
    Description,
    Message,
    Rate,
    Start,
    Stop,
)
from edgehip.receiver import Receiver
from edgehip.segmentation import GaitSegmenter
from edgehip.sinks.device_messages import flag_bits
from edgehip.wire import Frame, FrameDecoder, encode
from edgehip_firmware_bridge import boards, emulate, toolchain, walking
from edgehip_firmware_bridge.boards import Board
from edgehip_firmware_bridge.emulate import Emulator
from edgehip_firmware_bridge.toolchain import ToolchainError
from tests.programs import PATIENCE_S, running, until

UNANSWERED = 1000
"""After so many other frames the answer to a question does not come."""
STRIDE_US = walking.STRIDE_SAMPLES * walking.SAMPLE_US
JITTER_US = {"cortex-m": 0, "avr": 300}
"""How far a sample may be from its time: the Cortex-M's timer takes it, the Arduino's loop."""


class Device:
    """A board being emulated, and the host's end of its cable. A damaged frame fails the test.

    A thread listens, whatever the test does meanwhile: a cable does not wait, and the little that
    the system keeps for a program is soon full.
    """

    def __init__(self, board: Board, emulator: Emulator) -> None:
        self.board = board
        self.port = serial.Serial(
            emulator.port, timeout=0.02, write_timeout=PATIENCE_S, exclusive=True
        )
        self.decoder = FrameDecoder()
        self.heard: deque[Frame] = deque()
        self.said = 0
        self._received: SimpleQueue[bytes | serial.SerialException] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        try:
            # The first bytes may be the end of a frame.
            while not self._closing.is_set() and not self.port.read_until(b"\0").endswith(b"\0"):
                pass
            while not self._closing.is_set():
                self._received.put(self.port.read(self.port.in_waiting or 1))
        except serial.SerialException as error:
            self._received.put(error)

    def say(self, message: Message) -> None:
        self.port.write(encode(message, self.said, 0))
        self.said += 1

    def listen(self) -> None:
        """Take what has come, or comes soon."""
        try:
            data = self._received.get(timeout=0.02)
        except Empty:
            return
        assert isinstance(data, bytes), f"the emulator ended: {data}"
        for event in self.decoder.feed(Chunk(data, 0)):
            assert not isinstance(event, LinkFault)
            self.heard.append(event)

    def hear(self, count: int = 1) -> list[Frame]:
        """Return the next frames; it does not matter how fast this machine lets them come."""
        end = time.monotonic() + PATIENCE_S
        while len(self.heard) < count:
            assert time.monotonic() < end, "the device fell silent"
            self.listen()
        return [self.heard.popleft() for _ in range(count)]

    def ask(self, question: Describe | Rate) -> Description:
        """Return the description that answers; what the device said before is thrown away."""
        self.say(question)
        for _ in range(UNANSWERED):
            message = self.hear()[0].message
            if isinstance(message, Description):
                return message
        raise AssertionError(f"{question} is not answered")

    def begin_anew(self) -> None:
        """Forget what was heard until now."""
        while not self._received.empty():
            self.listen()
        self.heard.clear()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self.port.close()


@contextlib.contextmanager
def switched_on(board: Board, command: Sequence[str | Path]) -> Iterator[Device]:
    with Emulator(command) as emulator, contextlib.closing(Device(board, emulator)) as device:
        device.hear(20)  # the description that it begins with is among them, or before
        yield device


@pytest.fixture(scope="module", params=boards.BOARDS)
def device(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Device]:
    if why := boards.unavailable(request.param):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("firmware")
    with switched_on(request.param, emulate.emulator_command(request.param, folder)) as device:
        yield device


def recorded(folder: Path, count: int) -> list[Frame]:
    """Return what a Cortex-M4 sends first, by its own clock, this machine's having no part in it.

    That is its description, then the walk.
    """
    if why := boards.unavailable("cortex-m"):
        pytest.skip(why)
    command = boards.qemu_without_waiting(boards.build_cortex_m(folder))
    sent = folder / "sent"
    with (
        sent.open("wb") as output,
        running(command, stdin=subprocess.DEVNULL, stdout=output) as machine,
    ):
        until(lambda: sent.read_bytes().count(0) > count, f"{count} frames")
        machine.kill()
    events = list(FrameDecoder().feed(Chunk(sent.read_bytes(), 0)))[:count]
    assert all(isinstance(event, Frame) for event in events)
    return cast(list[Frame], events)


@pytest.fixture(scope="module")
def walk(device: Device, tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    """Some seconds of what the device sends by itself."""
    if device.board == "cortex-m":
        return recorded(tmp_path_factory.mktemp("walk"), 451)[1:]  # after its description
    device.begin_anew()
    return device.hear(450)


def samples_of(frames: list[Frame]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the samples' device times (N,) and angles (N, 10)."""
    samples = [
        (frame.device_us, frame.message.angles_deg)
        for frame in frames
        if isinstance(frame.message, Angles)
    ]
    return np.array([t for t, _ in samples]), np.array([angles for _, angles in samples])


def test_describes_itself(device: Device) -> None:
    description = device.ask(Describe())
    assert description.name.startswith("edgehip walker")
    assert description.rate_hz == pytest.approx(100.0)
    assert len(description.channel_names) == 10


def test_nothing_is_lost_and_the_walk_is_the_tables(device: Device, walk: list[Frame]) -> None:
    sequence = np.array([frame.sequence for frame in walk])
    assert np.all(np.diff(sequence) == 1)
    time_us, angles_deg = samples_of(walk)
    assert np.all(np.abs(np.diff(time_us) - 10_000) <= JITTER_US[device.board])
    assert np.mean(np.diff(time_us)) == pytest.approx(10_000, rel=1e-3)
    rows = np.arange(walking.STRIDE_SAMPLES + 1)
    stride = walking.stride_deg()[rows % walking.STRIDE_SAMPLES]
    phase = (time_us % STRIDE_US) / walking.SAMPLE_US
    for channel in range(10):
        expected = np.interp(phase, rows, stride[:, channel])
        np.testing.assert_allclose(angles_deg[:, channel], expected, atol=0.03)


def test_the_strides_are_found_where_they_are(walk: list[Frame]) -> None:
    receiver, segmenter = Receiver(), GaitSegmenter()
    contacts: list[InitialContact] = []
    for frame in walk:
        assert frame.sequence is not None
        chunk = Chunk(encode(frame.message, frame.sequence, frame.device_us), 0)
        for event in receiver.feed(chunk):
            if isinstance(event, JointAngleSample):
                found = segmenter.feed(event)
                contacts += [each for each in found if isinstance(each, InitialContact)]
    for side, phase in (("r", 0.0), ("l", 0.5)):
        strides = np.array([c.time_s for c in contacts if c.side == side]) * 1e6 / STRIDE_US
        assert len(strides) >= 2
        assert np.all(np.abs((strides - phase + 0.5) % 1.0 - 0.5) < 0.05)


def test_stop_and_start_are_obeyed(device: Device) -> None:
    device.say(Stop())
    device.ask(Describe())
    for _ in range(20):
        device.listen()
    assert not device.heard
    device.say(Start())
    assert all(isinstance(frame.message, Angles) for frame in device.hear(20))


@pytest.mark.parametrize("rate_hz", [62.5, 200.0, 100.0])
def test_the_rate_is_obeyed(device: Device, rate_hz: float) -> None:
    assert device.ask(Rate(rate_hz)).rate_hz == pytest.approx(rate_hz)
    device.hear(3)  # a sample already under way keeps its time
    frames = device.hear(50)
    # QEMU's clock is this machine's: what it had no time for is counted.
    taken = np.diff([frame.sequence or 0 for frame in frames])
    between_us = np.diff(samples_of(frames)[0])
    assert np.all(np.abs(between_us - taken * 1e6 / rate_hz) <= JITTER_US[device.board])


def test_ten_minutes_of_walking_have_every_sample_at_its_time(tmp_path: Path) -> None:
    frames = recorded(tmp_path, 60_001)
    assert [frame.sequence for frame in frames] == list(range(60_001))
    assert [frame.device_us for frame in frames] == [10_000 * i for i in range(60_001)]


def test_a_rate_beyond_the_cable_is_cut_down(device: Device) -> None:
    assert 200 <= device.ask(Rate(1e6)).rate_hz <= 500
    assert device.ask(Rate(100.0)).rate_hz == pytest.approx(100.0)


def leds(device: Device) -> str:
    """Return which of the two LEDs are lit, by the firmware's own words: ``1.0 leds=10``."""
    return device.ask(Describe()).firmware.removeprefix("1.0 leds=")


def test_a_cue_lights_the_led_and_it_goes_out(device: Device) -> None:
    assert leds(device) == "00"
    device.say(Cue(cue=0, state=1, event_us=0, flags=0))
    assert leds(device) == "10"
    device.say(Cue(cue=0, state=0, event_us=0, flags=0))
    assert leds(device) == "00"
    device.say(Cue(cue=1, state=1, event_us=0, flags=0))
    assert leds(device) == "00"
    device.say(Cue(cue=0, state=1, event_us=0, flags=0))
    assert leds(device) == "10"
    device.begin_anew()
    device.hear(210)  # two seconds and a bit
    assert leds(device) == "00"


def test_a_cue_goes_out_that_is_not_told_again_whatever_else_is_heard(device: Device) -> None:
    """An echo, or a host that was begun after the first died and tells no cues."""
    assert leds(device) == "00"
    device.say(Cue(cue=0, state=1, event_us=0, flags=0))
    assert leds(device) == "10"
    device.begin_anew()
    for _ in range(5):
        device.hear(42)  # together two seconds and a bit
        device.say(Angles((0.0,) * 10))
        device.say(Start())
    assert leds(device) == "00"


def test_a_damaged_cue_lights_nothing(device: Device) -> None:
    cue = bytearray(encode(Cue(cue=0, state=1, event_us=0, flags=0), device.said, 0))
    cue[-3] ^= 0x10
    device.port.write(bytes(cue))
    device.port.write(b"\x55" * 400 + b"\0")
    assert leds(device) == "00"


def test_a_high_moment_lights_the_second_led_unless_it_is_not_to_be_acted_upon(
    device: Device,
) -> None:
    def leds_after(moment: float, flags: int) -> str:
        peaks, percents = (0.0,) * 14, (0.0,) * 3
        moments = (moment, 0.0, 0.0)
        device.say(
            CycleEstimate(
                1, flags, 0, STRIDE_US, 61.0, moments, moments, peaks, percents, percents, peaks
            )
        )
        return leds(device)

    assert leds_after(0.6, flags=0) == "01"
    assert leds_after(0.4, flags=0) == "00"
    assert leds_after(0.6, flag_bits([Flag.NO_ZERO, Flag.SAMPLES_LOST])) == "01"
    for flag in DISTRUST:
        assert leds_after(0.6, flag_bits([flag])) == "00"
    assert leds_after(float("nan"), flags=0) == "00"


def test_what_an_estimate_lit_goes_out_though_cues_are_still_told(device: Device) -> None:
    peaks, percents, moments = (0.0,) * 14, (0.0,) * 3, (0.6, 0.0, 0.0)
    device.say(
        CycleEstimate(1, 0, 0, STRIDE_US, 61.0, moments, moments, peaks, percents, percents, peaks)
    )
    assert leds(device) == "01"
    for _ in range(2):
        device.hear(100)  # together longer than one and a half strides
        device.say(Cue(cue=0, state=1, event_us=0, flags=0))
    assert leds(device) == "10"
    device.say(Cue(cue=0, state=0, event_us=0, flags=0))


def test_samples_that_a_busy_program_has_no_time_for_are_counted(tmp_path: Path) -> None:
    if why := boards.unavailable("cortex-m"):
        pytest.skip(why)
    command = emulate.emulator_command("cortex-m", tmp_path)
    begin = "static void send_angles(uint64_t time_us)\n{\n"
    busy = (
        "uint64_t since = ticks; "
        "while (sequence % 50u == 0 && ticks - since < 4u * FIRST_PERIOD) {}"
    )
    text = (toolchain.CORTEX_M / "main.c").read_text()
    assert begin in text
    (tmp_path / "main.c").write_text(text.replace(begin, f"{begin}{busy}\n"))
    sources = [toolchain.LIBRARY / "edgehip_wire.c", toolchain.CORTEX_M / "startup.c"]
    sources += [tmp_path / "main.c"]
    program = next(tmp_path.rglob("*.elf"))
    toolchain.compile_c("arm-none-eabi-gcc", sources, program, [*toolchain.CORTEX_M4, "-O2"])
    with switched_on("cortex-m", command) as device:
        frames = device.hear(100)
    sequence = np.array([frame.sequence for frame in frames])
    time_us, _ = samples_of(frames)
    assert np.diff(sequence).max() > 1
    assert np.diff(sequence).tolist() == np.round(np.diff(time_us) / 10_000).tolist()


def test_every_sketch_of_the_library_compiles(tmp_path: Path) -> None:
    if why := boards.unavailable("avr"):
        pytest.skip(why)
    assert boards.build_sketch("Minimal", tmp_path).exists()


def test_a_missing_emulator_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolchainError, match="apt install"):
        emulate.emulator_command("cortex-m", tmp_path)
