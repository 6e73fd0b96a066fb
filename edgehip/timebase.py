"""The device's clock: unwrapped into one steady time, and mapped to the host's clock.

Two separate steps. :class:`DeviceClock` turns a wrapping counter into a time that never goes back,
across wraps, restarts and leaps. :class:`Timebase` learns how that time maps to the host's
monotonic clock from (device time, arrival) pairs. Arrivals are late by a varying delay and never
early, so the clock's line lies below all pairs: among all such lines we take the one with the
smallest mean distance, which is the edge of the lower convex hull above the pairs' mean (Moon,
Skelly & Towsley, "Estimation and removal of clock skew from network delay measurements", 1999).
The delay's constant part cannot be seen from here: it is in the offset.

A delay that grows looks like a clock that runs slow, so such a drift is believed only as far as
clocks go. Two crystals differ by a hundred or two parts per million at the worst. A board with a
ceramic resonator or an RC oscillator may be a percent or two off, but then steadily so: its pairs
lie on a line, those around a step of the delay do not. What grows beyond that is delay: from no
pair it ever saw does the line rise faster, and the samples count as late. What comes faster than
any clock runs is a queue that empties: each pair shows the line to be too late.
"""

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Final

JUMP_S: Final = 1.0
"""A device clock that agrees neither with the host's nor with the frame count to this has leapt."""
PERIOD_SMOOTHING: Final = 0.05
OTHER_RATE: Final = 4.0
"""Frames so many times further apart than usual, or nearer, are so for a pause or at a new rate."""
OTHER_FRAMES: Final = 50
"""So many of them in a row, and the rate is new."""
FASTER: Final = 10.0
"""A device that has sent so many times as many frames as it could did not: it counts anew."""
SAME_PERIODS: Final = 1.5
"""Of two samples that are less apart, in periods, none in between is missing."""
BUCKET_S: Final = 0.5
BUCKETS: Final = 120
DRIFT_SPAN_S: Final = 10.0
"""Pairs must span so long before a drift is believed."""
CRYSTAL_NS_PER_S: Final = 500e3
"""What two crystals differ by, and any oscillator changes with its temperature, at the worst."""
OSCILLATOR_NS_PER_S: Final = 20e6
"""What a microcontroller's own oscillator is off by; farther off, its serial line would fail."""
STRAIGHT: Final = 0.1
JITTER_NS: Final = 1.5e6
"""Pairs lie on a line if their mean distance is this share of what the drift makes of their span,
and what a busy computer adds: a step of the delay leaves a quarter at least."""
GROWN_NS: Final = 20e6
GROWN_BUCKETS: Final = 4
"""The delay has grown when in so many buckets even the earliest pair is so much later than by the
fastest way there was: two samples at 100 Hz, for two seconds of them."""


@dataclass(slots=True)
class DeviceClockState:
    """The last reading, the steady time given for it, and the mean time between frames.

    ``others`` counts the latest frames, one after the other, that did not come at that rate.
    """

    last_raw_us: int = 0
    last_us: int | None = None
    last_received_ns: int = 0
    period_us: float | None = None
    others: int = 0


