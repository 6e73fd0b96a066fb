"""What the networks are worth in every format, precision and form, beside PyTorch.

``python -m benchmarks.quantization [--quick] [--data DIR]`` imports the checkpoints, exports them
and states, for every file: its size and its ratio to float32, its error against PyTorch, what it
loses of R² on labelled strides of other laboratories than the training's, and how long a call
takes on one thread, with the ratio to PyTorch's own call in the same run. The bundled models
follow, beside their float32 files.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.machine import DATA
from benchmarks.released import forms_of, networks
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip_export.answers import Floats, inputs_of
from edgehip_export.comparison_strides import Labelled
from edgehip_export.export import run_module
from edgehip_export.export_file import export_file
from edgehip_export.export_model import (
    FORMATS,
    Exported,
    Form,
    Limits,
    export_module,
)
from edgehip_export.forms import TYPICAL_STRIDE_S, cycle_form, step_form
from edgehip_export.parity import latency_us
from edgehip_export.quantize import PRECISIONS, Precision
from edgehip_export.strides import load_strides
from edgehip_export.trained import Target, TrainedModel

COLUMNS: Final = (
    "network",
    "form",
    "file",
    "precision",
    "KiB",
    "% of fp32",
    "max error",
    "error (% of SD)",
    "R² lost",
    "p50 (µs)",
    "p99 (µs)",
    "PyTorch's p50 to it",
    "written, by",
)
NOTE: Final = (
    "max error in Nm/kg or N/kg; error: RMS difference from the source over the SD of its answers; "
    "p50 and p99 of calls back to back on one thread"
)
BUNDLED: Final[dict[str, Form]] = {"hip-cycle": "cycle", "hip-sample": "step"}
BUNDLED_NOTE: Final = (
    "the source is the float32 file in the same engine; these people trained the models: only what "
    "is lost says something"
)
MOST_INT8: Final = 0.35
"""Of the float32 file's size."""


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recordings")


def measure(arguments: argparse.Namespace) -> Report:
    """Export everything, and compare."""
    for folder in ("gait2hip60", "walking", "other_labs"):
        if not (arguments.data / folder).is_dir():
            sys.exit(f"{arguments.data}: holds no {folder}/")
    torch.set_num_threads(1)
    every = 8 if arguments.quick else 1
    labelled = _strides(arguments.data, every)
    report, limits = Report(), Limits()
    rows: list[list[Cell]] = []
    made: list[Exported] = []
    for model in networks(arguments.data / "gait2hip60"):
        for form in forms_of(model):
            if arguments.quick and form == "cycle":
                continue
            print(f"{model.name}, {form}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                torch_us, exported = _export(model, form, labelled, Path(folder))
                made += exported
                report.checks += _not_as_stated(exported)
            rows += [_row(model.name, form, one, torch_us) for one in exported]
    if arguments.quick:
        report.left_out.append("whole-cycle forms: converting them takes minutes")
    stated = ", ".join(f"{100 * n:g} % in {p}" for p, n in limits.normalised_error.items())
    title = f"Every file against PyTorch, on {len(labelled.strides_deg)} strides"
    refused = f"an error above {stated}, or a loss of {limits.r2_loss:g} of R²"
    note = f"{NOTE}; not written are files with {refused}"
    report.tables.append(Table(title, COLUMNS, rows, note))
    ours = _real_strides(arguments.data, every)
    rows = []
    for name, form in BUNDLED.items():
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            smaller: tuple[Precision, ...] = ("fp32", "fp16", "int8")
            exported = export_file(
                name, Path(folder), FORMATS, smaller, labelled=ours, limits=limits
            )
            report.checks += _not_as_stated(exported)
        made += exported
        rows += [_row(name, form, one, None) for one in exported]
    title = f"The bundled models in smaller precisions, on {len(ours.strides_deg)} strides"
    report.tables.append(Table(title, COLUMNS, rows, f"{NOTE}; {BUNDLED_NOTE}"))
    report.checks += _checks(made)
    return report


def _not_as_stated(made: Sequence[Exported]) -> list[Check]:
    """Return a failed check for each file that is there and should not be, or the other way."""
    return [
        Check("a file is there if, and only if, its report says so", False, one.path.name)
        for one in made
        if one.path.exists() != (one.refusal is None)
    ]


def _checks(made: Sequence[Exported]) -> list[Check]:
    """Return what is claimed of all files."""
    offered = [one for one in made if one.parity is not None and one.precision != "int8-static"]
    refused = [one.path.name for one in offered if one.refusal is not None]
    ratios = [one.parity.size_ratio for one in offered if one.parity and one.precision == "int8"]
    return [
        Check(
            "every file of fp32, fp16 and int8 is within its limits, and written",
            not refused,
            ", ".join(refused) or f"{len(offered)} of {len(offered)}",
        ),
        Check(
            f"every int8 file is at most {MOST_INT8:.0%} of the float32 one",
            max(ratios) <= MOST_INT8,
            f"{min(ratios):.1%} to {max(ratios):.1%} in {len(ratios)} files",
        ),
    ]


def _strides(data: Path, every: int) -> Labelled:
    with np.load(data / "walking" / "strides_180.npz") as file:
        return Labelled(
            file["X"][::every],
            {"moments": file["Y_moment"][::every], "forces": file["Y_force"][::every]},
        )


def _real_strides(data: Path, every: int) -> Labelled:
    """Return the strides of all laboratories that have forces, with how long they took."""
    strides = load_strides(data)
    strides = strides.take(np.flatnonzero(np.isfinite(strides.forces).all((1, 2)))[::every])
    per_kg: dict[Target, Floats] = {"moments": strides.moments, "forces": strides.forces}
    return Labelled(strides.angles_deg, per_kg, {"stride_s": strides.stride_s})


def _export(
    model: TrainedModel, form: Form, labelled: Labelled, folder: Path
) -> tuple[float, list[Exported]]:
    """Return how long PyTorch's own call takes (µs), and every file that was tried."""
    module, card = cycle_form(model) if form == "cycle" else step_form(model, TYPICAL_STRIDE_S)
    first = inputs_of(card, labelled.strides_deg[:1, : card.samples_per_cycle or 1])
    torch_us = latency_us(lambda *inputs: run_module(module, *inputs), first)[0]
    return torch_us, export_module(module, card, folder, FORMATS, PRECISIONS, labelled, Limits())


def _row(network: str, form: Form, exported: Exported, torch_us: float | None) -> list[Cell]:
    parity, refusal = exported.parity, exported.refusal
    what: list[Cell] = [network, form, exported.path.suffix[1:], exported.precision]
    if parity is None:
        return [*what, *[None] * (len(COLUMNS) - len(what) - 1), f"no: {refusal}"]
    return [
        *what,
        parity.size_bytes / 1024,
        100 * parity.size_ratio,
        max(parity.max_error.values()),
        100 * parity.normalised_error,
        max(accuracy.r2_loss for accuracy in parity.accuracy.values()),
        parity.latency_us_p50,
        parity.latency_us_p99,
        None if torch_us is None else torch_us / parity.latency_us_p50,
        parity.engine if refusal is None else f"no: {refusal}",
    ]


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
