"""A pipeline's whole state as text, and back: cut a stream anywhere, go on elsewhere, same results.

Every stateful room keeps what it remembers in one ``state`` of plain values; this file writes such
values as JSON and reads them back exactly. Only classes of values that a state is declared to hold
are ever made from a text, so a saved state from elsewhere cannot run code.
"""

import dataclasses
import hashlib
import json
from collections import deque
from typing import Any, Final, get_args

import numpy as np

from edgehip.card_json import card_to_json
from edgehip.declared import checked
from edgehip.errors import ProfileError, SnapshotError
from edgehip.events import Flag
from edgehip.pipeline import Pipeline

FORMAT: Final = 10
_DTYPES: Final = {"float32": np.float32, "float64": np.float64}
"""Others (texts of any length, objects) have no place in a state, and could fill the memory."""
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What making values of a text that somebody changed can raise."""


@checked
def save(pipeline: Pipeline) -> str:
    """Return everything a pipeline remembers, as JSON.

    A hundred kilobytes, over a megabyte with both kinds of estimates. Of a stream's pipeline it is
    whole when the stream gives None, not in the middle of what an item brings about. What a call
    that raised something keeps for the next is not in it.
    """
    rooms = {name: _plain(room.state) for name, room in _rooms(pipeline).items()}
    return json.dumps(
        {
            "edgehip_snapshot": FORMAT,
            "models": _models(pipeline),
            "bodies": _bodies(pipeline),
            "zero": _plain(pipeline.asked_zero),
            "cues": _cues(pipeline),
            "sha256": _digest(rooms),
            "rooms": rooms,
        }
    )


@checked
def restore(pipeline: Pipeline, text: str) -> None:
    """Make a pipeline remember what a saved one did.

    The pipeline must have been made with the same model, body, cues and options. The personal zero
    is part of the state, and wrong once the sensors were taken off.

    Raises
    ------
    ArgumentError
        If one is no pipeline, or the other no text.
    SnapshotError
        If the text is no snapshot or belongs to another model, another body, another personal zero
        (given, or to be measured), other cues or another kind of pipeline.
    """
    rooms = _rooms(pipeline)
    try:
        plain = json.loads(text)
        if plain["edgehip_snapshot"] != FORMAT:
            raise SnapshotError("the saved state is of another edgehip version: start afresh")
        if plain["models"] != _models(pipeline):
            raise SnapshotError("the saved state belongs to other models: load those")
        if plain["bodies"] != _bodies(pipeline):
            raise SnapshotError("the saved state belongs to another body: give its height and mass")
        if plain["zero"] != _plain(pipeline.asked_zero):
            # Else the saved zero would be in use in the place of the one that was just given.
            raise SnapshotError(
                "the saved state belongs to another personal zero: give the profile and the "
                "calibration that it began with, or start afresh"
            )
        if plain["cues"] != _cues(pipeline):
            raise SnapshotError("the saved state belongs to other cues: give those, in their order")
        if plain["sha256"] != _digest(plain["rooms"]):
            raise ValueError("it is not what was saved")
        classes: dict[str, Any] = {}
        for room in rooms.values():
            _collect(type(room.state), classes)
        states = {name: _value(value, classes) for name, value in plain["rooms"].items()}
    except (ProfileError, *_DAMAGE) as error:
        raise _damaged(error) from error
    if {name: type(state) for name, state in states.items()} != {
        name: type(room.state) for name, room in rooms.items()
    }:
        raise SnapshotError("the saved state belongs to a pipeline made with other options")
    before = {name: room.state for name, room in rooms.items()}
    for name, room in rooms.items():
        room.state = states[name]
    try:
        pipeline.apply_zero()
    except (ProfileError, *_DAMAGE) as error:
        for name, room in rooms.items():
            room.state = before[name]
        raise _damaged(error) from error


def _damaged(error: Exception) -> SnapshotError:
    reason = f"{type(error).__name__}: {error}"
    return SnapshotError(f"the saved state is damaged ({reason}): start afresh")


def _digest(rooms: dict[str, Any]) -> str:
    """Return a hash: a state altered inside would fail at some later sample only."""
    return _sha256(json.dumps(rooms))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _models(pipeline: Pipeline) -> list[str | None]:
    """Return what each estimator's memory is by: its model, with all that is said of it.

    A model adapted to one person has the graph that everybody's has.
    """
    estimators = (pipeline.estimators.by_cycle, pipeline.estimators.by_sample)
    return [
        _sha256(card_to_json(estimator.model.card)) if estimator else None
        for estimator in estimators
    ]


def _bodies(pipeline: Pipeline) -> list[list[float | None] | None]:
    """Return whom each estimator's memory is of: a body has times and loads of its own."""
    estimators = (pipeline.estimators.by_cycle, pipeline.estimators.by_sample)
    bodies = [estimator.body if estimator else None for estimator in estimators]
    return [[body.height_m, body.body_mass_index] if body else None for body in bodies]


