"""How well an exported file does what its source does: size, error, accuracy and latency."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgehip.backends import Engine
from edgehip.model_card import ModelCard
from edgehip_export.answers import Floats, Run, answers, inputs_of
from edgehip_export.comparison_strides import Labelled
from edgehip_export.metrics import Errors

MOST_LATENCY_CALLS: Final = 1000
LATENCY_BUDGET_S: Final = 0.5
CONSTANT: Final = 1e-6
"""What changes by less than this share of its size does not change: rounding does that."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors on labelled strides, of a file and of its source."""

    r2: float
    r2_of_source: float
    rmse: float
    rmse_of_source: float

    @property
    def r2_loss(self) -> float:
        """How much R² the file lost against its source."""
        return self.r2_of_source - self.r2


@dataclass(frozen=True, slots=True)
class Parity:
    """What was measured on one file.

    Parameters
    ----------
    engine
        Name and version of the engine it was measured in.
    size_bytes, size_ratio
        The graph's size, and its ratio to that of the float32 graph in the same format.
    max_error
        Largest difference from the source, per output in the output's unit.
    normalised_error
        RMS difference from the source over the SD of its own answers, the mean over channels;
        the worst of the outputs.
    accuracy
        Per output, where labelled strides were given.
    latency_us_p50, latency_us_p99
        Of one call, back to back on one thread.
    """

    engine: str
    size_bytes: int
    size_ratio: float
    max_error: dict[str, float]
    normalised_error: float
    accuracy: dict[str, Accuracy]
    latency_us_p50: float
    latency_us_p99: float


def measure(
    engine: Engine,
    card: ModelCard,
    graph: bytes,
    float_size: int,
    labelled: Labelled,
    source: dict[str, Floats],
) -> Parity:
    """Return what a graph is worth, next to its source.

    Parameters
    ----------
    engine
        Runs the graph.
    float_size
        Bytes of the float32 graph in the same format.
    source
        The source's own :func:`answers` to the strides.
    """
    strides_deg = labelled.strides_deg
    found = answers(engine.run, card, strides_deg, labelled.others)
    first = inputs_of(card, strides_deg[:1, : card.samples_per_cycle or 1])
    p50, p99 = latency_us(engine.run, first)
    return Parity(
        engine=engine.name,
        size_bytes=len(graph),
        size_ratio=len(graph) / float_size,
        max_error={n: float(np.abs(found[n] - source[n]).max()) for n in found},
        normalised_error=max(normalised_error(found[n], source[n]) for n in found),
        accuracy={
            name: _accuracy(found[name], source[name], labels)
            for name, labels in labelled.reference.items()
            if name in found
        },
        latency_us_p50=p50,
        latency_us_p99=p99,
    )


def normalised_error(answer: Floats, source: Floats) -> float:
    """Return the RMS difference over the SD of the source, the mean over channels.

    A channel that never changes is measured by its own size, and by 1 if that is nothing.
    """
    said = source.astype(np.float64).reshape(-1, source.shape[-1])
    difference = answer.astype(np.float64).reshape(said.shape) - said
    spread, size = said.std(axis=0), np.sqrt((said**2).mean(axis=0))
    scale = np.where(spread > CONSTANT * size, spread, np.where(size > 0.0, size, 1.0))
    return float(np.mean(np.sqrt((difference**2).mean(axis=0)) / scale))


def latency_us(run: Run, inputs: Sequence[Floats]) -> tuple[float, float]:
    """Return the median and the 99th percentile of a call's duration, in microseconds."""
    times: list[int] = []
    run(*inputs)
    deadline = time.perf_counter() + LATENCY_BUDGET_S
    while len(times) < MOST_LATENCY_CALLS and (len(times) < 10 or time.perf_counter() < deadline):
        start = time.perf_counter_ns()
        run(*inputs)
        times.append(time.perf_counter_ns() - start)
    p50, p99 = np.percentile(times, [50, 99]) / 1000
    return float(p50), float(p99)


def _accuracy(found: Floats, source: Floats, labels: Floats) -> Accuracy:
    file, whole = Errors.between(labels, found), Errors.between(labels, source)
    return Accuracy(file.r2, whole.r2, file.rmse, whole.rmse)
