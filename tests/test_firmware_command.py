"""``edgehip emulate``: one command from nothing to estimates, for every kind of device."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgehip_firmware_bridge import boards, emulate, toolchain
from tests.programs import PATIENCE_S, edgehip, running, until, until_at_rest


def skip_unless_available(device: emulate.Device) -> None:
    why = toolchain.missing("dbus-daemon") if device == "ble" else boards.unavailable(device)
    if why:
        pytest.skip(why)


def wait_for(file: Path, program: subprocess.Popen[Any]) -> None:
    """Wait until a program has written a file."""

    def is_there() -> bool:
        assert program.poll() is None, program.stderr and program.stderr.read()
        return file.exists()

    until(is_there, f"there is {file}")


@pytest.mark.parametrize(("device", "end"), [("cortex-m", signal.SIGHUP), ("ble", signal.SIGTERM)])
def test_it_gives_a_port_while_it_runs(
    device: emulate.Device, end: signal.Signals, tmp_path: Path
) -> None:
    skip_unless_available(device)
    port_file = tmp_path / "port"
    command = edgehip("emulate", device, "--port-file", str(port_file))
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as emulating:
        wait_for(port_file, emulating)
        port, *variables = port_file.read_text().splitlines()
        made_ns = os.stat(port).st_ctime_ns if port.startswith("/") else 0
        advice = emulating.stderr.readline()
        until_at_rest(emulating)
        emulating.send_signal(end)
        said, _ = emulating.communicate()
    assert emulating.returncode == 0, advice
    assert said == port + "\n"
    assert f"edgehip stream --port {port}" in advice
    assert not port_file.exists()
    if device == "ble":
        (bus,) = variables
        assert advice.startswith(bus)
        port = bus.partition("path=")[2].partition(",")[0]
    assert port.startswith("/")
    # A terminal's number may be another's by now.
    assert not Path(port).exists() or os.stat(port).st_ctime_ns > made_ns > 0


@pytest.mark.parametrize("device", ["cortex-m", "ble"])
def test_one_command_emulates_and_estimates(device: emulate.Device) -> None:
    skip_unless_available(device)
    command = edgehip("emulate", device, "--stream", "--", "--no-curves")
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as emulating:
        records = map(json.loads, emulating.stdout)
        told = (record for record in records if record["record"] == "estimate")
        estimates = list(itertools.islice(told, 3))
        emulating.terminate()
        summary = emulating.communicate()[1]
    assert emulating.returncode == 0, summary
    assert {estimate["side"] for estimate in estimates} == {"l", "r"}, summary
    assert all(estimate["stride_s"] == pytest.approx(1.1, abs=0.1) for estimate in estimates)
    if device == "ble":  # QEMU's clock is this machine's, which may leave it no time for a sample
        assert "frames lost 0 " in summary


def emulator_of(script: str, *options: str) -> list[str]:
    """Return a command that has ``edgehip emulate ble`` start a shell script as the emulator."""
    code = (
        "import sys\n"
        "from edgehip.cli import main\n"
        "from edgehip_firmware_bridge import emulate\n"
        f"emulate.emulator_command = lambda device, folder: ['sh', '-c', {script!r}]\n"
        "sys.argv[1:1] = ['emulate', 'ble']\n"
        "main()\n"
    )
    return [sys.executable, "-c", code, *options]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_while_it_starts_it_leaves_no_emulator(end: signal.Signals, tmp_path: Path) -> None:
    known = tmp_path / "pid"
    command = emulator_of(f"echo $$ > {known}.part; mv {known}.part {known}; exec sleep 60")
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as emulating:
        wait_for(known, emulating)
        until_at_rest(emulating)  # it waits for the port by now
        emulating.send_signal(end)
        emulating.communicate()
    assert emulating.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(known.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_the_port_was_written_to_holds_no_dead_port(kind: str, tmp_path: Path) -> None:
    port_file, target = tmp_path / "port", tmp_path / "target"
    if kind == "link":
        port_file.symlink_to(target)
    else:
        os.mkfifo(port_file)
    command = emulator_of("echo /dev/pts/999; exec sleep 60", "--port-file", str(port_file))
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as emulating:
        wait_for(port_file, emulating)
        assert port_file.read_text() == "/dev/pts/999\n"
        emulating.stderr.readline()  # the last thing it says
        until_at_rest(emulating)
        emulating.send_signal(signal.SIGINT)
        emulating.communicate()
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
    command = edgehip("emulate", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(toolchain.ToolchainError, match="apt install dbus"):
        emulate.emulator_command("ble", tmp_path)
