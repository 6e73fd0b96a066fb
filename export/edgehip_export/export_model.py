"""A module or a trained model to files in several formats and precisions, each with its parity."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from torch import nn

from edgehip.backends import load_engine
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard
from edgehip.model_file import Format, read_model, write_model
from edgehip.whole_file import write_file
from edgehip_export.answers import Floats, answers, inputs_of
from edgehip_export.comparison_strides import Labelled, calibration_strides
from edgehip_export.export import onnx_graph, run_module, tflite_graph
from edgehip_export.forms import TYPICAL_STRIDE_S, CycleForm, cycle_form, step_form
from edgehip_export.networks import Mamba
from edgehip_export.parity import Parity, measure
from edgehip_export.quantize import PRECISIONS, Inputs, Precision, quantize_onnx, quantize_tflite
from edgehip_export.strides import POINTS
from edgehip_export.trained import TrainedModel
from edgehip_export.while_graph import loop_over_samples

Form = Literal["cycle", "step"]
FORMS: Final[tuple[Form, ...]] = ("cycle", "step")
GraphIn = Callable[[Precision, Sequence[Inputs]], bytes]
FORMATS: Final[tuple[Format, ...]] = ("onnx", "tflite")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may be from its source before it is not written.

    Parameters
    ----------
    normalised_error
        Per precision, see :class:`edgehip_export.parity.Parity`.
    r2_loss
        On labelled strides, where they are given.
    """

    normalised_error: dict[Precision, float] = field(
        default_factory=lambda: {"fp32": 0.001, "fp16": 0.005, "int8": 0.08, "int8-static": 0.08}
    )
    r2_loss: float = 0.005

    def refusal(self, precision: Precision, parity: Parity) -> str | None:
        """Return why a file is not to be written, or None."""
        limit = self.normalised_error[precision]
        if not parity.normalised_error <= limit:
            return (
                f"its normalised error {parity.normalised_error:.2%} is above {limit:.2%}, "
                f"the limit for {precision}"
            )
        for output, accuracy in parity.accuracy.items():
            if not accuracy.r2_loss <= self.r2_loss:
                return (
                    f"it loses {accuracy.r2_loss:.4f} of R² in {output}, more than {self.r2_loss:g}"
                )
        return None


@dataclass(frozen=True, slots=True)
class Exported:
    """One file: where it is or would be, what was measured, and why it was not written."""

    path: Path
    precision: Precision
    parity: Parity | None
    refusal: str | None

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "precision": self.precision,
            "written": self.refusal is None,
            "refusal": self.refusal,
            "parity": None if self.parity is None else asdict(self.parity),
        }


def export_model(
    model: TrainedModel,
    folder: Path,
    formats: Sequence[Format] = FORMATS,
    precisions: Sequence[Precision] = ("fp32",),
    forms: Sequence[Form] = ("cycle",),
    *,
    stride_s: float = TYPICAL_STRIDE_S,
    labelled: Labelled | None = None,
    limits: Limits | None = None,
    on_file: Callable[[Exported], None] = lambda exported: None,
) -> list[Exported]:
    """Write a trained model's files and, beside them, ``NAME.parity.json``.

    Parameters
    ----------
    stride_s
        The stride duration a step form is meant for.
    labelled
        Strides to compare on; by default made-up ones without labels.
    limits
        A file that exceeds them is not written; None writes every file.
    on_file
        Told about every file as it is finished.

    Raises
    ------
    ModelFileError
        If a network has no such form, cannot be converted, or the folder holds files of this name
        that another model was made into.
    """
    chosen = [cycle_form(model) if f == "cycle" else step_form(model, stride_s) for f in forms]
    labelled = labelled or Labelled.made_up()
    return [
        exported
        for module, card in chosen
        for exported in export_module(
            module, card, folder, formats, precisions, labelled, limits, on_file
        )
    ]


def export_module(
    module: nn.Module,
    card: ModelCard,
    folder: Path,
    formats: Sequence[Format],
    precisions: Sequence[Precision],
    labelled: Labelled,
    limits: Limits | None,
    on_file: Callable[[Exported], None] = lambda exported: None,
) -> list[Exported]:
    """Write one form's files and, beside them, ``NAME.parity.json``.

    Files are called ``NAME-PRECISION.FORMAT`` after the card. Parameters as
    :func:`export_model`.

    Raises
    ------
    ModelFileError
        If the module does not fit its card, cannot be converted, or the folder holds files of this
        name that another model was made into.
    """
    source = answers(
        lambda *inputs: run_module(module, *inputs), card, labelled.strides_deg, labelled.others
    )
    graphs: Iterator[tuple[Format, GraphIn]] = (
        (format, (_onnx if format == "onnx" else _tflite)(module, card)) for format in formats
    )
    recurrent = "8-bit recurrent state drifts away within a stride: take int8"
    no_static = recurrent if _is_recurrent(module) else None
    return export_graphs(
        graphs, card, folder, precisions, labelled, source, limits, no_static, on_file
    )


