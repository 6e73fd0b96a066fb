"""Fields of a JSON object, each of its own type: what is something else is told by its name."""

from collections.abc import Callable, Mapping
from sys import float_info
from typing import Any


class FieldError(ValueError):
    """A field is something else than it should be."""


Reader = Callable[[Any], Any]
"""Returns the value of a field, or raises :class:`FieldError` with what it should have been."""


def fields(plain: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return the fields of an object by their readers; those it does not have are left out.

    Raises
    ------
    FieldError
        If it is no object, or a field is of another type or unknown; names it.
    """
    if not isinstance(plain, dict):
        raise FieldError("not an object")
    found = {}
    for name, value in plain.items():
        if name not in readers:
            raise FieldError(f"{name:.60}: unknown")
        try:
            found[name] = readers[name](value)
        except FieldError as error:
            raise FieldError(f"{name:.60}: {error}") from error
    return found


def anything(value: Any) -> Any:
    """Read whatever it is."""
    return value


def text(value: Any) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise FieldError("not a text")
    return value


def truth(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise FieldError("neither true nor false")
    return value


def whole(value: Any) -> int:
    """Read a whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldError("not a whole number")
    return value


def number(low: float = -float_info.max, high: float = float_info.max) -> Reader:
    """Return a reader of numbers within limits."""

    def read(value: Any) -> float:
        # NaN is within no limits.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise FieldError(f"not a number from {low:g} to {high:g}")
        return float(value)

    return read


def optional(reader: Reader) -> Reader:
    """Return a reader of null, too."""
    return lambda value: None if value is None else reader(value)


def many(reader: Reader) -> Reader:
    """Return a reader of lists."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise FieldError("not a list")
        return tuple(reader(item) for item in value)

    return read


def named(reader: Reader) -> Reader:
    """Return a reader of objects whose fields have any names and one type."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise FieldError("not an object")
        return fields(value, dict.fromkeys(value, reader))

    return read
