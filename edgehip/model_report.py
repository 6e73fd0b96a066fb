"""What a model file says of itself, as text for a person."""

from typing import Any

from edgehip.model_card import ModelCard, TensorCard


def describe(card: ModelCard) -> str:
    """Return a model card as lines of text."""
    pace = (
        f"{card.samples_per_cycle} points per gait cycle"
        if card.kind == "cycle"
        else f"{card.rate_hz:g} samples per second"
    )
    lines = [
        f"{card.name} {card.version}: {card.description}",
        f"kind        {card.kind}, {pace}, outputs of the {_SIDES[card.side]} hip",
        f"inputs      {_tensors(card.inputs)}",
        f"outputs     {_tensors(card.outputs)}",
        f"precision   {card.precision}",
        f"zero        {_zero(card)}",
        f"licence     {card.licence}",
        f"sha256      {card.sha256}",
    ]
    for title, facts in (("training", card.training), ("metrics", card.metrics)):
        lines += [title, *_facts(facts, 2)]
    return "\n".join(lines)


_SIDES = {"l": "left", "r": "right"}


def _tensors(tensors: tuple[TensorCard, ...]) -> str:
    return ", ".join(f"{t.name} {'x'.join(map(str, t.shape))}" for t in tensors)


def _zero(card: ModelCard) -> str:
    if card.zero is None:
        return "none wanted"
    return f"personal zero wanted (of a zero from strides, {card.zero.strength:.0%} is taken out)"


def _facts(facts: dict[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        head = " " * indent + name
        if isinstance(value, dict):
            lines += [head, *_facts(value, indent + 2)]
        elif isinstance(value, list) and value and isinstance(value[0], dict | str):
            lines += [head, *(f"{' ' * indent}- {_item(item)}" for item in value)]
        else:
            lines.append(f"{head}: {value}")
    return lines


def _item(item: Any) -> str:
    return "; ".join(map(str, item.values())) if isinstance(item, dict) else str(item)
