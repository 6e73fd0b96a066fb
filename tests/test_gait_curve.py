"""Smooth derivatives of samples that come at any times."""

import numpy as np
import pytest

from edgehip.gait_curve import SMOOTHER_STAGES, SOONER_STAGES, Curve, Gains

TAU_S = 0.017


def follow(times_s: np.ndarray, values: np.ndarray) -> Curve:
    """Return the curve after all samples."""
    curve = Curve.resting(float(values[0]))
    for interval_s, value in zip(np.diff(times_s), values[1:], strict=True):
        curve.feed(float(value), Gains.over(float(interval_s), TAU_S))
    return curve


def times(rate_hz: float, uneven: bool) -> np.ndarray:
    steps = np.random.default_rng(3).uniform(0.2, 1.8, round(2.0 * rate_hz))
    return np.cumsum(steps if uneven else np.ones_like(steps)) / rate_hz


@pytest.mark.parametrize("rate_hz", [50.0, 148.0, 500.0])
@pytest.mark.parametrize("uneven", [False, True])
def test_a_straight_line_comes_out_late_by_one_time_constant_a_stage(
    rate_hz: float, uneven: bool
) -> None:
    time_s = times(rate_hz, uneven)
    curve = follow(time_s, 30.0 * time_s)
    now_s = float(time_s[-1])
    assert curve.third == pytest.approx(30.0 * (now_s - SOONER_STAGES * TAU_S))
    assert curve.fourth == pytest.approx(30.0 * (now_s - SMOOTHER_STAGES * TAU_S))
    assert curve.speed(TAU_S) == pytest.approx(30.0)
    assert curve.smoother_speed(TAU_S) == pytest.approx(30.0)
    assert curve.acceleration(TAU_S) == pytest.approx(0.0, abs=1e-6)
    assert curve.smoother_acceleration(TAU_S) == pytest.approx(0.0, abs=1e-6)


def test_the_derivatives_of_a_parabola_have_the_stages_delays() -> None:
    time_s = times(500.0, uneven=True)
    curve = follow(time_s, 50.0 * time_s**2)
    now_s = float(time_s[-1])
    assert curve.speed(TAU_S) == pytest.approx(100.0 * (now_s - SOONER_STAGES * TAU_S), abs=0.05)
    assert curve.smoother_speed(TAU_S) == pytest.approx(
        100.0 * (now_s - SMOOTHER_STAGES * TAU_S), abs=0.05
    )
    assert curve.acceleration(TAU_S) == pytest.approx(100.0, rel=0.02)
    assert curve.smoother_acceleration(TAU_S) == pytest.approx(100.0, rel=0.02)


def test_the_smoother_derivatives_have_less_noise() -> None:
    time_s = np.arange(0.0, 20.0, 0.01)
    noise = np.random.default_rng(0).normal(0.0, 1.0, len(time_s))
    curve, gains = Curve.resting(0.0), Gains.over(0.01, TAU_S)
    sooner, smoother = [], []
    for value in noise.tolist():
        curve.feed(value, gains)
        sooner.append(curve.acceleration(TAU_S))
        smoother.append(curve.smoother_acceleration(TAU_S))
    assert np.std(smoother) < 0.7 * np.std(sooner)
