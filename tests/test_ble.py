"""Bluetooth with the real bleak client: the Bluetooth service below it is simulated."""

import importlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from serial.tools import list_ports

from edgehip.commands import devices
from edgehip.errors import MissingExtraError, SourceError
from edgehip.events import (
    BytesMissing,
    Chunk,
    Fault,
    Flag,
    JointAngleSample,
    LinkFault,
    PortLost,
    PortOpened,
    SourceItem,
)
from edgehip.messages import Angles, Cue, Stop
from edgehip.receiver import Received, Receiver
from edgehip.sinks.device import DeviceLink
from edgehip.sinks.device_messages import flag_bits
from edgehip.sources import ble, ble_link, split_pair
from edgehip.sources.ble import BleSource
from edgehip.sources.ble_link import Target, Timing
from edgehip.sources.inbox import Inbox
from edgehip.walker import Walker, WalkerParameters
from edgehip.wire import Frame, FrameDecoder, encode
from edgehip_firmware_bridge.ble_peripheral import Peripheral
from edgehip_firmware_bridge.private_bus import BUS_VARIABLE, NO_PERMISSION
from edgehip_firmware_bridge.simulated_bluez import SimulatedBluez
from tests.bluetooth import needs_dbus_daemon, system_bus

pytestmark = needs_dbus_daemon

PATIENT = Timing(only_one_s=1.0, silence_s=30.0, first_wait_s=0.05, longest_wait_s=0.1)
"""For what works: it takes no longer than it takes."""
QUICK = Timing(
    find_s=0.5,
    only_one_s=0.3,
    service_s=0.5,
    connect_s=1.0,
    silence_s=0.4,
    first_wait_s=0.05,
    longest_wait_s=0.1,
)
"""For what does not work: it takes its whole time."""
LIMIT_S = 20.0
"""Longest wait for something that must happen; never reached unless it does not."""


@pytest.fixture
def left() -> Peripheral:
    return Peripheral("LEFT-LEG", "AA:BB:CC:DD:EE:01")


@pytest.fixture
def right() -> Peripheral:
    return Peripheral("RIGHT-LEG", "AA:BB:CC:DD:EE:02")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with system_bus(tmp_path) as address:
        yield address


@pytest.fixture
def bluez(bus: str, left: Peripheral, right: Peripheral) -> Iterator[SimulatedBluez]:
    with SimulatedBluez(bus, [left, right]) as simulated:
        yield simulated


@contextmanager
def opened(target: Target, timing: Timing = PATIENT) -> Iterator[BleSource]:
    source = BleSource(target, timing=timing)
    try:
        yield source
    finally:
        source.close()


def refused(target: Target, timing: Timing = QUICK) -> str:
    """Return the one line that opening ends with."""
    with pytest.raises(SourceError) as caught:
        BleSource(target, timing=timing)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"ble://{target}: ")
    return message


def next_item(source: BleSource) -> SourceItem:
    item = source.read(LIMIT_S)
    assert item is not None
    return item


def next_of(source: BleSource, kind: type[SourceItem]) -> SourceItem:
    """Return the next item of a kind, whatever comes before."""
    while not isinstance(item := next_item(source), kind):
        pass
    return item


def next_loss(source: BleSource) -> str:
    """Return why there is no connection, by the next that is told of it."""
    lost = next_of(source, PortLost)
    assert isinstance(lost, PortLost)
    return lost.detail


def bytes_of(source: BleSource, count: int) -> bytes:
    data = b""
    while len(data) < count:
        item = next_item(source)
        assert isinstance(item, Chunk)
        data += item.data
    return data


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the other threads bring about."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def frames(count: int) -> list[bytes]:
    walker = Walker(WalkerParameters(stand_s=0.0))
    return [
        encode(Angles(sample.angles_deg), i, round(sample.time_s * 1e6))
        for i, sample in enumerate(itertools.islice(walker, count))
    ]


@pytest.mark.parametrize(
    "target", [Target(name="LEFT-LEG"), Target(address="AA:BB:CC:DD:EE:01")], ids=str
)
def test_a_device_is_found_by_name_or_address_and_says_what_it_is(
    bluez: SimulatedBluez, target: Target
) -> None:
    with opened(target) as source:
        item = next_item(source)
        assert isinstance(item, PortOpened)
        for part in ("LEFT-LEG", "AA:BB:CC:DD:EE:01", "Acme", "firmware 1.4.2", "battery 83 %"):
            assert part in item.detail


