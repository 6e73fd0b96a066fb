"""How much longer an estimate takes the way one would make it without edgehip.

``python -m benchmarks.peers [--quick] [--json FILE]`` times edgehip's per-sample path, from a
decoded sample to both hips' estimates, in turns and in one run with: its bare engine calls; a plain
NumPy loop; the paper's prediction code's way, its Transformer in PyTorch on the last 180 samples at
every sample; and OpenSim's static optimization of one frame (see ``benchmarks/opensim_peer.py`` for
what that needs).
"""

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.latency import engine_call, feeder
from benchmarks.machine import cores, only_core
from benchmarks.opensim_peer import OpenSim, opensim
from benchmarks.peer_networks import NumpyLoop, torch_windows
from benchmarks.report import Cell, Check, Report, Table, run_program
from benchmarks.timing import COLUMNS, distribution, in_turns
from edgehip.model import Model, bundled_models, load_model

MOST_OVER_ENGINE: Final = 3.0
FEATURES: Final = 54
UNITS: Final = (192, 96)
"""Of the NumPy loop, which sees and remembers as much as the model and has as many units."""
OURS: Final = "edgehip, sample to both hips"
SAME_OUTPUTS: Final = "PyTorch window, moments and forces of both hips"
"""What PyTorch must do to answer what edgehip answers; the other row is a part of it."""
ENGINE: Final = "its two engine calls alone"
LOOP: Final = "NumPy loop, both hips"
"""The network alone, so the engine's calls alone are what it is compared with."""
OPENSIM: Final = "OpenSim, static optimization of a frame"
LEAST_TIMES_FASTER: Final = {SAME_OUTPUTS: 50.0, OPENSIM: 1000.0}


def measure(arguments: argparse.Namespace) -> Report:
    """Time every bundled per-sample model against everything."""
    report = Report()
    models = [load_model(path) for path in bundled_models()]
    models = [model for model in models if model.card.kind == "sample"]
    with ExitStack() as stack:
        stack.enter_context(only_core(cores()[0]))
        worker = None
        try:
            worker = stack.enter_context(opensim())
        except ImportError as error:
            report.left_out.append(f"OpenSim: {error}")
        for model in models:
            report.add(_against(model, worker, arguments.quick))
    return report


def _against(model: Model, worker: OpenSim | None, quick: bool) -> Report:
    call, feed = engine_call(model), feeder(model)
    calls: dict[str, Callable[[], object]] = {OURS: feed, ENGINE: lambda: (call(), call())}
    report = Report()
    memory = next((t.shape[-1] for t in model.card.inputs if t.name == "state.memory"), 0)
    if memory:
        loop = NumpyLoop(FEATURES, memory, UNITS)
        features = np.zeros(FEATURES, np.float32)
        calls[LOOP] = lambda: (loop.step(features), loop.step(features))
    try:
        calls |= {f"PyTorch window, {k}": v for k, v in torch_windows().items()}
    except ImportError:
        report.left_out.append("the paper's Transformer in PyTorch: torch is not installed")
    found = dict(zip(calls, in_turns(list(calls.values()), 3 if quick else 100), strict=True))
    note = (
        "microseconds, of one core; the NumPy loop is layers of as many units on as "
        "much memory, with random weights, without the foot paths the model computes itself"
    )
    if worker is not None:
        # In turns, too, but seldom: a frame takes as long as thousands of samples.
        rounds, in_a_row = (1, 3) if quick else (10, 10)
        try:
            found[OPENSIM] = in_turns([feed, worker.frame], rounds, in_a_row)[1]
            note += f"; {worker.problem}, on a synthetic walk with made-up forces on the feet"
        except ChildProcessError as error:
            report.left_out.append(f"OpenSim: {error}")
    medians = {what: float(np.median(durations)) for what, durations in found.items()}
    rows: list[list[Cell]] = [
        [what, len(durations), *distribution(durations), medians[what] / medians[OURS]]
        for what, durations in found.items()
    ]
    name = Path(model.path).name
    columns = ("what", "calls", *COLUMNS, "median to edgehip's")
    title = f"At every sample, in turns: {name} ({model.engine.name})"
    report.tables.append(Table(title, columns, rows, note))
    report.checks += _checks(name, medians)
    return report


def _checks(name: str, medians_us: dict[str, float]) -> list[Check]:
    ours, engine = medians_us[OURS], medians_us[ENGINE]
    checks = [
        Check(
            f"{name}: both hips take at most {MOST_OVER_ENGINE:g} times the bare engine calls",
            ours <= MOST_OVER_ENGINE * engine,
            f"{ours / engine:.2f} times (medians {ours:.1f} and {engine:.1f} microseconds)",
            timing=True,
        )
    ]
    for what, median in medians_us.items():
        if what not in (OURS, ENGINE):
            which, mine = (f", {ENGINE}", engine) if what == LOOP else ("", ours)
            times, least = median / mine, LEAST_TIMES_FASTER.get(what, 1.0)
            faster = f"at least {least:g} times faster" if what in LEAST_TIMES_FASTER else "faster"
            claim = f"{name}{which}: {faster} than {what}"
            checks.append(Check(claim, times >= least, f"{times:.3g} times", timing=True))
    return checks


if __name__ == "__main__":
    run_program(__name__, measure)
