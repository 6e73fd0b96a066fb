"""A cohort of other signs, units or cuts is refused or doubted, and no real walker is."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from edgehip.channels import ANGLES
from edgehip.errors import DatasetError
from edgehip_export.commands.evaluate import evaluate
from edgehip_export.commands.export import export
from edgehip_export.commands.train import train
from edgehip_export.dataset import read_cohort
from edgehip_export.plausibility import doubts_of
from edgehip_export.trained import Target
from tests.export_cohort import SIXTY, cohort_arrays, write_cohort
from tests.shared_data import SHARED, needs_shared_data
from tests.test_export_checkpoint import synthetic

Array = NDArray[Any]
Change = Callable[[Array, Array, Array], None]
"""Changes angles, targets per kg and body masses in place."""

SIDES_SWAPPED = [3, 4, 5, 0, 1, 2, 8, 9, 6, 7]


def other_sign(x: Array, *columns: int) -> None:
    x[:, :, list(columns)] *= -1


def other_leg(x: Array) -> None:
    x[:] = x[:, :, SIDES_SWAPPED]


def knees_swapped(x: Array) -> None:
    x[:, :, [6, 8]] = x[:, :, [8, 6]]


def other_contact(x: Array) -> None:
    x[:] = np.concatenate([x[:, 90:-1], x[:, :91]], axis=1)


def both_from_the_other_contact(x: Array, y: Array, _: Array) -> None:
    other_contact(x)
    other_contact(y)


HIP_R, HIP_L = ANGLES.index("hip_flexion_r"), ANGLES.index("hip_flexion_l")

WRONG: list[tuple[Target | None, Change, str]] = [
    (None, lambda x, y, m: other_sign(x, HIP_R, HIP_L), "hip_flexion_r is least .*by -1"),
    (None, lambda x, y, m: other_sign(x, HIP_R), "hip_flexion_r is least where .*by -1"),
    (None, lambda x, y, m: other_sign(x, HIP_L), "hip_flexion_l is least where .*by -1"),
    (None, lambda x, y, m: knees_swapped(x), "the knees bend half a cycle off from the hips"),
    (None, lambda x, y, m: other_leg(x), "half a cycle off .*begin at right initial contact"),
    (None, both_from_the_other_contact, "half a cycle off .*begin at right initial contact"),
    ("moments", lambda x, y, m: other_sign(y, 0), "flexion_r_moment extends where .*by -1"),
    (
        "moments",
        lambda x, y, m: other_sign(y, 0, 1, 2),
        "flexion_r_moment extends where .*external",
    ),
    ("moments", lambda x, y, m: other_contact(y), "flexion_r_moment extends where"),
    ("forces", lambda x, y, m: other_contact(y), "glmed_r works in swing .*of the right leg"),
    ("forces", lambda x, y, m: other_sign(y, *range(14)), "muscles pull: .*by -1"),
]


def recorded() -> Iterator[tuple[str, Target, Array, Array, Array]]:
    """Yield real people, one by one: who, the target, angles, targets per kg, masses."""
    for folder in ("walking", "other_labs", "children"):
        with np.load(SHARED / "data" / folder / "strides_180.npz") as saved:
            x, who, mass = saved["X"], saved["subject"].astype(str), saved["mass"]
            moments = saved["Y_moment"] if "Y_moment" in saved else -saved["Y_moment_pig"]
            tables: dict[Target, Array] = {"moments": moments}
            if "Y_force" in saved:
                tables["forces"] = saved["Y_force"]
        for target, y in tables.items():
            whole = np.isfinite(x).all((1, 2)) & np.isfinite(y).all((1, 2))
            for person in np.unique(who[whole]):
                own = whole & (who == person)
                yield f"{folder}/{person}", target, x[own], y[own], mass[own].astype(np.float32)


def judged(target: Target, x: Array, y: Array, mass: Array) -> tuple[str, ...]:
    height = np.where(mass > 40.0, 1.65, 1.35).astype(np.float32)  # most are not known
    return doubts_of(x, y, target, mass, height, np.full(len(x), "P"))


@needs_shared_data
def test_nobody_who_was_recorded_is_refused_or_doubted() -> None:
    people = set()
    for name, target, x, y, mass in recorded():
        assert judged(target, x, y, mass) == (), (name, target)
        people.add(name)
    assert len(people) > 30


@needs_shared_data
@pytest.mark.parametrize(("of", "change", "message"), WRONG)
def test_every_real_person_of_other_signs_or_cut_is_refused(
    of: Target | None, change: Change, message: str
) -> None:
    for _, target, x, y, mass in recorded():
        if of in (None, target):
            change(x, y, mass)
            with pytest.raises(DatasetError, match=message):
                judged(target, x, y, mass)


@needs_shared_data
def test_stiff_knees_are_walked_with() -> None:
    """Half of these walk with one knee held stiff; the sensors' ankles are not always right."""
    strides = 0
    for path in sorted((SHARED / "data" / "imu_walking").glob("*.npz")):
        with np.load(path) as saved:
            time, angles, contacts = saved["t"], saved["angles_deg"], saved["HS_r"]
        for start, end in itertools.pairwise(contacts):
            at = np.linspace(start, end, 180)
            x = np.stack([np.interp(at, time, angle) for angle in angles.T], axis=1)[None]
            made = cohort_arrays(people=["P"], strides_each=1)
            y, mass = made["Y"] / made["weight_kg"][0], made["weight_kg"]
            if end - start < 2.5:  # no turn, no stop
                assert judged("moments", x.astype(np.float32), y, mass) == ()
                strides += 1
    assert strides > 500


