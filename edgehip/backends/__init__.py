"""Inference engines: one file each, behind one small protocol."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgehip.errors import ModelFileError, ModelInputError
from edgehip.model_card import ModelCard
from edgehip.model_file import Format

Tensor = NDArray[np.float32]


class Engine(Protocol):
    """One loaded graph. Threads may share it: each waits for the others' calls.

    Attributes
    ----------
    name
        The engine's name and version, for reports.
    """

    name: str

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, in the card's order, for inputs in the card's order.

        Inputs are C-contiguous float32 of the card's shapes. The arrays returned belong to the
        caller: a later call does not change them.

        Raises
        ------
        ModelInputError
            If the inputs are fewer or more than the card's, or of other shapes or types.
        """
        ...


def load_engine(content: bytes, format: Format, card: ModelCard, where: str) -> Engine:
    """Return the engine for a model file's format.

    Raises
    ------
    ModelFileError
        If the engine refuses the graph, or the graph's tensors are not those of the card.
    MissingExtraError
        If the engine is not installed.
    """
    match format:
        case "onnx":
            from edgehip.backends import onnx_runtime

            return onnx_runtime.load(content, card, where)
        case "tflite":
            from edgehip.backends import litert, tflite_runtime

            if find_spec("ai_edge_litert") is None:
                return tflite_runtime.load(content, card, where)
            return litert.load(content, card, where)


def check_tensors(
    card: ModelCard,
    inputs: Sequence[tuple[str, tuple[int, ...], type]],
    outputs: Sequence[tuple[str, tuple[int, ...], type]],
    where: str,
) -> None:
    """Refuse a graph whose (name, shape, dtype) tensors are not those its card states.

    An empty name matches any: one of the formats does not keep names.
    """
    for kind, cards, tensors in (
        ("input", card.inputs, inputs),
        ("output", card.outputs, outputs),
    ):
        found = [f"{name or '?'}{list(shape)}" for name, shape, _ in tensors]
        stated = [f"{tensor.name}{list(tensor.shape)}" for tensor in cards]
        fits = len(cards) == len(tensors) and all(
            name in ("", tensor.name) and shape == tensor.shape and dtype is np.float32
            for tensor, (name, shape, dtype) in zip(cards, tensors, strict=True)
        )
        if not fits:
            raise ModelFileError(
                f"{where}: the card lies about the graph: it states the float32 {kind}s "
                f"{', '.join(stated)}, the graph has {', '.join(found)}: export the model again"
            )


def check_count(engine: str, given: Sequence[object], wanted: Sequence[object]) -> None:
    """Refuse to run on too few or too many inputs."""
    if len(given) != len(wanted):
        raise ModelInputError(
            f"{engine} refuses the inputs: {len(given)} given, the model takes {len(wanted)}"
        )
