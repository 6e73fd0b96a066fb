"""The device's clock on the host's: offset, drift and how sure, under delays that only ever add."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehip.device_clock import DeviceClock, Reading
from edgehip.timebase import Timebase


def learn(
    drift_ppm: float,
    duration_s: float,
    rate_hz: float,
    delays_ms: np.ndarray,
    offset_s: float = 5.0,
) -> Timebase:
    timebase = Timebase()
    times = np.arange(0, duration_s, 1 / rate_hz)
    for i, t in enumerate(times):
        host_s = offset_s + t * (1 + drift_ppm / 1e6) + delays_ms[i % len(delays_ms)] / 1e3
        timebase.feed(float(t), round(host_s * 1e9))
    return timebase


@settings(max_examples=20)
@given(
    st.floats(-1000, 1000),
    st.sampled_from([50.0, 100.0, 500.0]),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_drift_and_offset_are_found_under_jitter(
    drift_ppm: float, rate_hz: float, seed: int, bursts: bool
) -> None:
    rng = np.random.default_rng(seed)
    delays_ms = rng.exponential(4.0, 5000)
    if bursts:
        delays_ms += 30.0 * (np.arange(5000) % 7) / 7
    timebase = learn(drift_ppm, 40.0, rate_hz, delays_ms)
    # Nothing arrives before it is sent, and the fastest arrivals come near that.
    for t in (20.0, 39.0):
        true_ns = (5.0 + t * (1 + drift_ppm / 1e6)) * 1e9
        assert timebase.host_ns(t) == pytest.approx(true_ns, abs=1.5e6)
    assert timebase.drift_ppm == pytest.approx(drift_ppm, abs=100)
    assert timebase.uncertainty_ns is not None
    assert timebase.uncertainty_ns < 2e6


@pytest.mark.parametrize("drift_ppm", [-400.0, 0.0, 400.0])
def test_either_clocks_times_are_had_from_the_others(drift_ppm: float) -> None:
    assert Timebase().time_s(10**9) is None
    timebase = learn(drift_ppm, 30.0, 100.0, np.array([40.0, 3.0, 11.0]))
    for time_s in (0.0, 12.345, 31.0):
        assert timebase.time_s(timebase.host_ns(time_s)) == pytest.approx(time_s, abs=1e-6)


def test_before_ten_seconds_no_drift_is_claimed() -> None:
    timebase = learn(500.0, 8.0, 100.0, np.array([1.0, 3.0]))
    assert timebase.drift_ppm == 0.0


def test_nothing_arrives_before_it_is_sent() -> None:
    timebase, rng = Timebase(), np.random.default_rng(6)
    for t in np.arange(0.0, 30.0, 0.01).tolist():
        received_ns = round((5.0 + t + rng.exponential(0.03)) * 1e9)
        timebase.feed(t, received_ns)
        assert timebase.host_ns(t) <= received_ns + 1


def test_a_steadier_link_is_surer() -> None:
    rng = np.random.default_rng(0)
    steady = learn(0.0, 30.0, 100.0, rng.exponential(0.2, 3000))
    shaky = learn(0.0, 30.0, 100.0, rng.exponential(40.0, 3000))
    assert steady.uncertainty_ns is not None
    assert shaky.uncertainty_ns is not None
    assert steady.uncertainty_ns < shaky.uncertainty_ns / 5


def test_nothing_is_mapped_before_anything_was_seen() -> None:
    with pytest.raises(ValueError, match="no sample yet"):
        Timebase().host_ns(0.0)


def test_an_hour_stays_within_bounds_and_in_constant_memory() -> None:
    timebase = learn(-300.0, 3600.0, 20.0, np.random.default_rng(1).exponential(3.0, 9999))
    true_ns = (5.0 + 3599.0 * (1 - 300e-6)) * 1e9
    assert timebase.host_ns(3599.0) == pytest.approx(true_ns, abs=1e6)
    assert len(timebase.state.pairs) <= 120


def ticks(clock: DeviceClock, period_us: int, frames: int) -> None:
    """Let a device send some frames that come at once."""
    for _ in range(frames):
        raw_us = clock.state.last_raw_us + period_us
        clock.feed(Reading(raw_us, raw_us * 1000, None), 1)


@pytest.mark.parametrize(
    ("before_us", "period_us"), [(2000, 4000), (2000, 10_000), (5000, 250_000)]
)
def test_a_clock_follows_a_device_that_sends_at_another_rate(
    before_us: int, period_us: int
) -> None:
    clock = DeviceClock()
    ticks(clock, before_us, 500)
    ticks(clock, period_us, 200)
    assert clock.state.period_us == pytest.approx(period_us, rel=0.01)
    ticks(clock, before_us, 200)
    assert clock.state.period_us == pytest.approx(before_us, rel=0.01)
    ticks(clock, period_us, 200)
    # It kept what it measured while the link was down: the number of frames tells its time.
    held_us = 10_000_000
    at_ns = clock.state.last_received_ns + 60_000_000_000
    raw_us = clock.state.last_raw_us + held_us
    last_us = clock.state.last_us
    time_us, leapt = clock.feed(Reading(raw_us, at_ns, None), held_us // period_us)
    assert last_us is not None
    assert (time_us - last_us, leapt) == (held_us, False)


def test_a_device_that_pauses_now_and_then_sends_no_more_slowly() -> None:
    clock = DeviceClock()
    for _ in range(100):
        ticks(clock, 2000, 9)
        ticks(clock, 50_000, 1)
    assert clock.state.period_us == pytest.approx(2000, rel=0.01)


@pytest.mark.parametrize("step_ms", [80.0, 3000.0])
def test_a_delay_that_grows_is_not_taken_for_drift(step_ms: float) -> None:
    """Neither while the pairs before are remembered, nor when they are gone."""
    timebase, grown = Timebase(), []
    rng = np.random.default_rng(3)
    for t in np.arange(0.0, 120.0, 0.02).tolist():
        delay_ms = rng.exponential(2.0) + (step_ms if t >= 15.0 else 0.0)
        if timebase.feed(t, round((5.0 + t + delay_ms / 1e3) * 1e9)):
            grown.append(t)
        assert abs(timebase.drift_ppm) < 500
        # Half a millisecond a second is what a clock could do.
        assert timebase.host_ns(t) / 1e9 - 5.0 - t < 0.003 + 0.0006 * max(0.0, t - 15.0)
    (told_s,) = grown
    assert 15.0 < told_s < 19.0


def test_a_small_delay_that_grows_after_long_is_not_forgotten_either() -> None:
    """The clock's line begins at its last fastest pair, not at the first there ever was."""
    timebase, grown = Timebase(), []
    rng = np.random.default_rng(5)
    for t in np.arange(0.0, 1000.0, 0.05).tolist():
        delay_ms = rng.exponential(2.0) + (300.0 if t >= 880.0 else 0.0)
        if timebase.feed(t, round((5.0 + t + delay_ms / 1e3) * 1e9)):
            grown.append(t)
        assert timebase.host_ns(t) / 1e9 - 5.0 - t < 0.010 + 0.0006 * max(0.0, t - 880.0)
    (told_s,) = grown
    assert 880.0 < told_s < 884.0