def test_the_only_device_needs_no_name(
    bluez: SimulatedBluez, left: Peripheral, right: Peripheral
) -> None:
    right.has_uart = False
    with opened(Target()) as source:
        item = next_item(source)
        assert isinstance(item, PortOpened)
        assert "LEFT-LEG" in item.detail


def test_the_only_device_stays_the_one(
    bluez: SimulatedBluez, left: Peripheral, right: Peripheral
) -> None:
    right.visible = False
    with opened(Target()) as source:
        assert isinstance(next_item(source), PortOpened)
        right.visible = True
        bluez.drop(left)
        item = next_of(source, PortOpened)
        assert isinstance(item, PortOpened)
        assert "LEFT-LEG" in item.detail


def test_a_device_left_connected_by_another_program_is_found(bus: str, left: Peripheral) -> None:
    left.connected = True
    timing = replace(PATIENT, find_s=0.3)
    with (
        SimulatedBluez(bus, [left]) as bluez,
        opened(Target(name="LEFT-LEG"), timing) as source,
    ):
        assert isinstance(next_item(source), PortOpened)
        bluez.notify(left, [b"hello"])
        assert bytes_of(source, 5) == b"hello"


def test_what_a_stranger_calls_itself_does_nothing_to_the_terminal(
    bluez: SimulatedBluez, left: Peripheral
) -> None:
    left.name = "LEFT\x1b[2J\nLEG"
    assert "LEFT[2JLEG" in refused(Target(name="RIGHT-ARM"))


def test_a_walk_at_100_hz_in_bursts_arrives_whole(bluez: SimulatedBluez, left: Peripheral) -> None:
    sent = frames(1000)
    with opened(Target(name="LEFT-LEG")) as source:
        assert isinstance(next_item(source), PortOpened)
        sizes = itertools.cycle([1, 3, 10, 2, 7])  # notifications per connection event
        rest = sent
        while rest:
            size = next(sizes)
            bluez.notify(left, rest[:size])
            rest = rest[size:]
        assert bytes_of(source, len(b"".join(sent))) == b"".join(sent)


@pytest.mark.parametrize("payload", [20, 244], ids=["MTU 23", "MTU 247"])
def test_the_stream_may_be_cut_anywhere(
    bluez: SimulatedBluez, left: Peripheral, payload: int
) -> None:
    stream = b"".join(frames(200))
    pieces = [stream[i : i + payload] for i in range(0, len(stream), payload)]
    decoder = FrameDecoder()
    with opened(Target(name="LEFT-LEG")) as source:
        assert isinstance(next_item(source), PortOpened)
        bluez.notify(left, pieces)
        received = bytes_of(source, len(stream))
    decoded = decoder.feed(Chunk(received, 0))
    assert [f.sequence for f in decoded if isinstance(f, Frame)] == list(range(200))


def test_a_disconnect_mid_frame_is_told_and_the_device_comes_back(
    bluez: SimulatedBluez, left: Peripheral
) -> None:
    first, second = frames(2)
    with opened(Target(name="LEFT-LEG")) as source:
        assert isinstance(next_item(source), PortOpened)
        bluez.notify(left, [first, second[:10]])
        assert bytes_of(source, len(first) + 10) == first + second[:10]
        bluez.drop(left)
        lost = next_item(source)
        assert isinstance(lost, PortLost)
        assert lost.detail == "LEFT-LEG disconnected"
        assert isinstance(next_item(source), PortOpened)
        until(lambda: left.subscribed)
        bluez.notify(left, [second])
        assert bytes_of(source, len(second)) == second
        assert left.connections == 2


