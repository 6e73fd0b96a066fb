"""The synthetic walker: faithful to the published curves, exact about its own events."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR
from edgehip.events import FootOff, InitialContact
from edgehip.normal_gait import (
    FOOT_OFF_PERCENT,
    FREE_CADENCE_SPM,
    JOINTS,
    KEY_POINTS,
    excursion_at,
    normal_angles_deg,
)
from edgehip.walker import Walker, WalkerParameters, WalkerSample


def walk(seconds: float, parameters: WalkerParameters) -> list[WalkerSample]:
    return list(itertools.islice(Walker(parameters), round(seconds * parameters.rate_hz)))


def angles_of(samples: list[WalkerSample]) -> NDArray[np.float64]:
    return np.array([sample.angles_deg for sample in samples])


def times(samples: list[WalkerSample], kind: type, side: str) -> list[float]:
    return [
        event.time_s
        for sample in samples
        for event in sample.events
        if isinstance(event, kind) and event.side == side
    ]


@pytest.mark.parametrize("joint", JOINTS)
def test_curves_pass_through_the_published_points(joint: str) -> None:
    percent, angle_deg = np.array(KEY_POINTS[joint]).T
    curve = normal_angles_deg(percent)[:, JOINTS.index(joint)]
    np.testing.assert_allclose(curve, angle_deg, atol=0.2)


@pytest.mark.parametrize(
    ("joint", "extreme", "angle_deg", "at_percent"),
    [
        ("hip_flexion", "min", -20, 50),
        ("hip_flexion", "max", 25, 87),
        ("hip_adduction", "max", 6, 18),
        ("hip_adduction", "min", -7, 67),
        ("knee_angle", "max", 60, 72),
        ("ankle_angle", "max", 10, 45),
        ("ankle_angle", "min", -15, 63),
    ],
)
def test_extremes_are_where_the_literature_has_them(
    joint: str, extreme: str, angle_deg: float, at_percent: float
) -> None:
    percent = np.arange(0.0, 100.0, 0.1)
    curve = normal_angles_deg(percent)[:, JOINTS.index(joint)]
    at = curve.argmax() if extreme == "max" else curve.argmin()
    assert curve[at] == pytest.approx(angle_deg, abs=1.0)
    assert percent[at] == pytest.approx(at_percent, abs=2.5)


def test_curves_repeat_and_have_no_kink_at_contact() -> None:
    percent = np.array([0.0, 33.3, 99.9])
    np.testing.assert_allclose(normal_angles_deg(percent), normal_angles_deg(percent + 300.0))
    around = normal_angles_deg(np.arange(-3.0, 4.0))
    assert np.abs(np.diff(around, n=3, axis=0)).max() < 1.0


def test_the_foot_reaches_furthest_forward_just_before_contact() -> None:
    percent = np.arange(0.0, 100.0, 0.5)
    hip, _, _, knee, _ = np.radians(normal_angles_deg(percent)).T
    reach = np.sin(hip) + np.sin(hip - knee)
    assert 93.0 < percent[reach.argmax()] < 100.0


def test_excursions_grow_with_cadence() -> None:
    np.testing.assert_allclose(excursion_at(FREE_CADENCE_SPM), 1.0)
    slow, fast = excursion_at(90.0), excursion_at(130.0)
    growing = [JOINTS.index(joint) for joint in JOINTS if joint != "hip_rotation"]
    assert np.all(fast[growing] > slow[growing])
    assert fast[0] / slow[0] == pytest.approx(130 / 90)


@pytest.mark.parametrize("cadence_spm", [60.0, 110.0, 150.0])
def test_cadence_and_stance_are_as_asked(cadence_spm: float) -> None:
    samples = walk(30.0, WalkerParameters(cadence_spm=cadence_spm))
    for side in "lr":
        contacts = times(samples, InitialContact, side)
        offs = times(samples, FootOff, side)
        np.testing.assert_allclose(np.diff(contacts), 120.0 / cadence_spm)
        stance_s = [min(o for o in offs if o > c) - c for c in contacts[:-1]]
        np.testing.assert_allclose(
            stance_s, FOOT_OFF_PERCENT / 100.0 * 120.0 / cadence_spm, rtol=1e-6
        )
    right, left = times(samples, InitialContact, "r"), times(samples, InitialContact, "l")
    np.testing.assert_allclose(
        np.subtract(left[: len(right) - 1], right[:-1]), 60.0 / cadence_spm, rtol=1e-6
    )


def test_the_angles_at_contact_are_those_of_contact() -> None:
    """The events belong to the curves: at each contact the leg is at 0 % of its cycle."""
    parameters = WalkerParameters(cadence_spm=FREE_CADENCE_SPM, rate_hz=200.0)
    samples = walk(20.0, parameters)
    angles = angles_of(samples)
    t = [sample.time_s for sample in samples]
    for side in "lr":
        knee = angles[:, ANGLES.index(f"knee_angle_{side}")]
        hip = angles[:, ANGLES.index(f"hip_flexion_{side}")]
        for contact_s in times(samples, InitialContact, side)[1:]:
            assert np.interp(contact_s, t, knee) == pytest.approx(5.0, abs=0.3)
            assert np.interp(contact_s, t, hip) == pytest.approx(20.0, abs=0.3)


def test_the_left_leg_does_the_same_half_a_cycle_later() -> None:
    parameters = WalkerParameters(cadence_spm=120.0)  # half a cycle is 50 samples
    steady = angles_of(walk(20.0, parameters))[500:]
    np.testing.assert_allclose(steady[:-50], steady[50:][:, list(MIRROR)], atol=1e-9)


def test_asymmetry_shows_in_step_time_and_excursion() -> None:
    samples = walk(20.0, WalkerParameters(asymmetry_percent=10.0))
    right, left = times(samples, InitialContact, "r"), times(samples, InitialContact, "l")
    left_step_s, right_step_s = left[1] - right[1], right[2] - left[1]
    mean_s = (left_step_s + right_step_s) / 2
    assert 100 * (right_step_s - left_step_s) / mean_s == pytest.approx(10.0)
    range_deg = np.ptp(angles_of(samples), axis=0)
    r, left_deg = range_deg[ANGLES.index("knee_angle_r")], range_deg[ANGLES.index("knee_angle_l")]
    assert 100 * (r - left_deg) / ((r + left_deg) / 2) == pytest.approx(10.0, abs=0.5)


def test_strides_vary_as_much_as_asked() -> None:
    samples = walk(600.0, WalkerParameters(stride_variability_percent=3.0))
    strides_s = np.diff(times(samples, InitialContact, "r"))
    assert 100 * strides_s.std() / strides_s.mean() == pytest.approx(3.0, rel=0.2)


def test_walking_begins_and_ends_smoothly() -> None:
    parameters = WalkerParameters(walk_s=6.0, pause_s=3.0, stand_s=2.0)
    samples = walk(60.0, parameters)
    angles = angles_of(samples)
    assert np.all(angles[:200] == 0.0)
    # 200 degrees/s at 10 ms would be 2; a swinging knee reaches about 400.
    assert np.abs(np.diff(angles, axis=0)).max() < 6.0
    standing = np.all(angles == 0.0, axis=1)
    starts = np.flatnonzero(standing[:-1] & ~standing[1:]) / parameters.rate_hz
    assert len(starts) >= 5
    assert np.all(np.diff(starts) > 9.0)
    contacts = np.array(sorted(times(samples, InitialContact, "r")))
    still = np.array([sample.time_s for sample in samples])[standing]
    assert np.abs(contacts[:, None] - still).min() > 0.2


def test_noise_and_drift_are_as_asked_and_leave_the_strides_alone() -> None:
    clean = WalkerParameters(stride_variability_percent=2.0, seed=7)
    noisy = WalkerParameters(
        stride_variability_percent=2.0, seed=7, noise_deg=0.5, drift_deg_per_min=3.0
    )
    quiet_samples, noisy_samples = walk(120.0, clean), walk(120.0, noisy)
    assert [s.events for s in quiet_samples] == [s.events for s in noisy_samples]
    difference = angles_of(noisy_samples) - angles_of(quiet_samples)
    t = np.arange(len(difference)) / 100.0
    for channel in difference.T:
        slope, _ = np.polyfit(t, channel, 1)
        assert abs(slope * 60.0) == pytest.approx(3.0, abs=0.1)
        assert np.std(channel - slope * t) == pytest.approx(0.5, abs=0.02)


def test_the_same_seed_gives_the_same_walk_and_another_a_different_one() -> None:
    def first(seed: int) -> list[WalkerSample]:
        return walk(
            10.0, WalkerParameters(seed=seed, noise_deg=0.2, stride_variability_percent=2.0)
        )

    assert first(1) == first(1)
    assert first(1) != first(2)


@settings(max_examples=25, deadline=None)
@given(
    rate_hz=st.sampled_from([20.0, 60.0, 100.0, 148.15, 400.0]),
    cadence_spm=st.floats(40, 180),
    asymmetry_percent=st.floats(-50, 50),
    variability=st.floats(0, 10),
    stand_s=st.floats(0, 3),
    walk_s=st.one_of(st.just(math.inf), st.floats(2, 8)),
    pause_s=st.floats(0, 3),
    seed=st.integers(0, 2**32),
)
def test_any_walk_has_plausible_angles_and_alternating_events(
    rate_hz: float,
    cadence_spm: float,
    asymmetry_percent: float,
    variability: float,
    stand_s: float,
    walk_s: float,
    pause_s: float,
    seed: int,
) -> None:
    parameters = WalkerParameters(
        rate_hz=rate_hz,
        cadence_spm=cadence_spm,
        asymmetry_percent=asymmetry_percent,
        stride_variability_percent=variability,
        stand_s=stand_s,
        walk_s=walk_s,
        pause_s=pause_s,
        seed=seed,
    )
    samples = walk(12.0, parameters)
    assert [sample.time_s for sample in samples] == [i / rate_hz for i in range(len(samples))]
    assert np.abs(angles_of(samples)).max() < 120.0
    previous_s = -1.0
    last: dict[str, type] = {}
    for sample, events in ((s, s.events) for s in samples):
        for event in events:
            assert previous_s < event.time_s <= sample.time_s
            assert event.time_s > sample.time_s - 1.0 / rate_hz - 1e-9
            if pause_s > 0 and walk_s == math.inf:
                assert last.get(event.side) is not type(event)
            last[event.side] = type(event)
            previous_s = event.time_s
