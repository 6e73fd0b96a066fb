"""What a stream came to, for a person, at its end."""

from typing import Final

from edgehip.latency import Percentiles
from edgehip.runtime import Summary

MAX_DRIFT_PPM: Final = 100_000
"""Not even an untrimmed RC oscillator is farther off: such a clock is not meant to keep pace."""


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary as lines of text."""
    strides = summary.estimates
    lines = [
        f"strides    {strides['l']} left, {strides['r']} right"
        + (f"; {summary.broken_cycles} broken by gaps" if summary.broken_cycles else ""),
        f"samples    {summary.samples}; frames lost {summary.frames_lost} "
        f"({summary.loss_percent:.2f} %)",
    ]
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
