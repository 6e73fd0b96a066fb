"""What is claimed of accuracy, and the walks by which it is judged."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from benchmarks.accuracy_claims import (
    ANOTHER_WALK,
    EVERYBODY,
    GOALS,
    LABORATORY,
    MEASURED,
    OFFSETS,
    PEER,
    TOLD,
    Row,
    adapted_better,
    better_than_peer,
    children_served,
    goals_reached,
    loss_rows,
    robust,
)
from benchmarks.corrected import repeating, varying
from benchmarks.varying import (
    STRIDES,
    TREADMILL,
    Run,
    Varied,
    in_places,
    load_runs,
    told,
    walks,
)
from edgehip.estimators.correction import GAIN
from edgehip_export.default_workshop import Models
from edgehip_export.strides import POINTS, close_cycles
from tests.made_up_strides import made_up


def accuracy_rows(cycle: float, peer: float, cycle_loss: float, peer_loss: float) -> list[Row]:
    """Return the rows of everybody, without forces."""
    return [
        {
            "level": LABORATORY,
            "of": EVERYBODY,
            "model": model,
            "angles": angles,
            "moments_r2": r2,
            "forces_r2": None,
        }
        for model, measured, loss in (
            ("hip-cycle", cycle, cycle_loss),
            ("released mean", peer, peer_loss),
        )
        for angles, r2 in ((MEASURED, measured), (OFFSETS, measured - loss))
    ]


@pytest.mark.parametrize(
    ("figures", "is_better", "is_robust"),
    [
        ((0.9, 0.8, 0.01, 0.04), True, True),
        ((0.9, 0.8, 0.02, 0.04), True, False),
        ((0.7, 0.8, 0.01, 0.04), False, True),
        ((0.9, 0.8, -0.01, 0.04), True, True),
        ((0.9, 0.8, 0.01, -0.04), True, False),
        ((0.9, 0.8, -0.01, -0.04), True, True),
    ],
)
def test_what_is_claimed_of_accuracy_is_checked(
    figures: tuple[float, float, float, float], is_better: bool, is_robust: bool
) -> None:
    rows = accuracy_rows(*figures)
    assert better_than_peer(rows, ["hip-cycle"]).held is is_better
    assert robust(loss_rows(rows, ["hip-cycle"])).held is is_robust


@pytest.mark.parametrize(
    ("worse", "holds"),
    [
        ({}, True),
        *(
            ({name: value}, False)
            for name, value in (("moments_r2", 0.91), ("moments_rmse", 0.12), ("forces_r2", 0.86))
        ),
    ],
)
def test_goals_are_reached_by_every_figure(worse: Row, holds: bool) -> None:
    good = {"moments_r2": 0.94, "moments_rmse": 0.11, "forces_r2": 0.9}
    rows: list[Row] = [
        {"level": LABORATORY, "of": lab, "model": "hip-sample", "angles": MEASURED, **good, **worse}
        for lab, _ in GOALS
    ]
    assert goals_reached(rows, "hip-sample").held is holds


@pytest.mark.parametrize(("told", "holds"), [(0.8, True), (0.75, False), (0.72, False)])
def test_children_are_to_be_served_better_told_than_untold_and_by_others(
    told: float, holds: bool
) -> None:
    served = {("hip-cycle", TOLD): told, ("hip-sample", TOLD): 0.9}
    others = {("hip-cycle", MEASURED): 0.73, ("hip-sample", MEASURED): 0.7, (PEER, MEASURED): 0.75}
    rows: list[Row] = [
        {"model": model, "height": height, "moments_r2": r2}
        for (model, height), r2 in (served | others).items()
    ]
    assert children_served(rows).held is holds


@pytest.mark.parametrize(("forces", "holds"), [(0.9, True), (0.79, False), (None, True)])
def test_a_labelled_stride_is_to_help_wherever_it_is_of_another_walk(
    forces: float | None, holds: bool
) -> None:
    rows: list[Row] = [
        {
            "of": "there",
            "adapted by": by,
            "moments_r2_before": 0.8,
            "moments_r2": r2,
            "forces_r2_before": None if forces is None else 0.8,
            "forces_r2": forces,
        }
        for by, r2 in ((ANOTHER_WALK, 0.9), ("one other stride", 0.7))
    ]
    assert adapted_better(rows).held is holds


def test_what_wrong_zeros_cost_is_judged_of_moments_and_forces_over_everybody() -> None:
    moments = accuracy_rows(0.9, 0.8, 0.01, 0.04)
    forces = accuracy_rows(0.9, 0.8, 0.02, 0.04)
    rows = [m | {"forces_r2": f["moments_r2"]} for m, f in zip(moments, forces, strict=True)]
    assert not robust(loss_rows(rows, ["hip-cycle"])).held
    one_laboratory = [row | {"of": "there"} for row in rows]
    assert robust(loss_rows(one_laboratory + moments, ["hip-cycle"])).held


def test_a_stride_that_repeats_is_judged_with_its_correction_all_there() -> None:
    strides = made_up({"a": 1}, each=1)
    samples = np.zeros((1, POINTS, 17), np.float32)
    told = repeating(strides, samples + 1.0, samples, samples + 2.0)
    np.testing.assert_allclose(told, GAIN, atol=1e-6)


def test_a_walk_that_varies_differs_from_stride_to_stride_as_a_run_does() -> None:
    strides = made_up({"a": 2}, each=1)
    random = np.random.default_rng(0)
    curves = random.normal(size=(STRIDES, POINTS, 10)).astype(np.float32)
    run = Run(curves, random.uniform(1.0, 1.2, STRIDES).astype(np.float32))
    walked = walks(strides, [run], 0)
    own = close_cycles(strides.angles_deg)
    np.testing.assert_array_equal(walked.angles_deg[:, -1], own)
    wanted_s = strides.stride_s[:, None] * run.stride_s / run.stride_s[-1]
    np.testing.assert_allclose(walked.stride_s, wanted_s, rtol=1e-6)
    # Nobody jumps between strides, and only what prevents that is added.
    starts, ends = walked.angles_deg[:, 1:, 0], walked.angles_deg[:, :-1, -1]
    np.testing.assert_allclose(starts, ends, atol=1e-4)
    added = walked.angles_deg - own[:, None] - (curves - curves[-1])
    np.testing.assert_allclose(np.diff(added, n=2, axis=2), 0.0, atol=1e-4)
    np.testing.assert_allclose(added[:, :, 0], 0.0, atol=1e-4)


def test_what_is_said_of_walks_that_vary_is_said_of_the_right_strides() -> None:
    """By models that say how large an angle is; the folds' walks come back in their order."""
    strides = made_up({"a": 3}, each=1)
    curves = np.random.default_rng(0).normal(size=(9, POINTS, 10)).cumsum(1).astype(np.float32)
    walked = walks(strides, [Run(curves, np.linspace(1.0, 1.3, 9, dtype=np.float32))], 0)

    def said(angles_deg: torch.Tensor, stride_s: torch.Tensor | None = None) -> torch.Tensor:
        return angles_deg[..., :1].expand(*angles_deg.shape[:-1], 17)

    models = cast(Models, SimpleNamespace(ensemble=said, network=said))
    masks = [np.array([False, True, False]), np.array([True, False, True])]
    varied = in_places(masks, [told(models, walked.take(mask)) for mask in masks])
    np.testing.assert_array_equal(varied.stride_s, walked.stride_s)
    wanted = walked.angles_deg[..., :1].repeat(3, axis=-1)
    np.testing.assert_array_equal(varied.cycles[..., :3], wanted)
    # Between samples an answer is drawn straight.
    missed = np.abs(varied.samples[..., :3] - wanted)
    assert np.median(missed) < 0.1 * wanted.std()
    assert missed[..., 40:140, :].max() < 0.5 * wanted.std()


