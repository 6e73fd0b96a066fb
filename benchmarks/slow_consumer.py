"""What a program that does not read its records costs the samples: nothing, and it is told.

``python -m benchmarks.slow_consumer [--quick] [--json FILE]`` streams a walk at a true 100 Hz into
a pipe that nobody reads for most of the time, then reads what is left. Every sample must be taken
and estimated in time; every record is either read or counted as dropped.
"""

import argparse
import json
import re
import time

from benchmarks.device import Program, sample_model_option, streaming, timed, voices_with
from benchmarks.report import Cell, Check, Report, Table, run_program
from tests.streams import Walk, synthetic_walk


def measure(arguments: argparse.Namespace) -> Report:
    """Stream to a reader that reads, and to one that sleeps."""
    walk = synthetic_walk(7.0 if arguments.quick else 60.0, stand_s=0.5)
    chosen = voices_with(arguments.sample_model)["cycle,sample"]
    rows: list[list[Cell]] = []
    p99s_ms = []
    report = Report()
    for reads in (True, False):
        with streaming(*chosen, "--output", "jsonl") as program:
            records = _play(program, walk, reads)
            said = program.finish()
            records += _rest(program)
        dropped = int(found[1]) if (found := re.search(r"(\d+) records dropped", said)) else 0
        strides = sum(map(int, re.findall(r"(\d+) (?:left|right)", said)))
        made = strides + len(walk)
        p99_ms, most_ms = _row(said, "byte in to sample out")
        p99s_ms.append(p99_ms)
        who = "reads at once" if reads else "sleeps"
        rows.append([who, made, len(records), dropped, p99_ms, most_ms])
        exact = len(records) + dropped == made and f"samples    {len(walk)}; frames lost 0" in said
        claim = f"reader {who}: every sample is taken, every estimate is read or counted as dropped"
        text = f"{made} estimates, {len(records)} read, {dropped} dropped"
        report.checks.append(Check(claim, exact and bool(dropped) != reads, text))
    awake_ms, asleep_ms = p99s_ms
    report.checks.append(
        Check(
            "a reader that sleeps delays no sample",
            asleep_ms < 2 * awake_ms + 1.0,
            f"p99 byte in to estimate out {asleep_ms:.3g} ms, {awake_ms:.3g} ms with one awake",
            timing=True,
        )
    )
    columns = ("reader", "estimates", "read", "dropped", "p99 in to out (ms)", "max (ms)")
    report.tables.append(Table("A pipe whose reader sleeps", columns, rows))
    return report


def _play(program: Program, walk: Walk, reads: bool) -> list[bytes]:
    """Send the walk; return the estimates that were read meanwhile."""
    records: list[bytes] = []
    if reads:
        program.play(timed(walk), on_line=lambda line, _: records.append(line))
    else:
        program.device.play(timed(walk))
        time.sleep(0.5)
    return [line for line in records if _is_estimate(line)]


def _rest(program: Program) -> list[bytes]:
    return [line for line in program.rest.split(b"\n") if line and _is_estimate(line)]


def _is_estimate(line: bytes) -> bool:
    return bool(json.loads(line)["record"] in ("estimate", "sample"))


def _row(said: str, name: str) -> tuple[float, float]:
    """Return p99 and maximum from the summary's table."""
    line = next(line for line in said.splitlines() if line.strip().startswith(name))
    p99_ms, most_ms = line.split()[-2:]
    return float(p99_ms), float(most_ms)


if __name__ == "__main__":
    run_program(__name__, measure, options=sample_model_option)
