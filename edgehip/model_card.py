"""What a model file says of itself, and how that stands inside the one file.

An edgehip model is an ordinary ``.onnx`` or ``.tflite`` file with two entries appended: the card
(JSON), and where the card begins. Both are written as ONNX ``metadata_props``, so that ONNX tools
show the card; a TFLite reader ignores bytes behind its flatbuffer. The card carries the SHA-256 of
the bytes before it, so a truncated or altered file is recognised without any inference engine.
"""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from edgehip.channels import ANGLES, MOMENTS, MUSCLES, Side
from edgehip.errors import ModelFileError
from edgehip.given import HEIGHT_M, KG_PER_M2, MASS_KG
from edgehip.typed_fields import (
    Reader,
    anything,
    fields,
    many,
    named,
    number,
    optional,
    text,
    truth,
    whole,
)
from edgehip.whole_file import write_file

CARD_FORMAT: Final = 1
CARD_KEY: Final = b"edgehip.card"
OFFSET_KEY: Final = b"edgehip.card_offset"
OFFSET_DIGITS: Final = 12
MAX_CARD_BYTES: Final = 1 << 20
MAX_FILE_BYTES: Final = 1 << 28
"""A larger file is no network for a leg, but a way to fill a memory."""
MAX_TENSOR_AXES: Final = 8
MAX_TENSOR_NUMBERS: Final = 1 << 22
"""A tensor of more numbers (16 MiB) is no gait cycle and no state, but a way to fill a memory."""
MAX_RATE_HZ: Final = 10_000.0
"""A network that steps faster would take a core for itself."""

MAX_WARM_UP_S: Final = 3600.0
"""A network that takes longer never gives an answer to be trusted."""

MAX_OFFSET: Final = 1000.0
"""Of a moment in Nm/kg or a force in N/kg: no person's is so far from what a model says."""

Kind = Literal["cycle", "sample"]
Curves = tuple[tuple[float, ...], ...]
"""An output over a gait cycle, (S, D)."""
Format = Literal["onnx", "tflite"]
OutputName = Literal[
    "moments_nm_per_kg",
    "forces_n_per_kg",
    "moment_spread_nm_per_kg",
    "force_spread_n_per_kg",
    "out_of_range_score",
    "state",
]

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
SCORE: Final = "out_of_range_score"
SCALARS: Final = ("stride_s", "body_height_m", SCORE)
"""Tensors of one number, (1, 1)."""


@dataclass(frozen=True, slots=True)
class TensorCard:
    """One tensor of the graph: its name, its whole shape (batch of 1 first) and its channels."""

    name: str
    shape: tuple[int, ...]
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RangeCard:
    """The span of one input in the training data: below ``low`` or above ``high`` is foreign."""

    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ZeroCard:
    """How a person's own angle zero is brought to the one the model knows.

    ``standing_deg`` and ``stride_mean_deg`` (10,) are what the training people's angles are while
    standing quietly and on average over a stride; ``strength`` is the share (0 to 1) of the
    difference to take out when the zero comes from strides.
    """

    standing_deg: tuple[float, ...]
    stride_mean_deg: tuple[float, ...]
    strength: float


@dataclass(frozen=True, slots=True)
class PersonalCard:
    """What labelled strides of one person showed beside what a whole-cycle model says of them.

    ``offsets`` (S, D) by output (``moments_nm_per_kg``, ``forces_n_per_kg``) are to be added, in a
    body of the model's height; ``strides`` showed it, of a body of ``body_height_m`` (None if the
    model does not heed it) and ``body_mass_kg`` (None if nobody told).
    """

    offsets: dict[str, Curves]
    strides: int
    body_height_m: float | None = None
    body_mass_kg: float | None = None


