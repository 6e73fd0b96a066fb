"""``--record``: the raw input to a file, on disk within a second."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgehip.errors import RecordingError
from edgehip.events import SourceItem
from edgehip.recording import header, record
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
    on_trouble
        Called, in another thread, as soon as something ends the recording, with a line that says
        what. The items before it stay whole.

    Raises
    ------
    RecordingError
        If the file exists or cannot be created.
    """

    def __init__(
        self,
        path: Path,
        about: dict[str, str],
        on_trouble: Callable[[str], None] = lambda trouble: None,
    ) -> None:
        self.path = path
        self._on_trouble = on_trouble
        try:
            self._file = path.open("xb", buffering=0)
            try:
                write_whole(self._file.fileno(), header(about))
            except OSError:
                self._file.close()
                path.unlink()
                raise
        except FileExistsError as error:
            raise RecordingError(f"{path}: exists already; choose another name") from error
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written: {error.strerror}") from error
        self._outbox: Outbox[bytes] = Outbox(
            f"record {path.name}",
            lambda data: write_whole(self._file.fileno(), data),
            capacity=CAPACITY,
        )
        # Syncing takes seconds on a busy disk. In a thread of its own it holds up no write, so
        # that what a killed program had read is at least with the system.
        self._trouble: str | None = None
        self._closing = threading.Event()
        self._syncing = threading.Thread(target=self._sync, name="edgehip sync", daemon=True)
        self._syncing.start()

    def add(self, item: SourceItem) -> None:
        """Record one item, unless the recording has ended: a lost one is not to fill the disk."""
        if self._trouble is None:
            self._outbox.put(record(item))

    def close(self) -> str | None:
        """Write what waits and close; return what went wrong, or None."""
        self._outbox.close(CLOSE_WITHIN_S)
        self._closing.set()
        self._syncing.join(CLOSE_WITHIN_S)
        if not self._syncing.is_alive():
            self._file.close()
        if self._trouble is None and self._outbox.dropped:
            return (
                f"{self.path}: the disk was too slow, {self._outbox.dropped} chunks were not "
                "recorded"
            )
        return self._trouble

    def _sync(self) -> None:
        """Keep the file on the disk, and look after it, until it is closed or lost."""
        closing = False
        while not closing and self._trouble is None:
            closing = self._closing.wait(SYNC_EVERY_S)
            self._trouble = self._look()
        if self._trouble is not None and not closing:
            self._on_trouble(self._trouble)

    def _look(self) -> str | None:
        """Sync; return what has become of the recording, if it is not going on."""
        try:
            os.fsync(self._file.fileno())
            deleted = os.fstat(self._file.fileno()).st_nlink == 0
            error = self._outbox.error
        except OSError as sync_error:
            error, deleted = sync_error, False
        if deleted:
            return f"{self.path}: was deleted while it was being written; nothing of it is left"
        if error is None:
            return None
        return (
            f"{self.path}: recording ended early: {error.strerror}; what was recorded before "
            "can be replayed"
        )
