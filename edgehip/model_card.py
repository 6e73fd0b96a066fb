"""What a model file says of itself."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from edgehip.channels import Side

Kind = Literal["cycle", "sample"]
Curves = tuple[tuple[float, ...], ...]
"""An output over a gait cycle, (S, D)."""
OutputName = Literal[
    "moments_nm_per_kg",
    "forces_n_per_kg",
    "moment_spread_nm_per_kg",
    "force_spread_n_per_kg",
    "out_of_range_score",
    "state",
]
SCORE: Final = "out_of_range_score"


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

    def input(self, name: str) -> TensorCard | None:
        """Return the named input, or None if the model has none."""
        return next((t for t in self.inputs if t.name == name), None)

    def output(self, name: str) -> TensorCard | None:
        """Return the named output, or None if the model has none."""
        return next((t for t in self.outputs if t.name == name), None)
