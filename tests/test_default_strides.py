"""Labelled strides: how they are read, left out, drawn and disturbed."""

import dataclasses

import numpy as np
import pytest
import torch

from edgehip_export.augmentation import Augmentation, disturb, mix
from edgehip_export.default_evaluate import folds, zeroed
from edgehip_export.default_fit import chances
from edgehip_export.strides import POINTS, close_cycles, load_strides
from tests.made_up_strides import batch, made_up
from tests.shared_data import SHARED, needs_shared_data


@needs_shared_data
def test_every_stride_is_seen_from_its_own_leg() -> None:
    strides = load_strides(SHARED / "data")
    own_knee, other_knee = strides.angles_deg[..., 6], strides.angles_deg[..., 8]
    # At a leg's own contact its knee is nearly straight; the other leg is about to push off.
    assert (own_knee[:, 10:60].mean(1) < own_knee[:, 110:150].mean(1)).all()
    assert (other_knee[:, 30:60].mean(1) > own_knee[:, 30:60].mean(1)).all()
    assert set(strides.leg) == {"l", "r"}
    assert (strides.moments[:, 20:60, 1].mean(1) < 0).all()  # abductors hold the pelvis in stance


def test_closed_cycles_end_where_they_begin_and_keep_their_mean() -> None:
    curves = np.random.default_rng(0).standard_normal((3, POINTS, 5)).cumsum(1)
    closed = close_cycles(curves)
    np.testing.assert_allclose(closed[:, 0], closed[:, -1], atol=1e-4)
    np.testing.assert_allclose(closed.mean(1), curves.mean(1), atol=1e-4)


def test_folds_leave_every_stride_out_once_and_small_laboratories_whole() -> None:
    strides = made_up({"large": 5, "small": 2})
    every = list(folds(strides))
    assert (np.sum([fold.held for fold in every], axis=0) == 1).all()
    assert sum(fold.name == "small" for fold in every) == 1
    assert len(every) == 6
    assert len(list(folds(strides, people_at_once=3))) == 3


def test_a_person_with_many_strides_is_drawn_no_more_often_than_one_with_few() -> None:
    strides = made_up({"one": 1, "four": 4})
    chance = chances(strides)
    assert chance.sum() == pytest.approx(1.0)
    of_lab = {lab: chance[strides.lab == lab].sum() for lab in strides.labs}
    assert of_lab["four"] == pytest.approx(2 * of_lab["one"])


def test_the_whole_personal_zero_takes_a_constant_error_out() -> None:
    strides = made_up({"lab": 3})
    common = torch.zeros(10)
    wrong = dataclasses.replace(strides, angles_deg=strides.angles_deg + np.float32(7.0))
    shown, shown_wrong = (zeroed(s, common, 1.0) for s in (strides, wrong))
    np.testing.assert_allclose(shown.angles_deg, shown_wrong.angles_deg, atol=1e-4)


def test_a_mixture_of_a_stride_with_itself_is_the_stride() -> None:
    one = batch(made_up({"lab": 3}))
    mixed = mix(one, one, Augmentation(mixed=1.0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixed.loads, one.loads)
    torch.testing.assert_close(mixed.stride_s, one.stride_s)


def test_disturbed_strides_keep_their_loads_and_move_by_what_was_asked() -> None:
    one = batch(made_up({"lab": 50}))
    how = Augmentation(offset_deg=5.0, gain=0.0, noise_deg=0.0, person_share=0.0)
    moved = disturb(one, torch.zeros(10), how, torch.Generator().manual_seed(0))
    shift = moved.angles_deg - one.angles_deg
    assert float(shift.std(1).max()) < 1e-4
    assert float(shift.mean(1).std()) == pytest.approx(5.0, rel=0.1)
    torch.testing.assert_close(moved.loads, one.loads)
