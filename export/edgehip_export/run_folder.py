"""The folder of a training run: its configuration, its tables, and the state to go on from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch

from edgehip import __version__
from edgehip.errors import ModelFileError, TrainingError
from edgehip.model import is_bundled
from edgehip.whole_file import write_file
from edgehip_export.safe_load import load_tensors
from edgehip_export.safe_save import save_tensors

CONFIG: Final = "config.json"
STATE: Final = "state.pt"
MODEL: Final = "model.pt"
LONGEST_VALUE: Final = 16
"""Of one that a message shows: digests are shortened."""


class RunFolder:
    """One folder, one configuration.

    Parameters
    ----------
    path
        Exists.
    config
        What the run's result depends on, as plain values.

    Raises
    ------
    TrainingError
        If the folder holds a run of another configuration, or a model of none.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.model = path / MODEL
        # Through JSON, so that tuples and lists compare as they are read back.
        config = json.loads(json.dumps(config))
        file = path / CONFIG
        if file.exists():
            try:
                found = dict(json.loads(file.read_bytes()))
            except (ValueError, TypeError, RecursionError) as error:
                raise TrainingError(
                    f"{file}: is damaged: give another folder, or remove this one"
                ) from error
            if different := list(_differences(config, found)):
                raise TrainingError(
                    f"{path}: holds another run ({', '.join(different)}): give another folder, or "
                    "remove this one"
                )
            return  # the versions are those it was begun with
        if any((path / name).exists() for name in (MODEL, STATE)):
            raise TrainingError(
                f"{path}: holds a model of no run, or a run without its {CONFIG}: give another "
                "folder"
            )
        versions = {"edgehip": __version__, "torch": torch.__version__}
        self.write_json(CONFIG, config | {"versions": versions})

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write plain values to a file of the folder."""
        write_file(self.path / name, (json.dumps(content, indent=2) + "\n").encode())

    def save_state(self, state: dict[str, Any]) -> None:
        """Keep what the run needs to go on, whole or not at all."""
        save_tensors(self.path / STATE, state)

    def load_state(self) -> dict[str, Any] | None:
        """Return what was kept last, or None.

        Raises
        ------
        TrainingError
            If it cannot be read.
        """
        file = self.path / STATE
        if not file.exists():
            return None
        try:
            return dict(load_tensors(file))
        except ModelFileError as error:
            raise self.damaged_state() from error

    def damaged_state(self) -> TrainingError:
        """Return the error of a state that is not what this run kept."""
        return TrainingError(
            f"{self.path / STATE}: is damaged, or not this run's: remove it to start the run anew"
        )

    def drop_state(self) -> None:
        """Forget it: the run is finished."""
        (self.path / STATE).unlink(missing_ok=True)


def model_file(source: str | Path) -> str | Path:
    """Return a model's file; that of a run, where its folder is given; or a bundled model's name.

    Raises
    ------
    ModelFileError
        If it is a folder and holds none.
    """
    path = Path(source)
    if is_bundled(source):
        return source
    if not path.is_dir():
        return path
    if not (path / MODEL).is_file():
        raise ModelFileError(
            f"{path}: is a folder without {MODEL}: give a model, or a finished run"
        )
    return path / MODEL


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    """Name what differs, with both values."""
    for key, value in ours.items():
        there = theirs.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            yield from _differences(dict.fromkeys(there) | value, there)
        elif there != value:
            yield f"{key} {_short(there)} there, {_short(value)} here"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE // 2]}..."
