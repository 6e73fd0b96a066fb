"""How long an estimate takes, back to back and at a true pace.

``python -m benchmarks.latency [--quick] [--json FILE] [--model FILE ...]`` times one call of every
bundled model, of the released networks in every engine, precision and form (exported first, which
takes some minutes, and kept), and of the models given, on one thread. Then it times the whole
per-sample path, from a decoded sample to both hips' estimates, beside an idle and a busy core, in
turns with a loop that does nothing for as long: what that suffers is the machine's doing.
"""

import argparse
import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.machine import cores, neighbour
from benchmarks.released import released_models
from benchmarks.report import Cell, Check, Report, Table, run_program
from benchmarks.timing import COLUMNS, distribution, in_turns, late, paced
from edgehip.errors import EdgehipError
from edgehip.estimators.correction import Correction
from edgehip.estimators.sample import SampleEstimator
from edgehip.events import JointAngleSample
from edgehip.model import Model, bundled_models, load_model
from edgehip.walker import Walker, WalkerParameters

RATES_HZ: Final = (100.0, 200.0)
DEADLINE_US: Final = 2000.0
TURNS: Final = ((0.0005, 250, 20), (0.005, 25, 20), (np.inf, 5, 10))
"""Calls that take up to so many seconds, in how many turns they are timed, how often in each."""
QUICK_TURNS: Final = ((0.005, 15, 20), (np.inf, 1, 10))
PACED_TURNS: Final = 4
WHAT: Final = ("model", "engine", "precision", "form")


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--model", type=Path, action="append", default=[], help="time this, too")


def measure(arguments: argparse.Namespace) -> Report:
    """Time everything."""
    report = Report()
    quick = arguments.quick
    bundled = _loaded([*bundled_models(), *arguments.model], report)
    report.tables += _calls("bundled", bundled, quick, 0.5 if quick else 20.0)
    if quick:
        report.left_out.append("the released networks: exporting them takes minutes")
    else:
        try:
            released = _loaded(released_models(), report)
        except (ImportError, FileNotFoundError, EdgehipError) as error:
            report.left_out.append(f"the released networks: {error}")
        else:
            steps = [model for model in released if model.card.kind == "sample"]
            cycles = [model for model in released if model.card.kind == "cycle"]
            report.tables += _calls("released step", steps, quick, 3.0)
            report.tables += _calls("released cycle", cycles, quick, 2.0)
    for model in bundled:
        if model.card.kind == "sample":
            report.add(_at_pace(model, quick))
    return report


def _loaded(paths: Sequence[Path], report: Report) -> list[Model]:
    models = []
    for path in paths:
        try:
            models.append(load_model(path))
        except EdgehipError as error:
            report.left_out.append(str(error))
    return models


def _calls(group: str, models: list[Model], quick: bool, paced_s: float) -> list[Table]:
    """Time calls of models in turns, then of each for so long at 100 Hz, half of it at 200 Hz."""
    what = [_what(model) for model in models]
    calls = [engine_call(model) for model in models]
    durations: list[list[float]] = [[] for _ in models]
    left = {number: _seconds(call) for number, call in enumerate(calls)}
    for most_s, rounds, in_a_row in QUICK_TURNS if quick else TURNS:
        chosen = [number for number, seconds in left.items() if seconds <= most_s]
        left = {number: seconds for number, seconds in left.items() if seconds > most_s}
        found = in_turns([calls[number] for number in chosen], rounds, in_a_row)
        for number, found_us in zip(chosen, found, strict=True):
            durations[number] = found_us
    rows: list[list[Cell]] = [
        [*one, len(found_us), *distribution(found_us)]
        for one, found_us in zip(what, durations, strict=True)
    ]
    tables = [_table(f"One call of a {group} model, back to back, in turns", COLUMNS, rows)]
    for rate_hz in RATES_HZ:
        rows = []
        for one, call in zip(what, calls, strict=True):
            found_us, since_due = paced(call, rate_hz, paced_s * RATES_HZ[0] / rate_hz)
            rows.append([*one, len(found_us), *distribution(found_us), late(since_due, rate_hz)])
        title = f"One call of a {group} model at a true {rate_hz:g} Hz"
        tables.append(_table(title, (*COLUMNS, "late"), rows))
    return tables


def _what(model: Model) -> list[Cell]:
    form = "cycle" if model.card.kind == "cycle" else "step"
    return [Path(model.path).name, model.engine.name, model.card.precision, form]


