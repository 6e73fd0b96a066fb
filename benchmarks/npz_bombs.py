"""NPZ files that are small and would fill a memory, or never end, if they were believed."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

HUGE: Final = 1 << 40
ZEROS: Final = 1 << 20


def _header(shape: tuple[int, ...], descr: str) -> bytes:
    """Return the beginning of an array file."""
    made = io.BytesIO()
    plain = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(made, plain)
    return made.getvalue()


def _write(path: Path, content: bytes, packing: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("X.npy", content)


def _many_zeros(path: Path) -> None:
    """Pack 1 GiB of zeros, a thousand times a MiB that is stored once."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", _header((ZEROS,), "|i1") + bytes(ZEROS))
        archive.filelist *= 1024


def _bzip2(path: Path) -> None:
    _write(path, _header((200 * ZEROS,), "|i1") + bytes(200 * ZEROS), zipfile.ZIP_BZIP2)


def _shape(path: Path) -> None:
    _write(path, _header((HUGE, 10), "<f8") + bytes(100))


def _width(path: Path) -> None:
    _write(path, _header((1,), f"<U{2**29 - 1}") + bytes(100))


def _directory(path: Path) -> None:
    """State a size of 3 GB in the directory."""
    _write(path, _header((10,), "<f8") + bytes(80))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 3_000_000_000)
    path.write_bytes(content)


def _pickled(path: Path, opcodes: bytes) -> None:
    _write(path, _header((1,), "|O") + opcodes)


def _memo(path: Path) -> None:
    """Remember something at place 2^31: a table of 16 GB in some readers of pickles."""
    _pickled(path, b"\x80\x04Nr\xff\xff\xff\x7f.")


def _promise(path: Path) -> None:
    """Announce 1 TB of bytes, and bring none."""
    _pickled(path, b"\x80\x04\x8e" + struct.pack("<Q", HUGE) + b".")


def _unfolding(path: Path) -> None:
    """Hold a list of a list of ... of a list, each twice in the next: 2^60 texts to be written."""
    inner: object = ["a"]
    for _ in range(60):
        inner = [inner, inner]
    column = np.empty(1, dtype=object)
    column[0] = inner
    _pickled(path, pickle.dumps(column, protocol=4))


def _long_pickle(path: Path) -> None:
    _pickled(path, b"\x80\x04" + b"}" * (64 * ZEROS) + b".")


def _long_text(path: Path) -> None:
    column = np.array(["a"] * 1000 + ["b" * (ZEROS // 2)], dtype=object)
    _write(path, _header((1001,), "|O") + pickle.dumps(column, protocol=4))


def _long_header(path: Path) -> None:
    """Begin a header of 200 MB, as structures may have them."""
    text = b"{" * (200 * ZEROS)
    _write(path, b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text)


HOSTILE: Final[dict[str, Callable[[Path], None]]] = {
    "1 GiB of zeros": _many_zeros,
    "200 MiB of zeros in bzip2": _bzip2,
    "a shape of 80 TB": _shape,
    "a text of 2 GB": _width,
    "a size of 3 GB in its directory": _directory,
    "a pickle that remembers 2^31 things": _memo,
    "a pickle that announces 1 TB": _promise,
    "a pickle that unfolds to 2^60 texts": _unfolding,
    "a pickle of 64 MiB of dictionaries": _long_pickle,
    "a text as long as a book": _long_text,
    "a header of 200 MB": _long_header,
}
