"""Reading PyTorch files of unknown origin: tensors and plain values, never code."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch

from edgehip.errors import ModelFileError

PERMITTED: Final = (
    np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    np.ndarray,
    np.dtype,
    np.dtypes.Float32DType,
)
"""What a file may refer to besides tensors and plain values: float32 arrays, nothing else."""


def load_tensors(path: str | Path) -> Mapping[str, Any]:
    """Return the dictionary in a PyTorch file, without running anything the file brings.

    Raises
    ------
    ModelFileError
        If the file is absent, no PyTorch file, or holds more than tensors, float32 arrays and
        plain values.
    """
    if not Path(path).is_file():
        raise ModelFileError(f"{path}: no such file")
    if _is_packed(path):
        raise ModelFileError(
            f"{path}: refused, because PyTorch does not compress its checkpoints and this one is "
            "compressed: it may unpack to any size"
        )
    try:
        with torch.serialization.safe_globals(list(PERMITTED)):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    except Exception as error:  # what a hostile or damaged file raises has no common base
        raise ModelFileError(f"{path}: {_why_not_loaded(path)}") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path}: holds a {type(content).__name__}, not a model")
    return cast(Mapping[str, Any], content)


def _is_packed(path: str | Path) -> bool:
    """Return whether a zip file holds more than it has bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False  # the older format, or no checkpoint at all: for PyTorch to say
    return held > Path(path).stat().st_size


def _why_not_loaded(path: str | Path) -> str:
    """Return whether a file is no PyTorch file or wants to run code."""
    try:
        with torch.serialization.safe_globals(list(PERMITTED)):
            foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # see above
        foreign = []
    if foreign:
        return (
            f"refused, because it would run code on loading ({', '.join(sorted(foreign))}); "
            "a checkpoint may hold tensors and plain values alone"
        )
    return "is not a PyTorch checkpoint, or is damaged"
