"""The cards of edgehip's own models: what they were trained on, and what they may be used for."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR, MOMENTS, MUSCLES
from edgehip.model_card import ModelCard, RangeCard, TensorCard, ZeroCard
from edgehip_export.strides import POINTS, Strides

LICENCE: Final = "MIT; trained on recordings under CC BY 4.0, CC BY 3.0, Apache-2.0 and MIT"

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
        "licence": "as distributed with nimblephysics (BSD-style)",
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
    "children, implants or impaired gait.",
    "Labels are inverse dynamics and static optimization, not measured forces; they carry the "
    "error of the motion capture, of the scaled model and of the optimization's criterion.",
    "Twenty people of seven laboratories: expect a laboratory never seen to be served worse than "
    "a new person of a laboratory seen.",
)


def cycle_card(name: str, version: str, strides: Strides, zero: ZeroCard) -> ModelCard:
    """Return the card of a whole-cycle model for the people it was trained on."""
    low, high = training_range(strides)
    duration = np.percentile(strides.stride_s, [0.5, 99.5])
    return ModelCard(
        name=name,
        version=version,
        kind="cycle",
        side="r",
        inputs=(
            TensorCard("angles_deg", (1, POINTS, len(ANGLES)), ANGLES),
            TensorCard("stride_s", (1, 1)),
        ),
        outputs=(
            TensorCard("moments_nm_per_kg", (1, POINTS, len(MOMENTS)), MOMENTS),
            TensorCard("forces_n_per_kg", (1, POINTS, len(MUSCLES)), MUSCLES),
        ),
        licence=LICENCE,
        description="Hip moments and muscle forces over one stride of level walking",
        samples_per_cycle=POINTS,
        ranges={
            "angles_deg": RangeCard(low, high),
            "stride_s": RangeCard((0.9 * float(duration[0]),), (1.1 * float(duration[1]),)),
        },
        zero=zero,
        training={"sources": list(SOURCES), "strides": len(strides), "limits": list(LIMITS)},
    )


def training_range(strides: Strides) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the lowest and highest angles of training, a tenth of their span wider."""
    angles = strides.angles_deg.reshape(-1, len(ANGLES))
    both_sides = np.concatenate([angles, angles[:, MIRROR]])
    low, high = np.percentile(both_sides, [0.1, 99.9], axis=0)
    margin = 0.1 * (high - low)
    return _plain(low - margin), _plain(high + margin)


def _plain(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(round(float(value), 2) for value in values)
