"""A recording, or a file of text lines, as a source: at its true pace, faster, or at once."""

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from edgehip.errors import RecordingError, SourceError
from edgehip.events import Chunk, LinkFault, SourceItem
from edgehip.lines import MAX_LINE, LineDecoder, TimeUnit
from edgehip.messages import Angles
from edgehip.recording import MAGIC, RecordingReader
from edgehip.sources.line_pace import paced
from edgehip.sources.options import parse_speed, split_options
from edgehip.wire import Frame


def open_url(rest: str, time_unit: TimeUnit = "ms") -> "ReplaySource":
    """Open ``replay:FILE?speed=1`` (``speed``: a factor, or ``max``).

    Parameters
    ----------
    rest
        What follows ``replay:``.
    time_unit
        Of text lines without a header.

    Raises
    ------
    SourceError, RecordingError
        If an option is wrong or the file is none.
    """
    url = f"replay:{rest}"
    path, options = split_options(rest, url, ("speed",))
    if not path:
        raise SourceError(f"{url}: names no file")
    return ReplaySource(path, parse_speed(options.get("speed", "1"), url), time_unit)


class ReplaySource:
    """Gives the items of a file again, with the times they once had.

    Parameters
    ----------
    path
        A recording made by ``--record``, or text lines (``time,angle1,...``).
    speed
        A factor of real time, or None for as fast as they are read.
    time_unit
        Of text lines without a header.
    """

    def __init__(self, path: str, speed: float | None, time_unit: TimeUnit = "ms") -> None:
        self.live = False
        self.path = path
        self.speed = speed
        if os.path.exists(path) and not os.path.isfile(path):
            raise RecordingError(f"{path}: cannot be read: it is not a file")
        try:
            with Path(path).open("rb") as file:
                is_recording = file.read(len(MAGIC)) == MAGIC
        except OSError as error:
            raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
        self._recording = RecordingReader(path) if is_recording else None
        recorded = self._recording.about.get("devices", "1") if self._recording else "1"
        self.devices = 2 if recorded == "2" else 1
        self.bad_lines = self.first_bad_line = 0
        self._items: Iterator[SourceItem] = (
            iter(self._recording) if self._recording else paced(self._lines(time_unit))
        )
        self._next = next(self._items, None)
        if self._next is None:
            nothing = self.left_out(as_lines=False) or f"{path}: holds nothing to replay"
            raise nothing if isinstance(nothing, RecordingError) else RecordingError(nothing)
        self._first_ns = self._next.received_ns
        self._started_ns = time.monotonic_ns()

    def left_out(self, *, as_lines: bool) -> str | RecordingError | None:
        """Return what of the file could not be replayed: a note, or an error if it is damaged.

        It is known at the end. ``as_lines`` is whether text lines are looked for: bytes of another
        file are no bad lines.
        """
        found = self._recording
        if found is not None and found.torn_bytes:
            return self._torn(found)
        if found is None and self.bad_lines and as_lines:
            return (
                f"{self.path}: {self.bad_lines} lines were left out, the first is line "
                f"{self.first_bad_line}; a line is 'time,angle1,...,angle10' in numbers"
            )
        return None

    def _torn(self, found: RecordingReader) -> str | RecordingError:
        kept = f"what stands before was replayed, {found.torn_bytes} bytes were left"
        if not found.damaged:
            return f"{self.path}: cut off at byte {found.torn_at}: {kept}"
        return RecordingError(
            f"{self.path}: damaged at byte {found.torn_at}: {kept}; copy it again from its origin"
        )

    @property
    def recorded_at(self) -> str:
        """When what is replayed was recorded (ISO 8601), or that nobody knows."""
        said = self._recording.about.get("started_at") if self._recording else None
        try:
            return datetime.fromisoformat(said or "").isoformat()
        except (TypeError, ValueError):
            return "unknown"

    @property
    def ended(self) -> bool:
        """Whether everything was given."""
        return self._next is None

    def read(self, timeout_s: float) -> SourceItem | None:
        """See :class:`edgehip.sources.Source`."""
        item = self._next
        if item is None:
            return None
        if self.speed is not None:
            due_ns = self._started_ns + (item.received_ns - self._first_ns) / self.speed
            wait_s = (due_ns - time.monotonic_ns()) / 1e9
            time.sleep(max(0.0, min(wait_s, timeout_s)))
            if wait_s > timeout_s:
                return None
        self._next = next(self._items, None)
        return item

    def write(self, data: bytes) -> bool:
        """Nobody is there to listen."""
        return False

    def close(self) -> None:
        """Close the file."""
        if self._recording:
            self._recording.close()

    def _lines(self, time_unit: TimeUnit) -> Iterator[tuple[bytes, Frame | None]]:
        """Yield a text file's lines (cut where they are too long), each with the sample in it."""
        decoder = LineDecoder(time_unit)
        number = 1
        try:
            with Path(self.path).open("rb") as file:
                while line := file.readline(MAX_LINE):
                    sample: Frame | None = None
                    for frame in decoder.feed(Chunk(line, 0)):
                        if isinstance(frame, LinkFault):
                            self.bad_lines += frame.count
                            self.first_bad_line = self.first_bad_line or number
                        elif isinstance(frame.message, Angles):
                            sample = frame
                    number += line.endswith(b"\n")
                    yield line, sample
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error.strerror}") from error
