"""The way into the command line: it loads next to nothing until Ctrl-C is taken care of."""

import os
import sys

from edgehip.interrupts import leave_on_interrupt


def main() -> None:
    """Run the command line."""
    leave_on_interrupt()
    _occupy_closed_descriptors()
    from edgehip.commands.group import run

    try:
        status = run()
    finally:
        leave_on_interrupt()
    sys.exit(status)


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
