"""What a day of walking does to memory, counters, clock and estimates.

``python -m benchmarks.soak [--quick] [--hours H] [--pace] [--json FILE]`` walks for H hours (24;
quick 0.2) with pauses through the real frame format and the whole pipeline: as fast as it can be
computed, or with ``--pace`` as fast as a person walks. One frame in a thousand is lost, the
device's clock is 50 ppm slow, wraps and arrives with random delays.
"""

import argparse
import gc
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.device import sample_model_option
from benchmarks.machine import memory_mib
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip.events import HipEstimate, HipSampleEstimate
from edgehip.model import load_model
from edgehip.runtime import Stream
from edgehip.sources.synthetic import SyntheticSource
from edgehip.walker import WalkerParameters

RATE_HZ: Final = 100.0
DROP_SHARE: Final = 0.001
DRIFT_PPM: Final = 50.0
"""How much faster the host's clock runs: a good crystal's worst."""
DELAY_MS: Final = 2.0
"""Mean of the random delay of arrival, beyond the constant one."""
PARTS: Final = 12
"""The day is looked at in so many parts of equal length."""
SETTLED: Final = 2
"""Parts before memory is expected to grow no more."""
MEMORY_MIB: Final = 1.0
CLOCK_WITHIN_MS: Final = 2.0
WITHIN_STANDARD_ERRORS: Final = 5.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--hours", type=float, help="how long to walk (default 24; quick 0.2)")
    parser.add_argument("--pace", action="store_true", help="walk in real time")
    sample_model_option(parser)


class DistantWalker(SyntheticSource):
    """The walker of ``synthetic:``, over a link with delays and a clock that drifts."""

    def __init__(self, hours: float, pace: bool) -> None:
        parameters = WalkerParameters(
            rate_hz=RATE_HZ,
            noise_deg=0.2,
            stride_variability_percent=2.0,
            walk_s=600.0,
            pause_s=30.0,
        )
        super().__init__(parameters, DROP_SHARE, 3600.0 * hours, 1.0 if pace else None)
        self._delays = np.random.default_rng(7)
        self._last_ns = 0

    def _now_ns(self) -> int:
        """Return the time of arrival: in order, late by a varying delay."""
        if self.live:
            return super()._now_ns()
        true_ns = self._sample.time_s * 1e9 * (1 + DRIFT_PPM / 1e6)
        delayed_ns = round(true_ns + self._delays.exponential(DELAY_MS * 1e6))
        self._last_ns = max(self._last_ns + 1, delayed_ns)
        return self._last_ns

    @property
    def walked_s(self) -> float:
        """How long the walk has lasted."""
        return self._sample.time_s


@dataclass(slots=True)
class Part:
    """What was seen in one part of the day, in sums: a list of strides would grow like a leak."""

    until_h: float
    memory_mib: float = 0.0
    clock_ms: float = 0.0
    strides: int = 0
    peak_sum: float = 0.0
    peak_square_sum: float = 0.0
    sample_sum: float = 0.0
    samples: int = 0

    def add_peak(self, value: float) -> None:
        """Take a stride's peak."""
        self.strides += 1
        self.peak_sum += value
        self.peak_square_sum += value**2

    @property
    def peak(self) -> float:
        """Mean of the strides' peaks."""
        return self.peak_sum / max(1, self.strides)

    @property
    def peak_error(self) -> float:
        """Standard error of that mean."""
        variance = self.peak_square_sum / max(1, self.strides) - self.peak**2
        return math.sqrt(max(0.0, variance) / max(1, self.strides))


def measure(arguments: argparse.Namespace) -> Report:
    """Walk, and look at everything now and then."""
    hours = arguments.hours or (0.2 if arguments.quick else 24.0)
    source = DistantWalker(hours, arguments.pace)
    stream = Stream(source, load_model(), sample_model=load_model(arguments.sample_model))
    began_s = time.monotonic()
    parts = list(_walk(stream, source, hours))
    took_s = time.monotonic() - began_s
    report = Report([_table(parts, hours, hours * 3600 / took_s)], _checks(stream, source, parts))
    if not arguments.pace:
        report.checks.append(_clock(parts))
    return report


def _walk(stream: Stream, source: DistantWalker, hours: float) -> Iterator[Part]:
    ends_h = [hours * (number + 1) / PARTS for number in range(PARTS)]
    part = Part(ends_h.pop(0))
    for event in stream:
        match event:
            case HipEstimate():
                part.add_peak(float(event.forces_n_per_kg["glmed"].max()))
            case HipSampleEstimate():
                part.sample_sum += float(event.forces_n_per_kg["r"][10])
                part.samples += 1
            case None if source.walked_s >= 3600 * part.until_h:
                _look(part, stream)
                yield part
                if not ends_h:
                    return
                part = Part(ends_h.pop(0))
    if part.strides:
        _look(part, stream)
        yield part


def _look(part: Part, stream: Stream) -> None:
    gc.collect()
    part.memory_mib = memory_mib(os.getpid())
    last_s = stream.pipeline.state.last_sample_s or 0.0
    mapped_ns = stream.pipeline.intake.receivers[0].timebase.host_ns(last_s)
    part.clock_ms = (mapped_ns - last_s * 1e9 * (1 + DRIFT_PPM / 1e6)) / 1e6


def _table(parts: list[Part], hours: float, speed: float) -> Table:
    rows: list[list[Cell]] = [
        [
            part.until_h,
            part.memory_mib,
            part.strides,
            part.peak if part.strides else None,
            part.sample_sum / part.samples if part.samples else None,
            part.clock_ms,
        ]
        for part in parts
    ]
    columns = (
        "hours",
        "MiB resident",
        "strides",
        "glmed peak, mean (N/kg)",
        "glmed per sample, mean (N/kg)",
        "clock error (ms)",
    )
    return Table(f"{hours:g} hours of walking, {speed:.0f} times as fast", columns, rows)


def _checks(stream: Stream, source: DistantWalker, parts: list[Part]) -> list[Check]:
    summary = stream.summary()
    sent = round(source.walked_s * RATE_HZ)
    exact = summary.frames_lost == source.dropped
    exact &= summary.samples + source.dropped == sent
    counted = f"{sent} samples, {source.dropped} lost on purpose, {summary.frames_lost} counted"
    hours = np.array([part.until_h for part in parts[SETTLED:]])
    memory = np.array([part.memory_mib for part in parts[SETTLED:]])
    slope = float(np.polyfit(hours, memory, 1)[0])
    grown = float(memory[-1] - memory[0])
    error = math.hypot(parts[0].peak_error, parts[-1].peak_error)
    moved = parts[-1].peak - parts[0].peak
    return [
        Check("every sample is taken or counted as lost", exact, counted),
        Check(
            f"memory grows by less than {MEMORY_MIB:g} MiB once it is warm",
            grown < MEMORY_MIB,
            f"{1024 * slope:+.1f} KiB an hour, {1024 * grown:+.0f} KiB altogether",
        ),
        Check(
            "estimates of the last part are those of the first",
            abs(moved) < WITHIN_STANDARD_ERRORS * error,
            f"glmed peak moved by {moved:+.4f} N/kg, {abs(moved) / error:.1f} standard errors",
        ),
        Check("nothing else was wrong", set(summary.faults) <= {"lost"}, str(summary.faults)),
    ]


def _clock(parts: list[Part]) -> Check:
    worst = max((part.clock_ms for part in parts[1:]), key=abs)
    claim = f"device time maps to the host's within {CLOCK_WITHIN_MS:g} ms"
    return Check(claim, abs(worst) < CLOCK_WITHIN_MS, f"worst {worst:+.2f} ms")


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
