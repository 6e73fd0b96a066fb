"""The way back to a device: what its port cannot take in time, and what must get there anyway."""

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from edgehip.events import Chunk, LinkState, SourceItem
from edgehip.messages import Cue, Describe, Message, Rate, SampleEstimate, Start, Stop
from edgehip.sinks import device
from edgehip.sinks.device import CAPACITY, DeviceLink
from edgehip.sinks.outbox import Outbox
from edgehip.sources import serial_port
from edgehip.sources.serial_port import SerialSource
from edgehip.wire import Frame, FrameDecoder

PATIENCE_S = 20.0
ESTIMATE = SampleEstimate(0, 0, 0, (0.0,) * 3, (0.0,) * 14)
ON, OFF = Cue(0, 1, 1_000, 0), Cue(0, 0, 2_000, 64)


class Port:
    """A port that takes nothing until it is let, and then refuses as often as it is told to.

    What it refuses it has taken half of, as a full buffer does.
    """

    live, devices, ended = True, 1, False

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.got = b""
        self.reached = threading.Event()
        self.open = threading.Event()

    def read(self, timeout_s: float) -> SourceItem | None:
        return None

    def write(self, data: bytes) -> bool:
        self.reached.set()
        assert self.open.wait(PATIENCE_S)
        if self.refusals:
            self.refusals -= 1
            self.got += data[: len(data) // 2]
            return False
        self.got += data
        return True

    def close(self) -> None:
        pass

    def frames(self) -> list[Frame]:
        return [f for f in FrameDecoder().feed(Chunk(self.got, 0)) if isinstance(f, Frame)]

    def heard(self) -> list[Message]:
        return [frame.message for frame in self.frames()]


def until(holds: Callable[[], bool]) -> None:
    moment = threading.Event()
    for _ in range(round(PATIENCE_S / 0.005)):
        if holds():
            return
        moment.wait(0.005)
    raise AssertionError


def jammed(port: Port) -> DeviceLink:
    """Return a link in whose way an estimate stands."""
    link = DeviceLink(port)
    link.send(ESTIMATE)
    assert port.reached.wait(PATIENCE_S)
    return link


def test_a_cue_overtakes_the_estimates_that_wait() -> None:
    port = Port()
    link = jammed(port)
    many = [ESTIMATE] * 10 * CAPACITY
    sent: list[Message] = [ON, *many, OFF, *many]
    for message in sent:
        link.send(message)
    port.open.set()
    link.close()
    # A state that is over is not told any more.
    assert port.heard()[:3] == [ESTIMATE, OFF, ESTIMATE]
    assert [m for m in port.heard() if isinstance(m, Cue)] == [OFF]
    assert port.heard()[-1] == Stop()
    assert [frame.sequence for frame in port.frames()] == list(range(len(port.frames())))
    assert link.dropped == len([ESTIMATE, *sent, Stop()]) - len(port.frames())


def test_a_device_that_appears_is_greeted_before_it_is_told_estimates() -> None:
    port = Port()
    link = jammed(port)
    link.send(ESTIMATE)
    link.greet(100.0)
    for _ in range(3 * CAPACITY):
        link.send(ESTIMATE)
    port.open.set()
    link.close()
    assert port.heard()[1:4] == [Describe(), Rate(100.0), Start()]


def test_a_device_is_greeted_again_ever_more_rarely_until_it_may_have_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A boot loader that waits while something comes must find the time to end."""
    now_s = 100.0
    clock = SimpleNamespace(monotonic=lambda: now_s, monotonic_ns=lambda: round(now_s * 1e9))
    monkeypatch.setattr(device, "time", clock)
    port = Port()
    port.open.set()
    link = DeviceLink(port)
    link.greet_again(None, LinkState.WAITING)  # nobody was there yet
    link.greet(None)
    until(lambda: link.outbox.dropped == 0)
    greeted_s: list[float] = []
    states = [
        *(400 * [LinkState.WAITING] + 100 * [LinkState.LIVE]),
        *(10 * [LinkState.STALE] + 5 * [LinkState.LIVE] + 20 * [LinkState.STALE]),
        *(40 * [LinkState.LOST] + 100 * [LinkState.LIVE]),
    ]
    for tenth, state in enumerate(states):
        now_s = 100.0 + tenth / 10
        before = port.heard().count(Start())
        link.greet_again(None, state)
        until(lambda: link.outbox.dropped == 0)
        if port.heard().count(Start()) > before:
            greeted_s.append(now_s - 100.0)
    link.close()
    silent, again, lost = [1.0, 3.0, 7.0, 15.0, 25.0, 35.0, 40.0], [51.0], [53.5, 57.5]
    assert greeted_s == pytest.approx([*silent, *again, *lost])


def test_a_greeting_that_nobody_takes_is_not_counted_as_missing() -> None:
    port = Port(refusals=3)
    port.open.set()
    link = DeviceLink(port)
    link.greet(100.0)
    link.send(ON)
    until(lambda: ON in port.heard())
    link.close()
    assert link.dropped == 0


def test_a_greeting_that_was_replaced_or_still_waits_is_not_counted_as_missing() -> None:
    port = Port()
    link = jammed(port)
    for _ in range(5):
        link.greet(100.0)
    port.open.set()
    until(lambda: port.heard() == [ESTIMATE, Describe(), Rate(100.0), Start()])
    assert link.dropped == 0
    port.open.clear()
    link.greet(100.0)
    link.close()
    assert link.dropped == 1  # the word to stop
    port.open.set()


def test_cues_are_off_before_the_last_estimates_are_out() -> None:
    port = Port()
    link = jammed(port)
    link.send(ON)
    for _ in range(3 * CAPACITY):
        link.send(ESTIMATE)
    port.open.set()
    until(lambda: ON in port.heard())
    port.open.clear()
    for _ in range(3 * CAPACITY):
        link.send(ESTIMATE)
    closing = threading.Thread(target=link.close)
    closing.start()
    port.open.set()
    closing.join(PATIENCE_S)
    heard = port.heard()
    off = next(i for i, m in enumerate(heard) if isinstance(m, Cue) and not m.state)
    assert ESTIMATE in heard[off:]
    assert heard[-1] == Stop()


def test_a_cue_is_told_again_after_it_was_told_not_after_it_was_meant_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "REPEAT_CUE_S", 0.0)
    port = Port()
    link = jammed(port)
    link.send(ON)
    for _ in range(5):
        link.repeat_cues()
    port.open.set()
    until(lambda: port.heard() == [ESTIMATE, ON])

    def told_again() -> bool:
        link.repeat_cues()
        return port.heard()[:3] == [ESTIMATE, ON, ON]

    until(told_again)
    link.close()


def test_a_cue_that_went_off_while_it_was_told_that_it_is_on_is_not_told_on_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is out is repeated, but not while something newer is on its way."""

    class Turnstile(Port):
        asked = 0
        let_by = threading.Semaphore(0)

        def write(self, data: bytes) -> bool:
            self.asked += 1
            assert self.let_by.acquire(timeout=PATIENCE_S)
            return super().write(data)

    monkeypatch.setattr(device, "REPEAT_CUE_S", 0.0)
    port = Turnstile()
    port.open.set()
    link = DeviceLink(port)
    link.send(ON)
    until(lambda: port.asked == 1)
    link.send(OFF)
    port.let_by.release()
    until(lambda: port.asked == 2)
    link.repeat_cues()
    assert link.dropped == 1  # that it is off, which is on its way: nothing else is
    port.let_by.release(2)
    until(lambda: port.heard() == [ON, OFF])
    link.close()


def test_a_cue_the_port_refused_is_told_soon_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "RETRY_CUE_S", 0.0)
    port = Port(refusals=3)
    port.open.set()
    link = DeviceLink(port)
    link.send(OFF)

    def told() -> bool:
        link.repeat_cues()
        return OFF in port.heard()

    until(told)
    link.close()
    assert port.heard() == [OFF, Stop()]
    assert link.dropped == 3


