"""Writing a file whole or not at all."""

import contextlib
import os
import stat
from pathlib import Path


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file; one that was there stays as it was until all of the new one is on the disk.

    A device or a pipe stays what it is: it is given the content.

    Raises
    ------
    OSError
        If it cannot be written, with the file's name.
    """
    try:
        # Asked of the name as given: what /dev/stdout leads to need not have one of its own.
        if os.path.exists(path) and not os.path.isfile(path):
            Path(path).write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            if path.exists():  # before there is anything in it that not everybody may read
                draft.chmod(stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:  # an interrupt leaves no draft either
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