class DeviceClock:
    """Turns a wrapping, restarting counter into a steady time in microseconds."""

    def __init__(self) -> None:
        self.state = DeviceClockState()

    def feed(
        self,
        raw_us: int,
        received_ns: int,
        wrap_us: int | None,
        frames: int | None,
        restarted: bool = False,
    ) -> tuple[int, bool]:
        """Return the steady time of a reading, and whether the clock leapt.

        After a restart or a leap the steady time goes on by what the host's clock says has passed.

        Parameters
        ----------
        raw_us
            The counter.
        received_ns
            Host time of arrival.
        wrap_us
            Where the counter begins again, or None if it never does.
        frames
            How many frames the device sent since the reading before, or None if nobody knows.
        restarted
            The device is known to have started again.
        """
        state = self.state
        time_us, leapt = raw_us, False
        if state.last_us is not None:
            device_us, host_us = self._elapsed_us(raw_us, received_ns, wrap_us)
            leapt = not restarted and not self._plausible(device_us, host_us, frames)
            if restarted or leapt:
                time_us = state.last_us + max(host_us, 1)
            else:
                time_us = state.last_us + device_us
                self._learn_period(device_us, frames)
        state.last_raw_us, state.last_us, state.last_received_ns = raw_us, time_us, received_ns
        return time_us, leapt

    def goes_back(self, raw_us: int, received_ns: int, wrap_us: int | None) -> bool:
        """Say whether the counter is lower than it was, and no new turn of it explains that."""
        state = self.state
        if state.last_us is None or raw_us >= state.last_raw_us:
            return False
        device_us, host_us = self._elapsed_us(raw_us, received_ns, wrap_us)
        return not 0 < device_us < host_us + JUMP_S * 1e6

    def leaves_time_for(
        self, frames: int, raw_us: int, received_ns: int, wrap_us: int | None
    ) -> bool:
        """Say whether a device can have sent so many frames since the last reading.

        By either clock: the host's stands still where a burst comes, the device's when it resets.
        """
        period_us = self._steady_period_us
        if period_us is None:
            return True
        elapsed_us = max(self._elapsed_us(raw_us, received_ns, wrap_us))
        return frames * period_us < FASTER * elapsed_us + JUMP_S * 1e6

    def is_next(self, raw_us: int, received_ns: int, wrap_us: int | None) -> bool:
        """Say whether a sample comes one period after the last, so that none is missing between."""
        period_us = self._steady_period_us
        if period_us is None:
            return False
        device_us, _ = self._elapsed_us(raw_us, received_ns, wrap_us)
        return 0 < device_us < SAME_PERIODS * period_us

    def raw_us(self, time_us: int) -> int:
        """Return the device's own reading (unwrapped) at a recent steady time."""
        return time_us - (self.state.last_us or 0) + self.state.last_raw_us

    @property
    def _steady_period_us(self) -> float | None:
        """The mean time between frames, or None while it is not known or seems to change."""
        return None if self.state.others else self.state.period_us

    def _elapsed_us(self, raw_us: int, received_ns: int, wrap_us: int | None) -> tuple[int, int]:
        """Return the time since the last reading, by the device's clock and by the host's."""
        host_us = (received_ns - self.state.last_received_ns) // 1000
        device_us = raw_us - self.state.last_raw_us
        if wrap_us is not None:
            # Whole turns that passed unseen (a long silence) are had from the host's clock.
            device_us += wrap_us * round((host_us - device_us) / wrap_us)
        return device_us, host_us

    def _plausible(self, device_us: int, host_us: int, frames: int | None) -> bool:
        """Say whether so much device time can have passed.

        Arrivals stall and bunch up, so the host's clock alone may disagree by the length of a
        stall; then the number of frames decides, where it is known.
        """
        limit_us = JUMP_S * 1e6
        if device_us <= 0:
            return False
        if device_us - host_us < limit_us and (frames is None or device_us - host_us > -limit_us):
            return True
        period_us = self.state.period_us
        if frames is None or period_us is None:
            return False
        return abs(device_us - frames * period_us) < limit_us

    def _learn_period(self, device_us: int, frames: int | None) -> None:
        if frames is None:
            return
        state = self.state
        period_us = device_us / frames
        if state.period_us is None:
            state.period_us = period_us
        elif 1 / OTHER_RATE < period_us / state.period_us < OTHER_RATE:
            state.others = 0
            state.period_us += PERIOD_SMOOTHING * (period_us - state.period_us)
        else:  # a pause says nothing of the rate
            state.others += 1
            if state.others >= OTHER_FRAMES:
                state.others, state.period_us = 0, period_us


@dataclass(slots=True)
class TimebaseState:
    """The least delayed pair of each bucket of time, newest last, and the line through them.

    Pairs are (seconds since ``origin_s``, nanoseconds since ``origin_ns``). ``earliest`` is the
    least delayed of those that left the window; ``grown`` is whether the delay has.
    """

    origin_s: float | None = None
    origin_ns: int = 0
    pairs: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=BUCKETS))
    bucket: int = 0
    offset_ns: float = 0.0
    slope_ns_per_s: float = 1e9
    uncertainty_ns: float | None = None
    measured_ns_per_s: float = 1e9
    earliest: tuple[float, float] | None = None
    grown: bool = False


