"""From the device's angles to the device's pin: a cue goes all the way round, and not for ever."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgehip.events import Chunk
from edgehip.messages import Cue, Message, Stop
from edgehip.sinks import device
from edgehip.sinks.device import DeviceLink
from edgehip.sources import open_source
from edgehip.wire import Frame, FrameDecoder
from edgehip_firmware_bridge import boards, emulate
from edgehip_firmware_bridge.emulate import Emulator
from tests.programs import PATIENCE_S, edgehip, running, until
from tests.pty_device import PtyDevice

LED_REGISTER = 0x40028000
CUE_LED, MOMENT_LED = 1, 2
PATIENT = {
    "edgehip.link.STALE_AFTER_S": PATIENCE_S,
    "edgehip.pipeline.STALE_AFTER_S": PATIENCE_S,
    "edgehip.pace.FAR": 1.0,
}
"""A host that trusts what comes late: a busy machine slows the emulated board's clock."""


class Monitor:
    """Looks into QEMU's machine (QMP, the QEMU Machine Protocol)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rw")
        self._lines.readline()  # the greeting
        self._do("qmp_capabilities")

    def _do(self, command: str, **arguments: str) -> Any:
        self._lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._lines.flush()
        while "return" not in (answer := json.loads(self._lines.readline())):
            assert "error" not in answer
        return answer["return"]

    def leds(self) -> int:
        """Return the board's LED register."""
        command = f"xp /1wx {LED_REGISTER:#x}"
        told: str = self._do("human-monitor-command", **{"command-line": command})
        return int(told.split()[1], 16)

    def wait_for(self, leds: int) -> None:
        until(lambda: self.leds() == leds, f"the LEDs are {leds}")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[str, Monitor]]:
    """A Cortex-M4 that walks: its port, and a look at its LEDs."""
    if why := boards.unavailable("cortex-m"):
        pytest.skip(why)
    path = tmp_path / "monitor"
    command = emulate.emulator_command("cortex-m", tmp_path)
    with Emulator([*command, "-qmp", f"unix:{path},server=on,wait=off"]) as emulator:
        monitor = Monitor(path)
        yield emulator.port, monitor
        monitor.close()


def test_cue_and_estimates_light_the_devices_leds_until_the_host_dies(
    board: tuple[str, Monitor], tmp_path: Path
) -> None:
    port, monitor = board
    assert monitor.leds() == 0
    told = tmp_path / "told.jsonl"
    command = edgehip("stream", "--port", port, "--send", port, constants=PATIENT)
    command += ["--cue", "peak glmed_r > 1 N/kg"]

    def cues_told() -> list[str]:
        return [line for line in told.read_text().splitlines() if '"record":"cue"' in line]

    with (
        told.open("w") as output,
        running(command, stdout=output, stderr=subprocess.DEVNULL) as host,
    ):
        monitor.wait_for(CUE_LED | MOMENT_LED)
        until(cues_told, "the cue is told")
        host.kill()
    assert '"on":true' in cues_told()[0]
    monitor.wait_for(0)


def test_a_cue_is_told_again_and_ends_with_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So neither a lost frame nor the device's rule for silence decides whether it is on."""
    monkeypatch.setattr(device, "REPEAT_CUE_S", 0.05)
    far, decoder = PtyDevice(tmp_path), FrameDecoder()
    heard: list[Message] = []

    def listen_for(count: int, link: DeviceLink) -> None:
        def has_heard() -> bool:
            link.repeat_cues()
            events = decoder.feed(Chunk(far.read(), 0))
            heard.extend(event.message for event in events if isinstance(event, Frame))
            return len(heard) >= count

        until(has_heard, f"{count} messages")

    source = open_source(str(far.port))
    link = DeviceLink(source)
    light, buzzer = Cue(0, 1, 1_000_000, 0), Cue(1, 0, 2_000_000, 4)
    link.repeat_cues()
    for cue in (light, buzzer):
        link.send(cue)
    listen_for(6, link)
    assert heard[:2] == [light, buzzer]
    assert set(heard) == {light, buzzer}
    link.close()
    while Stop() not in heard:
        listen_for(len(heard) + 1, link)
    assert heard[heard.index(Stop()) - 1] == Cue(0, 0, 1_000_000, flags=64)
    source.close()
    far.close()