def test_bursts_and_repetitions_do_not_reach_the_samples(
    bluez: SimulatedBluez, left: Peripheral
) -> None:
    """After a reconnect the device sends old frames again, and everything comes in bursts."""
    sent = frames(200)
    receiver = Receiver()
    found: list[Received] = []

    def take_until(count: int) -> None:
        while sum(isinstance(f, JointAngleSample) for f in found) < count:
            found.extend(receiver.feed(next_item(source)))

    with opened(Target(name="LEFT-LEG")) as source:
        bluez.notify(left, sent[:100])
        take_until(100)
        bluez.drop(left)
        until(lambda: left.connections == 2 and left.subscribed)
        bluez.notify(left, sent[40:])
        take_until(200)
    samples = [f for f in found if isinstance(f, JointAngleSample)]
    assert [round(sample.time_s, 6) for sample in samples] == [i / 100 for i in range(200)]
    assert [f.fault for f in found if isinstance(f, LinkFault)] == [Fault.DUPLICATE] * 60


def test_a_restarted_bluetooth_service_is_noticed_by_the_silence(
    bluez: SimulatedBluez, left: Peripheral
) -> None:
    (frame,) = frames(1)
    with opened(Target(name="LEFT-LEG"), replace(PATIENT, silence_s=0.5)) as source:
        assert isinstance(next_item(source), PortOpened)
        bluez.notify(left, [frame])
        bytes_of(source, len(frame))
        bluez.restart()
        lost = next_item(source)
        assert isinstance(lost, PortLost)
        assert lost.detail == "LEFT-LEG has fallen silent"
        next_of(source, PortOpened)
        until(lambda: left.subscribed)
        bluez.notify(left, [frame])
        assert bytes_of(source, len(frame)) == frame


def test_what_waited_while_the_computer_slept_is_not_taken_for_new(
    bluez: SimulatedBluez, left: Peripheral, monkeypatch: pytest.MonkeyPatch
) -> None:
    asleep_ns = 0
    monkeypatch.setattr("edgehip.sources.sleep._slept_ns", lambda: asleep_ns)
    first, old, new = frames(3)
    with opened(Target(name="LEFT-LEG")) as source:
        assert isinstance(next_item(source), PortOpened)
        bluez.notify(left, [first])
        assert bytes_of(source, len(first)) == first
        asleep_ns = 12 * 10**9
        bluez.notify(left, [old, old])
        lost = next_item(source)
        assert isinstance(lost, PortLost)
        assert lost.detail == "this computer slept for 12.0 s"
        assert isinstance(next_item(source), PortOpened)
        until(lambda: left.subscribed)
        bluez.notify(left, [new])
        assert bytes_of(source, len(new)) == new


def test_a_device_that_never_sent_is_left_alone(bluez: SimulatedBluez, left: Peripheral) -> None:
    with opened(Target(name="LEFT-LEG"), replace(PATIENT, silence_s=0.2)) as source:
        assert isinstance(next_item(source), PortOpened)
        assert source.read(1.0) is None
        assert left.connections == 1


def test_why_it_does_not_come_back_is_told_once(bluez: SimulatedBluez, left: Peripheral) -> None:
    with opened(Target(name="LEFT-LEG")) as source:
        assert isinstance(next_item(source), PortOpened)
        bluez.switch(False)
        details = [
            item.detail
            for item in (next_item(source), next_item(source))
            if isinstance(item, PortLost)
        ]
        assert "disconnected" in details[0]
        assert "switched off" in details[1]
        assert source.read(5 * PATIENT.longest_wait_s) is None
        assert not source.write(b"x")
        bluez.switch(True)
        assert isinstance(next_item(source), PortOpened)


def test_writes_reach_the_device(bluez: SimulatedBluez, left: Peripheral) -> None:
    with opened(Target(name="LEFT-LEG")) as source:
        assert source.write(b"\x01\x02")
        assert source.write(bytes(500))
        until(lambda: len(left.written) >= 502)
        assert left.written == b"\x01\x02" + bytes(500)


def test_a_device_that_lies_about_its_mtu_gets_smaller_writes(
    bluez: SimulatedBluez, left: Peripheral
) -> None:
    left.claimed_mtu, left.largest_payload = 517, 20
    data = bytes(range(200))
    with opened(Target(name="LEFT-LEG")) as source:
        assert source.write(data)
        until(lambda: len(left.written) >= len(data))
        assert left.written == data


