"""What a public call takes is what its annotations declare, and callers are held to it."""

import inspect
import math
import reprlib
from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Final, Literal, ParamSpec, TypeVar, Union, cast, get_args, get_origin

import numpy as np

from edgehip.errors import ArgumentError

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN: Final[dict[Any, tuple[str, tuple[type, ...]]]] = {
    bool: ("True or False", (bool, np.bool_)),
    int: ("a whole number", (Integral,)),
    float: ("a finite number", (Real,)),
}
"""How a type of plain values is called, and what is as good."""
_MAKERS: Final = {
    "Cue": "edgehip.parse_cue",
    "Model": "edgehip.load_model",
    "Profile": "edgehip.load_profile",
    "Source": "edgehip.open_source",
}
"""What makes a value of a type, where that is not its own name."""
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def checked(call: Callable[P, R]) -> Callable[P, R]:
    """Refuse, whenever it is called, what is not of the type that its annotations declare.

    A number is to be finite, a sequence to hold only what it is declared to. Of a class, its
    making is what is called.

    Raises
    ------
    ArgumentError
        When what was made of it is called, with something else.
    """
    if isinstance(call, type):
        made: Any = call
        made.__init__ = checked(made.__init__)
        return cast(Callable[P, R], made)
    signature = inspect.signature(call)
    name = call.__qualname__.removesuffix(".__init__")

    @wraps(call)
    def hold(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return call(*args, **kwargs)  # Python says what is missing, or too much
        for parameter, value in given.items():
            check(f"{name}: {parameter}", value, signature.parameters[parameter].annotation)
        return call(*args, **kwargs)

    return hold


def check(name: str, value: object, kind: Any) -> None:
    """Refuse a value that is not of a type, as annotations write it.

    Raises
    ------
    ArgumentError
        If it is of another; ``name`` says of whom it was given as what.
    """
    if not _fits(value, kind):
        plain = value is None or isinstance(value, str | bytes | Real)
        shown = _SHORT.repr(value) if plain else f"of type {type(value).__name__}"
        lacking = [] if plain else _lacking(value, kind)
        if lacking:
            shown += f", which has no {', '.join(lacking)}"
        raise ArgumentError(f"{name} is {shown}; it has to be {' or '.join(_words(kind))}")
    if get_origin(kind) in (Sequence, tuple):
        for i, part in enumerate(cast(Sequence[object], value)):
            check(f"{name}[{i}]", part, get_args(kind)[0])


def _fits(value: object, kind: Any) -> bool:
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind in (inspect.Parameter.empty, object):
        return True
    if kind in (None, NoneType):
        return value is None
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is Callable:
        return callable(value)
    if origin is Sequence and isinstance(value, str | bytes):
        return False
    if kind in _PLAIN:
        truth = kind is not bool and isinstance(value, bool)  # no number, whatever Python says
        return isinstance(value, _PLAIN[kind][1]) and not truth and _is_finite(value)
    if _is_protocol(kind):
        return not _lacking(value, kind)
    return isinstance(value, origin)


def _is_protocol(kind: Any) -> bool:
    return bool(getattr(kind, "_is_protocol", False))


def _lacking(value: object, kind: Any) -> list[str]:
    """Return what a value does not have that a protocol names; nothing if the type is none."""
    names = {*kind.__annotations__, *vars(kind)} if _is_protocol(kind) else set()
    return sorted(name for name in names if name[0] != "_" and not hasattr(value, name))


def _is_finite(number: Any) -> bool:
    return bool(-math.inf < number < math.inf)


def _words(kind: Any) -> list[str]:
    """Return how a type, or each of several, is called."""
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        return [word for part in parts for word in _words(part)]
    if origin is Literal:
        return [repr(part) for part in parts]
    if kind in (None, NoneType):
        return ["None"]
    if kind in _PLAIN:
        return [_PLAIN[kind][0]]
    if origin is Sequence:
        return ["a list or tuple"]
    if origin is Callable:
        return ["a function"]
    name = origin.__name__
    return [f"a {name} (as {_MAKERS[name]} makes one)" if name in _MAKERS else f"a {name}"]
