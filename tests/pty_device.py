"""A device on a real pseudo-terminal, that can be unplugged and plugged in again."""

import contextlib
import os
import select
import time
import tty
from collections.abc import Iterable
from pathlib import Path


class PtyDevice:
    """The far end of a serial port.

    ``port`` is a link to the terminal, as ``/dev/serial/by-id`` names are links to the port of the
    moment; a device plugged in again may be another terminal under the same name.
    """

    def __init__(self, folder: Path) -> None:
        self.port = folder / "device"
        self._far = -1
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

    def write(self, data: bytes) -> None:
        """Send bytes, waiting for a slow reader."""
        while data:
            try:
                data = data[os.write(self._far, data) :]
            except BlockingIOError:
                select.select([], [self._far], [], 1.0)

    def read(self) -> bytes:
        """Return what came from the program so far."""
        got = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._far, 65536):
                got += data
        return got

    def play(self, pieces: Iterable[tuple[float, bytes]], speed: float = 1.0) -> None:
        """Send each piece at its time (s), at true pace or faster, without drifting."""
        started_s = time.monotonic()
        for at_s, data in pieces:
            time.sleep(max(0.0, started_s + at_s / speed - time.monotonic()))
            self.write(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._near)
            os.close(self._far)