def test_the_oldest_chunks_are_dropped_and_counted(bluez: SimulatedBluez, left: Peripheral) -> None:
    class CountingInbox(Inbox):
        puts = 0

        def put(self, item: SourceItem) -> None:
            super().put(item)
            self.puts += 1

    inbox = CountingInbox(4)
    source = BleSource(Target(name="LEFT-LEG"), inbox=inbox, timing=PATIENT)
    try:
        assert isinstance(next_item(source), PortOpened)
        bluez.notify(left, [bytes([i]) for i in range(10)])
        until(lambda: inbox.puts == 11)
        missing = next_item(source)
        assert isinstance(missing, BytesMissing)
        assert missing.chunks == 6
        assert bytes_of(source, 4) == bytes([6, 7, 8, 9])
    finally:
        source.close()


def test_two_devices_at_once(bluez: SimulatedBluez, left: Peripheral, right: Peripheral) -> None:
    with opened(Target(name="LEFT-LEG")) as first, opened(Target(name="RIGHT-LEG")) as second:
        assert isinstance(next_item(first), PortOpened)
        assert isinstance(next_item(second), PortOpened)
        bluez.notify(left, [b"left"])
        bluez.notify(right, [b"right"])
        assert bytes_of(first, 4) == b"left"
        assert bytes_of(second, 5) == b"right"


def test_closing_disconnects_and_ends(bluez: SimulatedBluez, left: Peripheral) -> None:
    with opened(Target(name="LEFT-LEG")) as source:
        assert not source.ended
    assert source.ended
    assert not source.write(b"x")
    source.close()
    until(lambda: not left.connected)


def test_the_last_words_reach_the_device(bluez: SimulatedBluez, left: Peripheral) -> None:
    """A motor that follows cues must hear that they are off, behind whatever still waits."""
    source = BleSource(Target(name="LEFT-LEG"), timing=PATIENT)
    link = DeviceLink(source)
    cue_on = Cue(0, 1, 0, 0)
    link.send(cue_on)
    until(lambda: bool(left.written))
    for _ in range(10):
        assert source.write(encode(cue_on, 0, 0))
    link.close()
    source.close()
    decoded = FrameDecoder().feed(Chunk(bytes(left.written), 0))
    heard = [frame.message for frame in decoded if isinstance(frame, Frame)]
    assert heard[:-2] == [cue_on] * 11
    assert heard[-2:] == [Cue(0, 0, 0, flag_bits([Flag.LINK_DOWN])), Stop()]
    assert link.dropped == 0


def test_nothing_is_waited_for_where_nothing_can_be_said(
    bluez: SimulatedBluez, left: Peripheral, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_link, "DRAIN_S", 2 * LIMIT_S)
    monkeypatch.setattr(ble_link, "CLOSE_S", 0.1)
    timing = replace(PATIENT, silence_s=0.5, find_s=0.3, service_s=0.3)
    with opened(Target(name="LEFT-LEG"), timing) as source:
        bluez.notify(left, [b"hello"])
        next_of(source, Chunk)
        bluez.freeze()
        assert source.write(b"nobody takes this")
        assert next_loss(source) == "LEFT-LEG has fallen silent"
        assert "does not answer" in next_loss(source)  # at once it is looked for again
        bluez.thaw()
        next_of(source, PortOpened)  # what waited is nothing to the next connection
        began_s = time.monotonic()
    assert time.monotonic() - began_s < LIMIT_S


def test_closing_does_not_wait_for_ever_to_be_heard(
    bluez: SimulatedBluez, left: Peripheral, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_link, "CLOSE_S", 0.2)
    with opened(Target(name="LEFT-LEG")) as source:
        bluez.freeze()
        source.write(b"x")
        began_s = time.monotonic()
    assert time.monotonic() - began_s < ble_link.DRAIN_S + ble_link.CLOSE_S + LIMIT_S


def test_a_scan_finds_what_can_be_opened(bluez: SimulatedBluez, right: Peripheral) -> None:
    right.has_uart = False
    (found,) = ble.scan(0.3)
    assert (found.name, found.address, found.rssi_dbm) == ("LEFT-LEG", "AA:BB:CC:DD:EE:01", -50)
    assert found.url == "ble://AA:BB:CC:DD:EE:01"


