"""A disk that is full after so many bytes: to a program, a limit on its files is one."""

import contextlib
import resource
import sys
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let this process write no file beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def with_room_for(size: int, command: Sequence[str]) -> list[str]:
    """Return a command with files of ``size`` bytes at most."""
    code = (
        "import os, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "os.execvp(sys.argv[1], sys.argv[1:])\n"
    )
    return [sys.executable, "-c", code, *command]
