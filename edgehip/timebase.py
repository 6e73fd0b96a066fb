"""How a device's steady time maps to the host's clock.

It is learnt from (device time, arrival) pairs. Arrivals are late by a varying delay and never
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

    def time_s(self, host_ns: int) -> float | None:
        """Return the device time of a host time, or None if nothing was fed yet."""
        state = self.state
        if state.origin_s is None:
            return None
        return state.origin_s + (host_ns - state.origin_ns - state.offset_ns) / state.slope_ns_per_s

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
