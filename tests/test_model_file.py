"""A model file that nobody could read is not written; one that would fill the memory, not read."""

from dataclasses import replace
from pathlib import Path

import pytest

from edgehip import load_model
from edgehip.errors import ModelFileError
from edgehip.model_file import MAX_CARD_BYTES, write_model


def test_a_card_that_nobody_could_read_is_not_written(tmp_path: Path) -> None:
    path, card = tmp_path / "odd.tflite", load_model().card
    with pytest.raises(ModelFileError, match="warm_up_s"):
        write_model(path, b"graph", replace(card, warm_up_s=float("nan")))
    with pytest.raises(ModelFileError, match="keep less in it"):
        write_model(path, b"graph", replace(card, training={"strides": "x" * MAX_CARD_BYTES}))
    assert not path.exists()


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.tflite"
    with path.open("wb") as file:
        file.truncate(200 << 30)  # takes no room on the disk, either
    with pytest.raises(ModelFileError, match="at most 268435456"):
        load_model(path)
