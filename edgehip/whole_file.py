"""Writing a file whole or not at all."""

import contextlib
import os
import shutil
from pathlib import Path


def write_file(path: str | Path, content: bytes) -> None:
    """Write a file; one that was there stays as it was until all of the new one is on the disk.

    Raises
    ------
    OSError
        If it cannot be written, with the file's name.
    """
    given, path = str(path), Path(os.path.realpath(path))
    # A device or a pipe stays what it is.
    special = os.path.exists(path) and not os.path.isfile(path)
    draft = path if special else path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            if not special:
                os.fsync(file.fileno())
        if path.exists() and not special:
            shutil.copymode(path, draft)
        draft.replace(path)
    except BaseException as error:  # an interrupt leaves no draft either
        if not special:
            with contextlib.suppress(OSError):
                draft.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, given) from error
        raise
