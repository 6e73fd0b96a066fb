"""A data set of the published shape is read; anything else is refused in one telling line."""

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.npz_bombs import HOSTILE
from edgehip.channels import ANGLES
from edgehip.errors import DatasetError
from edgehip_export import npz
from edgehip_export.dataset import COLUMNS, read_cohort
from edgehip_export.npz import read_npz, texts
from edgehip_export.split import folds, hold_out
from edgehip_export.trained import Target
from tests.export_cohort import SIXTY, cohort_arrays, write_cohort

PUBLISHED_TEST = [f"H{number:02d}" for number in (29, 56, 19, 25, 8, 18, 28, 51, 60, 40, 45, 6)]
PUBLISHED_FOLDS = [(450, 119, 10), (451, 118, 10), (453, 116, 10), (461, 108, 9), (461, 108, 9)]
"""Training strides, validation strides and validation people of each published fold."""


def test_targets_are_divided_by_body_mass(tmp_path: Path) -> None:
    arrays = cohort_arrays(target="forces")
    cohort = read_cohort(write_cohort(tmp_path / "a.npz", target="forces"))
    assert cohort.target == "forces"
    np.testing.assert_array_equal(cohort.angles_deg, arrays["X"])
    np.testing.assert_allclose(cohort.per_kg[5], arrays["Y"][5] / arrays["weight_kg"][5], rtol=1e-6)
    assert cohort.people() == SIXTY[:8]


def test_columns_in_another_order_are_put_right_by_name(tmp_path: Path) -> None:
    arrays = cohort_arrays()
    order = np.random.default_rng(3).permutation(10)
    shuffled = write_cohort(
        tmp_path / "shuffled.npz",
        X=np.concatenate([arrays["X"][:, :, order], np.zeros((24, 180, 1), np.float32)], axis=2),
        in_cols=np.array([*(ANGLES[i] for i in order), "pelvis_tilt"]),
        Y=arrays["Y"][:, :, ::-1],
        out_cols=np.array(COLUMNS["moments"][::-1]),
    )
    plain = read_cohort(write_cohort(tmp_path / "plain.npz"))
    cohort = read_cohort(shuffled)
    np.testing.assert_array_equal(cohort.angles_deg, plain.angles_deg)
    np.testing.assert_array_equal(cohort.per_kg, plain.per_kg)


def test_texts_are_read_however_they_were_stored(tmp_path: Path) -> None:
    arrays = cohort_arrays()
    for kind in (object, "S"):
        path = write_cohort(
            tmp_path / "texts.npz",
            **{
                key: arrays[key].astype(kind)
                for key in ("subject_id", "speed_label", "in_cols", "out_cols")
            },
        )
        cohort = read_cohort(path)
        assert cohort.people() == SIXTY[:8]
        assert set(cohort.cadences) == {"slow", "med", "fast"}


def test_a_stray_stride_does_not_cost_the_others(tmp_path: Path) -> None:
    """Static optimisation fails now and then, in the released data as well perhaps."""
    targets = cohort_arrays()["Y"]
    targets[4] *= 100
    assert len(read_cohort(write_cohort(tmp_path / "stray.npz", Y=targets))) == 24


def test_what_is_not_the_release_is_not_taken_for_it(tmp_path: Path) -> None:
    many = read_cohort(write_cohort(tmp_path / "many.npz", people=SIXTY, strides_each=12))
    some = many.of(np.delete(np.arange(720), np.arange(0, 84, 12)))
    assert some.is_release()
    assert not many.is_release()
    assert not replace(some, subjects=np.char.replace(some.subjects, "H05", "P5")).is_release()


def test_padded_texts_are_one_person_and_the_right_column(tmp_path: Path) -> None:
    """As columns of characters come out of Matlab."""
    names = np.array([f"{name:<16}" for name in ANGLES])
    who = cohort_arrays()["subject_id"].astype("<U6")
    who[::2] = np.char.add(who[::2], "  ")
    cohort = read_cohort(write_cohort(tmp_path / "padded.npz", in_cols=names, subject_id=who))
    assert cohort.people() == SIXTY[:8]


def test_a_stride_takes_as_long_as_is_told_or_as_the_metronome_says(tmp_path: Path) -> None:
    cohort = read_cohort(write_cohort(tmp_path / "metronome.npz"))
    assert cohort.stride_s is not None
    for label, steps_per_minute in (("slow", 78), ("med", 115), ("fast", 135)):
        stride_s = cohort.stride_s[cohort.cadences == label]
        np.testing.assert_allclose(stride_s, 2 * 60 / steps_per_minute, rtol=1e-6)
    told = np.linspace(0.9, 1.4, 24, dtype=np.float32)
    cohort = read_cohort(write_cohort(tmp_path / "told.npz", stride_s=told))
    np.testing.assert_array_equal(cohort.stride_s, told)
    own = write_cohort(tmp_path / "own.npz", speed_label=np.array(["slow", "brisk"] * 12))
    assert read_cohort(own).stride_s is None