class Timebase:
    """Maps device time to the host's monotonic clock."""

    def __init__(self) -> None:
        self.state = TimebaseState()

    def feed(self, time_s: float, received_ns: int) -> bool:
        """Learn from one sample's device time and arrival; return if that shows a grown delay.

        It is said once, when it is first known (see :data:`GROWN_NS`).
        """
        state = self.state
        if state.origin_s is None:
            state.origin_s, state.origin_ns = time_s, received_ns
        x, y = time_s - state.origin_s, float(received_ns - state.origin_ns)
        was_grown = state.grown
        bucket = int(x / BUCKET_S)
        if state.pairs and bucket == state.bucket:
            last_x, last_y = state.pairs[-1]
            if y - x * 1e9 < last_y - last_x * 1e9:
                state.pairs[-1] = (x, y)
        else:
            if state.pairs:
                self._fit()
            state.bucket = bucket
            state.pairs.append((x, y))
        # A pair below the line shows the line to be too late: nothing arrives before it is sent.
        below = y - (state.offset_ns + state.slope_ns_per_s * x)
        if below < 0:
            state.offset_ns += below
        return state.grown and not was_grown

    def host_ns(self, time_s: float) -> int:
        """Return the host time of a device time (transport's constant delay included).

        Raises
        ------
        ValueError
            If nothing was fed yet.
        """
        state = self.state
        if state.origin_s is None:
            raise ValueError("the timebase has seen no sample yet")
        x = time_s - state.origin_s
        return state.origin_ns + round(state.offset_ns + state.slope_ns_per_s * x)

    @property
    def drift_ppm(self) -> float:
        """How much faster the host's clock runs than the device's, in parts per million.

        Exactly 0 until :data:`DRIFT_SPAN_S` have been seen. A drift that is not believed is told
        all the same, if it is steady: a device may run at another pace.
        """
        return (self.state.measured_ns_per_s - 1e9) / 1e3

    @property
    def uncertainty_ns(self) -> float | None:
        """Mean distance of the least delayed arrivals from the line; None before a second's worth.

        It says how steady the link's smallest delay is, and so how far a mapped time can be trusted
        apart from the constant delay.
        """
        return self.state.uncertainty_ns

    def reset(self) -> None:
        """Forget everything: the clock leapt, or another device is there."""
        self.state = TimebaseState()

    def _fit(self) -> None:
        state = self.state
        pairs = list(state.pairs)
        (first_x, _), (last_x, _) = pairs[0], pairs[-1]
        slope = measured = state.slope_ns_per_s
        if last_x - first_x >= DRIFT_SPAN_S:
            (x0, y0), (x1, y1) = _edge_above_mean(pairs)
            fitted = (y1 - y0) / (x1 - x0)
            off = abs(fitted - 1e9)
            late_ns = _mean_late_ns(pairs, fitted, y0 - fitted * x0)
            # Otherwise the drift believed so far stays.
            is_line = late_ns < JITTER_NS + STRAIGHT * off * (last_x - first_x)
            if off <= CRYSTAL_NS_PER_S or is_line:
                measured, slope = fitted, fitted if off <= OSCILLATOR_NS_PER_S else slope
        offset = min(y - slope * x for x, y in pairs)
        if state.earliest is not None:
            x, y = state.earliest
            highest_ns = y + _steepest(slope) * (last_x - x)
            offset = min(offset, highest_ns - slope * last_x)
        state.slope_ns_per_s, state.measured_ns_per_s, state.offset_ns = slope, measured, offset
        if len(pairs) > 1:
            late_ns = _mean_late_ns(pairs, slope, offset)
            state.uncertainty_ns = max(0.0, late_ns)  # whatever rounding says
        # What a clock makes of the time before a drift is believed would be taken for delay.
        state.grown = last_x - first_x >= DRIFT_SPAN_S and all(
            y - offset - slope * x > GROWN_NS for x, y in pairs[-GROWN_BUCKETS:]
        )
        if len(pairs) == BUCKETS:
            self._leave(pairs[0])

    def _leave(self, pair: tuple[float, float]) -> None:
        """Remember a pair that is about to leave the window, if it is the earliest so far."""
        (x, y), state = pair, self.state
        if state.earliest is not None:
            before_x, before_y = state.earliest
            if y > before_y + _steepest(state.slope_ns_per_s) * (x - before_x):
                return
        state.earliest = pair


def _steepest(slope_ns_per_s: float) -> float:
    """Return how fast a clock's line may rise at the most."""
    return max(slope_ns_per_s, 1e9) + CRYSTAL_NS_PER_S


def _mean_late_ns(pairs: list[tuple[float, float]], slope: float, offset: float) -> float:
    return sum(y - offset - slope * x for x, y in pairs) / len(pairs)


def _edge_above_mean(
    pairs: list[tuple[float, float]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the edge of the lower convex hull that spans the pairs' mean x."""
    hull: list[tuple[float, float]] = []
    for x, y in pairs:
        while len(hull) > 1 and (hull[-1][0] - hull[-2][0]) * (y - hull[-2][1]) <= (
            hull[-1][1] - hull[-2][1]
        ) * (x - hull[-2][0]):
            hull.pop()
        hull.append((x, y))
    mean = sum(x for x, _ in pairs) / len(pairs)
    for left, right in itertools.pairwise(hull):
        if right[0] >= mean:
            return left, right
    return hull[-2], hull[-1]
