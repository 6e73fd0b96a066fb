"""``--record``: the raw input to a file, on disk within a second."""

import os
import threading
from pathlib import Path
from typing import Final

from edgehip.errors import RecordingError
from edgehip.recording import SourceItem, header, record
from edgehip.sinks.outbox import Outbox, write_whole

CAPACITY: Final = 100_000
"""A quarter of an hour of chunks at 100 Hz, should the disk stall."""
SYNC_EVERY_S: Final = 0.2
CLOSE_WITHIN_S: Final = 10.0


class Recorder:
    """Writes every item of a source to a new file; never delays the caller.

    Parameters
    ----------
    path
        Must not exist yet.
    about
        What to say of the recording in its header.

    Raises
    ------
    RecordingError
        If the file exists or cannot be created.
    """

    def __init__(self, path: Path, about: dict[str, str]) -> None:
        self.path = path
        try:
            self._file = path.open("xb", buffering=0)
            self._file.write(header(about))
        except FileExistsError as error:
            raise RecordingError(f"{path}: exists already; choose another name") from error
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written: {error.strerror}") from error
        self._outbox = Outbox(
            f"record {path.name}",
            lambda data: write_whole(self._file.fileno(), data),
            capacity=CAPACITY,
        )
        # Syncing takes seconds on a busy disk. In a thread of its own it holds up no write, so
        # that what a killed program had read is at least with the system.
        self._sync_error: OSError | None = None
        self._closing = threading.Event()
        self._syncing = threading.Thread(target=self._sync, name="edgehip sync", daemon=True)
        self._syncing.start()

    def add(self, item: SourceItem) -> None:
        """Record one item."""
        self._outbox.put(record(item))

    def close(self) -> str | None:
        """Write what waits and close; return what went wrong, or None."""
        self._outbox.close(CLOSE_WITHIN_S)
        self._closing.set()
        self._syncing.join(CLOSE_WITHIN_S)
        deleted = os.fstat(self._file.fileno()).st_nlink == 0
        if not self._syncing.is_alive():
            self._file.close()
        error, dropped = self._outbox.error or self._sync_error, self._outbox.dropped
        if error is not None:
            return f"{self.path}: recording ended early: {error.strerror}"
        if deleted:
            return f"{self.path}: was deleted while it was being written; nothing of it is left"
        if dropped:
            return f"{self.path}: the disk was too slow, {dropped} chunks were not recorded"
        return None

    def _sync(self) -> None:
        last = False
        while not last:
            last = self._closing.wait(SYNC_EVERY_S)
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                self._sync_error = error
                return
