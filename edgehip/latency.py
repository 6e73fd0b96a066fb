"""Distributions of durations in bounded memory: p50, p95, p99, max, never a mean of the last call.

A histogram with logarithmic buckets, 32 to an octave (2.2 % wide), from 0.1 microseconds to 100
seconds; the idea is that of HdrHistogram (Tene, 2012).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edgehip.events import Hop

SMALLEST_NS: Final = 100
PER_OCTAVE: Final = 32
BUCKETS: Final = 30 * PER_OCTAVE


@dataclass(frozen=True, slots=True)
class Percentiles:
    """A distribution in a few numbers, in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Histogram:
    """Counts durations."""

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.count = 0
        self.max_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration; what is shorter than the smallest bucket falls into it."""
        octaves = math.log2(max(duration_ns, SMALLEST_NS) / SMALLEST_NS)
        self.counts[min(int(octaves * PER_OCTAVE), BUCKETS - 1)] += 1
        self.count += 1
        self.max_ns = max(self.max_ns, duration_ns)

    def quantile_ns(self, share: float) -> float:
        """Return the duration that ``share`` of all stay within (upper edge of its bucket)."""
        wanted = share * self.count
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                upper_edge_ns: float = SMALLEST_NS * 2.0 ** ((bucket + 1) / PER_OCTAVE)
                return min(upper_edge_ns, float(self.max_ns))
        return 0.0

    def percentiles(self) -> Percentiles | None:
        """Return the distribution in a few numbers, or None if nothing was counted."""
        if not self.count:
            return None
        p50, p95, p99 = (self.quantile_ns(share) / 1e6 for share in (0.50, 0.95, 0.99))
        return Percentiles(self.count, p50, p95, p99, self.max_ns / 1e6)


class Out(StrEnum):
    """What leaves edgehip."""

    ESTIMATE = "estimate"
    SAMPLE = "sample"
    CUE = "cue"


class LatencyMeter:
    """Adds up what one chunk costs at each hop, and keeps the distributions.

    Parameters
    ----------
    clock_ns
        The host's monotonic clock.
    deadline_ns
        From byte in to estimate out; what takes longer is a miss.
    """

    def __init__(self, clock_ns: Callable[[], int], deadline_ns: int) -> None:
        self._clock_ns = clock_ns
        self.deadline_ns = deadline_ns
        self.hops = {hop: Histogram() for hop in Hop}
        self.byte_in_to_out = {output: Histogram() for output in Out}
        self.arrival = Histogram()
        self.confirmation = Histogram()
        self.deadline_misses = 0
        self._last_ns = 0
        self.received_ns = 0
        """When the chunk in hand arrived."""
        self._spent_ns = dict.fromkeys(Hop, 0)

    def start(self, received_ns: int) -> None:
        """Begin with a chunk that arrived at ``received_ns`` and is taken up now."""
        self._last_ns = self._clock_ns()
        self.received_ns = received_ns
        self._spent_ns = dict.fromkeys(Hop, 0)
        self._spent_ns[Hop.QUEUE] = self._last_ns - received_ns

    def mark(self, hop: Hop) -> None:
        """Charge the time since the last mark to a hop."""
        now_ns = self._clock_ns()
        self._spent_ns[hop] += now_ns - self._last_ns
        self._last_ns = now_ns

    @property
    def spent_ns(self) -> dict[Hop, int]:
        """What the chunk in hand has cost at each hop so far."""
        return self._spent_ns

    def out(self, output: Out) -> None:
        """Record that something is out now."""
        self.mark(Hop.EMIT)
        total_ns = self._last_ns - self.received_ns
        self.byte_in_to_out[output].add(total_ns)
        if output is Out.CUE:
            return
        self.deadline_misses += total_ns > self.deadline_ns
        if output is Out.SAMPLE:
            self.hops[Hop.SAMPLE].add(self._spent_ns[Hop.SAMPLE])
            self._spent_ns[Hop.SAMPLE] = 0  # the chunk's next sample has its own
            return
        for hop, spent_ns in self._spent_ns.items():
            if hop is not Hop.SAMPLE:
                self.hops[hop].add(spent_ns)

    def arrived(self, late_ns: list[int]) -> None:
        """Record how late samples came, behind the link's fastest way: its queues and bursts."""
        for each_ns in late_ns:
            self.arrival.add(each_ns)

    def confirmed(self, confirmation_s: float) -> None:
        """Record how long after a stride's end, in device time, it was certain."""
        self.confirmation.add(round(confirmation_s * 1e9))

    def distributions(self) -> dict[str, Percentiles]:
        """Return everything that was measured, by name."""
        named = {"arrival": self.arrival}
        named |= {str(hop): histogram for hop, histogram in self.hops.items()}
        named["confirmation"] = self.confirmation
        named |= {f"byte_in_to_{output}_out": h for output, h in self.byte_in_to_out.items()}
        measured = {name: histogram.percentiles() for name, histogram in named.items()}
        return {name: percentiles for name, percentiles in measured.items() if percentiles}
