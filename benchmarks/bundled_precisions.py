"""What the bundled models lose in smaller precisions, on real people's labelled strides.

These people trained the models, so the errors themselves say nothing here; their change does.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.report import Cell, Table
from edgehip.channels import MOMENTS
from edgehip.model import Model, load_model
from edgehip_export.default_evaluate import Curves, errors, loads_of
from edgehip_export.default_sample import RATE_HZ
from edgehip_export.default_walks import at_phase
from edgehip_export.export_file import export_file
from edgehip_export.export_model import FORMATS, Exported
from edgehip_export.parity import answers
from edgehip_export.quantize import Precision
from edgehip_export.strides import POINTS, Strides, close_cycles, load_strides

MODELS: Final = ("hip-cycle", "hip-sample")
PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "fp16", "int8")
COLUMNS: Final = (
    "model",
    "file",
    "precision",
    "KiB",
    "% of fp32",
    "error (% of SD)",
    "moments' R² lost",
    "moments' RMSE grown by",
    "forces' R² lost",
    "forces' RMSE grown by",
    "p50 (µs)",
    "p99 (µs)",
)
NOTE: Final = (
    "loss against the float32 file in the same engine; the people trained the models: only the "
    "loss says something; RMSE in Nm/kg and N/kg; error: on made-up strides"
)
WALKED: Final = 3
"""A per-sample model walks each stride so often; the last is judged."""


def bundled_precisions(data: Path, every: int) -> Table:
    """Return the table for each ``every``-th labelled stride in a folder of recordings."""
    strides = load_strides(data)
    strides = strides.take(np.arange(len(strides)) % every == 0)
    rows: list[list[Cell]] = []
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            made = export_file(name, Path(folder), FORMATS, PRECISIONS)
            for format in FORMATS:
                rows += _rows(name, [e for e in made if e.path.suffix == f".{format}"], strides)
    return Table(
        f"The bundled models in smaller precisions, on {len(strides)} strides of "
        f"{len(strides.people)} people",
        COLUMNS,
        rows,
        NOTE,
    )


def _rows(name: str, made: Sequence[Exported], strides: Strides) -> list[list[Cell]]:
    """Return the rows of one model's files in one format, the float32 one first."""
    whole: Curves | None = None
    rows: list[list[Cell]] = []
    for exported in made:
        assert exported.parity is not None
        loads = _loads(load_model(exported.path), strides)
        whole = loads if whole is None else whole
        rows.append(
            [
                name,
                exported.path.suffix[1:],
                exported.precision,
                exported.parity.size_bytes / 1024,
                100 * exported.parity.size_ratio,
                100 * exported.parity.normalised_error,
                *_losses(loads_of(strides), whole, loads),
                exported.parity.latency_us_p50,
                exported.parity.latency_us_p99,
            ]
        )
    return rows


def _losses(reference: Curves, whole: Curves, smaller: Curves) -> list[Cell]:
    """Return how much R2 fell and how much the RMSE grew, of moments and of forces."""
    losses: list[Cell] = []
    for outputs in (slice(None, len(MOMENTS)), slice(len(MOMENTS), None)):
        before, after = (errors(reference[..., outputs], o[..., outputs]) for o in (whole, smaller))
        assert before is not None
        assert after is not None
        losses += [before.r2 - after.r2, after.rmse - before.rmse]
    return losses


def _loads(model: Model, strides: Strides) -> Curves:
    """Return a model's loads (N, 180, 17), a per-sample model's in steady walking."""
    card = model.card
    angles = close_cycles(strides.angles_deg)
    if card.kind == "cycle":
        found = answers(model.engine.run, card, angles, {"stride_s": strides.stride_s})
        return np.concatenate([found["moments_nm_per_kg"], found["forces_n_per_kg"]], axis=-1)
    loads = []
    for curve, stride_s in zip(angles, strides.stride_s, strict=True):
        phase = torch.arange(int((WALKED + 0.1) * stride_s * RATE_HZ)) / (RATE_HZ * stride_s)
        walk = at_phase(torch.from_numpy(curve)[None], phase[None]).numpy()
        found = answers(model.engine.run, card, walk)
        both = np.concatenate([found["moments_nm_per_kg"], found["forces_n_per_kg"]], axis=-1)[0]
        points = np.linspace(WALKED - 1, WALKED, POINTS)
        loads.append(np.stack([np.interp(points, phase.numpy(), one) for one in both.T], axis=-1))
    return np.stack(loads).astype(np.float32)
