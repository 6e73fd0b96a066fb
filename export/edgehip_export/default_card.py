"""The cards of edgehip's own models: what they were trained on, and what they may be used for."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from edgehip.channels import ANGLES, MIRROR, MOMENTS, MUSCLES
from edgehip.model_card import Kind, ModelCard, RangeCard, TensorCard, ZeroCard
from edgehip_export.default_mechanics import HEIGHT_M
from edgehip_export.default_sample import RATE_HZ
from edgehip_export.default_spread import COVERAGE
from edgehip_export.default_zero import rounded
from edgehip_export.strides import POINTS, Strides

VERSION: Final = "0.1.0"
LICENCE: Final = "MIT"

TEACHERS: Final = (
    {
        "lab": "Gait2Hip-60",
        "citation": "Zhang et al., Gait2Hip-60, arXiv 2605.30374: answers of the released networks",
        "licence": "MIT",
    },
    {
        "lab": "sensor recordings",
        "citation": "Pearl et al. 2022, CapacitiveSensingDataset: joint angles only",
        "licence": "MIT",
    },
)

SOURCES: Final = (
    {
        "lab": "schreiber",
        "citation": "Schreiber and Moissenet 2019, Scientific Data 6:111, figshare 7734767",
        "licence": "CC BY 4.0",
    },
    {
        "lab": "opencap",
        "citation": "Uhlrich et al. 2023, OpenCap, PLoS Computational Biology 19:e1011462; as "
        "distributed with nimblephysics",
        "licence": "BSD-style (with nimblephysics)",
    },
    {
        "lab": "fukuchi_tm",
        "citation": "Fukuchi, Fukuchi and Duarte 2018, PeerJ 6:e4640",
        "licence": "CC BY 4.0",
    },
    {
        "lab": "jam_wisconsin",
        "citation": "Lenhart et al. 2015; Smith et al. 2018, opensim-jam",
        "licence": "Apache-2.0",
    },
    {
        "lab": "kul_falisse",
        "citation": "Falisse et al. 2019, Journal of the Royal Society Interface 16:20190402",
        "licence": "MIT",
    },
    {
        "lab": "osim_subject01",
        "citation": "OpenSim gait2392 example (Delp et al. 2007)",
        "licence": "CC BY 3.0",
    },
    {
        "lab": "rajagopal16",
        "citation": "Rajagopal et al. 2016, IEEE TBME 63:2068",
        "licence": "Apache-2.0",
    },
)

LIMITS: Final = (
    "Adults without gait impairment, level walking at 0.8 to 2 s a stride; not running, stairs, "
    "implants or impaired gait. Children are served worse, and only if their height is told.",
    "The trunk is not seen: who sways it on purpose is served worse, above all of hip adduction.",
    "Whoever is heavier or lighter for their height than people of training is taken for the "
    "nearest of them.",
    "Labels are inverse dynamics and static optimization, not measured forces; they carry the "
    "error of the motion capture, of the scaled model and of the optimization's criterion.",
    "Few people of few laboratories: expect a laboratory never seen to be served worse than a new "
    "person of a laboratory seen.",
)

LOADS: Final = (("moments_nm_per_kg", MOMENTS), ("forces_n_per_kg", MUSCLES))
SPREADS: Final = (("moment_spread_nm_per_kg", MOMENTS), ("force_spread_n_per_kg", MUSCLES))


@dataclass(frozen=True)
class Facts:
    """What is known of a model after its training: its people, its zero, its left-out results."""

    strides: Strides
    zero: ZeroCard
    metrics: dict[str, Any]


def cycle_card(name: str, facts: Facts) -> ModelCard:
    """Return the card of a whole-cycle model."""
    card = _card(name, facts, "cycle", POINTS)
    return replace(
        card,
        inputs=(*card.inputs, TensorCard("stride_s", (1, 1))),
        description="Hip moments and muscle forces over one stride of level walking",
        samples_per_cycle=POINTS,
    )


def sample_card(
    name: str, facts: Facts, state_sizes: dict[str, int], warm_up_s: float
) -> ModelCard:
    """Return the card of a per-sample model with these states."""
    card = _card(name, facts, "sample", 1)
    states = tuple(TensorCard(f"state.{key}", (1, size)) for key, size in state_sizes.items())
    return replace(
        card,
        inputs=card.inputs + states,
        outputs=card.outputs + states,
        description="Hip moments and muscle forces at every sample of level walking, no look-ahead",
        rate_hz=RATE_HZ,
        warm_up_s=warm_up_s,
    )


def _card(name: str, facts: Facts, kind: Kind, points: int) -> ModelCard:
    """Return what the cards of both kinds share."""
    labs = facts.strides.labs
    sources = [*TEACHERS, *(source for source in SOURCES if source["lab"] in labs)]
    licences = ", ".join(dict.fromkeys(source["licence"] for source in sources))
    low, high = training_range(facts.strides)
    shortest_s, longest_s = np.percentile(facts.strides.stride_s, [0.5, 99.5]).tolist()
    return ModelCard(
        name=name,
        version=VERSION,
        kind=kind,
        side="r",
        inputs=(TensorCard("angles_deg", (1, points, len(ANGLES)), ANGLES),),
        outputs=(*_tensors(LOADS + SPREADS, points), TensorCard("out_of_range_score", (1, 1))),
        spread_coverage=COVERAGE,
        licence=f"{LICENCE}; trained on recordings under {licences}",
        description="",
        ranges={
            "angles_deg": RangeCard(low, high),
            "stride_s": RangeCard((round(0.9 * shortest_s, 3),), (round(1.1 * longest_s, 3),)),
        },
        zero=facts.zero,
        reference_height_m=HEIGHT_M,
        training={
            "sources": sources,
            "laboratories": len(labs),
            "people": len(facts.strides.people),
            "strides": len(facts.strides),
            "limits": list(LIMITS),
        },
        metrics=facts.metrics,
    )


def _tensors(
    outputs: tuple[tuple[str, tuple[str, ...]], ...], points: int
) -> tuple[TensorCard, ...]:
    return tuple(TensorCard(name, (1, points, len(names)), names) for name, names in outputs)


def training_range(strides: Strides) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the lowest and highest angles of training, a tenth of their span wider."""
    angles = strides.angles_deg.reshape(-1, len(ANGLES))
    both_sides = np.concatenate([angles, angles[:, MIRROR]])
    low, high = np.percentile(both_sides, [0.1, 99.9], axis=0)
    margin = 0.1 * (high - low)
    return rounded(low - margin), rounded(high + margin)