def test_chosen_strides_keep_what_belongs_to_them(tmp_path: Path) -> None:
    columns = {
        "weight_kg": np.linspace(50, 90, 24, dtype=np.float32),
        "height_m": np.linspace(1.5, 1.9, 24, dtype=np.float32),
        "stride_s": np.linspace(0.9, 1.4, 24, dtype=np.float32),
    }
    whole = read_cohort(write_cohort(tmp_path / "a.npz", **columns))
    some = whole.of_people(["H02", "H07"])
    chosen = np.isin(whole.subjects, ["H02", "H07"])
    assert len(some) == 6
    for name in (
        *("angles_deg", "per_kg", "subjects", "cadences"),
        *("body_mass_kg", "body_height_m", "stride_s"),
    ):
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[chosen])


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


def test_pickle_bomb_does_not_go_off(tmp_path: Path) -> None:
    crater = tmp_path / "crater"
    path = write_cohort(
        tmp_path / "bomb.npz", subject_id=np.array([Bomb(crater)] * 24, dtype=object)
    )
    with pytest.raises(DatasetError, match=r"it would run posix\.mkdir"):
        read_cohort(path)
    assert not crater.exists()


@pytest.mark.parametrize("what", HOSTILE)
def test_what_would_fill_a_memory_is_refused_before_it_does(tmp_path: Path, what: str) -> None:
    path = tmp_path / "bomb.npz"
    HOSTILE[what](path)
    assert path.stat().st_size < 1_200_000
    tracemalloc.start()
    try:
        with pytest.raises(
            DatasetError, match=r"plain arrays|holds a text of|would unpack|GiB"
        ) as caught:
            texts(read_npz(path)["X"])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert most < 32e6


def test_a_large_cohort_is_read_and_what_is_not_used_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "ANYWAY_BYTES", 1 << 10)
    path = write_cohort(
        tmp_path / "double.npz",
        X=cohort_arrays()["X"].astype(np.float64),
        raw=np.zeros(1 << 18),
        notes=np.array([Bomb(tmp_path / "crater")], dtype=object),
    )
    assert len(read_cohort(path)) == 24
    assert not (tmp_path / "crater").exists()
    monkeypatch.setattr(npz, "MOST_BYTES", 1 << 18)
    with pytest.raises(DatasetError, match=r"arrays take .* GiB, .*float32, or give a part") as it:
        read_cohort(path)
    assert "is not a" not in str(it.value)


def bad_nan() -> Any:
    x = cohort_arrays()["X"]
    x[4, 100, 6] = np.nan
    return x


def one_of(key: str, target: Target = "moments", times: float = 1.0) -> Any:
    """Return a cohort's array with one person's in another unit or sign."""
    arrays = cohort_arrays(target=target)
    own = arrays["subject_id"] == "H03"
    arrays[key][own] *= times
    return arrays[key]