@pytest.mark.parametrize("drift_ppm", [-15_000.0, -3_000.0, 3_000.0, 15_000.0])
def test_a_cheap_oscillator_is_believed_because_it_is_steady(drift_ppm: float) -> None:
    timebase, rng = Timebase(), np.random.default_rng(4)
    for t in np.arange(0.0, 90.0, 0.01).tolist():
        true_s = 5.0 + t * (1 + drift_ppm / 1e6)
        assert not timebase.feed(t, round((true_s + rng.exponential(2.0) / 1e3) * 1e9))
        if t > 11.0:
            assert timebase.host_ns(t) / 1e9 == pytest.approx(true_s, abs=2e-3)
    assert timebase.drift_ppm == pytest.approx(drift_ppm, abs=50)


def test_a_device_slower_than_any_clock_is_told_as_such_and_its_samples_as_late() -> None:
    timebase = learn(500_000.0, 30.0, 100.0, np.array([1.0, 3.0]))
    assert timebase.drift_ppm == pytest.approx(500_000, rel=0.01)
    assert timebase.host_ns(29.9) / 1e9 < 5.0 + 29.9 * 1.03


def test_a_device_that_runs_fast_makes_nothing_late() -> None:
    timebase = Timebase()
    for t in np.arange(0.0, 60.0, 0.01).tolist():
        received_ns = round(t / 20 * 1e9)
        assert not timebase.feed(t, received_ns)
        assert received_ns - timebase.host_ns(t) < 2e6


@pytest.mark.parametrize("late_ms", [30.0, 200.0])
def test_a_link_that_stalls_for_a_moment_has_no_grown_delay(late_ms: float) -> None:
    """Told as one, nobody would look for what is wrong any more when it has."""
    timebase = Timebase()
    for i in range(4000):
        time_s = i / 100
        delay_ms = late_ms if 20.0 <= time_s < 21.6 else 2.0
        assert not timebase.feed(time_s, round((5.0 + time_s + delay_ms / 1e3) * 1e9))
    for i in range(4000, 4400):
        time_s = i / 100
        if timebase.feed(time_s, round((5.0 + time_s + late_ms / 1e3) * 1e9)):
            break
    assert 41.5 < time_s < 43.0  # one that lasts is told


def test_a_crystals_drift_is_believed_on_a_link_of_uneven_delay() -> None:
    rng = np.random.default_rng(3)
    timebase = learn(300.0, 60.0, 10.0, rng.uniform(0.0, 60.0, 600))
    assert timebase.drift_ppm == pytest.approx(300.0, abs=150.0)
    assert timebase.host_ns(59.0) == pytest.approx((5.0 + 59.0 * 1.0003) * 1e9, abs=8e6)
