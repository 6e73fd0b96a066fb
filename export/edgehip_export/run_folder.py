"""The folder of a training run: its configuration, its tables, and the state to go on from."""

import json
from pathlib import Path
from typing import Any, Final

import torch

from edgehip import __version__
from edgehip.errors import TrainingError
from edgehip.whole_file import write_file
from edgehip_export.safe_load import load_tensors
from edgehip_export.safe_save import save_tensors

CONFIG: Final = "config.json"
STATE: Final = "state.pt"
MODEL: Final = "model.pt"


class RunFolder:
    """One folder, one configuration.

    Parameters
    ----------
    path
        Made if it is not there.
    config
        What the run's result depends on, as plain values.

    Raises
    ------
    TrainingError
        If the folder holds a run of another configuration.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.model = path / MODEL
        path.mkdir(parents=True, exist_ok=True)
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
            if different := [key for key in config if found.get(key) != config[key]]:
                raise TrainingError(
                    f"{path}: holds a run with another {', '.join(different)}: give another "
                    "folder, or remove this one"
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
        """Return what was kept last, or None."""
        file = self.path / STATE
        return dict(load_tensors(file)) if file.exists() else None

    def drop_state(self) -> None:
        """Forget it: the run is finished."""
        (self.path / STATE).unlink(missing_ok=True)