def export_graphs(
    graphs: Iterable[tuple[Format, GraphIn]],
    card: ModelCard,
    folder: Path,
    precisions: Sequence[Precision],
    labelled: Labelled,
    source: dict[str, Floats],
    limits: Limits | None,
    no_static: str | None,
    on_file: Callable[[Exported], None] = lambda exported: None,
) -> list[Exported]:
    """Write graphs as files with their parity, and ``NAME.parity.json``.

    Parameters
    ----------
    graphs
        Per format, what makes the graph in a precision.
    source
        The right answers to the labelled strides, see :func:`edgehip_export.answers.answers`.
    no_static
        Why there is no ``int8-static``, if there is none. It is calibrated on made-up strides,
        never on those it is judged on.

    Raises
    ------
    ModelFileError
        If the folder holds files of this name that another model was made into.
    """
    _check_same_model(folder, card)
    folder.mkdir(parents=True, exist_ok=True)
    calibration = [inputs_of(card, stride[None]) for stride in calibration_strides()]
    note = folder / f"{card.name}.parity.json"
    try:
        report = dict(json.loads(note.read_bytes())) if note.exists() else {}
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{note}: is damaged: remove it, or give another folder") from error

    def export(
        format: Format, precision: Precision, graph_in: GraphIn, float_size: int
    ) -> Exported:
        """Write a file if it is good enough."""
        path = folder / f"{card.name}-{precision}.{format}"
        if precision == "int8-static" and no_static is not None:
            return Exported(path, precision, None, no_static)
        try:
            graph = graph_in(precision, calibration)
            engine = load_engine(graph, format, card, path.name)
        except ModelFileError as error:
            return Exported(path, precision, None, str(error))
        parity = measure(engine, card, graph, float_size, labelled, source)
        refusal = None if limits is None else limits.refusal(precision, parity)
        if refusal is None:
            metrics = card.metrics | {"parity": asdict(parity)}
            write_model(path, graph, replace(card, precision=precision, metrics=metrics))
        return Exported(path, precision, parity, refusal)

    done = []
    try:
        for format, graph_in in graphs:
            float_size = len(graph_in("fp32", ()))
            for precision in precisions:
                exported = export(format, precision, graph_in, float_size)
                if exported.refusal is not None:  # there may be one of another run
                    exported.path.unlink(missing_ok=True)
                report[exported.path.name] = exported.plain()
                done.append(exported)
                on_file(exported)
    finally:
        write_file(note, (json.dumps(report, indent=2) + "\n").encode())
    return done


def _check_same_model(folder: Path, card: ModelCard) -> None:
    """Refuse to replace a file of another model: of other weights, or of nobody knows what."""
    for format, precision in itertools.product(FORMATS, PRECISIONS):
        path = folder / f"{card.name}-{precision}.{format}"
        try:
            same = not path.exists() or _origin(read_model(path)[0]) == _origin(card)
        except ModelFileError as error:
            raise ModelFileError(f"{error}: remove it, or give another folder") from error
        if not same:
            raise ModelFileError(
                f"{path}: was made of another model that is also called {card.name}: give --name, "
                "or another folder"
            )


def _origin(card: ModelCard) -> str:
    """Return what two cards share if they are of one model."""
    own = {name: value for name, value in card.metrics.items() if name != "parity"}
    return json.dumps([card.training, own], sort_keys=True)


def _onnx(module: nn.Module, card: ModelCard) -> GraphIn:
    """Return what makes the ONNX graph in a precision."""
    return partial(quantize_onnx, onnx_graph(module, card))


def _tflite(module: nn.Module, card: ModelCard) -> GraphIn:
    """Return what makes the TFLite graph in a precision."""
    if not isinstance(module, CycleForm) or module.loop is None:
        return partial(quantize_tflite, tflite_graph(module, card))
    step = tflite_graph(*module.loop)
    return lambda precision, calibration: loop_over_samples(
        quantize_tflite(step, precision, calibration), POINTS
    )


def _is_recurrent(module: nn.Module) -> bool:
    kinds = (nn.RNNBase, nn.RNNCellBase, Mamba)
    return any(isinstance(part, kinds) for part in module.modules())
