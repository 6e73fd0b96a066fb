"""LiteRT (TensorFlow Lite), for ``.tflite`` files."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from edgehip.backends import Tensor, check_count, check_tensors
from edgehip.errors import MissingExtraError, ModelFileError, ModelInputError
from edgehip.model_card import ModelCard

_ASIDE: Final = threading.Lock()


class LiteRtEngine:
    """An interpreter on one thread of the CPU, its tensors in the card's order."""

    def __init__(self, interpreter: Any, card: ModelCard, where: str, name: str) -> None:
        self.name = name
        self._interpreter = interpreter
        self._turn = threading.Lock()
        """The tensors are the interpreter's own: another thread would fill them meanwhile."""
        inputs, outputs = _signature_order(interpreter)
        check_tensors(
            card,
            [_described(detail) for detail in inputs],
            [_described(detail) for detail in outputs],
            where,
        )
        self._inputs = [detail["index"] for detail in inputs]
        self._outputs = [detail["index"] for detail in outputs]

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See :class:`edgehip.backends.Engine`."""
        interpreter = self._interpreter
        check_count(self.name, inputs, self._inputs)
        with self._turn:
            try:
                for index, tensor in zip(self._inputs, inputs, strict=True):
                    interpreter.set_tensor(index, tensor)
                interpreter.invoke()
            except (ValueError, RuntimeError) as error:
                raise ModelInputError(f"{self.name} refuses the inputs: {error}") from error
            return tuple(interpreter.get_tensor(index) for index in self._outputs)

    def dtypes(self) -> set[type]:
        """Return the types of all tensors of the graph."""
        return {detail["dtype"] for detail in self._interpreter.get_tensor_details()}


def load(content: bytes, card: ModelCard, where: str) -> LiteRtEngine:
    """Return an engine for the bytes of a TFLite file.

    Raises
    ------
    ModelFileError
        If LiteRT refuses the graph, or its tensors are not those of the card.
    MissingExtraError
        If no LiteRT interpreter is installed.
    """
    try:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", None, f"{where}: a .tflite model") from error
    name = f"ai-edge-litert {ai_edge_litert.__version__}"
    return load_with(Interpreter, name, content, card, where)


def load_with(
    interpreter_class: Any, name: str, content: bytes, card: ModelCard, where: str
) -> LiteRtEngine:
    """Return an engine made with one of the packages that hold the same interpreter.

    Raises
    ------
    ModelFileError
        As :func:`load`.
    """
    try:
        with _native_chatter_aside():
            interpreter = interpreter_class(model_content=content, num_threads=1)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{where}: {name} refuses the graph: {reason}") from error
    return LiteRtEngine(interpreter, card, where, name)


@contextlib.contextmanager
def _native_chatter_aside() -> Iterator[None]:
    """Lead the process's standard error aside while native code announces its delegates.

    The interpreter offers no way to say it otherwise, and standard error is for a person to read.
    Two threads that did this at once could leave it aside for good.
    """
    with _ASIDE, contextlib.ExitStack() as back:
        if sys.stderr is not None:
            sys.stderr.flush()
        with contextlib.suppress(OSError):  # a program may have none
            saved = os.dup(2)
            back.callback(os.close, saved)
            back.callback(os.dup2, saved, 2)
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        yield


def _signature_order(interpreter: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the details of the inputs and outputs in the order the exporter was given them.

    A TFLite graph lists its tensors in any order and its optimisers rename them; only the
    signature keeps their places, as ``args_0``, ``args_1`` ... and ``output_0``, ``output_1`` ...
    """
    signatures = interpreter.get_signature_list()
    if not signatures:
        return interpreter.get_input_details(), interpreter.get_output_details()
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    inputs, outputs = (
        [details[name] for name in sorted(details, key=_place)]
        for details in (runner.get_input_details(), runner.get_output_details())
    )
    return inputs, outputs


def _place(name: str) -> int:
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 0


def _described(detail: dict[str, Any]) -> tuple[str, tuple[int, ...], type]:
    return "", tuple(int(n) for n in detail["shape"]), np.dtype(detail["dtype"]).type
