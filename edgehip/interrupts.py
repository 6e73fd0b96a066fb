"""Ctrl-C: while packages load and when all is done it ends the program; in between it is raised."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # its core, which Python has: signal itself loads a dozen files first

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the signal's number."""


def leave_on_interrupt() -> None:
    """End the program at a Ctrl-C: there is nothing to close.

    An exception in the middle of an import may come out as anything.
    """
    _have(_leave)
    sys.unraisablehook = _unraisable


def heed_interrupts() -> None:
    """Have Python's handler for Ctrl-C from here on: there may be things to close."""
    _have(signal.default_int_handler)


def _have(handler: "signal._HANDLER") -> None:
    # A shell's background job is to ignore Ctrl-C: it goes on doing so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


def _leave(number: int, frame: "FrameType | None") -> None:
    os._exit(INTERRUPTED)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Leave on a Ctrl-C that came where nothing can be raised, and so would be lost."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(unraisable)
