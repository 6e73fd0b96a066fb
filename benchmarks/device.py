"""The real ``edgehip stream`` on a pseudo-terminal, with a device at the far end."""

import argparse
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import ROOT
from edgehip.model import DEFAULT_SAMPLE_MODEL
from tests.pty_device import PtyDevice
from tests.streams import Walk

PATIENCE_S = 30.0


class Program:
    """``edgehip stream`` in a process of its own, and what it writes.

    Parameters
    ----------
    device
        The far end of its port.
    options
        Of ``edgehip stream``, beyond the port.

    Attributes
    ----------
    rest
        What was still unread when it ended.
    """

    def __init__(self, device: PtyDevice, *options: str) -> None:
        self.device = device
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgehip", "stream", "--port", str(device.port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout.fileno()
        os.set_blocking(self._out, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._pending = b""
        self.rest = b""

    def await_greeting(self) -> None:
        """Wait until it asks the device to start: the port is open and the models are loaded.

        Raises
        ------
        RuntimeError
            If it ends, or keeps silent for long.
        """
        greeting, ends_s = b"", time.monotonic() + PATIENCE_S
        while b"\0" not in greeting:
            if self.process.poll() is not None or time.monotonic() > ends_s:
                raise RuntimeError(f"edgehip stream did not start: {self.finish()}")
            time.sleep(0.005)
            greeting += self.device.read()

    def lines(self, until_s: float) -> Iterator[tuple[bytes, int]]:
        """Yield what it writes, line by line, with the time (ns) at which each could be read."""
        while (left_s := until_s - time.perf_counter()) > 0:
            if not self._selector.select(left_s):
                return
            got = os.read(self._out, 1 << 16)
            read_ns = time.perf_counter_ns()
            *whole, self._pending = (self._pending + got).split(b"\n")
            yield from ((line, read_ns) for line in whole)
            if not got:
                return

    def play(
        self,
        pieces: Iterable[tuple[float, bytes]],
        on_write: Callable[[int], object] = lambda ns: None,
        on_line: Callable[[bytes, int], object] = lambda line, ns: None,
    ) -> None:
        """Send each piece at its time (s), and read all the while.

        Parameters
        ----------
        on_write
            Told when (ns) each piece's last byte was written.
        on_line
            Told each line and when (ns) it could be read.
        """
        began_s = time.perf_counter() + 0.02
        for at_s, data in pieces:
            for line, read_ns in self.lines(began_s + at_s):
                on_line(line, read_ns)
            self.device.write(data)
            on_write(time.perf_counter_ns())
        for line, read_ns in self.lines(time.perf_counter() + 0.5):
            on_line(line, read_ns)

    def finish(self) -> str:
        """Press Ctrl-C, read to the end (:attr:`rest`); return what was said on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        os.set_blocking(self._out, True)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        self.rest = self._pending + out
        return err.decode()

    def kill(self) -> None:
        """Let no process be left, whatever happened."""
        self._selector.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def streaming(*options: str) -> Iterator[Program]:
    """Run ``edgehip stream`` on a new device, until it waits for samples."""
    with TemporaryDirectory() as folder:
        device = PtyDevice(Path(folder))
        program = Program(device, *options)
        try:
            program.await_greeting()
            yield program
        finally:
            program.kill()
            device.close()


def sample_model_option(parser: argparse.ArgumentParser) -> None:
    """Add the per-sample model to use."""
    parser.add_argument("--sample-model", default=DEFAULT_SAMPLE_MODEL, help="default %(default)s")


def voices_with(sample_model: str) -> dict[str, tuple[str, ...]]:
    """Return the options for whole-cycle estimates, and for both kinds."""
    return {
        "cycle": ("--estimates", "cycle"),
        "cycle,sample": ("--estimates", "cycle,sample", "--sample-model", sample_model),
    }


def timed(walk: Walk, speed: float = 1.0) -> list[tuple[float, bytes]]:
    """Return a walk's frames with the times (s) at which to send them."""
    return list(zip((walk.time_s / speed).tolist(), walk.frames(), strict=True))
