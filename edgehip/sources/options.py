"""Options behind a source's URL: ``replay:walk.rec?speed=2``."""

from urllib.parse import parse_qsl

from edgehip.errors import SourceError


def parse_speed(text: str, url: str) -> float | None:
    """Return a replay speed: a factor of real time, or None for as fast as possible.

    Raises
    ------
    SourceError
        If the text is neither a positive number nor ``max``.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SourceError(f"{url}: speed={text!r} is neither a positive number nor 'max'")
    return speed


def split_options(rest: str, url: str, allowed: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Return what stands before the ``?`` and the options behind it.

    Raises
    ------
    SourceError
        If an option is unknown or has no value.
    """
    path, _, query = rest.partition("?")
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError as error:
        raise SourceError(f"{url}: options are written NAME=VALUE, joined by '&'") from error
    for name in options:
        if name not in allowed:
            raise SourceError(f"{url}: unknown option {name!r}; there are: {', '.join(allowed)}")
    return path, options