def _table(title: str, columns: Sequence[str], rows: list[list[Cell]]) -> Table:
    note = "microseconds; a whole-cycle model is called once a stride, whatever the sample rate"
    note += "; late: not done when the next call is due" if "late" in columns else ""
    return Table(title, (*WHAT, "calls", *columns), rows, note)


def _seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes that is not the first, at best."""
    call()
    took_s = []
    for _ in range(3):
        began_s = time.perf_counter()
        call()
        took_s.append(time.perf_counter() - began_s)
    return min(took_s)


def engine_call(model: Model) -> Callable[[], object]:
    """Return a call of a model's engine on typical inputs."""
    rng = np.random.default_rng(0)
    typical = {"stride_s": 1.1, "body_height_m": 1.7}
    inputs = [
        rng.normal(0.0, 20.0, tensor.shape).astype(np.float32)
        if tensor.name == "angles_deg"
        else np.full(tensor.shape, typical.get(tensor.name, 0.0), np.float32)
        for tensor in model.card.inputs
    ]
    return lambda: model.engine.run(*inputs)


def feeder(model: Model) -> Callable[[], object]:
    """Return a call that has the next sample of an endless walk estimated and corrected."""
    estimator, correction = SampleEstimator(model), Correction()
    correction.state.landed_s = 0.0
    for hip in correction.state.hips.values():  # as in a stride that does not end
        hip.strides, hip.contact_s, hip.stride_s = 1, 0.0, 1e9
    walker = Walker(WalkerParameters(rate_hz=model.card.rate_hz or 100.0, noise_deg=0.2))
    angles = [sample.angles_deg for sample in itertools.islice(walker, 6000)]
    step_s = estimator.step_s
    sample = JointAngleSample(0.0, angles[0], 0)
    numbers = itertools.count()

    def feed() -> object:
        number = next(numbers)
        found = angles[number % len(angles)]
        now = dataclasses.replace(sample, time_s=number * step_s, angles_deg=found)
        return correction.correct(estimator.feed(now))

    return feed


def _at_pace(model: Model, quick: bool) -> Report:
    """Time the per-sample path at 100 Hz, beside an idle and a busy core."""
    name, rate_hz, turn_s = Path(model.path).name, 100.0, 0.5 if quick else 10.0
    rows: list[list[Cell]] = []
    report = Report()
    call = engine_call(model)
    for busy in (False, True):
        other = "busy" if busy else "idle"
        if busy and len(cores()) < 2:
            report.left_out.append("the other core busy: there is one core only")
            continue
        feed = feeder(model)
        durations: list[float] = []
        since_due: list[float] = []
        idled: list[float] = []
        with neighbour(busy):
            for _ in range(PACED_TURNS):
                found, done = paced(feed, rate_hz, turn_s)
                durations += found
                since_due += done
                idled += paced(_idle(found), rate_hz, turn_s)[0]
            alone, _ = paced(lambda: (call(), call()), rate_hz, turn_s)
        late_ones = late(since_due, rate_hz)
        ours, nothing = distribution(durations), distribution(idled)
        rows.append([other, "sample to both hips", *ours, max(since_due), late_ones])
        rows.append([other, "a loop that does nothing", *nothing, "", ""])
        rows.append([other, "its two engine calls alone", *distribution(alone), "", ""])
        report.checks.append(
            Check(
                f"{name}: at a true 100 Hz, other core {other}, p99.9 is under 2 ms, none late",
                ours[3] < DEADLINE_US and not late_ones,
                f"p99.9 {ours[3]:.0f} microseconds (of a loop that does nothing {nothing[3]:.0f}), "
                f"{late_ones} of {len(durations)} late",
                timing=True,
            )
        )
    columns = ("other core", "what", *COLUMNS, "due to done, max", "late")
    note = "microseconds from the decoded sample; late: not done when the next sample is due"
    title = f"At a true 100 Hz: {name} ({model.engine.name})"
    report.tables.append(Table(title, columns, rows, note))
    return report


def _idle(durations_us: Sequence[float]) -> Callable[[], None]:
    """Return a call that counts for about as long as others took."""
    began_ns = time.perf_counter_ns()
    for _ in range(100_000):
        pass
    each_us = (time.perf_counter_ns() - began_ns) / 1e8
    count = round(float(np.median(durations_us)) / each_us)

    def idle() -> None:
        for _ in range(count):
            pass

    return idle


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
