"""The released Gait2Hip-60 networks in every format, precision and form, exported once and kept."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.machine import DATA, ROOT

if TYPE_CHECKING:
    from edgehip_export.export_model import Form
    from edgehip_export.trained import TrainedModel

CHECKPOINTS: Final = DATA / "gait2hip60"
CACHE: Final = ROOT / "benchmarks" / "results" / "released"
FAMILIES: Final = ("Transformer", "LSTM", "Mamba")
TASKS: Final = ("JM60", "MF60")


def networks(folder: Path) -> Iterator["TrainedModel"]:
    """Yield the networks in a folder of checkpoints."""
    from edgehip_export.checkpoint import import_checkpoints

    for family in FAMILIES:
        for task in TASKS:
            yield import_checkpoints([folder / f"{family}_{task}.pt"], f"{family}-{task}".lower())


def forms_of(model: "TrainedModel") -> tuple["Form", ...]:
    """Return the forms a network has: one that sees the whole cycle at once has no step."""
    whole = model.networks[0].family == "transformer"
    return ("cycle",) if whole else ("cycle", "step")


def released_models() -> list[Path]:
    """Return the files of all released networks; make them if what makes them has changed.

    Raises
    ------
    FileNotFoundError
        If the checkpoints are not beside the checkout.
    ImportError
        If what exports them is not installed.
    """
    if not CHECKPOINTS.is_dir():
        raise FileNotFoundError("no checkpoints in ../shared/data/gait2hip60")
    stamp = CACHE / "made_by.txt"
    made_by = _sources()
    if not stamp.exists() or stamp.read_text() != made_by:
        from edgehip_export.export_model import export_model
        from edgehip_export.quantize import PRECISIONS

        CACHE.mkdir(parents=True, exist_ok=True)
        for left in CACHE.iterdir():
            left.unlink()
        for model in networks(CHECKPOINTS):
            print(f"exporting {model.name}", file=sys.stderr, flush=True)
            export_model(model, CACHE, precisions=PRECISIONS, forms=forms_of(model))
        stamp.write_text(made_by)
    return sorted(path for path in CACHE.iterdir() if path.suffix in (".onnx", ".tflite"))


def _sources() -> str:
    """Return a digest of the code and the checkpoints that the files are made from."""
    digest = hashlib.sha256()
    sources = (ROOT / "export").rglob("*.py")
    writers = (ROOT / "edgehip" / f"{n}.py" for n in ("card_json", "model_card", "model_file"))
    for path in sorted([*sources, *CHECKPOINTS.glob("*.pt"), *writers]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
