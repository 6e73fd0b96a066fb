"""What a stream came to, for a person, at its end."""

from typing import Final

from edgehip.cycles import MAX_BRIDGED_GAP_S, MAX_STRIDE_S
from edgehip.latency import Percentiles
from edgehip.runtime import Summary

MAX_DRIFT_PPM: Final = 100_000
"""Not even an untrimmed RC oscillator is farther off: such a clock is not meant to keep pace."""
MAX_RATE_HZ: Final = 5000
"""Nobody's joint angles are measured more often, ten times faster than is tried."""
HINT_SAMPLES: Final = 50
HINT_S: Final = 5.0
"""After so long, somebody would have walked."""


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary as lines of text."""
    strides = summary.estimates
    lines = [
        f"strides    {strides['l']} left, {strides['r']} right"
        + (f"; {summary.broken_cycles} broken by gaps" if summary.broken_cycles else ""),
        f"samples    {summary.samples}; frames lost {summary.frames_lost} "
        f"({summary.loss_percent:.2f} %)",
    ]
    hint = _hint(summary)
    if hint:
        lines.append(f"hint       {hint}")
    if summary.assumed_columns:
        lines.append(f"columns    {summary.assumed_columns}")
    if summary.cues_switched_on:
        lines.append(f"cues       switched on {summary.cues_switched_on} times")
    if summary.faults:
        counted = ", ".join(f"{name} {count}" for name, count in summary.faults.items())
        lines.append(f"faults     {counted}")
    if summary.clock_uncertainty_ms is not None:
        pace = _pace(summary.clock_drift_ppm)
        lines.append(f"clock      {pace}mapped within {summary.clock_uncertainty_ms:.2f} ms")
    if summary.latency:
        lines.append("latency ms       p50      p95      p99      max")
        lines += [_row(name, p) for name, p in summary.latency.items()]
        lines.append(f"deadline   {summary.deadline_ms:g} ms: {summary.deadline_misses} missed")
    return lines


def _hint(summary: Summary) -> str:
    """Say why there may be no estimate for a stride, or none to be trusted."""
    if summary.in_radians:
        return "the angles look like radians: they must be in degrees"
    if summary.samples >= max(HINT_SAMPLES, MAX_RATE_HZ * summary.seconds):
        return (
            f"by their times {summary.samples} samples took {summary.seconds:.3g} s: they are in "
            "another unit; of text lines a header says it, or --time-unit"
        )
    if not summary.by_cycle or any(summary.estimates.values()):
        return ""
    if summary.broken_cycles:
        return f"every stride has gaps: {1 / MAX_BRIDGED_GAP_S:.0f} samples a second are too few"
    if summary.seconds < HINT_S:
        return ""
    return (
        "no gait cycle was found: nobody walked, or slower than "
        f"{120 / MAX_STRIDE_S:.0f} steps/min; or check the angles' order, signs and units"
    )


def _pace(drift_ppm: float) -> str:
    """Say how fast the device's clock runs; nothing before that is known."""
    if not drift_ppm:
        return ""
    if abs(drift_ppm) <= MAX_DRIFT_PPM:
        return f"drift {drift_ppm:+.0f} ppm, "
    if drift_ppm <= -1e6:
        return "of no pace that can be told (all samples came at once), "
    return f"{1 / (1 + drift_ppm / 1e6):.4g} times as fast as this computer's, "


def _row(name: str, p: Percentiles) -> str:
    label = name.replace("byte_in_to_", "byte in to ").replace("_", " ")
    return f"  {label:<24}{p.p50_ms:9.3f}{p.p95_ms:9.3f}{p.p99_ms:9.3f}{p.max_ms:9.3f}"
