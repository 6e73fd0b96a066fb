"""Smaller numbers in the same graph: half-precision and 8-bit weights.

Only the weights of matrix products, convolutions and LSTM cells change, and what they multiply.
Small matrices, biases, normalisation and recurrent state stay float32: one 8-bit scale cannot span
muscles from 0.3 to 27 N/kg, and 8-bit state drifts away within a stride.

``fp16``
    Weights rounded to half precision, arithmetic in float32.
``int8``
    Dynamic range: weights of each channel in 8 bits, activations scaled at every call. Where an
    engine has no such product (convolutions in ONNX Runtime, stacks of weights), the weights are
    stored in 8 bits and multiplied in float32.
``int8-static``
    Activations of the matrix products scaled by what calibration strides showed. For networks
    without recurrence.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgehip.errors import MissingExtraError, ModelFileError
from edgehip_export.compact import compact_tflite
from edgehip_export.quiet import quiet

Precision = Literal["fp32", "fp16", "int8", "int8-static"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)

Inputs = tuple[NDArray[np.float32], ...]

LEAST_REDUCED: Final = 1024
"""Tensors with fewer numbers (normalisation, where angles put the feet, biases) keep full
precision, as do products with them: they are no load, and of their results differences matter."""

MATRIX_OPS: Final = ("MatMul", "Gemm", "LSTM")


def quantize_onnx(graph: bytes, precision: Precision, calibration: Sequence[Inputs]) -> bytes:
    """Return an ONNX graph in another precision.

    Parameters
    ----------
    calibration
        Inputs of typical calls; needed for ``int8-static``.

    Raises
    ------
    ModelFileError
        If the quantizer cannot treat this graph.
    MissingExtraError
        If it is not installed.
    """
    if precision == "fp32":
        return graph
    with _quantizing("ONNX", precision), tempfile.TemporaryDirectory() as folder:
        return _quantize_onnx(graph, precision, calibration, Path(folder))


def quantize_tflite(graph: bytes, precision: Precision, calibration: Sequence[Inputs]) -> bytes:
    """Return a TFLite graph in another precision; see :func:`quantize_onnx`."""
    if precision == "fp32":
        return compact_tflite(graph)
    with _quantizing("TFLite", precision):
        return compact_tflite(_quantize_tflite(graph, precision, calibration))


@contextlib.contextmanager
def _quantizing(format: str, precision: Precision) -> Iterator[None]:
    """Keep a quantizer quiet; if it fails, say in one line at what."""
    try:
        with quiet():
            yield
    except ImportError as error:
        raise MissingExtraError(error.name or str(error), "export", "quantization") from error
    except Exception as error:  # the quantizer raises whatever a pass of it runs into
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelFileError(
            f"the {format} graph cannot be brought to {precision}: {reason[0]}"
        ) from error


def _quantize_onnx(
    graph: bytes, precision: Precision, calibration: Sequence[Inputs], folder: Path
) -> bytes:
    import onnx
    from onnxruntime import quantization

    model = onnx.load_from_string(graph)
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"  # by which the quantizer is told what to leave
    target = folder / "quantized.onnx"
    if precision == "fp16":
        _halve_weights(model)
        halved: bytes = model.SerializeToString(deterministic=True)
        return halved
    if precision == "int8":
        quantization.quantize_dynamic(
            model,
            target,
            nodes_to_exclude=_left(model),
            op_types_to_quantize=list(MATRIX_OPS),
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
        )
        model = onnx.load(target)
        _store_in_8_bits(model)
        stored: bytes = model.SerializeToString(deterministic=True)
        return stored
    quantization.quantize_static(
        model,
        target,
        _Reader([value.name for value in model.graph.input], calibration),
        op_types_to_quantize=list(MATRIX_OPS),
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return target.read_bytes()


def _left(model: Any) -> list[str]:
    """Return the products to leave in float32.

    Those are products with small matrices, and those with a stack of weights, which the quantizer
    cannot treat.
    """
    spared = {
        tensor.name
        for tensor in model.graph.initializer
        if len(tensor.dims) > 2 or np.prod(tensor.dims) < LEAST_REDUCED
    }
    left = [
        node.name
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm") and not spared.isdisjoint(node.input[:2])
    ]
    # The quantizer first makes a MatMul and an Add of each Gemm, and calls them so.
    return left + [f"{name}_MatMul" for name in left]


def _halve_weights(model: Any) -> None:
    """Store large float32 constants in half precision, to be cast back where they are used.

    Engines fold the cast when they load the file, so that arithmetic stays in float32.
    """
    from onnx import TensorProto, helper, numpy_helper

    unpacking = []
    for tensor in _large(model):
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}h"))
        unpacking.append(helper.make_node("Cast", [f"{name}h"], [name], to=TensorProto.FLOAT))
    _put_first(model, unpacking)


def _store_in_8_bits(model: Any) -> None:
    """Store the weights that are still float32 in 8 bits, with a scale for each channel.

    As with halved weights, engines fold what unpacks them when they load the file.
    """
    from onnx import TensorProto, helper, numpy_helper

    summed = _summed_axes(model)
    unpacking = []
    for tensor in _large(model):
        name = tensor.name
        if name not in summed:
            continue
        weight = numpy_helper.to_array(tensor)
        scale = np.abs(weight).max(summed[name], keepdims=True) / 127
        scale[scale == 0] = 1
        rounded = np.round(weight / scale).astype(np.int8)
        tensor.CopyFrom(numpy_helper.from_array(rounded, f"{name}q"))
        model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}s"))
        unpacking += [
            helper.make_node("Cast", [f"{name}q"], [f"{name}f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}f", f"{name}s"], [name]),
        ]
    _put_first(model, unpacking)


def _summed_axes(model: Any) -> dict[str, tuple[int, ...]]:
    """Return, for each weight by its name, the axes summed over: a channel is along the others."""
    rank = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    summed: dict[str, tuple[int, ...]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul":
            summed |= {node.input[0]: (-1,), node.input[1]: (-2,)}
        elif node.op_type == "Conv":
            weight = node.input[1]
            summed[weight] = tuple(range(1, rank.get(weight, 1)))
    return summed


def _large(model: Any) -> list[Any]:
    """Return the float32 constants that are worth storing smaller."""
    from onnx import TensorProto

    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= LEAST_REDUCED
    ]


def _put_first(model: Any, nodes: Sequence[Any]) -> None:
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def _quantize_tflite(graph: bytes, precision: Precision, calibration: Sequence[Inputs]) -> bytes:
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.qtyping import (
        ComputePrecision,
        OpQuantizationConfig,
        QuantGranularity,
        TensorDataType,
        TensorQuantizationConfig,
        TFLOperationName,
    )

    tool = quantizer.Quantizer(graph)
    if precision == "fp16":
        half = TensorQuantizationConfig(num_bits=16, dtype=TensorDataType.FLOAT)
        tool.update_quantization_recipe(
            ".*",
            TFLOperationName.ALL_SUPPORTED,
            OpQuantizationConfig(
                weight_tensor_config=half,
                compute_precision=ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
            quantizer.AlgorithmName.FLOAT_CASTING,
        )
        return bytes(tool.quantize().quantized_model)
    if precision == "int8":
        tool.update_quantization_recipe(
            ".*",
            TFLOperationName.ALL_SUPPORTED,
            OpQuantizationConfig(
                weight_tensor_config=TensorQuantizationConfig(
                    num_bits=8, granularity=QuantGranularity.CHANNELWISE
                ),
                compute_precision=ComputePrecision.INTEGER,
                min_weight_elements=LEAST_REDUCED,
            ),
            quantizer.AlgorithmName.MIN_MAX_UNIFORM_QUANT,
        )
        # LiteRT has no product of 8-bit weights with what stands on their right.
        tool.add_weight_only_config(".*", TFLOperationName.BATCH_MATMUL, num_bits=8)
        return bytes(tool.quantize().quantized_model)
    tool.add_static_config(".*", TFLOperationName.FULLY_CONNECTED, 8, 8)
    named = [{f"args_{i}": tensor for i, tensor in enumerate(call)} for call in calibration]
    ranges = tool.calibrate({"serving_default": named}, num_threads=1)
    return bytes(tool.quantize(ranges).quantized_model)


class _Reader:
    """Hands calibration inputs to ONNX Runtime, one call after the other."""

    def __init__(self, names: list[str], calibration: Sequence[Inputs]) -> None:
        self._calls: Iterator[Inputs] = iter(calibration)
        self._names = names

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        call = next(self._calls, None)
        return None if call is None else dict(zip(self._names, call, strict=True))
