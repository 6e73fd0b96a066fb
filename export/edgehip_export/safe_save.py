"""Writing PyTorch files whole or not at all."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edgehip.whole_file import write_file


def save_tensors(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values as :func:`edgehip_export.safe_load.load_tensors` reads them.

    Raises
    ------
    OSError
        As :func:`edgehip.whole_file.write_file`: PyTorch itself would not say why.
    """
    packed = io.BytesIO()
    torch.save(content, packed)
    write_file(path, packed.getvalue())
