"""Reading NPZ files of unknown origin: numbers and texts, never code."""

import pickle
import zipfile
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.errors import DatasetError

_HARMLESS: Final = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class _TextUnpickler(pickle.Unpickler):
    """Unpickles arrays of plain values. NumPy stores columns of Python texts as a pickle."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return super().find_class(module, name)


def read_npz(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an NPZ file.

    Raises
    ------
    DatasetError
        If the file cannot be read, is no NPZ file, or would run code on loading.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    arrays[member.removesuffix(".npy")] = _read_array(file)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # what a hostile or damaged file raises has no common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{path}: is not a NumPy .npz file of plain arrays: {reason}") from error
    return arrays


def _read_array(file: IO[bytes]) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if header is None:
        raise ValueError(f"it holds an array of format {version}")
    shape, _, dtype = header(file)
    if not dtype.hasobject:
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    return np.asarray(_TextUnpickler(file).load(), dtype=object).reshape(shape)


def texts(array: NDArray[Any]) -> tuple[str, ...]:
    """Return a column of texts, however it was stored."""
    return tuple(
        item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
        for item in array.ravel().tolist()
    )
