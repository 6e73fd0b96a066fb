"""tflite-runtime, the older package for ``.tflite`` files: CPython 3.11 at most, NumPy below 2.

It has packages for 32-bit ARM, where LiteRT has none. Its last version loads graphs with 8-bit
weights made for LiteRT and answers wrongly without a word, so such graphs are refused here.
"""

import numpy as np

from edgehip.backends.litert import LiteRtEngine, load_with
from edgehip.errors import MissingExtraError, ModelFileError
from edgehip.model_card import ModelCard


def load(content: bytes, card: ModelCard, where: str) -> LiteRtEngine:
    """Return an engine for the bytes of a TFLite file.

    Raises
    ------
    ModelFileError
        If the graph has 8-bit weights, tflite-runtime refuses it, or its tensors are not those of
        the card.
    MissingExtraError
        If tflite-runtime is not installed.
    """
    try:
        import tflite_runtime
        from tflite_runtime.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", None, f"{where}: a .tflite model") from error
    name = f"tflite-runtime {tflite_runtime.__version__}"
    engine = load_with(Interpreter, name, content, card, where)
    # Only the tensors of the main graph can be listed, not those inside a loop: the card knows.
    if card.precision.startswith("int8") or any(_is_8_bit(dtype) for dtype in engine.dtypes()):
        raise ModelFileError(
            f"{where}: has 8-bit weights, which {name} computes wrongly: take the fp32 or fp16 "
            "file, or install ai-edge-litert"
        )
    return engine


def _is_8_bit(dtype: type) -> bool:
    return dtype is not np.bool_ and np.dtype(dtype).itemsize == 1
