"""Reading NPZ files of unknown origin: numbers and texts, never code, in bounded memory.

A file of kilobytes can hold petabytes of zeros, state any shape, or pickle what unfolds without
end. So all sizes are added up before anything is unpacked, a shape must be that of the bytes that
are there, and texts that NumPy stored as a pickle are read by a reader that makes nothing else.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Container
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.errors import DatasetError

MOST_BYTES: Final = 1 << 31
"""Of all arrays together: fifty times the released data set, in double precision."""

ANYWAY_BYTES: Final = 1 << 28
MOST_UNPACKING: Final = 20
"""What unpacks to more than :data:`ANYWAY_BYTES` may be so many times as large as the file: numbers
that were measured are packed to a half, and a bomb to a thousandth."""

MOST_PICKLED_BYTES: Final = 1 << 20
"""Of a column of Python texts."""

LONGEST_TEXT: Final = 200
"""Of an id, a label or the name of a column; NumPy gives every text the room of the longest."""

PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What NumPy writes. The others' decompressors cannot be told when to stop."""


def read_npz(path: str | Path, keys: Container[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of an NPZ file: those of some keys, or all.

    Raises
    ------
    DatasetError
        If the file cannot be read, is no NPZ file, would run code on loading, or would unpack to
        more than :data:`MOST_BYTES`, or to far more than it has itself.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            named = [(m.filename.removesuffix(".npy"), m) for m in archive.infolist()]
            members = [(key, m) for key, m in named if keys is None or key in keys]
            _check_size(path, sum(member.file_size for _, member in members))
            return {key: _read_array(archive, member) for key, member in members}
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # what a hostile or damaged file raises has no common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(
            f"{path}: is not a NumPy .npz file of plain arrays: {reason}; of OpenSim's tables "
            "'edgehip collect' makes one"
        ) from error


def _check_size(path: str | Path, unpacked: int) -> None:
    held = Path(path).stat().st_size
    if unpacked > MOST_BYTES:
        raise DatasetError(
            f"{path}: its arrays take {unpacked / 2**30:.2f} GiB, more than the "
            f"{MOST_BYTES / 2**30:.2g} GiB that are read: keep them as float32, or give a part"
        )
    if unpacked > ANYWAY_BYTES and unpacked > MOST_UNPACKING * held:
        raise DatasetError(
            f"{path}: would unpack from {held / 2**20:.3g} MiB to {unpacked / 2**20:.0f} MiB, as "
            "measured strides never do: if they are yours, save them with numpy.savez"
        )


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type not in PACKINGS:
        raise ValueError(f"{member.filename} is packed in a way that NumPy does not pack")
    with archive.open(member) as file:  # ends after as many bytes as the directory states
        version = np.lib.format.read_magic(file)
        if version != (1, 0):  # others are for headers of structures, as long as they like
            raise ValueError(f"{member.filename} is an array of format {version}")
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
        left = member.file_size - file.tell()
        if dtype.hasobject:
            if left > MOST_PICKLED_BYTES:
                raise ValueError(f"{member.filename} holds more than a column of texts")
            try:
                return _texts(file.read()).reshape(shape)
            except pickle.UnpicklingError as error:
                raise ValueError(f"in {member.filename} {error}") from error
        if math.prod(shape) * dtype.itemsize != left:
            raise ValueError(f"{member.filename} states a shape that its bytes do not fill")
        array = np.frombuffer(file.read(), dtype)
        return array.reshape(shape, order="F" if columns_first else "C")


class _Column:
    """Stands for the array in a pickle, and takes its values if they are plain ones."""

    def __init__(self, *_: object) -> None:
        self.values: list[str | bytes | int | float] = []

    def __setstate__(self, state: Any) -> None:
        values = state[-1]
        plain = isinstance(values, list) and all(
            type(value) in (str, bytes, int, float) for value in values
        )
        if not plain:
            raise pickle.UnpicklingError("a column holds something other than texts and numbers")
        self.values = values


class _Dtype:
    """Stands for the type of that array, which is known."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


_STAND_INS: Final = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Column,
    ("numpy._core.multiarray", "_reconstruct"): _Column,
}


class _TextUnpickler(pickle._Unpickler):
    """Unpickles a column of plain values, calling nothing but the stand-ins.

    The one in Python, for the one in C reserves whatever memory a file asks for.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return _STAND_INS[module, name]


def _texts(pickled: bytes) -> NDArray[Any]:
    column = _TextUnpickler(io.BytesIO(pickled)).load()
    if not isinstance(column, _Column):
        raise pickle.UnpicklingError("it holds no column")
    return np.array(column.values, dtype=object)


def texts(array: NDArray[Any]) -> tuple[str, ...]:
    """Return a column of texts without padding, however it was stored.

    Raises
    ------
    DatasetError
        If one is longer than :data:`LONGEST_TEXT`.
    """
    found = tuple(
        (item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)).strip()
        for item in array.ravel().tolist()
    )
    if (longest := max(map(len, found), default=0)) > LONGEST_TEXT:
        raise DatasetError(f"holds a text of {longest} characters where an id or a name should be")
    return found
