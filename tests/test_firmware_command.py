"""``edgehip emulate``: one command from nothing to estimates, for every kind of device."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgehip_firmware_bridge import boards, emulate, toolchain

EDGEHIP = [sys.executable, "-m", "edgehip", "emulate"]


def skip_unless_available(device: emulate.Device) -> None:
    why = toolchain.missing("dbus-daemon") if device == "ble" else boards.unavailable(device)
    if why:
        pytest.skip(why)


@pytest.mark.parametrize(("device", "end"), [("cortex-m", signal.SIGHUP), ("ble", signal.SIGTERM)])
def test_it_gives_a_port_while_it_runs(
    device: emulate.Device, end: signal.Signals, tmp_path: Path
) -> None:
    skip_unless_available(device)
    port_file = tmp_path / "port"
    command = [*EDGEHIP, device, "--port-file", str(port_file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        while not port_file.exists():
            assert running.poll() is None
            time.sleep(0.05)
        port, *variables = port_file.read_text().splitlines()
        running.send_signal(end)
        said, advice = running.communicate(timeout=20)
    assert running.returncode == 0
    assert said == port + "\n"
    assert f"edgehip stream --port {port}" in advice
    assert not port_file.exists()
    if device == "ble":
        (bus,) = variables
        assert advice.startswith(bus)
        port = bus.partition("path=")[2].partition(",")[0]
    assert port.startswith("/")
    assert not Path(port).exists()


@pytest.mark.parametrize("device", ["cortex-m", "ble"])
def test_one_command_emulates_and_estimates(device: emulate.Device) -> None:
    skip_unless_available(device)
    with subprocess.Popen(
        [*EDGEHIP, device, "--stream", "--", "--no-curves"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        estimates: list[dict[str, Any]] = []
        while len(estimates) < 3:
            record = json.loads(running.stdout.readline())
            if record["record"] == "estimate":
                estimates.append(record)
        running.terminate()
        summary = running.communicate(timeout=20)[1]
    assert running.returncode == 0
    assert {estimate["side"] for estimate in estimates} == {"l", "r"}
    for estimate in estimates:
        assert estimate["stride_s"] == pytest.approx(1.1, abs=0.1)
        assert estimate["samples_lost"] == 0
    assert "frames lost 0 " in summary


def emulating(script: str, *options: str) -> list[str]:
    """Return a command that has ``edgehip emulate ble`` start a shell script as the emulator."""
    code = (
        "import sys\n"
        "from edgehip.cli import main\n"
        "from edgehip_firmware_bridge import emulate\n"
        f"emulate.emulator_command = lambda device: ['sh', '-c', {script!r}]\n"
        "sys.argv[1:1] = ['emulate', 'ble']\n"
        "main()\n"
    )
    return [sys.executable, "-c", code, *options]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_while_it_starts_it_leaves_no_emulator(end: signal.Signals, tmp_path: Path) -> None:
    known = tmp_path / "pid"
    command = emulating(f"echo $$ > {known}.part; mv {known}.part {known}; exec sleep 60")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not known.exists():
            assert running.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)  # it waits for the port by now
        running.send_signal(end)
        running.communicate(timeout=20)
    assert running.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(known.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_the_port_was_written_to_holds_no_dead_port(kind: str, tmp_path: Path) -> None:
    port_file, target = tmp_path / "port", tmp_path / "target"
    if kind == "link":
        port_file.symlink_to(target)
    else:
        os.mkfifo(port_file)
    command = emulating("echo /dev/pts/999; exec sleep 60", "--port-file", str(port_file))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not port_file.exists():
            assert running.poll() is None
            time.sleep(0.01)
        assert port_file.read_text() == "/dev/pts/999\n"
        assert running.stderr is not None
        running.stderr.readline()  # the last thing it says
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
    assert not target.exists()
    assert port_file.is_fifo() == (kind == "pipe")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["toaster"], "'cortex-m', 'avr', 'ble'"),
        (["ble", "--", "--duration", "3"], "give --stream too"),
    ],
)
def test_a_wrong_call_is_one_line(arguments: list[str], complaint: str) -> None:
    done = subprocess.run([*EDGEHIP, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(toolchain.ToolchainError, match="apt install dbus"):
        emulate.emulator_command("ble")
