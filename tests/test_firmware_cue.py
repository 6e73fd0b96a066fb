"""From the device's angles to the device's pin: a cue goes all the way round, and not for ever."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edgehip_firmware_bridge import emulate
from edgehip_firmware_bridge.emulate import Emulator

LED_REGISTER = 0x40028000
PATIENCE_S = 30.0


class Monitor:
    """Looks into QEMU's machine (QMP, the QEMU Machine Protocol)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
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
        end = time.monotonic() + PATIENCE_S
        while self.leds() != leds:
            assert time.monotonic() < end, f"the LEDs never became {leds}"
            time.sleep(0.02)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[str, Monitor]]:
    """A Cortex-M4 that walks: its port, and a look at its LEDs."""
    if why := emulate.unavailable("cortex-m"):
        pytest.skip(why)
    path = tmp_path / "monitor"
    command = emulate.emulator_command("cortex-m", tmp_path)
    with Emulator([*command, "-qmp", f"unix:{path},server=on,wait=off"]) as emulator:
        monitor = Monitor(path)
        yield emulator.port, monitor
        monitor.close()


def test_a_cue_lights_the_devices_led_until_the_host_dies(board: tuple[str, Monitor]) -> None:
    port, monitor = board
    assert monitor.leds() == 0
    command = [sys.executable, "-m", "edgehip", "stream", "--port", port, "--send", port]
    with subprocess.Popen(
        [*command, "--cue", "peak glmed_r > 1 N/kg"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout is not None
        while (record := json.loads(host.stdout.readline()))["record"] != "cue":
            pass
        assert record["on"]
        monitor.wait_for(1)
        host.kill()
        host.communicate()
    monitor.wait_for(0)
