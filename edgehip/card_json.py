"""A model's card as JSON, every field read by its type."""

import dataclasses
import json
from typing import Any, Final

from edgehip.card_checks import contradictions
from edgehip.errors import ModelFileError
from edgehip.given import HEIGHT_M, KG_PER_M2, MASS_KG
from edgehip.model_card import (
    BodyMassIndexCard,
    ModelCard,
    PersonalCard,
    RangeCard,
    TensorCard,
    ZeroCard,
)
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

CARD_FORMAT: Final = 1
MAX_RATE_HZ: Final = 10_000.0
"""A network that steps faster would take a core for itself."""
MAX_WARM_UP_S: Final = 3600.0
"""A network that takes longer never gives an answer to be trusted."""
MAX_OFFSET: Final = 1000.0
"""Of a moment in Nm/kg or a force in N/kg: no person's is so far from what a model says."""


def card_to_json(card: ModelCard) -> str:
    """Return a card as JSON."""
    return json.dumps({"format": CARD_FORMAT} | dataclasses.asdict(card), ensure_ascii=True)


def card_from_json(text: str | bytes, where: str) -> ModelCard:
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
        card = ModelCard(**fields(plain, _FIELDS))
        for problem in contradictions(card):
            raise ModelFileError(f"{where}: its card contradicts itself: {problem}")
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise ModelFileError(
            f"{where}: its card cannot be read ({reason}): export the model again"
        ) from error
    return card


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
