"""Text that fits a width: shorter, without what matters least, or with fewer decimals."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

GAP: Final = "  "


def shortened(text: str, width: int) -> str:
    """Return as much of a text as fits; what would act on a terminal is a question mark."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 2, 0)) + ".."[: max(width, 0)]


def first_that_fits(texts: Sequence[str], width: int) -> str:
    """Return the first text that fits, or as much as fits of the last."""
    return next((text for text in texts if cell_len(text) <= width), shortened(texts[-1], width))


def most_important(parts: Sequence[tuple[int, str]], width: int) -> str:
    """Return ranked parts in their order, without as many of the highest ranks as is needed."""
    kept = [part for part in parts if part[1]]
    while len(kept) > 1 and cell_len(GAP.join(text for _, text in kept)) > width:
        kept.remove(max(kept))
    return shortened(GAP.join(text for _, text in kept), width)


def as_many(words: Sequence[str], width: int, separator: str) -> str:
    """Return as many words as fit, and how many more there are."""
    for left_out in range(len(words) + 1):
        rest = [f"+{left_out}"] if left_out else []
        text = separator.join([*words[: len(words) - left_out], *rest])
        if cell_len(text) <= width:
            return text
    return ""


def number(value: float, decimals: int, width: int, sign: str = "-") -> str:
    """Return a number with as many decimals as fit: one that is cut off would be another number."""
    texts = (f"{value:{sign}.{places}f}" for places in range(decimals, -1, -1))
    fitting = next((text for text in texts if len(text) <= width), "#" * width)
    return fitting.rjust(width)
