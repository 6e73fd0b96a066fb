"""What a model file says of itself, for people."""

from collections.abc import Iterator
from typing import Any

from edgehip.channels import ANGLES
from edgehip.model_card import ModelCard, PersonalCard, TensorCard

INDENT = "  "
LONGEST_TEXT = 300
"""Of an entry: longer ones are for programs."""


def describe(card: ModelCard) -> str:
    """Return a card as text of a few dozen lines."""
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in _lines(card))


def whose(personal: PersonalCard, has_spread: bool) -> str:
    """Return whom a model was adapted to, and what of its answers is theirs."""
    sizes = ((personal.body_height_m, "m"), (personal.body_mass_kg, "kg"))
    of = " and ".join(f"{size:.4g} {unit}" for size, unit in sizes if size is not None)
    what = " and ".join(name.partition("_")[0] for name in personal.offsets) or "nothing"
    line = f"{what} adapted to one person{of and f' of {of}'}, by {personal.strides} strides"
    return f"{line}; intervals are as wide as everybody's still" if has_spread else line


def _lines(card: ModelCard) -> Iterator[str]:
    yield f"{card.name} {card.version}: {card.description}"
    yield f"licence: {card.licence}"
    yield f"kind: {_kind(card)}"
    yield f"hip: {'right' if card.side == 'r' else 'left'} (the other one by mirroring)"
    yield f"precision: {card.precision}"
    yield "inputs: " + ", ".join(_tensor(tensor) for tensor in card.inputs)
    yield "outputs: " + ", ".join(_tensor(tensor) for tensor in card.outputs)
    if card.spread_coverage is not None:
        yield f"spread: meant to cover {card.spread_coverage:.0%} of references"
    if card.output("out_of_range_score") is not None:
        yield "out-of-range score: 1 is the edge of what people never seen in training showed"
    if card.zero is not None:
        yield (
            "personal zero: wanted, from quiet standing (the whole difference is taken out) "
            f"or from strides ({card.zero.strength:.0%} of it)"
        )
    if card.personal is not None:
        yield f"personal: {whose(card.personal, card.spread_coverage is not None)}"
    if card.reference_height_m is not None:
        yield f"body height: {card.reference_height_m:.5g} m; others are scaled to theirs, if told"
    if (index := card.body_mass_index) is not None:
        yield (
            f"body mass index: {index.reference_kg_per_m2:.3g} kg/m2, trained on "
            f"{index.low_kg_per_m2:.3g} to {index.high_kg_per_m2:.3g}; what others' changes is "
            "added, if mass and height are told"
        )
    for name, span in card.ranges.items():
        yield f"trained on {name}:"
        labels = ANGLES if len(span.low) == len(ANGLES) else ("",) * len(span.low)
        for label, low, high in zip(labels, span.low, span.high, strict=True):
            yield f"{INDENT}{label or name:<16} {low:8.5g} to {high:.5g}"
    for title, content in (("training", card.training), ("metrics", card.metrics)):
        if content:
            yield f"{title}:"
            yield from _nested(content, INDENT)
    yield f"sha256: {card.sha256}"


def _kind(card: ModelCard) -> str:
    if card.kind == "cycle":
        return f"whole gait cycle of {card.samples_per_cycle} points, one call per stride"
    reset = ", state reset at every initial contact" if card.resets_at_contact else ""
    return f"sample by sample at {card.rate_hz:.5g} Hz{reset}"


def _tensor(tensor: TensorCard) -> str:
    return f"{tensor.name} {'x'.join(str(n) for n in tensor.shape)}"


def _nested(content: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _nested(value, indent + INDENT)
        elif isinstance(value, list) and all(isinstance(item, int | float) for item in value):
            yield f"{indent}{key}: {', '.join(map(_number, value))}"
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            yield from (f"{indent}{INDENT}{_item(item)}" for item in value)
        elif isinstance(value, float):
            yield f"{indent}{key}: {_number(value)}"
        else:
            yield f"{indent}{key}: {_short(str(value))}"


def _short(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[: LONGEST_TEXT // 10]}... ({len(text)} characters)"


def _number(value: float) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _item(item: Any) -> str:
    return "; ".join(map(str, item.values())) if isinstance(item, dict) else str(item)
