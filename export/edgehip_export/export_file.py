"""A float32 model file in other precisions: for models of which the files are all there is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgehip.errors import ModelFileError
from edgehip.model import bundled_files, is_bundled, load_model
from edgehip.model_file import Format, read_model, without_card
from edgehip_export.answers import answers, require_duration
from edgehip_export.compact import name_tensors
from edgehip_export.comparison_strides import Labelled
from edgehip_export.export_model import Exported, GraphIn, Limits, export_graphs
from edgehip_export.quantize import Precision, quantize_onnx, quantize_tflite

MODEL_FILES = (".onnx", ".tflite")


def is_model_file(path: str | Path) -> bool:
    """Return whether this is a model file by its name, or a bundled model's name."""
    suffix = Path(path).suffix.lower()
    return suffix in MODEL_FILES or not suffix


def export_file(
    source: str | Path,
    folder: Path,
    formats: Sequence[Format],
    precisions: Sequence[Precision],
    *,
    name: str | None = None,
    labelled: Labelled | None = None,
    limits: Limits | None = None,
    on_file: Callable[[Exported], None] = lambda exported: None,
) -> list[Exported]:
    """Write a model file, or a bundled model, in other precisions; compare each with the file.

    The files are called ``name``, or as the model. Other parameters as
    :func:`edgehip_export.export_model.export_model`. A bundled model is there in every format; a
    file stays in its own.

    Raises
    ------
    ModelFileError
        If there is no such model, it is not of float32, it cannot be quantized, or the folder holds
        files of this name that another model was made into.
    ModelInputError
        If it must know how long strides take, and ``labelled`` does not tell.
    """
    labelled = labelled or Labelled.made_up()
    done: list[Exported] = []
    for path in _files(source, formats):
        model = load_model(path, trusted=False)
        if model.card.precision != "fp32":
            raise ModelFileError(
                f"{path}: is of {model.card.precision} already: give the file of fp32"
            )
        require_duration(model.card, path, labelled.others.get("stride_s"), labelled.name)
        _, content, format = read_model(path)
        told = answers(model.engine.run, model.card, labelled.strides_deg, labelled.others)
        graph_in = _graph_in(without_card(content, str(path)), format)
        done += export_graphs(
            [(format, graph_in)],
            replace(model.card, name=name or model.card.name),
            folder,
            precisions,
            labelled,
            told,
            limits,
            "its ranges are found from the network: export that",
            on_file,
        )
    return done


def _files(source: str | Path, formats: Sequence[Format]) -> list[Path]:
    """Return the files to start from."""
    path = Path(source)
    if path.suffix:
        own = path.suffix.lower().removeprefix(".")
        if own not in formats:
            raise ModelFileError(f"{path}: stays a .{own} file: give --to {own}")
        return [path]
    if not is_bundled(source):
        load_model(path)  # says what there is
    named = bundled_files(path.name)
    return [named[format] for format in formats]


def _graph_in(graph: bytes, format: Format) -> GraphIn:
    """Return what makes the graph in a precision."""
    if format == "onnx":
        return partial(quantize_onnx, graph)
    return partial(quantize_tflite, name_tensors(graph))