@pytest.mark.parametrize(("of", "change", "message"), WRONG)
def test_a_single_persons_other_signs_are_refused(
    tmp_path: Path, of: Target | None, change: Change, message: str
) -> None:
    target: Target = of or "moments"
    arrays = cohort_arrays(target=target)
    one = arrays["subject_id"] == "H03"
    change(x := arrays["X"][one], y := arrays["Y"][one], arrays["weight_kg"][one])
    arrays["X"][one], arrays["Y"][one] = x, y
    path = write_cohort(tmp_path / "c.npz", target=target, **arrays)
    with pytest.raises(DatasetError, match=message) as caught:
        read_cohort(path)
    assert "in 1 of 8 people, first H03: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_few_strides_of_the_other_leg_are_told_with_their_place(tmp_path: Path) -> None:
    arrays = cohort_arrays(strides_each=5)
    arrays["X"][7:9] = arrays["X"][7:9][:, :, SIDES_SWAPPED]
    (doubt,) = read_cohort(write_cohort(tmp_path / "c.npz", **arrays)).doubts
    assert "half a cycle off in 2 of 40 strides, first in stride 7 (subject H02): " in doubt


def scale(values: Array, by: float) -> None:
    values *= np.float32(by)


DOUBTFUL: list[tuple[Target, Change, str]] = [
    ("moments", lambda x, y, m: scale(m, 2.205), "in pounds, multiply it by 0.4536"),
    ("forces", lambda x, y, m: scale(m, 1 / 6.35), "so thin: is weight_kg in kg, and of this"),
    ("moments", lambda x, y, m: scale(y, 0.4), r"peak, in Nm/kg, at 0\.2.* by 0\.0981 x weight_kg"),
    ("moments", lambda x, y, m: scale(y, 9.0), r"peak, in Nm/kg, at 5.* between 0\.3 and 4, is Y"),
    ("moments", lambda x, y, m: other_sign(y, 1), "adducts in stance, .* of a left leg as well"),
    ("forces", lambda x, y, m: scale(y, 0.2), r"peak, in N/kg, at .*weight by 0\.0981 x weight_kg"),
]


def test_a_person_of_two_ids_is_told(tmp_path: Path) -> None:
    arrays = cohort_arrays()
    arrays["X"][12:15] = arrays["X"][3:6]
    (doubt,) = read_cohort(write_cohort(tmp_path / "c.npz", **arrays)).doubts
    assert "else's, too, in 3 of 24 strides, first in stride 12 (subject H05): " in doubt
    arrays["X"][12:15] = arrays["X"][9:12]
    arrays["subject_id"][12:15] = "H04"
    assert read_cohort(write_cohort(tmp_path / "c.npz", **arrays)).doubts == ()


@pytest.mark.parametrize(("target", "change", "message"), DOUBTFUL)
def test_what_may_be_of_another_unit_or_sign_is_told(
    tmp_path: Path, target: Target, change: Change, message: str
) -> None:
    arrays = cohort_arrays(target=target)
    assert read_cohort(write_cohort(tmp_path / "c.npz", target=target, **arrays)).doubts == ()
    change(arrays["X"], arrays["Y"], arrays["weight_kg"])
    doubts = read_cohort(write_cohort(tmp_path / "c.npz", target=target, **arrays)).doubts
    assert any(re.search(message, doubt) for doubt in doubts), doubts
    assert not any("\n" in doubt for doubt in doubts)


def test_every_command_shows_doubts(tmp_path: Path) -> None:
    arrays = cohort_arrays(people=SIXTY[:10])
    other_sign(arrays["Y"], 1)
    cohort, model = write_cohort(tmp_path / "c.npz", **arrays), synthetic(tmp_path / "jm.pt")
    out = ("-o", str(tmp_path / "out"))
    to_onnx = (str(model), "--to", "onnx", "--any-error", "--strides", str(cohort))
    commands: list[tuple[click.Command, tuple[str, ...]]] = [
        (train, ("lstm", str(cohort), "--most-epochs", "1")),
        (evaluate, (str(model), str(cohort))),
        (export, to_onnx),
    ]
    for command, words in commands:
        result = CliRunner().invoke(command, [*words, *out])
        assert result.exit_code == 0, result.output
        assert "hip_adduction_r_moment adducts in stance" in result.output
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())["notes"]
    assert any("hip_adduction_r_moment adducts in stance" in note for note in told)
