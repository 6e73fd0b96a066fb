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
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.bundled_precisions import bundled_precisions
from benchmarks.machine import ROOT
from benchmarks.released import forms_of, networks
from benchmarks.report import Cell, Report, Table, run_program
from edgehip_export.export import run_module
from edgehip_export.export_model import Exported, Form, Labelled, Limits, export_module
from edgehip_export.forms import TYPICAL_STRIDE_S, cycle_form, step_form
from edgehip_export.parity import inputs_of, latency_us
from edgehip_export.quantize import PRECISIONS
from edgehip_export.trained import TrainedModel

DATA: Final = ROOT.parent / "shared" / "data"
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
    "max error in Nm/kg or N/kg; error: RMS difference from PyTorch over the SD of its answers; "
    "p50 and p99 of calls back to back on one thread"
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--data", type=Path, default=DATA, help="folder with gait2hip60/, walking/")


def measure(arguments: argparse.Namespace) -> Report:
    """Export everything, and compare."""
    if not (arguments.data / "gait2hip60").is_dir():
        sys.exit(f"{arguments.data}: holds no gait2hip60/ with the released checkpoints")
    torch.set_num_threads(1)
    labelled = _strides(arguments.data, every=8 if arguments.quick else 1)
    rows: list[list[Cell]] = []
    report = Report()
    for model in networks(arguments.data / "gait2hip60"):
        for form in forms_of(model):
            if arguments.quick and form == "cycle":
                continue
            print(f"{model.name}, {form}", file=sys.stderr, flush=True)
            rows += _rows(model, form, labelled)
    if arguments.quick:
        report.left_out.append("whole-cycle forms: converting them takes minutes")
    limits = ", ".join(f"{100 * n:g} % in {p}" for p, n in Limits().normalised_error.items())
    title = f"Every file against PyTorch, on {len(labelled.strides_deg)} strides"
    refused = f"an error above {limits}, or a loss of {Limits().r2_loss:g} of R²"
    note = f"{NOTE}; not written are files with {refused}"
    report.tables.append(Table(title, COLUMNS, rows, note))
    report.tables.append(bundled_precisions(arguments.data, every=8 if arguments.quick else 1))
    return report


def _strides(data: Path, every: int) -> Labelled:
    with np.load(data / "walking" / "strides_180.npz") as file:
        return Labelled(
            file["X"][::every],
            {"moments": file["Y_moment"][::every], "forces": file["Y_force"][::every]},
        )


def _rows(model: TrainedModel, form: Form, labelled: Labelled) -> list[list[Cell]]:
    module, card = cycle_form(model) if form == "cycle" else step_form(model, TYPICAL_STRIDE_S)
    first = inputs_of(card, labelled.strides_deg[:1, : card.samples_per_cycle or 1])
    torch_us = latency_us(lambda *inputs: run_module(module, *inputs), first)[0]
    with tempfile.TemporaryDirectory() as folder:
        made = export_module(
            module, card, Path(folder), precisions=PRECISIONS, labelled=labelled, limits=Limits()
        )
        return [_row(model.name, form, exported, torch_us) for exported in made]


def _row(network: str, form: Form, exported: Exported, torch_us: float) -> list[Cell]:
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
        torch_us / parity.latency_us_p50,
        parity.engine if refusal is None else f"no: {refusal}",
    ]


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
