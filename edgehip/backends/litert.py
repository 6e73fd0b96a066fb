"""LiteRT (TensorFlow Lite), for ``.tflite`` files."""

from typing import Any

from edgehip.backends import Tensor, check_tensors
from edgehip.errors import MissingExtraError, ModelFileError
from edgehip.model_card import ModelCard


class LiteRtEngine:
    """An interpreter on one thread of the CPU."""

    def __init__(self, interpreter: Any, name: str) -> None:
        self.name = name
        self._interpreter = interpreter
        self._inputs = [detail["index"] for detail in _in_order(interpreter.get_input_details())]
        self._outputs = [detail["index"] for detail in _in_order(interpreter.get_output_details())]

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See :class:`edgehip.backends.Engine`."""
        interpreter = self._interpreter
        for index, tensor in zip(self._inputs, inputs, strict=True):
            interpreter.set_tensor(index, tensor)
        interpreter.invoke()
        return tuple(interpreter.get_tensor(index) for index in self._outputs)


def _in_order(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tensors in the order of the exporter's signature.

    A TFLite graph may list its tensors in any order; the exporter's names end in their place
    (``serving_default_args_0:0``, ``StatefulPartitionedCall:1``, ``serving_default_output_1``).
    """

    def place(detail: dict[str, Any]) -> tuple[str, int]:
        name = detail["name"]
        head = name.rstrip("0123456789")
        if ":" in name and "args_" in name:
            name = name.partition(":")[0]
            head = name.rstrip("0123456789")
        return head, int(name[len(head) :] or 0)

    return sorted(details, key=place)


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
        raise MissingExtraError("ai-edge-litert", "litert", f"{where}: a .tflite model") from error
    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{where}: LiteRT refuses the graph: {reason}") from error
    inputs, outputs = (
        [("", tuple(int(n) for n in d["shape"]), d["dtype"]) for d in _in_order(details)]
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    check_tensors(card, inputs, outputs, where)
    return LiteRtEngine(interpreter, f"ai-edge-litert {ai_edge_litert.__version__}")
