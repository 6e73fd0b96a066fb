"""What readers of hostile bytes do: refuse them in one line, or use them; never fall over.

``python -m benchmarks.fuzz [--quick] [--seconds S] [--json FILE]`` feeds every reader bytes that
are random, and good files mutated, for S seconds each (an hour: ``--seconds 3600``). Decoders of a
link must raise nothing at all, readers of files nothing but edgehip's own errors. A crasher is
shrunk to the smallest of its kind and printed.
"""

import argparse
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzz_targets import Target, targets
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip.errors import EdgehipError

AT_MOST_S: Final = 1.0
"""Longer than this for a few kilobytes is a way to make edgehip hang."""
BATCH: Final = 200


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--seconds", type=float, help="for each target (default 60; quick 1)")


@dataclass(slots=True)
class Tally:
    """What became of the inputs so far."""

    inputs: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    crasher: str = ""


def measure(arguments: argparse.Namespace) -> Report:
    """Fuzz every target."""
    seconds = arguments.seconds or (1.0 if arguments.quick else 60.0)
    report = Report()
    rows: list[list[Cell]] = []
    with TemporaryDirectory() as folder:
        found, report.left_out = targets(Path(folder))
        for target in found:
            tally = _fuzz(target, seconds)
            rows.append([target.name, tally.inputs, tally.refused, 1e3 * tally.slowest_s])
            wrong = tally.crasher
            if not wrong and tally.slowest_s > AT_MOST_S:
                wrong = f"one input took {tally.slowest_s:.1f} s"
            claim = f"{target.name}: {tally.inputs} hostile inputs are refused or used, quickly"
            report.checks.append(Check(claim, not wrong, wrong or "none fell over"))
    columns = ("reader", "inputs", "refused", "slowest (ms)")
    note = "half of them good files with bytes changed, cut, doubled or joined; half made up"
    report.tables.append(Table("Hostile bytes", columns, rows, note))
    return report


def mutated(good: tuple[bytes, ...], fresh: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return made-up inputs, and good ones changed in a few places."""

    def change(data: bytes, at: float, kind: int, insert: bytes) -> bytes:
        place = int(at * len(data))
        match kind:
            case 0:
                return data[:place]
            case 1:
                return data[:place] + insert + data[place:]
            case 2:
                return data[:place] + insert + data[place + len(insert) :]
            case 3:
                return data[:place] + data[place + len(insert) + 1 :]
        return data[place:] + data[:place]

    changes = st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=8)), min_size=1, max_size=4
    )

    def changed(data: bytes, steps: list[tuple[float, int, bytes]]) -> bytes:
        for at, kind, insert in steps:
            data = change(data, at, kind, insert)
        return data

    return fresh | st.builds(changed, st.sampled_from(good), changes)


def _fuzz(target: Target, seconds: float) -> Tally:
    tally = Tally()
    ends_s = time.monotonic() + seconds
    number = 0
    while time.monotonic() < ends_s and not tally.crasher:
        try:
            with warnings.catch_warnings(action="ignore"):  # of the libraries that read
                seed(number)(_test(target, tally))()
        except Exception as error:  # whatever a reader let through is what is looked for
            note = " ".join(getattr(error, "__notes__", ()))
            where = traceback.extract_tb(error.__traceback__)[-1]
            tally.crasher = (
                f"{type(error).__name__}: {error} ({where.filename}:{where.lineno}) {note}"
            )
        number += 1
    return tally


def _test(target: Target, tally: Tally) -> Callable[[], None]:
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(target.good, target.fresh))
    def feed(data: bytes) -> None:
        began_s = time.perf_counter()
        try:
            target.read(data)
        except EdgehipError as error:
            if not target.may_refuse or not str(error).isprintable():
                raise AssertionError(f"refused in the wrong way: {error!r}") from error
            tally.refused += 1
        tally.inputs += 1
        tally.slowest_s = max(tally.slowest_s, time.perf_counter() - began_s)

    return feed


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
