"""What is claimed of accuracy on people and laboratories no model saw, and whether it holds."""

import math
from typing import Final

import numpy as np

from benchmarks.report import Check

Row = dict[str, str | float | None]
"""A line of a table: whose errors they are, of which model and angles, and the errors."""

OFFSET_SD_DEG: Final = 5.0
WRONG_ZEROS: Final = f"errors of {OFFSET_SD_DEG:.0f} degrees SD in every angle's zero"
LABORATORY: Final = "laboratory"
EVERYBODY: Final = "everybody"
MEASURED: Final = "as measured"
OFFSETS: Final = "5 deg offsets"
TOLD: Final = "body told"
ANOTHER_WALK: Final = "one stride of another walk"
PEER: Final = "released mean"
R2S: Final = ("moments_r2", "forces_r2")
CYCLE: Final = "hip-cycle"
SAMPLE: Final = "hip-sample"
REPEATING: Final = f"{SAMPLE}, repeating"
AFTER_OTHERS: Final = f"{SAMPLE}, after others"
GOALS: Final = {
    ("schreiber", "moments_r2"): 0.94,
    ("schreiber", "moments_rmse"): 0.11,
    ("schreiber", "forces_r2"): 0.9,
    ("opencap", "moments_r2"): 0.92,
    ("opencap", "forces_r2"): 0.87,
}
"""What a per-sample estimate of people left out is to reach: at least, or an RMSE at most."""

SHARE_OF_LOSS: Final = 1 / 3
"""Of what the released networks' mean loses, at most so much is lost to wrong zeros."""


def of_laboratories(found: list[Row], angles: str) -> dict[tuple[str, str], list[float]]:
    """Return R2 of moments, and of forces where there are any, by model and laboratory."""
    return {
        (str(row["model"]), str(row["of"])): [
            float(r2) for r2 in map(row.get, R2S) if r2 is not None
        ]
        for row in found
        if row["level"] == LABORATORY and row["angles"] == angles
    }


def loss_rows(found: list[Row], own: list[str]) -> list[Row]:
    """Return what wrong zeros cost in R2, and that beside what they cost the released mean."""
    before, after = (of_laboratories(found, angles) for angles in (MEASURED, OFFSETS))
    lost = {key: np.subtract(before[key], after[key]) for key in after}
    rows: list[Row] = []
    for (model, lab), loss in lost.items():
        if model not in own:
            continue
        row: Row = {"of": lab, "model": model}
        beside = lost[PEER, lab]
        for name, place in (("moments", 0), ("forces", 1)):
            known = place < len(loss)
            row[f"{name}_loss"] = float(loss[place]) if known else None
            row[f"{name}_loss_released"] = float(beside[place]) if known else None
        row["largest_share"] = max(map(share, loss.tolist(), beside.tolist()))
        rows.append(row)
    return rows


def share(loss: float, beside: float) -> float:
    """Return what share of another's loss a loss is: any is too much where the other had none."""
    if loss <= 0.0:
        return 0.0
    return loss / beside if beside > 0.0 else math.inf


def better_than_peer(found: list[Row], own: list[str], angles: str = MEASURED) -> Check:
    """Say whether every laboratory left out is served better than by the released mean.

    The released mean has the angles as measured, whatever our models have.
    """
    beside = of_laboratories(found, MEASURED)
    margin = {
        (model, lab): float(np.min(np.subtract(value, beside[PEER, lab])))
        for (model, lab), value in of_laboratories(found, angles).items()
        if model in own
    }
    model, lab = min(margin, key=lambda key: margin[key])
    wrong = f", even with {WRONG_ZEROS} where that has none" if angles == OFFSETS else ""
    return Check(
        f"every laboratory left out is served better than by the released networks' mean{wrong}",
        margin[model, lab] > 0.0,
        f"R2 is higher by at least {margin[model, lab]:.3f} ({model}, {lab})",
    )


def goals_reached(found: list[Row], model: str) -> Check:
    """Say whether estimates of the larger laboratories' people are as good as they are to be."""
    by_lab = {
        row["of"]: row
        for row in found
        if (row["level"], row["model"], row["angles"]) == (LABORATORY, model, MEASURED)
    }
    words, held = [], True
    for (lab, name), goal in GOALS.items():
        value, is_error = float(by_lab[lab][name] or 0.0), name.endswith("rmse")
        held = held and (value <= goal if is_error else value >= goal)
        words.append(f"{lab} {name} {value:.4f} ({'at most' if is_error else 'at least'} {goal})")
    return Check(
        f"{model} reaches what it is to reach for people of the two laboratories of most strides",
        held,
        "; ".join(words),
    )


def children_served(children: list[Row]) -> Check:
    """Say whether children are served better where their height is told, and than by the peer."""
    r2 = {
        (str(row["model"]), str(row["height"])): float(row["moments_r2"] or 0.0) for row in children
    }
    margin = min(
        r2[model, TOLD] - max(r2[model, MEASURED], r2[PEER, MEASURED]) for model in (CYCLE, SAMPLE)
    )
    return Check(
        "children whose height is told are served better than untold, and than by the released "
        "networks' mean",
        margin > 0.0,
        f"moments' R2 is higher by at least {margin:.3f}",
    )


def adapted_better(adapted: list[Row]) -> Check:
    """Say whether one labelled stride of another walk helps wherever somebody walked twice."""
    gain = {
        f"{name}, {row['of']}": float(after) - float(before)
        for row in adapted
        if row["adapted by"] == ANOTHER_WALK
        for name in ("moments", "forces")
        if (after := row[f"{name}_r2"]) is not None
        and (before := row[f"{name}_r2_before"]) is not None
    }
    least = min(gain, key=lambda where: gain[where])
    return Check(
        "one labelled stride of another walk serves a person better, of moments and forces, "
        "in every laboratory where anybody walked twice",
        gain[least] > 0.0,
        f"R2 is higher by at least {gain[least]:.3f} ({least})",
    )


def robust(losses: list[Row]) -> Check:
    """Say whether wrong zeros cost the whole-cycle model a third of the released mean's loss.

    That is over everybody: whoever errs much as it is has little to lose, so of a laboratory that
    the released mean serves badly the share says little.
    """
    (found,) = (row for row in losses if row["model"] == CYCLE and row["of"] == EVERYBODY)
    worst = float(found["largest_share"] or 0.0)
    return Check(
        f"{WRONG_ZEROS} cost {CYCLE}, over everybody, at most a third of the R2 that they cost the "
        "released networks' mean",
        worst <= SHARE_OF_LOSS,
        f"{worst:.3f} of it at most",
    )