def test_an_off_that_was_refused_is_tried_again_at_the_end() -> None:
    port = Port(refusals=1)
    port.open.set()
    link = DeviceLink(port)
    link.send(OFF)
    until(lambda: link.outbox.dropped == 0)
    link.close()
    assert [(type(m), getattr(m, "state", None)) for m in port.heard()] == [(Cue, 0), (Stop, None)]


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=60), st.booleans())
def test_what_waits_is_bounded_and_no_newest_state_is_missing(
    names: list[str], states_first: bool
) -> None:
    free, given_out = threading.Event(), list[bytes]()

    def deliver(item: bytes) -> None:
        assert free.wait(PATIENCE_S)
        given_out.append(item)

    outbox = Outbox("test", deliver, capacity=5, states_first=states_first)
    items = [f"{i} {name}".encode() for i, name in enumerate(names)]
    for name, item in zip(names, items, strict=True):
        outbox.put(item, state_of=name or None)
    free.set()
    outbox.close(PATIENCE_S)
    assert outbox.dropped == len(items) - len(given_out)
    assert len(given_out) <= 1 + 5 + 3
    newest = {name: item for name, item in zip(names, items, strict=True) if name}
    assert set(newest.values()) <= set(given_out)
    order = [items.index(item) for item in given_out]
    if states_first:  # of those that waited when it was free again
        kinds = [names[i] == "" for i in order[1:]]
        assert kinds == sorted(kinds)
        order = [i for i in order[1:] if names[i] == ""]
    assert order == sorted(order)


class Wire:
    """A serial port as pySerial opens one, with bytes that are not on the wire yet."""

    in_waiting = 0

    def __init__(self, unsent: list[int]) -> None:
        self.unsent = unsent
        self.written: list[tuple[bytes, int]] = []

    @property
    def out_waiting(self) -> int:
        return self.unsent.pop(0) if len(self.unsent) > 1 else self.unsent[0]

    def read(self, size: int) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        self.written.append((data, len(self.unsent)))
        return len(data)

    def close(self) -> None:
        pass


def test_no_frame_is_put_behind_a_buffer_full_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a cue would be out when the system has sent all it holds."""
    wire = Wire([3000, 2000, 100, 10])
    monkeypatch.setattr(serial, "serial_for_url", lambda *_, **__: wire)
    source = SerialSource("/dev/ttyX", 115200)
    assert source.write(b"first")
    assert wire.written == [(b"first", 1)]
    wire.unsent = [3000]
    monkeypatch.setattr(serial_port, "UNSENT_WITHIN_S", 0.05)
    assert not source.write(b"second")
    assert len(wire.written) == 1
    source.close()
