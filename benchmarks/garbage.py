"""What the per-sample path allocates, and what collecting garbage costs it.

``python -m benchmarks.garbage [--quick] [--json FILE] [--sample-model FILE]`` feeds a whole
pipeline with frames and watches Python's collector (``gc.callbacks``), the blocks that stay
allocated and the most that is allocated at a time, as the interpreter starts and with everything
made at start-up frozen (``gc.freeze``), as ``edgehip stream`` does; quick, as that does only.
"""

import argparse
import gc
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, cycle
from typing import Any

from benchmarks.device import sample_model_option
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip.events import Chunk
from edgehip.messages import Angles
from edgehip.model import load_model
from edgehip.pipeline import Pipeline
from edgehip.wire import encode
from tests.streams import synthetic_walk

SETTLED = 10_000
"""Samples until every bounded history is full: the clock's is that of a minute."""
LEAKS_BLOCKS = 0.01
"""So many blocks a sample that stay would be a leak: a block an hour at 100 Hz is far less."""


def measure(arguments: argparse.Namespace) -> Report:
    """Feed pipelines, and watch."""
    report = Report()
    samples = 20_000 if arguments.quick else 200_000
    rows: list[list[Cell]] = []
    for frozen in (True,) if arguments.quick else (False, True):
        pipeline = Pipeline(load_model(), sample_model=load_model(arguments.sample_model))
        feed = _feeder(pipeline)
        for _ in range(SETTLED):
            next(feed)
        gc.collect()
        if frozen:
            gc.freeze()
        with _collections() as pauses_us:
            blocks = sys.getallocatedblocks()
            for _ in range(samples):
                next(feed)
        with _collections() as forced_us:
            gc.collect()
        stay = (sys.getallocatedblocks() - blocks) / samples
        gc.unfreeze()
        for generation, found in pauses_us.items():
            row: list[Cell] = ["frozen" if frozen else "as started", generation, len(found)]
            row += [max(found, default=None), sum(found) / samples]
            rows.append([*row, max(forced_us[generation], default=None)])
    most_kib, made_kib = _allocated(feed, 300)
    report.tables.append(
        Table(
            f"Collections while {samples} samples are estimated",
            (
                "start-up objects",
                "generation",
                "collections",
                "longest (µs)",
                "a sample (µs)",
                "forced (µs)",
            ),
            rows,
            "forced: a collection at the end, whether one was due or not",
        )
    )
    note = "at most: above what was there before, over 300 samples and their strides"
    columns = ("blocks that stay, a sample", "KiB at most", "KiB after")
    report.tables.append(Table("Allocation", columns, [[stay, most_kib, made_kib]], note))
    found_text = f"{stay:+.4f} blocks a sample"
    report.checks.append(Check("nothing leaks", stay < LEAKS_BLOCKS, found_text))
    return report


def _feeder(pipeline: Pipeline) -> Iterator[None]:
    """Feed the next frame of an endless walk each time it is iterated."""
    walk = synthetic_walk(60.0, stand_s=0.0, noise_deg=0.2)
    angles = [Angles(tuple(row)) for row in walk.angles_deg.tolist()]
    for number, message in zip(count(), cycle(angles)):
        pipeline.feed(Chunk(encode(message, number, number * 10_000), number * 10_000_000))
        yield


@contextmanager
def _collections() -> Iterator[dict[int, list[float]]]:
    """Note how long each of the collector's runs takes, in microseconds, by generation."""
    found: dict[int, list[float]] = {0: [], 1: [], 2: []}
    began_ns = 0

    def note(phase: str, info: dict[str, Any]) -> None:
        nonlocal began_ns
        if phase == "start":
            began_ns = time.perf_counter_ns()
        else:
            found[info["generation"]].append((time.perf_counter_ns() - began_ns) / 1e3)

    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


def _allocated(feed: Iterator[None], samples: int) -> tuple[float, float]:
    """Return the most that was allocated at a time, and what stayed, in KiB."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(samples):
        next(feed)
    now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (most - before) / 1024, (now - before) / 1024


if __name__ == "__main__":
    run_program(__name__, measure, options=sample_model_option)
