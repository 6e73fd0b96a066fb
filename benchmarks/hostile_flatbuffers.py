"""TFLite graphs made to break an inference engine: a sound one of the same card, changed."""

from collections.abc import Callable, Sequence
from typing import Any, Final


def _changed(change: Callable[[Any, Any], None]) -> Callable[[bytes], bytes]:
    """Return what changes a TFLite graph, given its whole and its main subgraph as objects."""

    def make(content: bytes) -> bytes:
        import flatbuffers  # type: ignore[import-untyped]
        from ai_edge_litert import schema_py_generated as schema

        model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
        change(model, model.subgraphs[0])
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    return make


def _huge_shape(sizes: Sequence[int]) -> Callable[[Any, Any], None]:
    """Give every tensor between an input and an output this shape."""

    def change(model: Any, graph: Any) -> None:
        ends = {*graph.inputs.tolist(), *graph.outputs.tolist()}
        for number, tensor in enumerate(graph.tensors):
            if number not in ends and model.buffers[tensor.buffer].data is None:
                tensor.shape = list(sizes)

    return change


def _broadcast_to(model: Any, graph: Any) -> None:
    """Begin with an input broadcast to 7 GB, which nobody uses."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    sizes = schema.BufferT()
    sizes.data = np.frombuffer(np.array([1_000_000, 180, 10], np.int32).tobytes(), np.uint8)
    model.buffers.append(sizes)
    shape, made = schema.TensorT(), schema.TensorT()
    shape.shape, shape.type, shape.buffer = [3], schema.TensorType.INT32, len(model.buffers) - 1
    made.shape, made.type, made.buffer = [1_000_000, 180, 10], schema.TensorType.FLOAT32, 0
    graph.tensors += [shape, made]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode, code.version = schema.BuiltinOperator.BROADCAST_TO, 2
    code.deprecatedBuiltinCode = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs = [int(graph.inputs[0]), len(graph.tensors) - 2]
    operator.outputs = [len(graph.tensors) - 1]
    graph.operators.insert(0, operator)


def _while(model: Any, graph: Any) -> None:
    """Begin with a loop whose condition is its own value, and whose value stays true."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    def flag(buffer: int) -> Any:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = [1], schema.TensorType.BOOL, buffer
        return made

    for _ in ("condition", "body"):
        inner = schema.SubGraphT()
        inner.tensors, inner.inputs, inner.outputs, inner.operators = [flag(0)], [0], [0], []
        model.subgraphs.append(inner)
    true = schema.BufferT()
    true.data = np.array([1], np.uint8)
    model.buffers.append(true)
    graph.tensors += [flag(len(model.buffers) - 1), flag(0)]
    code, operator, options = schema.OperatorCodeT(), schema.OperatorT(), schema.WhileOptionsT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.WHILE
    code.version = 1
    model.operatorCodes.append(code)
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.builtinOptionsType = schema.BuiltinOptions.WhileOptions
    operator.builtinOptions = options
    operator.inputs, operator.outputs = [len(graph.tensors) - 2], [len(graph.tensors) - 1]
    graph.operators.insert(0, operator)


def _custom(model: Any, graph: Any) -> None:
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"Run"


def _beyond(model: Any, graph: Any) -> None:
    graph.operators[0].inputs = [1 << 30] * len(graph.operators[0].inputs)


def _no_bytes(model: Any, graph: Any) -> None:
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = buffer.data[:4]


TFLITE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut in half": lambda content: content[: len(content) // 2],
    "of 8 bytes": lambda content: content[:8],
    "that begins at its end": lambda content: b"\xf0\xff\xff\x7f" + content[4:],
    "with tables of 0xff": lambda content: content[:8] + b"\xff" * 4000 + content[4008:],
    "whose offsets all lead back": lambda content: content[:8] + b"\0" * 4000 + content[4008:],
    "with shapes beyond 64 bits": _changed(_huge_shape([2**31 - 1] * 4)),
    "with negative shapes": _changed(_huge_shape([-5, 2**31 - 1])),
    "with tensors of 7 GB": _changed(_huge_shape([1_000_000, 180, 10])),
    "that broadcasts to 7 GB": _changed(_broadcast_to),
    "with a loop that never ends": _changed(_while),
    "with a foreign operator": _changed(_custom),
    "with tensors that are not there": _changed(_beyond),
    "without the bytes of its weights": _changed(_no_bytes),
}
