"""The way into the command line: it loads next to nothing until Ctrl-C is taken care of."""

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


def main() -> None:
    """Run the command line."""
    # A shell's background job is to ignore Ctrl-C: leave it so. Otherwise:
    heeds = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    # While packages load and when all is done there is nothing to close, and an exception in the
    # middle of an import may come out as anything. In between, commands have Python's handler.
    if heeds:
        signal.signal(signal.SIGINT, _leave)
    sys.unraisablehook = _unraisable
    _occupy_closed_descriptors()
    from edgehip.commands.group import run

    try:
        status = run()
    finally:
        if heeds:
            signal.signal(signal.SIGINT, _leave)
    sys.exit(status)


def heed_interrupts() -> None:
    """Have Python's handler for Ctrl-C from here on: there may be things to close."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _occupy_closed_descriptors() -> None:
    """Let no port and no recording be opened as a standard stream that was closed.

    What is printed for a person, by an inference engine too, would be written into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")


def _leave(number: int, frame: "FrameType | None") -> None:
    os._exit(INTERRUPTED)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Leave on a Ctrl-C that came where nothing can be raised, and so would be lost."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(unraisable)
