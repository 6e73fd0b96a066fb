"""Whose body a labelled stride is of, for models that know bodies of one height."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgehip.body import GROWN_UP_M
from edgehip.channels import MOMENTS
from edgehip_export.default_mechanics import HEIGHT_M
from edgehip_export.strides import Array, Strides


def taller(strides: Strides) -> Array:
    """Return heights (N,) as multiples of the models'; 1 where a height is not known."""
    known = np.isfinite(strides.body_height_m)
    return np.where(known, strides.body_height_m / HEIGHT_M, 1.0).astype(np.float32)


def in_model_body(strides: Strides) -> Strides:
    """Return strides as those of bodies of the models' height would be (see edgehip.body)."""
    by = taller(strides)
    return replace(
        strides,
        stride_s=(strides.stride_s / np.sqrt(by)).astype(np.float32),
        moments=(strides.moments / by[:, None, None]).astype(np.float32),
    )


def of_bodies(loads: Array, strides: Strides) -> Array:
    """Return a model's loads (N, 180, 17) as they are for the bodies that walked the strides."""
    scaled = loads.copy()
    scaled[..., : len(MOMENTS)] *= taller(strides)[:, None, None]
    return scaled


def body_mass_index(strides: Strides) -> NDArray[np.float64]:
    """Return kg/m2 (N,) of adults; NaN where mass or height is not known."""
    height_m = strides.body_height_m.astype(np.float64)
    index: NDArray[np.float64] = strides.body_mass_kg / height_m**2
    return np.where(height_m >= GROWN_UP_M, index, np.nan)
