"""Bodies of other heights: labelled adults, and children, from whom no model learnt."""

from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.accuracy_claims import CYCLE, MEASURED, PEER, SAMPLE, TOLD, Row
from edgehip.channels import MOMENTS
from edgehip.model import load_model
from edgehip_export.answers import answers
from edgehip_export.default_evaluate import Curves, errors
from edgehip_export.default_mechanics import HEIGHT_M
from edgehip_export.default_teacher import released_answers

ADULT_KG: Final = 65.0
"""Of an adult of :data:`HEIGHT_M`. Children are taken for as much smaller as the cube root of their
mass is: of 81 and of 31 children of two clinics the mean height is that within 1 cm (Pinzone et al.
2014, Gait & Posture 40:286: 40.0 kg and 1.439 m, 39.3 kg and 1.450 m)."""
SPLIT: Final = len(MOMENTS)


def children_rows(data: Path) -> list[Row]:
    """Return how far the bundled models are off on children, untold and told how tall they are."""
    with np.load(data / "children" / "strides_180.npz") as saved:
        moments = -saved["Y_moment_pig"]  # to OpenSim's signs
        whole = np.isfinite(moments).all((1, 2)) & np.isfinite(saved["X"]).all((1, 2))
        reference, angles = moments[whole], saved["X"][whole].astype(np.float32)
        stride_s, mass_kg = (saved[key][whole].astype(np.float32) for key in ("stride_s", "mass"))
        children = len(set(saved["subject"][whole].tolist()))
    height_m = HEIGHT_M * np.cbrt(mass_kg / ADULT_KG)
    found: list[Row] = []

    def judge(model: str, condition: str, estimate: Curves) -> None:
        row: Row = {"people": children, "strides": len(reference), "model": model}
        row["height"] = condition
        error = errors(reference, estimate)
        assert error is not None
        row |= {"moments_r2": error.r2, "moments_rmse": error.rmse}
        for place, name in enumerate(MOMENTS):
            one = errors(reference[..., place, None], estimate[..., place, None])
            assert one is not None
            row[f"{name}_rmse"] = one.rmse
        found.append(row)

    for name in (CYCLE, SAMPLE):
        model = load_model(name)
        untold = {"stride_s": stride_s}
        for condition, known in (
            (MEASURED, untold),
            (
                TOLD,
                untold | {"body_height_m": height_m.astype(np.float32), "body_mass_kg": mass_kg},
            ),
        ):
            told = answers(model.engine.run, model.card, angles, known)
            judge(name, condition, told["moments_nm_per_kg"])
    shown = torch.from_numpy(angles)
    released = released_answers(data / "gait2hip60", shown, shown.mean(1), 0.0)
    mean = torch.stack(list(released.values())).mean(0).numpy()
    judge(PEER, MEASURED, mean[..., :SPLIT])
    return found
