"""A model file: a network as its exporter made it, with the card at its end.

An edgehip model is an ordinary ``.onnx`` or ``.tflite`` file with two entries appended: the card
(JSON), and where the card begins. Both are written as ONNX ``metadata_props``, so that ONNX tools
show the card; a TFLite reader ignores bytes behind its flatbuffer. The card carries the SHA-256 of
the bytes before it, so a truncated or altered file is recognised without any inference engine.
"""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Final, Literal

from edgehip.card_json import card_from_json, card_to_json
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard
from edgehip.whole_file import write_file

CARD_KEY: Final = b"edgehip.card"
OFFSET_KEY: Final = b"edgehip.card_offset"
OFFSET_DIGITS: Final = 12
MAX_CARD_BYTES: Final = 1 << 20
MAX_FILE_BYTES: Final = 1 << 28
"""A larger file is no network for a leg, but a way to fill a memory."""

Format = Literal["onnx", "tflite"]


def metadata_entry(key: bytes, value: bytes) -> bytes:
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


_TRAILER_SIZE: Final = len(metadata_entry(OFFSET_KEY, b"0" * OFFSET_DIGITS))


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
    card_from_json(card_to_json(card), str(path))
    body = metadata_entry(CARD_KEY, card_to_json(card).encode())
    if len(body) > MAX_CARD_BYTES:
        raise ModelFileError(
            f"{path}: not written: its card takes {len(body)} bytes, more than the "
            f"{MAX_CARD_BYTES} that are read: keep less in it (an adapted model: fewer strides)"
        )
    trailer = metadata_entry(OFFSET_KEY, str(len(graph)).zfill(OFFSET_DIGITS).encode())
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
    card = card_from_json(card_json, str(path))
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
    if not digits.isdigit() or trailer != metadata_entry(OFFSET_KEY, digits):
        raise no_card
    start = int(digits)
    body = content[start:-_TRAILER_SIZE]
    at = body.find(b"{")
    if start > len(content) or at < 0 or len(body) > MAX_CARD_BYTES:
        raise no_card
    if body != metadata_entry(CARD_KEY, body[at:]):
        raise no_card
    return start, body[at:]
