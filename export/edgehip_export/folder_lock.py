"""One process at a time in a folder: a lock of the operating system, which ends with its holder."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from platform import node
from typing import BinaryIO, Final

from edgehip.errors import TrainingError

LOCK: Final = "run.lock"
"""Stays where it is: what counts is whether a living process holds it."""

LONGEST_HOLDER: Final = 200
"""Bytes read of who holds it."""


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep every other process that asks for the same out of a folder, which must exist.

    Nobody is kept out where the system or the disk has no such locks (Windows), nor where nothing
    can be written and so nothing overwritten.

    Raises
    ------
    TrainingError
        If another is in it.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            opened = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
            file = held.enter_context(os.fdopen(opened, "r+b", buffering=0))
            if not _take(file):
                raise TrainingError(
                    f"{folder}: {_holder(file)} is training there: give another folder, or wait "
                    "until it has ended (this command goes on with what it leaves unfinished)"
                )
            file.truncate(0)
            file.write(f"process {os.getpid()} on {node()}".encode())
        yield


def _holder(file: BinaryIO) -> str:
    text = file.read(LONGEST_HOLDER).decode("utf-8", "replace")
    return text if text.isprintable() and text else "another process"


if sys.platform == "win32":

    def _take(file: BinaryIO) -> bool:
        return True

else:
    import fcntl

    def _take(file: BinaryIO) -> bool:
        """Return whether nobody else holds the lock; raise OSError where there are none."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
