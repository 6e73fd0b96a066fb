"""A stream that ends well when somebody, or the system, wants it to."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

from edgehip.runtime import Stream

INSIST_S: Final = 3.0
"""How long after the first Ctrl-C another one is taken for the same: the last estimates, the
recording and the terminal need that time, and an interrupt in the middle of them would lose some.
Who still has to insist then may break off what hangs."""
ENDINGS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, the system, and a terminal that goes away (Windows tells nothing of that)."""


@contextlib.contextmanager
def stopped_by_signals(streaming: Stream) -> Iterator[None]:
    """End the stream at one of ENDINGS; one that comes :data:`INSIST_S` later acts as usual."""
    stopped_s: float | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped_s
        stopped_s = stopped_s or time.monotonic()
        streaming.stop()
        if time.monotonic() - stopped_s > INSIST_S:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    before = {number: signal.getsignal(number) for number in ENDINGS}
    # What a shell started in the background is to ignore stays ignored.
    before = {number: how for number, how in before.items() if how is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
