"""A PyTorch module and a card become one self-describing ONNX or TFLite file.

The module is in eval mode; its ``forward`` takes the card's inputs positionally (float32, batch of
1, fixed shapes) and returns a tuple of the card's outputs. Normalisation belongs inside it.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgehip.backends.onnx_runtime import graph_output_name
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard
from edgehip.model_file import write_model
from edgehip_export.compact import compact_onnx, compact_tflite
from edgehip_export.quiet import quiet

Tensor = NDArray[np.float32]


def export_onnx(module: nn.Module, card: ModelCard, path: str | Path) -> ModelCard:
    """Write ``module`` as an ``.onnx`` file; return its card with the hash filled in."""
    return write_model(path, onnx_graph(module, card), card)


def export_tflite(module: nn.Module, card: ModelCard, path: str | Path) -> ModelCard:
    """Write ``module`` as a ``.tflite`` file; return its card with the hash filled in."""
    return write_model(path, compact_tflite(tflite_graph(module, card)), card)


def onnx_graph(module: nn.Module, card: ModelCard) -> bytes:
    """Return the bytes of an ONNX graph whose tensors are named as in the card.

    Raises
    ------
    ModelFileError
        If the module's outputs are not the card's, or PyTorch cannot convert the module.
    """
    examples = _checked_examples(module, card)
    try:
        with quiet():
            program = torch.onnx.export(
                module,
                examples,
                dynamo=True,
                verbose=False,
                input_names=[tensor.name for tensor in card.inputs],
                output_names=[graph_output_name(tensor.name) for tensor in card.outputs],
            )
            assert program is not None
            return compact_onnx(program.model_proto)
    except Exception as error:  # the exporter raises whatever a pass of it runs into
        raise _not_convertible(card, "ONNX", error) from error


def tflite_graph(module: nn.Module, card: ModelCard) -> bytes:
    """Return the bytes of a TFLite graph whose tensors lie in the card's order.

    Its tensors keep the names that the quantizer goes by.

    Raises
    ------
    ModelFileError
        If the module's outputs are not the card's, or LiteRT cannot convert the module.
    """
    examples = _checked_examples(module, card)
    try:
        with quiet():
            import litert_torch

            graph: bytes = litert_torch.convert(module, examples).model_content()
    except Exception as error:  # the converter raises whatever a pass of it runs into
        raise _not_convertible(card, "TFLite", error) from error
    return graph


def example_inputs(card: ModelCard, seed: int = 0) -> tuple[Tensor, ...]:
    """Return inputs such as the model may meet: angles of tens of degrees, states near zero."""
    rng = np.random.default_rng(seed)
    centre_and_spread = {
        "angles_deg": (0.0, 20.0),
        "stride_s": (1.1, 0.1),
        "body_height_m": (1.7, 0.1),
    }
    examples = []
    for tensor in card.inputs:
        centre, spread = centre_and_spread.get(tensor.name, (0.0, 0.5))
        examples.append(rng.normal(centre, spread, tensor.shape).astype(np.float32))
    return tuple(examples)


def run_module(module: nn.Module, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Return what the module itself answers: the reference every engine is held to."""
    with torch.no_grad():
        outputs = module(*(torch.from_numpy(tensor) for tensor in inputs))
    return tuple(output.numpy().copy() for output in outputs)


def _checked_examples(module: nn.Module, card: ModelCard) -> tuple[torch.Tensor, ...]:
    """Return example inputs, after trying them on the module."""
    examples = example_inputs(card)
    outputs = run_module(module, *examples)
    given = [tuple(output.shape) for output in outputs]
    stated = [tensor.shape for tensor in card.outputs]
    if given != stated:
        raise ModelFileError(
            f"{card.name}: the module gives outputs of shapes {given}, its card states {stated}"
        )
    return tuple(torch.from_numpy(example) for example in examples)


def _not_convertible(card: ModelCard, format: str, error: Exception) -> ModelFileError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return ModelFileError(f"{card.name}: cannot be converted to {format}: {reason[0]}")