def _cues(pipeline: Pipeline) -> list[list[str | float]]:
    """Return what each cue's saved state is of: only its place says which it belongs to.

    In newtons, the same text is another threshold for another body.
    """
    return [[cue.text, cue.threshold] for cue in pipeline.cues.cues]


def _rooms(pipeline: Pipeline) -> dict[str, Any]:
    rooms: dict[str, Any] = {}
    for device, receiver in enumerate(pipeline.intake.receivers):
        rooms |= {
            f"decoder {device}": receiver.decoder,
            f"sequence {device}": receiver.sequence,
            f"lines {device}": receiver.lines,
            f"clock {device}": receiver.clock,
            f"timebase {device}": receiver.timebase,
            f"pace {device}": receiver.pace,
            f"receiver {device}": receiver,
        }
    if pipeline.intake.merger is not None:
        rooms["merger"] = pipeline.intake.merger
    estimators = pipeline.estimators
    if estimators.by_sample is not None:
        rooms["sample"] = estimators.by_sample
    if estimators.correction is not None:
        rooms["correction"] = estimators.correction
    if estimators.agreement is not None:
        rooms["agreement"] = estimators.agreement
    return rooms | {
        "segmenter": pipeline.segmenter,
        "cycles": pipeline.cycles,
        "watch": pipeline.watch,
        "units": pipeline.units,
        "units' segmenter": pipeline.units.segmenter,
        "units' cycles": pipeline.units.cycles,
        "cues": pipeline.cues,
        "pipeline": pipeline,
    }


def _plain(value: Any) -> Any:
    """Return a value in what JSON knows; what it does not is an object with one tagged key."""
    match value:
        case Flag():
            return {"flag": value.value}
        case None | bool() | int() | float() | str():
            return value
        case np.generic():
            return _plain(value.item())
        case list():
            return [_plain(item) for item in value]
        case tuple():
            return {"tuple": [_plain(item) for item in value]}
        case dict():
            return {"dict": [[_plain(key), _plain(item)] for key, item in value.items()]}
        case deque():
            return {"deque": [_plain(item) for item in value], "maxlen": value.maxlen}
        case bytes():
            return {"bytes": value.hex()}
        case np.ndarray():
            return {"array": value.tolist(), "dtype": str(value.dtype)}
    fields = [field.name for field in dataclasses.fields(value)]
    return {
        "class": type(value).__name__,
        "fields": {name: _plain(getattr(value, name)) for name in fields},
    }


def _value(plain: Any, classes: dict[str, Any]) -> Any:
    if isinstance(plain, list):
        return [_value(item, classes) for item in plain]
    if not isinstance(plain, dict):
        return plain
    match next(iter(plain), None):
        case "flag":
            return Flag(plain["flag"])
        case "tuple":
            return tuple(_value(item, classes) for item in plain["tuple"])
        case "dict":
            return {_value(key, classes): _value(item, classes) for key, item in plain["dict"]}
        case "deque":
            return deque((_value(item, classes) for item in plain["deque"]), plain["maxlen"])
        case "bytes":
            return bytes.fromhex(plain["bytes"])
        case "array":
            return np.array(plain["array"], _DTYPES[plain["dtype"]])
        case "class":
            kind = plain["class"]
            if kind not in classes:
                raise SnapshotError(
                    f"the saved state holds a {kind!s:.60}: it belongs to a pipeline made with "
                    "other options"
                )
            fields = {name: _value(item, classes) for name, item in plain["fields"].items()}
            return classes[kind](**fields)
        case other:
            raise ValueError(f"unknown tag {other!r}")


def _collect(kind: Any, classes: dict[str, Any]) -> None:
    """Add a type, if values of it have fields, and all that it is declared to hold, by name."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__name__ not in classes:
        classes[kind.__name__] = kind
        for field in dataclasses.fields(kind):
            _collect(field.type, classes)
    for part in get_args(kind):
        _collect(part, classes)