def bent_the_other_way(name: str) -> Any:
    x = cohort_arrays()["X"] + np.float32(20)
    x[:, :, ANGLES.index(name)] *= -1
    return x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": None, "weight_kg": None}, r"lacks X, weight_kg; .*zenodo"),
        ({"X": bad_nan()}, r"1 of 24 strides, first in stride 4 \(subject H02\).*knee_angle_r"),
        ({"X": np.radians(cohort_arrays()["X"])}, r"looks like radians.*multiply it by 180 / pi"),
        ({"X": one_of("X", times=np.pi / 180)}, r"1 of 8 people, first H03: X looks like radians"),
        (
            {"X": bent_the_other_way("knee_angle_l")},
            r"knee_angle_l goes down to -[0-9.]+ in . of 8 people.* positive: multiply it by -1",
        ),
        ({"X": bent_the_other_way("knee_angle_r")}, "knee_angle_r goes down to"),
        ({"X": cohort_arrays()["X"][:, :101]}, r"X is of shape \(24, 101, 10\)"),
        ({"X": cohort_arrays()["X"][:, :, :9]}, "X has 9 columns, in_cols names 10"),
        ({"X": cohort_arrays()["X"][:20]}, "X has 20 strides, Y has 24"),
        ({"X": np.array("nothing")}, r"X is of shape \(\)"),
        ({"X": np.full((24, 180, 10), "a")}, "something other than numbers"),
        ({"in_cols": np.array([*ANGLES[:9], "toe"])}, "in_cols lacks ankle_angle_l"),
        ({"in_cols": np.array([*ANGLES[:9], ANGLES[0]])}, "in_cols lacks ankle_angle_l"),
        ({"out_cols": np.array(["a", "b", "c"])}, "out_cols names a, b, c; it must name"),
        ({"out_cols": np.array([*COLUMNS["moments"][:2], "c"])}, "lacks hip_rotation_r_moment"),
        ({"weight_kg": np.full(24, 700.0)}, "body mass in kg lies between"),
        ({"weight_kg": np.full(24, np.nan)}, "body mass in kg lies between"),
        ({"height_m": np.full(24, np.nan)}, r"height_m .* 24 of 24 strides, first nan in stride 0"),
        ({"height_m": np.full(24, 170.0)}, r"body height in metres .*between 0\.5 and 2\.6"),
        ({"stride_s": np.full(24, 1100.0)}, r"first 1100 .*in seconds \(milliseconds / 1000"),
        ({"stride_s": np.r_[np.ones(9), np.nan, np.ones(14)]}, r"nan in stride 9 \(subject H04\)"),
        ({"stride_s": np.zeros(24)}, r"lies between 0\.3 and 5"),
        ({"stride_s": -np.ones(24)}, r"lies between 0\.3 and 5"),
        ({"X": cohort_arrays()["X"] * 1e30}, r"reaches .* a joint's angle lies within 360 degrees"),
        ({"X": cohort_arrays()["X"] * np.float64(1e300)}, "NaN or infinite"),
        ({"X": cohort_arrays()["X"] * 1j}, "X holds complex64 values, it must hold real numbers"),
        ({"Y": cohort_arrays()["Y"] * 1000}, r"peak, in Nm/kg, at .*in Nm \(Nmm / 1000\)"),
        (
            {"target": "forces", "Y": cohort_arrays(target="forces")["Y"] * 100},
            "more than the 200 of any walking hip: Y must be in N$",
        ),
        ({"Y": one_of("Y", times=1000)}, r"in 1 of 8 people, first H03: .*Y must be in Nm \(Nmm"),
        ({"Y": one_of("Y", times=1 / 60)}, "in 1 of 8 people, first H03: .*already divided"),
        (
            {"target": "forces", "Y": one_of("Y", "forces", 1 / 60)},
            "the forces peak, in N/kg, .*in 1 of 8 people, first H03: .*already divided",
        ),
        (
            {"subject_id": np.array(["A"] * 20 + [np.nan, "B", "", "C"], dtype=object)},
            "does not say who walked in 2 of 24 strides, first in stride 20",
        ),
        ({"subject_id": np.array([None] * 24)}, r"in subject_id\.npy a column holds something"),
        ({"Y": cohort_arrays()["Y"] / 70}, "already divided by body mass.*multiply it by"),
        ({"speed_label": np.array("slow")}, r"speed_label is of shape \(\)"),
        ({"stride_s": np.ones(5)}, r"stride_s is of shape \(5,\), it must be \(24,\)"),
        ({"height_m": np.ones((24, 1))}, r"height_m is of shape \(24, 1\), it must be \(24,\)"),
        (
            {"X": np.zeros((24, 180, 11)), "in_cols": np.array([*ANGLES, ANGLES[0]])},
            "in_cols names hip_flexion_r more than once",
        ),
    ],
)
def test_other_contents_are_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write_cohort(tmp_path / "odd.npz", **changes)
    with pytest.raises(DatasetError, match=message) as caught:
        read_cohort(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text, cut = tmp_path / "text.npz", tmp_path / "cut.npz"
    text.write_text("X,Y\n")
    cut.write_bytes(write_cohort(tmp_path / "whole.npz").read_bytes()[:3000])
    with pytest.raises(DatasetError, match=r"no such file.*zenodo"):
        read_cohort(tmp_path / "absent.npz")
    for path in (text, cut):
        with pytest.raises(DatasetError, match=r"is not a NumPy \.npz file"):
            read_cohort(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_npz(tmp_path)


def test_sixty_ids_hold_out_the_published_twelve() -> None:
    everyone = [person for person in SIXTY[::-1] for _ in range(3)]
    assert list(hold_out(everyone)) == PUBLISHED_TEST


def test_a_fifth_of_any_cohort_is_held_out_and_somebody_always() -> None:
    assert [len(hold_out(SIXTY[:people])) for people in (2, 7, 8, 12, 13)] == [1, 1, 2, 2, 3]


def test_folds_are_the_published_ones() -> None:
    """The released data set has 12 strides a person, but for three people."""
    fewer = {"H17": 11, "H47": 10, "H52": 8}
    pool = np.array([p for p in SIXTY if p not in PUBLISHED_TEST for _ in range(fewer.get(p, 12))])
    found: list[tuple[int, int, int]] = []
    seen: list[int] = []
    for training, validation in folds(pool):
        assert not set(pool[training]) & set(pool[validation])
        found.append((len(training), len(validation), len(set(pool[validation]))))
        seen.extend(validation.tolist())
    assert found == PUBLISHED_FOLDS
    assert sorted(seen) == list(range(len(pool)))


def test_ties_fall_to_later_people_and_earlier_folds() -> None:
    """As in scikit-learn's GroupKFold, which the published folds were made with."""
    strides = np.array(list("aabbccddeef"))
    held = [set(strides[validation]) for _, validation in folds(strides, 2)]
    assert held == [{"e", "c", "a"}, {"d", "b", "f"}]


def test_too_few_people_cannot_be_folded() -> None:
    with pytest.raises(ValueError, match="3 people"):
        next(folds(["a", "b", "c", "a"]))