@dataclass(frozen=True, slots=True)
class BodyMassIndexCard:
    """What being heavy or light for one's height adds to what a whole-cycle model says.

    ``slopes`` (S, D) by output (``moments_nm_per_kg``, ``forces_n_per_kg``), in a body of the
    model's height, are to be added as often as the natural logarithm of the body mass index over
    ``reference_kg_per_m2`` says. The training people had ``low_kg_per_m2`` to ``high_kg_per_m2``;
    whoever has less or more is taken for the nearest of them.
    """

    reference_kg_per_m2: float
    low_kg_per_m2: float
    high_kg_per_m2: float
    slopes: dict[str, Curves]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model file says of itself.

    Parameters
    ----------
    name, version, licence, description
        For people.
    kind
        ``cycle``: one call per finished stride, ``samples_per_cycle`` points from initial contact
        (0 %) to just before the next (the last point is the next contact itself).
        ``sample``: one call per sample at ``rate_hz``, with explicit state.
    side
        The leg whose hip the outputs belong to; the other hip is had by mirroring the input.
    inputs, outputs
        Tensors in the order the graph has them. Known inputs: ``angles_deg`` (1, S, 10),
        ``stride_s`` (1, 1), ``body_height_m`` (1, 1), ``state`` (any). Known outputs:
        ``moments_nm_per_kg`` (1, S, 3), ``forces_n_per_kg`` (1, S, 14), their spreads,
        ``out_of_range_score`` (1, 1), which is above 1 where the input is unlike the training
        people's, ``state``.
    ranges
        Training range per input name; outside it an estimate is flagged. That of ``stride_s`` also
        counts for a model that is not told it.
    zero
        The personal zero the model wants, or None if it wants none.
    resets_at_contact
        Of a ``sample`` model: its state goes back to zero at every initial contact of ``side``.
    spread_coverage
        The share of references the stated spread is meant to cover, or None without spread.
    warm_up_s
        Of kind ``sample``: how long its answers are not to be trusted after it began anew.
    reference_height_m
        Height of the bodies whose times and moments these are, if another body's are to be had from
        them by dynamic similarity (see :mod:`edgehip.body`); None if not.
    body_mass_index
        Of kind ``cycle``: what another body mass index changes, or None if that is not known.
    personal
        Of kind ``cycle``: what is one person's own, or None if the model is everybody's.
    training, metrics
        Free-form: data with licences and citations, protocol, results.
    sha256
        Of the graph's bytes; filled in when the file is written.
    """

    name: str
    version: str
    kind: Kind
    side: Side
    inputs: tuple[TensorCard, ...]
    outputs: tuple[TensorCard, ...]
    licence: str
    description: str
    samples_per_cycle: int | None = None
    rate_hz: float | None = None
    ranges: dict[str, RangeCard] = field(default_factory=dict)
    zero: ZeroCard | None = None
    resets_at_contact: bool = False
    spread_coverage: float | None = None
    warm_up_s: float = 0.0
    reference_height_m: float | None = None
    body_mass_index: BodyMassIndexCard | None = None
    personal: PersonalCard | None = None
    precision: str = "fp32"
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def to_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps({"format": CARD_FORMAT} | dataclasses.asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> "ModelCard":
        """Return the card a JSON text describes.

        Raises
        ------
        ModelFileError
            If the text is not JSON, misses something, or contradicts itself; ``where`` names the
            file in the message.
        """
        try:
            plain = json.loads(text)
            if plain["format"] != CARD_FORMAT:
                raise ModelFileError(
                    f"{where}: its card has format {plain['format']!r}, this edgehip reads "
                    f"{CARD_FORMAT}: use a newer edgehip or export the model again"
                )
            del plain["format"]
            card = cls(**fields(plain, _FIELDS))
            _check(card, where)
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise ModelFileError(
                f"{where}: its card cannot be read ({reason}): export the model again"
            ) from error
        return card

    def input(self, name: str) -> TensorCard | None:
        """Return the named input, or None if the model has none."""
        return next((t for t in self.inputs if t.name == name), None)

    def output(self, name: str) -> TensorCard | None:
        """Return the named output, or None if the model has none."""
        return next((t for t in self.outputs if t.name == name), None)


def _tensor(plain: Any) -> TensorCard:
    readers = {"name": text, "shape": many(whole), "channels": many(text)}
    return TensorCard(**fields(plain, readers))


def _range(plain: Any) -> RangeCard:
    return RangeCard(**fields(plain, {"low": many(number()), "high": many(number())}))


def _zero(plain: Any) -> ZeroCard:
    degrees = many(number(-180.0, 180.0))
    readers = {"standing_deg": degrees, "stride_mean_deg": degrees, "strength": number(0.0, 1.0)}
    return ZeroCard(**fields(plain, readers))


_curves: Final = named(many(many(number(-MAX_OFFSET, MAX_OFFSET))))


def _personal(plain: Any) -> PersonalCard:
    readers = {
        "offsets": _curves,
        "strides": whole,
        "body_height_m": optional(number(*HEIGHT_M)),
        "body_mass_kg": optional(number(*MASS_KG)),
    }
    return PersonalCard(**fields(plain, readers))


def _body_mass_index(plain: Any) -> BodyMassIndexCard:
    index = number(*KG_PER_M2)
    readers = {
        "reference_kg_per_m2": index,
        "low_kg_per_m2": index,
        "high_kg_per_m2": index,
        "slopes": _curves,
    }
    return BodyMassIndexCard(**fields(plain, readers))


_FIELDS: Final[dict[str, Reader]] = {
    "name": text,
    "version": text,
    "kind": text,
    "side": text,
    "inputs": many(_tensor),
    "outputs": many(_tensor),
    "licence": text,
    "description": text,
    "samples_per_cycle": optional(whole),
    "rate_hz": optional(number(1.0, MAX_RATE_HZ)),
    "ranges": named(_range),
    "zero": optional(_zero),
    "resets_at_contact": truth,
    "spread_coverage": optional(number(0.0, 1.0)),
    "warm_up_s": number(0.0, MAX_WARM_UP_S),
    "reference_height_m": optional(number(*HEIGHT_M)),
    "body_mass_index": optional(_body_mass_index),
    "personal": optional(_personal),
    "precision": text,
    "training": named(anything),
    "metrics": named(anything),
    "sha256": text,
}


def _check(card: ModelCard, where: str) -> None:
    """Refuse a card that the runtime could not obey."""
    for problem in _problems(card):
        raise ModelFileError(f"{where}: its card contradicts itself: {problem}")


def _problems(card: ModelCard) -> Iterator[str]:
    """Yield what is wrong with a card; what follows the first may be nonsense."""
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
        yield from _problems_of(tensor, steps or 1)
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


def _problems_of(tensor: TensorCard, steps: int) -> Iterator[str]:
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


def _metadata_entry(key: bytes, value: bytes) -> bytes:
    """Return one ``metadata_props`` entry (field 14 of ONNX's ModelProto) in protobuf's bytes."""
    entry = b"\x0a" + _varint(len(key)) + key + b"\x12" + _varint(len(value)) + value
    return b"\x72" + _varint(len(entry)) + entry


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_TRAILER_SIZE: Final = len(_metadata_entry(OFFSET_KEY, b"0" * OFFSET_DIGITS))


def write_model(path: str | Path, graph: bytes, card: ModelCard) -> ModelCard:
    """Write a graph and its card as one file; return the card with its hash filled in.

    Parameters
    ----------
    path
        Ends in ``.onnx`` or ``.tflite``.
    graph
        The engine's own file, without a card.

    Raises
    ------
    ModelFileError
        If nobody could read the file, for what its card says.
    """
    card = dataclasses.replace(card, sha256=hashlib.sha256(graph).hexdigest())
    ModelCard.from_json(card.to_json(), str(path))
    body = _metadata_entry(CARD_KEY, card.to_json().encode())
    if len(body) > MAX_CARD_BYTES:
        raise ModelFileError(
            f"{path}: not written: its card takes {len(body)} bytes, more than the "
            f"{MAX_CARD_BYTES} that are read: keep less in it (an adapted model: fewer strides)"
        )
    trailer = _metadata_entry(OFFSET_KEY, str(len(graph)).zfill(OFFSET_DIGITS).encode())
    write_file(path, graph + body + trailer)
    return card


def read_model(path: str | Path) -> tuple[ModelCard, bytes, Format]:
    """Return a model file's card, its whole bytes and its format.

    Raises
    ------
    ModelFileError
        If the file is absent, is no edgehip model, is damaged, or its card contradicts itself.
    """
    path = Path(path)
    _format(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise ModelFileError(f"{path}: cannot be read: it is not a file")
    try:
        size = os.path.getsize(path)
        if size > MAX_FILE_BYTES:
            raise ModelFileError(
                f"{path}: has {size} bytes; a model file has at most {MAX_FILE_BYTES}: "
                "is it one, and whole?"
            )
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error
    card, format = model_in(content, path)
    return card, content, format


def model_in(content: bytes, path: str | Path) -> tuple[ModelCard, Format]:
    """Return the card in a model file's whole bytes, and their format.

    Raises
    ------
    ModelFileError
        As :func:`read_model`.
    """
    format = _format(Path(path))
    graph_size, card_json = _split(content, str(path))
    card = ModelCard.from_json(card_json, str(path))
    if hashlib.sha256(content[:graph_size]).hexdigest() != card.sha256:
        raise ModelFileError(
            f"{path}: the contents do not match the card's hash, the file is damaged or was "
            "changed: copy or export it again"
        )
    return card, format


def _format(path: Path) -> Format:
    """Return the format that a file's name tells."""
    match path.suffix.lower():
        case ".onnx":
            return "onnx"
        case ".tflite":
            return "tflite"
    raise ModelFileError(
        f"{path}: a model file ends in .onnx or .tflite; a PyTorch checkpoint becomes one with "
        "'edgehip export'"
    )


def without_card(content: bytes, where: str) -> bytes:
    """Return the graph in a model file's bytes, as its exporter made it.

    Raises
    ------
    ModelFileError
        If there is no card at its end.
    """
    graph_size, _ = _split(content, where)
    return content[:graph_size]


def _split(content: bytes, where: str) -> tuple[int, bytes]:
    """Return the graph's size and the card's JSON."""
    trailer = content[-_TRAILER_SIZE:]
    digits = trailer[-OFFSET_DIGITS:]
    no_card = ModelFileError(
        f"{where}: has no edgehip card at its end; it is truncated, or was not made by "
        "'edgehip export'"
    )
    if not digits.isdigit() or trailer != _metadata_entry(OFFSET_KEY, digits):
        raise no_card
    start = int(digits)
    body = content[start:-_TRAILER_SIZE]
    at = body.find(b"{")
    if start > len(content) or at < 0 or len(body) > MAX_CARD_BYTES:
        raise no_card
    if body != _metadata_entry(CARD_KEY, body[at:]):
        raise no_card
    return start, body[at:]
