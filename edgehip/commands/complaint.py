"""One line on standard error."""

import contextlib
import sys


def complain(problem: str) -> None:
    """Write one line to standard error, if it takes it.

    The live view has taken a ``sys.stderr`` that is a terminal, and lets a line pass above what it
    draws.
    """
    with contextlib.suppress(OSError):
        sys.stderr.write(f"edgehip: {problem.rstrip('.')}\n")
        sys.stderr.flush()
