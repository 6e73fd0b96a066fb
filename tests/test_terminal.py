"""The command on a terminal: what it leaves there, whatever happens."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgehip.recording import RecordingReader
from tests.programs import Watch, edgehip, until
from tests.small_disk import with_room_for

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
PORT = "synthetic:?stand_s=3600"


class Terminal:
    """A terminal in which ``edgehip stream`` runs, with everything it showed.

    Standard error is led to the log, if there is one.
    """

    def __init__(self, command: Sequence[str], log: Path | None) -> None:
        self._far, near = os.openpty()
        with log.open("wb") if log else contextlib.nullcontext(near) as err:
            self.process = subprocess.Popen(command, stdin=near, stdout=near, stderr=err)
        os.close(near)
        self.shown = b""
        self._watch = Watch(self.process)

    def wait_for(self, text: bytes) -> None:
        """Read until it is shown."""
        while text not in self.shown:
            try:
                self.read()
            except OSError as error:
                raise AssertionError(f"{text!r} was never shown, but {self.shown!r}") from error

    def read(self) -> None:
        """Read what comes next."""
        self.shown += os.read(self._far, 65536)  # at its end an error

    def stop(self) -> None:
        """Press Ctrl-S: it takes nothing more."""
        os.write(self._far, b"\x13")

    def finish(self) -> None:
        """Read to the end."""
        with contextlib.suppress(OSError):
            while True:
                self.read()
        self.process.wait()

    def close(self) -> None:
        self._watch.stop()
        self.process.kill()
        self.process.wait()
        os.close(self._far)


@contextlib.contextmanager
def terminal(*options: str, room: int = 1 << 30, log: Path | None = None) -> Iterator[Terminal]:
    command = edgehip("stream", "--port", PORT, *options)
    with contextlib.closing(Terminal(with_room_for(room, command), log)) as opened:
        yield opened


@pytest.mark.parametrize("apart_s", [0.0, 0.001, 0.003, 0.01, 0.03])
def test_an_impatient_ctrl_c_loses_nothing_and_leaves_the_cursor(
    apart_s: float, tmp_path: Path
) -> None:
    path = tmp_path / "walk.rec"
    with terminal("--record", str(path)) as shell:
        shell.wait_for(b"link live")
        for _ in range(3):
            shell.process.send_signal(signal.SIGINT)
            time.sleep(apart_s)
        shell.finish()
    assert shell.shown.rfind(SHOW) > shell.shown.rfind(HIDE) >= 0
    assert b"strides    0 left, 0 right" in shell.shown
    assert b"Traceback" not in shell.shown
    reader = RecordingReader(path)
    assert list(reader)
    assert reader.torn_bytes == 0
    reader.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stream_that_is_ended_from_outside_sums_up_too(number: signal.Signals) -> None:
    with terminal() as shell:
        shell.wait_for(b"link live")
        shell.process.send_signal(number)
        shell.finish()
    assert shell.process.returncode == 0
    assert shell.shown.rfind(SHOW) > shell.shown.rfind(HIDE) >= 0
    assert b"strides    0 left, 0 right" in shell.shown


def test_the_live_view_lets_the_end_of_a_recording_be_told(tmp_path: Path) -> None:
    with terminal("--record", str(tmp_path / "walk.rec"), room=4000) as shell:
        shell.wait_for(b"recording ended early")
        shell.shown = b""
        shell.wait_for(b"link live")  # it goes on
        shell.process.send_signal(signal.SIGINT)
        shell.finish()
    assert shell.process.returncode == 1
    assert shell.shown.splitlines()[-1].startswith(b"edgehip: ")


def test_a_log_gets_what_is_told_while_there_is_a_view(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with terminal("--record", str(tmp_path / "walk.rec"), room=4000, log=log) as shell:
        while b"recording ended early" not in log.read_bytes():
            shell.read()
        shell.process.send_signal(signal.SIGINT)
        shell.finish()
    assert b"recording ended early" not in shell.shown
    assert log.read_text().splitlines()[-1].startswith("edgehip: ")


def test_a_stopped_terminal_does_not_keep_the_end_from_a_log(tmp_path: Path) -> None:
    log, profile = tmp_path / "log", tmp_path / "profile.json"
    with terminal("--calibrate", "strides", "--profile", str(profile), log=log) as shell:
        shell.wait_for(b"link live")
        shell.stop()
        time.sleep(1.0)  # the view is waiting for it by now
        shell.process.send_signal(signal.SIGINT)
        until(lambda: b"not written" in log.read_bytes(), "the end is told in the log")
