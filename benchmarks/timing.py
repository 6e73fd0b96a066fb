"""Durations and their distributions: of calls back to back, in turns, and at a true pace."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

COLUMNS: Final = ("p50", "p95", "p99", "p99.9", "max")
_SHARES: Final = (0.5, 0.95, 0.99, 0.999, 1.0)


def distribution(durations: Sequence[float]) -> list[float]:
    """Return what :data:`COLUMNS` name: each the duration that so many calls stayed within."""
    found: list[float] = np.quantile(durations, _SHARES, method="higher").tolist()
    return found


def in_turns(
    calls: Sequence[Callable[[], object]], rounds: int, in_a_row: int = 20
) -> list[list[float]]:
    """Return each call's durations in microseconds: each some times in a row, by turns.

    What disturbs the machine for a while then disturbs all of them, and their ratios stay. The
    first two calls of each turn find the caches full of another's data and are not counted.
    """
    durations: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, durations, strict=True):
            for number in range(in_a_row + 2):
                began_ns = time.perf_counter_ns()
                call()
                ended_ns = time.perf_counter_ns()
                if number >= 2:
                    found.append((ended_ns - began_ns) / 1e3)
    return durations


def ticks(rate_hz: float, duration_s: float) -> Iterator[int]:
    """Yield at a true pace, asleep between; each time the instant (ns) that was aimed at."""
    began_ns = time.perf_counter_ns() + 10_000_000
    for number in range(round(duration_s * rate_hz)):
        due_ns = began_ns + round(number * 1e9 / rate_hz)
        time.sleep(max(0.0, (due_ns - time.perf_counter_ns()) / 1e9))
        yield due_ns


def paced(
    call: Callable[[], object], rate_hz: float, duration_s: float
) -> tuple[list[float], list[float]]:
    """Return a call's durations, and how long after it was due each was done, in microseconds.

    A call that takes longer than the period delays those after it, as in a stream; what could not
    begin within the duration is left out.
    """
    durations: list[float] = []
    since_due: list[float] = []
    ends_ns = None
    for due_ns in ticks(rate_hz, duration_s):
        began_ns = time.perf_counter_ns()
        ends_ns = ends_ns or due_ns + round(duration_s * 1e9)
        if began_ns >= ends_ns:
            break
        call()
        ended_ns = time.perf_counter_ns()
        durations.append((ended_ns - began_ns) / 1e3)
        since_due.append((ended_ns - due_ns) / 1e3)
    return durations, since_due


def late(since_due: Sequence[float], rate_hz: float) -> int:
    """Return how many calls were not done when the next was due."""
    return sum(us > 1e6 / rate_hz for us in since_due)