def test_after_strides_that_vary_the_correction_is_the_mean_of_what_they_taught() -> None:
    random = np.random.default_rng(0)
    level = random.uniform(1.0, 2.0, (2, STRIDES, 1, 1)).astype(np.float32)
    samples = np.zeros((2, STRIDES, POINTS, 17), np.float32)
    stride_s = np.full((2, STRIDES), 1.1, np.float32)
    corrected = varying(Varied(stride_s, samples + level, samples), samples[:, 0] + 5.0)
    # The first stride shows the pace alone, and the last is the one that is judged.
    taught = GAIN * level[:, 1:-1].mean(axis=1)
    np.testing.assert_allclose(corrected[:, 30:], np.broadcast_to(taught, (2, 150, 17)), rtol=1e-4)


def test_strides_in_which_a_sensor_jumped_are_lent_to_nobody(tmp_path: Path) -> None:
    time_s = np.arange(0.0, 30.0, 0.01)
    angles = 10.0 * np.sin(2.0 * np.pi * time_s)[:, None].repeat(10, axis=1)
    angles[1505] += 40.0
    contacts_s = np.arange(0.5, 29.5)
    for path in (tmp_path / "imu_walking" / "A_Baseline.npz", tmp_path / TREADMILL):
        path.parent.mkdir()
        np.savez(path, t=time_s, angles_deg=angles, HS_r=contacts_s, HS_l=contacts_s)
    runs = load_runs(tmp_path)
    assert [len(run.stride_s) for run in runs] == [11, 12] * 4
    assert max(np.abs(np.diff(run.angles_deg, axis=1)).max() for run in runs) < 1.0


@pytest.mark.parametrize(("loss", "holds"), [(0.09, True), (0.11, False)])
def test_wrong_zeros_are_judged_beside_a_peer_that_has_right_ones(loss: float, holds: bool) -> None:
    check = better_than_peer(accuracy_rows(0.9, 0.8, loss, 0.4), ["hip-cycle"], OFFSETS)
    assert check.held is holds
