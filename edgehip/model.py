"""Loading a model: its card and an engine that runs it."""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from edgehip.backends import Engine, load_engine
from edgehip.declared import checked
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard
from edgehip.model_file import Format, read_model

BUNDLED = files("edgehip") / "models"
DEFAULT_CYCLE_MODEL = "hip-cycle"
DEFAULT_SAMPLE_MODEL = "hip-sample"


@dataclass(frozen=True, slots=True)
class Model:
    """A model file, loaded: what it says of itself, the engine that runs it, and where it lies."""

    card: ModelCard
    engine: Engine
    path: str


def bundled_models() -> tuple[Path, ...]:
    """Return the model files that come with edgehip."""
    folder = Path(str(BUNDLED))
    return tuple(sorted(p for p in folder.iterdir() if p.suffix in (".onnx", ".tflite")))


def bundled_files(name: str) -> dict[Format, Path]:
    """Return the files of a bundled model by their formats; none if no model is called so."""
    named = {path.suffix: path for path in bundled_models() if path.stem == name}
    formats: tuple[Format, ...] = ("tflite", "onnx")  # of what is not chosen, the first is taken
    return {format: named[f".{format}"] for format in formats if f".{format}" in named}


def is_bundled(source: str | os.PathLike[str]) -> bool:
    """Return whether this is a bundled model's name, whatever lies in the working directory.

    A :class:`~pathlib.Path` is no name, nor is what is written as a path (``./hip-cycle``).
    """
    return isinstance(source, str) and source in {path.stem for path in bundled_models()}


@checked
def load_model(
    source: str | os.PathLike[str] = DEFAULT_CYCLE_MODEL, *, trusted: bool = True
) -> Model:
    """Load a model file, or a bundled model by its name.

    Parameters
    ----------
    source
        The name of a bundled model (``hip-cycle``), which no file or folder of this name hides, or
        a path that ends in ``.onnx`` or ``.tflite``. Where there is no file of that path, the name
        of a bundled model may have its ending (``hip-cycle.onnx``); where there is, it is loaded.
    trusted
        If false, a file that is not bundled is first run in a process of its own
        (:mod:`edgehip.trial`), so that a graph made to harm an engine does not harm this process.
        That takes as long as starting Python again.

    Raises
    ------
    ArgumentError
        If ``source`` is neither a text nor a path.
    ModelFileError
        If there is no such model, or it is damaged, or it lies about itself.
    MissingExtraError
        If the engine for its format is not installed.
    """
    path = Path(os.path.abspath(source))  # so that messages tell it from a bundled one
    known = {bundled.name for bundled in bundled_models()}
    absent = not os.path.exists(source) and (not path.suffix or str(source) in known)
    if is_bundled(source) or absent:
        path = _bundled(str(source))
    card, content, format = read_model(path)
    if not trusted and path.parent != Path(str(BUNDLED)):
        from edgehip.trial import try_out

        try_out(path, content)
    return Model(card, load_engine(content, format, card, str(path)), str(path))


def _bundled(name: str) -> Path:
    available = bundled_models()
    for path in (*bundled_files(name).values(), *available):
        if name in (path.stem, path.name):
            return path
    names = ", ".join(sorted({path.stem for path in available}))
    raise ModelFileError(
        f"{name}: no such file, and no bundled model of that name (there are: {names})"
    )
