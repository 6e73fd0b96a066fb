"""A device on a real pseudo-terminal, that can be unplugged and plugged in again."""

import contextlib
import fcntl
import os
import select
import struct
import termios
import time
import tty
from collections.abc import Iterable
from pathlib import Path
from subprocess import Popen
from typing import Any

from tests.programs import PATIENCE_S, until, until_at_rest


class PtyDevice:
    """The far end of a serial port.

    ``port`` is a link to the terminal, as ``/dev/serial/by-id`` names are links to the port of the
    moment; a device plugged in again may be another terminal under the same name.
    """

    def __init__(self, folder: Path) -> None:
        self.port = folder / "device"
        self._far = self._near = -1
        self.plug_in()

    def plug_in(self) -> None:
        self._far, near = os.openpty()
        tty.setraw(near)
        os.set_blocking(self._far, False)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(near))
        # Held open, so that what is written before the program opens the port is not an error.
        self._near = near

    def unplug(self) -> None:
        self.port.unlink()
        os.close(self._near)
        os.close(self._far)
        self._near = self._far = -1

    def write(self, data: bytes) -> None:
        """Send bytes, waiting for a slow reader."""
        ends_s = time.monotonic() + PATIENCE_S
        while data:
            try:
                data = data[os.write(self._far, data) :]
            except BlockingIOError:
                assert time.monotonic() < ends_s, "nobody reads what the device sends"
                select.select([], [self._far], [], 1.0)

    def read(self) -> bytes:
        """Return what came from the program so far."""
        got = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._far, 65536):
                got += data
        return got

    def wait_for_greeting(self, process: Popen[Any]) -> bytes:
        """Return what a program says first: its port is open then, and its model is loaded."""
        said = b""

        def has_said() -> bool:
            nonlocal said
            assert process.poll() is None, process.stderr and process.stderr.read()
            said += self.read()
            return b"\0" in said

        until(has_said, "the program's greeting")
        return said

    def wait_until_taken(self, process: Popen[Any]) -> None:
        """Wait until a program has dealt with all that was sent."""
        until_at_rest(process, lambda: self._unread)

    @property
    def _unread(self) -> int:
        count = fcntl.ioctl(self._near, termios.FIONREAD, bytes(4)) if self._near >= 0 else bytes(4)
        return int(struct.unpack("i", count)[0])

    def play(self, pieces: Iterable[tuple[float, bytes]], speed: float = 1.0) -> None:
        """Send each piece at its time (s), at true pace or faster, without drifting."""
        started_s = time.monotonic()
        for at_s, data in pieces:
            time.sleep(max(0.0, started_s + at_s / speed - time.monotonic()))
            self.write(data)

    def close(self) -> None:
        self.port.unlink(missing_ok=True)  # the terminal's number will be another's
        with contextlib.suppress(OSError):
            os.close(self._near)
            os.close(self._far)
