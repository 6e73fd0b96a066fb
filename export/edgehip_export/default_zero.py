"""The angle zero of the people edgehip's own models were trained on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR, Side, angles_of
from edgehip.model_card import ZeroCard
from edgehip_export.strides import Strides

INVERTED: tuple[tuple[str, Side], ...] = (("Sub06", "r"), ("Sub07", "r"))
"""People and sides whose ankle angle has the wrong sign in the sensor recordings."""


def zero_card(data: Path, strides: Strides, strength: float) -> ZeroCard:
    """Return what the training people's angles are while standing and over a stride.

    None of them was recorded standing. They are taken to stand as far below their mean walking
    angles as the people of ``data/imu_walking`` do, whose angles are zero in quiet standing.
    """
    own = strides.mean_angles_deg
    mean = (own + own[list(MIRROR)]) / 2
    above = walking_above_standing(data)
    standing = mean.copy()
    for side in ("r", "l"):
        standing[list(angles_of(side))] -= above
    assert len(standing) == len(ANGLES)
    return ZeroCard(rounded(standing), rounded(mean), strength)


def walking_above_standing(data: Path) -> NDArray[np.float64]:
    """Return one leg's mean angles in normal walking over those in quiet standing (5,).

    The median over the people's recordings and legs; sensor angles are relative to standing.
    """
    above = []
    for path in sorted((data / "imu_walking").glob("*Baseline.npz")):
        with np.load(path) as saved:
            time, contacts = saved["t"], saved["HS_r"]
            walking = saved["angles_deg"][(time > contacts[3]) & (time < contacts[-1])].mean(0)
        for side in ("r", "l"):
            leg = walking[list(angles_of(side))].astype(np.float64)
            if (path.stem.partition("_")[0], side) in INVERTED:
                leg[-1] = np.nan
            above.append(leg)
    return np.asarray(np.nanmedian(above, axis=0))


def rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    """Return angles as a card states them."""
    return tuple(round(float(value), 2) for value in values)
