"""ONNX Runtime, for ``.onnx`` files."""

import threading
from typing import Any, Final

import numpy as np

from edgehip.backends import Tensor, check_count, check_tensors
from edgehip.errors import MissingExtraError, ModelFileError, ModelInputError
from edgehip.model_card import ModelCard

NEXT: Final = ".next"


def graph_output_name(name: str) -> str:
    """Return what an output of the card is called in an ONNX graph.

    A state goes in and comes out under one name in the card, but ONNX gives a name to one value
    only: the state that comes out is the next one.
    """
    return name + NEXT if name.partition(".")[0] == "state" else name


class OnnxRuntimeEngine:
    """A session on one thread of the CPU, bound once to buffers of its own.

    Copying in and out of them costs less than what a plain ``run`` does to find its tensors by
    name and to make new ones at every call.
    """

    def __init__(self, session: Any, card: ModelCard, name: str) -> None:
        self.name = name
        self._session = session
        self._turn = threading.Lock()
        """Another thread would fill the buffers meanwhile."""
        self._binding = session.io_binding()
        self._inputs = [np.zeros(tensor.shape, np.float32) for tensor in card.inputs]
        self._outputs = [np.zeros(tensor.shape, np.float32) for tensor in card.outputs]
        for described, buffers, bind in (
            (session.get_inputs(), self._inputs, self._binding.bind_input),
            (session.get_outputs(), self._outputs, self._binding.bind_output),
        ):
            for tensor, buffer in zip(described, buffers, strict=True):
                address = buffer.ctypes.data
                bind(tensor.name, "cpu", 0, np.float32, buffer.shape, address)

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See :class:`edgehip.backends.Engine`."""
        check_count(self.name, inputs, self._inputs)
        for buffer, tensor in zip(self._inputs, inputs, strict=True):
            if tensor.shape != buffer.shape or tensor.dtype != np.float32:
                raise ModelInputError(
                    f"{self.name} refuses the inputs: got {tensor.dtype} {list(tensor.shape)} for "
                    f"float32 {list(buffer.shape)}"
                )
        with self._turn:
            for buffer, tensor in zip(self._inputs, inputs, strict=True):
                buffer[...] = tensor
            try:
                self._session.run_with_iobinding(self._binding)
            except Exception as error:  # onnxruntime's exceptions share no public base class
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise ModelInputError(f"{self.name} refuses the inputs: {reason}") from error
            return tuple(buffer.copy() for buffer in self._outputs)


def load(content: bytes, card: ModelCard, where: str) -> OnnxRuntimeEngine:
    """Return an engine for the bytes of an ONNX file.

    Raises
    ------
    ModelFileError
        If ONNX Runtime refuses the graph, or its tensors are not those of the card.
    MissingExtraError
        If onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "onnx", f"{where}: an .onnx model") from error
    options = onnxruntime.SessionOptions()
    # One thread is the fastest for graphs this small, and leaves the other cores to the user.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no public base class
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{where}: ONNX Runtime refuses the graph: {reason}") from error
    inputs, outputs = (
        [
            (
                t.name.removesuffix(NEXT),
                tuple(t.shape),
                np.float32 if t.type == "tensor(float)" else object,
            )
            for t in tensors
        ]
        for tensors in (session.get_inputs(), session.get_outputs())
    )
    check_tensors(card, inputs, outputs, where)
    return OnnxRuntimeEngine(session, card, f"onnxruntime {onnxruntime.__version__}")
