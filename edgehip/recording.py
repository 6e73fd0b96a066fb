"""The recording format: the raw input as it came; a crash costs a torn tail at most.

A file is one line of magic, one line of JSON about the recording, and records: length of the
payload (4 bytes), host time in ns (8), kind (1), payload, CRC-32 over all of these (4); little-
endian. Kinds: bytes that arrived, port opened, port lost, bytes missing (how many chunks, as text);
plus 16 for a second device. Reading stops at the first record that is cut off or damaged
and says where and what it left; replaying gives bit-identical estimates.

A program that was killed leaves a record cut off, and so does a power cut, which may also leave
zeros for the blocks that did not reach the disk. Everything else is damage.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from edgehip.errors import RecordingError
from edgehip.events import BytesMissing, Chunk, PortLost, PortOpened, SourceItem

MAGIC: Final = b"edgehip recording 1\n"
MAX_PAYLOAD: Final = 4096
"""The longest a source makes: what a serial port gives at once. If a record that claims to be
longer ends with the file, it is its length that is damaged."""
_READABLE: Final = 1 << 20
"""Up to here a longer record is read if it is sound: ports across the network made some once."""
_HEAD: Final = struct.Struct("<IQB")
_CRC: Final = struct.Struct("<I")
_CHUNK, _OPENED, _LOST, _MISSING = 0, 1, 2, 3
_MISSING_DIGITS: Final = 20
_PER_DEVICE = 16


def header(about: dict[str, str]) -> bytes:
    """Return the beginning of a recording."""
    return MAGIC + json.dumps(about, ensure_ascii=True).encode() + b"\n"


def record(item: SourceItem) -> bytes:
    """Return one item as a record."""
    match item:
        case Chunk():
            kind, payload = _CHUNK, item.data
        case PortOpened():
            kind, payload = _OPENED, item.detail.encode()
        case PortLost():
            kind, payload = _LOST, item.detail.encode()
        case BytesMissing():
            kind, payload = _MISSING, b"%d" % item.chunks
    body = _HEAD.pack(len(payload), item.received_ns, kind + _PER_DEVICE * item.device) + payload
    return body + _CRC.pack(zlib.crc32(body))


class RecordingReader:
    """Reads a recording, in bounded memory.

    Attributes
    ----------
    about
        What the recording says of itself.
    torn_at, torn_bytes
        Where the record begins that was cut off or damaged, and how many bytes were left from there
        on; known once the items are read.
    damaged
        Whether that record was damaged, which is no trace of a program that was killed.

    Raises
    ------
    RecordingError
        If the file cannot be read or is something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.torn_at = self.torn_bytes = 0
        self.damaged = False
        try:
            self._file: BinaryIO = self.path.open("rb")
            magic, about = self._file.readline(len(MAGIC)), self._file.readline(1 << 16)
        except OSError as error:
            raise self._unreadable(error) from error
        if magic != MAGIC:
            self.close()
            raise RecordingError(
                f"{path}: is not an edgehip recording ('edgehip stream --record' makes one)"
            )
        try:
            self.about: dict[str, str] = dict(json.loads(about))
        except (ValueError, TypeError, RecursionError) as error:
            self.close()
            raise RecordingError(f"{path}: the recording's first lines are damaged") from error

    def __iter__(self) -> Iterator[SourceItem]:
        """Yield the items until the file's end or the first torn record."""
        while True:
            try:
                start = self._file.tell()
                item = self._next()
                if item is None:
                    self._judge(start)
                    return
            except OSError as error:
                raise self._unreadable(error) from error
            yield item

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _unreadable(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self.path}: cannot be read: {error.strerror}")

    def _next(self) -> SourceItem | None:
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        length, received_ns, kind = _HEAD.unpack(head)
        if length > _READABLE or not _known(kind):
            return None
        payload = self._file.read(length)
        if self._file.read(_CRC.size) != _CRC.pack(zlib.crc32(head + payload)):
            return None
        device, kind = divmod(kind, _PER_DEVICE)
        match kind:
            case 0:
                return Chunk(payload, received_ns, device)
            case 1:
                return PortOpened(received_ns, payload.decode(errors="replace"), device)
            case 2:
                return PortLost(received_ns, payload.decode(errors="replace"), device)
            case 3 if payload.isdigit() and len(payload) < _MISSING_DIGITS:
                return BytesMissing(received_ns, int(payload), device)
        return None

    def _judge(self, start: int) -> None:
        """Find out why there is no record at a place: the file's end, a cut or damage."""
        # Not by its name, under which there may be another file by now, or none.
        left = max(0, os.fstat(self._file.fileno()).st_size - start)
        self.torn_at, self.torn_bytes = start, left
        if left < _HEAD.size:
            return
        self._file.seek(start)
        length, _, kind = _HEAD.unpack(self._file.read(_HEAD.size))
        size = _HEAD.size + length + _CRC.size
        if left < size:
            self.damaged = length > MAX_PAYLOAD or not _known(kind)
        else:
            self._file.seek(start + size - 1)  # zeros that begin within the record reach there
            self.damaged = left == size or not self._only_zeros()

    def _only_zeros(self) -> bool:
        """Return whether nothing else follows."""
        while block := self._file.read(1 << 16):
            if any(block):
                return False
        return True


def _known(kind: int) -> bool:
    return kind < 2 * _PER_DEVICE and kind % _PER_DEVICE <= _MISSING
