"""Whether what a model's card says fits together."""

import math
from collections.abc import Iterator
from typing import Final

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.model_card import SCORE, ModelCard, TensorCard

MAX_TENSOR_AXES: Final = 8
MAX_TENSOR_NUMBERS: Final = 1 << 22
"""A tensor of more numbers (16 MiB) is no gait cycle and no state, but a way to fill a memory."""
CHANNELS_OF: Final[dict[str, tuple[str, ...]]] = {
    "angles_deg": ANGLES,
    "moments_nm_per_kg": MOMENTS,
    "forces_n_per_kg": MUSCLES,
    "moment_spread_nm_per_kg": MOMENTS,
    "force_spread_n_per_kg": MUSCLES,
}
"""Names along the last axis of the tensors that have channels."""
PERSONAL: Final = ("moments_nm_per_kg", "forces_n_per_kg")
"""Outputs of which a person may have some part of their own."""
SCALARS: Final = ("stride_s", "body_height_m", SCORE)
"""Tensors of one number, (1, 1)."""


def contradictions(card: ModelCard) -> Iterator[str]:
    """Yield what the runtime could not obey in a card; what follows the first may be nonsense."""
    if card.kind not in ("cycle", "sample"):
        yield f"it is of unknown kind {card.kind!r}"
    if card.side not in ("l", "r"):
        yield f"its side is {card.side!r}, not 'l' or 'r'"
    steps = card.samples_per_cycle if card.kind == "cycle" else 1
    if steps is None or (card.kind == "cycle" and steps <= 1):
        yield "it is of kind 'cycle' without samples_per_cycle"
    if card.kind == "sample" and card.rate_hz is None:
        yield "it is of kind 'sample' without a rate_hz"
    if card.input("angles_deg") is None:
        yield "it takes no angles_deg"
    if card.output("moments_nm_per_kg") is None and card.output("forces_n_per_kg") is None:
        yield "it gives neither moments_nm_per_kg nor forces_n_per_kg"
    for tensor in card.inputs + card.outputs:
        yield from _of_tensor(tensor, steps or 1)
    for name, span in card.ranges.items():
        width = len(CHANNELS_OF.get(name, ("",)))
        if len(span.low) != width or len(span.high) != width:
            yield f"the range of {name} is not one of {width} numbers"
        if any(low > high for low, high in zip(span.low, span.high, strict=True)):
            yield f"the range of {name} ends below where it begins"
    zero = card.zero
    if zero and not len(zero.standing_deg) == len(zero.stride_mean_deg) == len(ANGLES):
        yield f"its zero is not one of {len(ANGLES)} angles, standing and walking"
    index = card.body_mass_index
    if index and not index.low_kg_per_m2 <= index.reference_kg_per_m2 <= index.high_kg_per_m2:
        yield "its people's usual body mass index is not one that they had"
    for what, added in (
        ("a personal offset", card.personal.offsets if card.personal else {}),
        ("a slope by body mass index", index.slopes if index else {}),
    ):
        for name, curve in added.items():
            curves = card.output(name)
            if card.kind != "cycle" or name not in PERSONAL or curves is None:
                yield f"it has {what} of {name!r}, which is no curve of its own"
            elif (len(curve), *set(map(len, curve))) != curves.shape[1:]:
                yield f"it has {what} of {name} that is not of shape {curves.shape[1:]}"


def _of_tensor(tensor: TensorCard, steps: int) -> Iterator[str]:
    name, shape, channels = tensor.name, tensor.shape, CHANNELS_OF.get(tensor.name)
    wanted: tuple[int, ...] = (1, 1) if channels is None else (1, steps, len(channels))
    is_state = name.partition(".")[0] == "state"
    if (
        len(shape) > MAX_TENSOR_AXES
        or not all(n > 0 for n in shape)
        or math.prod(shape) > MAX_TENSOR_NUMBERS
    ):
        yield f"{name} has no shape, or one beyond {MAX_TENSOR_NUMBERS} numbers"
    if channels is None and not is_state and name not in SCALARS:
        yield f"it has a tensor {name!r} that this edgehip does not know"
    if channels is not None and tensor.channels != channels:
        yield (
            f"the channels of {name} are {', '.join(map(str, tensor.channels))}; they must be "
            f"{', '.join(channels)}"
        )
    if not is_state and shape != wanted:
        yield f"the shape of {name} is {shape}, it must be {wanted}"