def listed(monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    monkeypatch.setattr(devices, "SCAN_S", 0.3)
    monkeypatch.setattr(list_ports, "comports", list)
    return CliRunner().invoke(devices.devices, options)


def test_the_devices_command_lists_them(
    bluez: SimulatedBluez, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = listed(monkeypatch)
    assert result.exit_code == 0
    assert "ble://AA:BB:CC:DD:EE:01  LEFT-LEG, -50 dBm" in result.stdout.splitlines()
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == ""
    unasked = listed(monkeypatch, "--no-ble")
    assert (unasked.exit_code, unasked.stdout) == (0, "")
    assert "no device found" in unasked.stderr


def test_the_devices_command_goes_on_without_bluetooth(
    bus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = listed(monkeypatch)
    assert (result.exit_code, result.stdout) == (0, "")
    aside, nothing = result.stderr.splitlines()
    assert "Bluetooth was not searched: the Bluetooth service is not running" in aside
    assert "no device found" in nothing


def test_an_unknown_name_tells_who_is_there(bluez: SimulatedBluez) -> None:
    message = refused(Target(name="LEFT-ARM"))
    assert "no device LEFT-ARM" in message
    assert "LEFT-LEG (AA:BB:CC:DD:EE:01)" in message
    assert "RIGHT-LEG" in message


def test_the_only_one_must_be_one(
    bluez: SimulatedBluez, left: Peripheral, right: Peripheral
) -> None:
    message = refused(Target())
    assert "several" in message
    assert "LEFT-LEG (AA:BB:CC:DD:EE:01)" in message
    left.visible = right.visible = False
    assert "switch it on" in refused(Target())


def test_a_device_that_never_answers(bluez: SimulatedBluez, left: Peripheral) -> None:
    left.answers = False
    assert "does not answer" in refused(Target(name="LEFT-LEG"))


def test_a_device_of_another_kind(bluez: SimulatedBluez, left: Peripheral) -> None:
    left.has_uart = False
    assert "no Nordic UART Service" in refused(Target(name="LEFT-LEG"))


def test_bluetooth_switched_off(bus: str, left: Peripheral) -> None:
    with SimulatedBluez(bus, [left], powered=False):
        assert "switched off" in refused(Target(name="LEFT-LEG"))


def test_no_adapter(bus: str, left: Peripheral) -> None:
    with SimulatedBluez(bus, [left], adapter=False):
        assert "no Bluetooth adapter" in refused(Target(name="LEFT-LEG"))


def test_no_bluetooth_service(bus: str) -> None:
    assert "service is not running" in refused(Target(name="LEFT-LEG"))
    with pytest.raises(SourceError, match="service is not running"):
        ble.scan(0.1)


def test_a_bluetooth_service_that_hangs(bluez: SimulatedBluez) -> None:
    bluez.freeze()
    assert "service does not answer" in refused(Target(name="LEFT-LEG"))


def test_no_permission(tmp_path: Path, left: Peripheral) -> None:
    with system_bus(tmp_path, NO_PERMISSION) as address, SimulatedBluez(address, [left]):
        assert "no permission" in refused(Target(name="LEFT-LEG"))


def test_no_system_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BUS_VARIABLE, f"unix:path={tmp_path}/nothing")
    assert "no system bus" in refused(Target(name="LEFT-LEG"))


def test_urls_name_devices(bluez: SimulatedBluez) -> None:
    source = ble.open_url("//aa:bb:cc:dd:ee:01")
    source.close()
    assert source.target == Target(address="AA:BB:CC:DD:EE:01")
    assert split_pair("ble://LEFT+RIGHT") == ("ble://LEFT", "ble://RIGHT")
    assert split_pair("ble://LEFT%2BRIGHT") == ("ble://LEFT%2BRIGHT",)


@pytest.mark.parametrize("rest", ["LEFT", "//LEFT+RIGHT"])
def test_a_wrong_url_is_one_clear_line(rest: str) -> None:
    with pytest.raises(SourceError, match="ble:"):
        ble.open_url(rest)


def test_without_bleak_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("edgehip.sources.ble", "edgehip.sources.ble_link", "edgehip.sources.ble_errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "bleak", None)
    monkeypatch.delattr("edgehip.sources.ble")
    with pytest.raises(MissingExtraError, match=r"pip install 'edgehip\[ble\]'"):
        importlib.import_module("edgehip.sources.ble")
