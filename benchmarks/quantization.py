"""The six released networks in every format, precision and form, beside PyTorch.

``python -m benchmarks.quantization [--quick] [--data DIR]`` imports the checkpoints, exports them
and prints, for every file: its size and its ratio to float32, its error against PyTorch, what it
loses of R² on labelled strides of other laboratories than the training's, and how long a call
takes on one thread, with the ratio to PyTorch's own call in the same run.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.quantization_table import HEADER, line
from edgehip_export.checkpoint import import_checkpoints
from edgehip_export.export import run_module
from edgehip_export.export_model import Form, Labelled, Limits, export_module
from edgehip_export.forms import TYPICAL_STRIDE_S, cycle_form, step_form
from edgehip_export.parity import inputs_of, latency_us
from edgehip_export.quantize import PRECISIONS
from edgehip_export.trained import TrainedModel

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FAMILIES = ("Transformer", "LSTM", "Mamba")
TASKS = ("JM60", "MF60")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantization")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with gait2hip60/, walking/")
    parser.add_argument("--quick", action="store_true", help="steps only, on every eighth stride")
    arguments = parser.parse_args()
    if not (arguments.data / "gait2hip60").is_dir():
        sys.exit(f"{arguments.data}: holds no gait2hip60/ with the released checkpoints")
    torch.set_num_threads(1)
    labelled = _strides(arguments.data, every=8 if arguments.quick else 1)
    print(f"{len(labelled.strides_deg)} strides; limits {Limits().normalised_error}, R² loss 0.005")
    print(HEADER)
    for model in _models(arguments.data / "gait2hip60"):
        for form in _forms(model, arguments.quick):
            _print_form(model, form, labelled)


def _strides(data: Path, every: int) -> Labelled:
    with np.load(data / "walking" / "strides_180.npz") as file:
        return Labelled(
            file["X"][::every],
            {"moments": file["Y_moment"][::every], "forces": file["Y_force"][::every]},
        )


def _models(folder: Path) -> Iterator[TrainedModel]:
    for family in FAMILIES:
        for task in TASKS:
            yield import_checkpoints([folder / f"{family}_{task}.pt"], f"{family}-{task}".lower())


def _forms(model: TrainedModel, quick: bool) -> tuple[Form, ...]:
    if model.networks[0].family == "transformer":
        return () if quick else ("cycle",)
    return ("step",) if quick else ("cycle", "step")


def _print_form(model: TrainedModel, form: Form, labelled: Labelled) -> None:
    module, card = cycle_form(model) if form == "cycle" else step_form(model, TYPICAL_STRIDE_S)
    first = inputs_of(card, labelled.strides_deg[:1, : card.samples_per_cycle or 1])
    torch_us = latency_us(lambda *inputs: run_module(module, *inputs), first)[0]
    with tempfile.TemporaryDirectory() as folder:
        for exported in export_module(
            module,
            card,
            Path(folder),
            precisions=PRECISIONS,
            labelled=labelled,
            limits=Limits(),
        ):
            print(line(model.name, form, exported, torch_us), flush=True)


if __name__ == "__main__":
    main()
