"""How long an estimate takes, back to back and at a true pace, beside its alternatives.

``python -m benchmarks.latency [--quick] [--json FILE] [--model FILE ...]`` times every bundled
model (and those given) on one thread, then the whole per-sample path from a decoded sample to both
hips' estimates: against its own engine calls, against the paper's Transformer run in PyTorch on the
last 180 samples, and against a plain NumPy loop, in turns in one run.
"""

import argparse
import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import peers
from benchmarks.machine import cores, neighbour
from benchmarks.report import Cell, Check, Report, Table, run_program
from benchmarks.timing import COLUMNS, distribution, in_turns, paced
from edgehip.errors import EdgehipError
from edgehip.estimators.sample import SampleEstimator
from edgehip.events import JointAngleSample
from edgehip.model import Model, bundled_models, load_model
from edgehip.walker import Walker, WalkerParameters

RATES_HZ: Final = (100.0, 200.0)
MOST_OVER_ENGINE: Final = 3.0
LEAST_UNDER_TORCH: Final = 50.0
DEADLINE_US: Final = 2000.0
UNITS_PER_NETWORK: Final = 64
"""Of the NumPy loop, which has as many units as the model's hidden state, in networks so wide."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--model", type=Path, action="append", default=[], help="time this, too")


def measure(arguments: argparse.Namespace) -> Report:
    """Time everything."""
    report = Report()
    models = []
    for path in (*bundled_models(), *arguments.model):
        try:
            models.append(load_model(path))
        except EdgehipError as error:
            report.left_out.append(str(error))
    report.add(_engines(models, arguments.quick))
    samples = [model for model in models if model.card.kind == "sample"]
    if not samples:
        report.left_out.append("per-sample estimates: no per-sample model is bundled")
    for model in samples:
        report.add(_against(model, arguments.quick))
        report.add(_at_pace(model, arguments.quick))
    return report


def _engines(models: list[Model], quick: bool) -> Report:
    rows: list[list[Cell]] = []
    for model in models:
        call = engine_call(model)
        what = [Path(model.path).name, model.engine.name, model.card.precision]
        rounds = 15 if quick else 500
        rows.append([*what, "back to back", *distribution(in_turns([call], rounds)[0])])
        for rate_hz in RATES_HZ:
            durations, _ = paced(call, rate_hz, 0.5 if quick else 30.0)
            rows.append([*what, f"{rate_hz:g} Hz", *distribution(durations)])
    columns = ("model", "engine", "precision", "calls", *COLUMNS)
    note = "microseconds; a whole-cycle model is called once a stride, whatever the sample rate"
    return Report([Table("One call of a bundled model, one thread", columns, rows, note)])


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
    """Return a call that feeds the next sample of an endless walk to a per-sample estimator."""
    estimator = SampleEstimator(model)
    walker = Walker(WalkerParameters(rate_hz=model.card.rate_hz or 100.0, noise_deg=0.2))
    angles = [sample.angles_deg for sample in itertools.islice(walker, 6000)]
    step_s = estimator.step_s
    sample = JointAngleSample(0.0, angles[0], 0)
    numbers = itertools.count()

    def feed() -> object:
        number = next(numbers)
        found = angles[number % len(angles)]
        return estimator.feed(dataclasses.replace(sample, time_s=number * step_s, angles_deg=found))

    return feed


def _against(model: Model, quick: bool) -> Report:
    """Time the per-sample path in turns with what it rests on and what would replace it."""
    call = engine_call(model)
    hidden = next((t.shape[-1] for t in model.card.inputs if t.name == "state.hidden"), 0)
    calls: dict[str, Callable[[], object]] = {
        "edgehip, sample to both hips": feeder(model),
        "its two engine calls alone": lambda: (call(), call()),
    }
    report = Report()
    if hidden:
        loop = peers.NumpyLoop(36, UNITS_PER_NETWORK, max(1, hidden // UNITS_PER_NETWORK))
        features = np.zeros(36, np.float32)
        calls["NumPy loop, both hips"] = lambda: (loop.step(features), loop.step(features))
    try:
        calls |= {f"PyTorch window, {k}": v for k, v in peers.torch_windows().items()}
    except ImportError:
        report.left_out.append("the paper's Transformer in PyTorch: torch is not installed")
    found = dict(zip(calls, in_turns(list(calls.values()), 3 if quick else 100), strict=True))
    ours, engine, *_ = (float(np.median(durations)) for durations in found.values())
    rows: list[list[Cell]] = [
        [what, *distribution(durations), float(np.median(durations)) / ours]
        for what, durations in found.items()
    ]
    name = Path(model.path).name
    report.tables.append(
        Table(
            f"At every sample, in turns: {name} ({model.engine.name})",
            ("what", *COLUMNS, "median to edgehip's"),
            rows,
            "microseconds; the NumPy loop is a recurrent layer of the same number of units with "
            "random weights, without the foot paths the model computes itself",
        )
    )
    report.checks.append(
        Check(
            f"{name}: both hips take at most {MOST_OVER_ENGINE:g} times the bare engine calls",
            ours <= MOST_OVER_ENGINE * engine,
            f"{ours / engine:.2f} times (medians {ours:.1f} and {engine:.1f} microseconds)",
            timing=True,
        )
    )
    for what, durations in found.items():
        if what.startswith("PyTorch"):
            times = float(np.median(durations)) / ours
            claim = f"{name}: at least {LEAST_UNDER_TORCH:g} times faster than {what}"
            held = times >= LEAST_UNDER_TORCH
            report.checks.append(Check(claim, held, f"{times:.0f} times", timing=True))
    return report


def _at_pace(model: Model, quick: bool) -> Report:
    """Time the per-sample path at 100 Hz, beside an idle and a busy core."""
    name, rate_hz, duration_s = Path(model.path).name, 100.0, 2.0 if quick else 60.0
    rows: list[list[Cell]] = []
    report = Report()
    call = engine_call(model)
    for busy in (False, True):
        other = "busy" if busy else "idle"
        if busy and len(cores()) < 2:
            report.left_out.append("the other core busy: there is one core only")
            continue
        feed = feeder(model)
        with neighbour(busy):
            durations, since_due = paced(feed, rate_hz, duration_s)
            alone, _ = paced(lambda: (call(), call()), rate_hz, duration_s / 2)
        late = sum(us > 1e6 / rate_hz for us in since_due)
        ours = distribution(durations)
        rows.append([other, "sample to both hips", *ours, max(since_due), late])
        rows.append([other, "its two engine calls alone", *distribution(alone)])
        rows[-1] += ["", ""]
        report.checks.append(
            Check(
                f"{name}: at a true 100 Hz, other core {other}, p99.9 is under 2 ms, none late",
                ours[3] < DEADLINE_US and not late,
                f"p99.9 {ours[3]:.0f} microseconds, {late} of {len(durations)} late",
                timing=True,
            )
        )
    columns = ("other core", "what", *COLUMNS, "due to done, max", "late")
    note = "microseconds from the decoded sample; late: not done when the next sample is due"
    title = f"At a true 100 Hz: {name} ({model.engine.name})"
    report.tables.append(Table(title, columns, rows, note))
    return report


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
