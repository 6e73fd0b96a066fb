"""A whole-cycle TFLite graph from a single-step one: a loop over the samples.

The converter unrolls a recurrent network over the window: thousands of small operations that weigh
more than the weights. TFLite has a WHILE operation, but the converter does not bring PyTorch to it;
here the converted step becomes the body of such a loop, written with TFLite's own schema.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

_FLOAT32, _INT32, _BOOL = schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.BOOL
_OP = schema.BuiltinOperator


def loop_over_samples(step: bytes, samples: int) -> bytes:
    """Return a graph that runs a step graph on every sample of a window, from zero state.

    Parameters
    ----------
    step
        TFLite graph with inputs angles (1, 1, A) and states, outputs targets (1, 1, D) and then as
        many states.
    samples
        Length of the window, S.

    Returns
    -------
    TFLite graph with input (1, S, A) and outputs (1, S, D).
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(step))
    (signature,) = model.signatureDefs
    body = model.subgraphs[signature.subgraphIndex]
    inputs, outputs = (_in_order(part) for part in (signature.inputs, signature.outputs))
    states = len(inputs) - 1
    targets = outputs[: len(outputs) - states]
    shapes = [_shape(body, index) for index in (*inputs, *targets)]
    angles_shape = (1, samples, shapes[0][-1])
    state_shapes = shapes[1 : 1 + states]
    target_shapes = [(1, samples, shape[-1]) for shape in shapes[1 + states :]]

    _make_body(model, body, inputs, outputs, samples, target_shapes)
    carried = [((), _INT32), (angles_shape, _FLOAT32)]
    carried += [(shape, _FLOAT32) for shape in (*state_shapes, *target_shapes)]
    condition = _make_condition(model, carried, samples)
    main, found = _make_main(model, carried, len(target_shapes))
    model.subgraphs = [main, condition, body]
    model.signatureDefs = [_signature(signature.signatureKey, main.inputs, found)]
    model.metadata = []
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _make_body(
    model: Any,
    body: Any,
    inputs: list[int],
    outputs: list[int],
    samples: int,
    target_shapes: Sequence[tuple[int, ...]],
) -> None:
    """Turn the step into one turn of the loop."""
    states = len(inputs) - 1
    sample, before, after = inputs[0], inputs[1:], outputs[len(outputs) - states :]
    width = _shape(body, sample)[-1]
    counter = _tensor(body, (), _INT32)
    window = _tensor(body, (1, samples, width), _FLOAT32)
    buffers = [_tensor(body, shape, _FLOAT32) for shape in target_shapes]
    zero = _constant(model, body, np.array(0, np.int32))
    one = _constant(model, body, np.array(1, np.int32))
    size = _constant(model, body, np.array([1, 1, width], np.int32))
    begin = _tensor(body, (3,), _INT32)
    pack = schema.PackOptionsT()
    pack.valuesCount, pack.axis = 3, 0
    packed = _op(model, _OP.PACK, [zero, counter, zero], [begin], pack)
    cut = _op(model, _OP.SLICE, [window, begin, size], [sample], schema.SliceOptionsT())
    step_operators = list(body.operators)
    ends = []
    for buffer, output, shape in zip(buffers, outputs, target_shapes, strict=False):
        filled = _tensor(body, shape, _FLOAT32)
        ends.append(
            _op(
                model,
                _OP.DYNAMIC_UPDATE_SLICE,
                [buffer, output, begin],
                [filled],
                schema.DynamicUpdateSliceOptionsT(),
            )
        )
    filled_buffers = [int(operator.outputs[0]) for operator in ends]
    following = _tensor(body, (), _INT32)
    ends.append(_op(model, _OP.ADD, [counter, one], [following], schema.AddOptionsT()))
    body.operators = [packed, cut, *step_operators, *ends]
    body.inputs = [counter, window, *before, *buffers]
    body.outputs = [following, window, *after, *filled_buffers]


def _make_condition(
    model: Any, carried: Sequence[tuple[tuple[int, ...], int]], samples: int
) -> Any:
    """Return the graph that asks whether samples are left."""
    graph = _graph()
    graph.inputs = [_tensor(graph, shape, kind) for shape, kind in carried]
    end = _constant(model, graph, np.array(samples, np.int32))
    more = _tensor(graph, (), _BOOL)
    graph.operators = [_op(model, _OP.LESS, [graph.inputs[0], end], [more], schema.LessOptionsT())]
    graph.outputs = [more]
    return graph


def _make_main(
    model: Any, carried: Sequence[tuple[tuple[int, ...], int]], targets: int
) -> tuple[Any, list[int]]:
    """Return the graph around the loop, and its outputs."""
    graph = _graph()
    angles = _tensor(graph, carried[1][0], _FLOAT32)
    start = _constant(model, graph, np.array(0, np.int32))
    zeros = [_constant(model, graph, np.zeros(shape, np.float32)) for shape, _ in carried[2:]]
    ends = [_tensor(graph, shape, kind) for shape, kind in carried]
    loop = schema.WhileOptionsT()
    loop.condSubgraphIndex, loop.bodySubgraphIndex = 1, 2
    graph.operators = [_op(model, _OP.WHILE, [start, angles, *zeros], ends, loop)]
    graph.inputs, graph.outputs = [angles], ends[len(ends) - targets :]
    return graph, graph.outputs


def _graph() -> Any:
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    return graph


def _tensor(graph: Any, shape: tuple[int, ...], kind: int, buffer: int = 0) -> int:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer = list(shape), kind, buffer
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: Any, graph: Any, value: NDArray[Any]) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(value.tobytes(), np.uint8)
    model.buffers.append(buffer)
    kind = _INT32 if value.dtype == np.int32 else _FLOAT32
    return _tensor(graph, value.shape, kind, len(model.buffers) - 1)


def _op(model: Any, code: int, inputs: list[int], outputs: list[int], options: Any) -> Any:
    """Return an operator, its code entered in the model's list."""
    codes = [known.builtinCode for known in model.operatorCodes]
    if code not in codes:
        entry = schema.OperatorCodeT()
        # Old readers know codes up to 127 by the first field alone.
        entry.deprecatedBuiltinCode, entry.builtinCode = min(code, 127), code
        entry.version = 1
        model.operatorCodes.append(entry)
        codes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = codes.index(code)
    operator.inputs, operator.outputs = inputs, outputs
    operator.builtinOptions = options
    operator.builtinOptionsType = getattr(
        schema.BuiltinOptions, type(options).__name__.removesuffix("T")
    )
    return operator


def _signature(key: bytes, inputs: list[int], outputs: list[int]) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, 0
    signature.inputs = [_named(f"args_{i}", index) for i, index in enumerate(inputs)]
    signature.outputs = [_named(f"output_{i}", index) for i, index in enumerate(outputs)]
    return signature


def _named(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def _in_order(entries: Sequence[Any]) -> list[int]:
    """Return the tensors of a signature by the number at the end of their names."""
    return [
        int(entry.tensorIndex)
        for entry in sorted(entries, key=lambda entry: int(entry.name.rpartition(b"_")[2]))
    ]


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    return tuple(int(n) for n in graph.tensors[index].shape)
