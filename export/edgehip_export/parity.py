"""How well an exported file does what its source does: size, error, accuracy and latency."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, SIDES, angles_of
from edgehip.model_card import ModelCard
from edgehip.normal_gait import excursion_at, normal_angles_deg
from edgehip_export.metrics import Errors

Floats = NDArray[np.float32]
Run = Callable[..., tuple[Floats, ...]]

OTHER_INPUTS: Final = {"stride_s": 1.1, "body_height_m": 1.7}
"""Typical values of what a model may want beyond angles and state."""

MOST_LATENCY_CALLS: Final = 1000
LATENCY_BUDGET_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors on labelled strides, of a file and of its source in PyTorch."""

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
        Largest difference from PyTorch, per output in the output's unit.
    normalised_error
        RMS difference from PyTorch over the SD of PyTorch's own answers, the mean over channels;
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

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)


def answers(
    run: Run, card: ModelCard, strides_deg: Floats, others: Mapping[str, Floats] | None = None
) -> dict[str, Floats]:
    """Return a model's targets over many strides.

    Parameters
    ----------
    run
        An engine's ``run``, or the module's own.
    strides_deg
        (N, S, 10); a per-sample model starts each of them from zero state.
    others
        (N,) for each input the model may want beyond angles, by its name.

    Returns
    -------
    (N, S, D) for every output that is not a state.
    """
    wanted = [tensor.name for tensor in card.outputs if not _is_state(tensor.name)]
    collected: dict[str, list[Floats]] = {name: [] for name in wanted}
    for number, stride in enumerate(strides_deg):
        known = {name: column[number].reshape(1, 1) for name, column in (others or {}).items()}
        samples = [stride[None]] if card.kind == "cycle" else np.split(stride[None], len(stride), 1)
        state: dict[str, Floats] = {}
        parts: dict[str, list[Floats]] = {name: [] for name in wanted}
        for sample in samples:
            outputs = run(*inputs_of(card, sample, known | state))
            for tensor, output in zip(card.outputs, outputs, strict=True):
                if _is_state(tensor.name):
                    state[tensor.name] = output
                else:
                    parts[tensor.name].append(output)
        for name, part in parts.items():
            collected[name].append(np.concatenate(part, axis=1))
    return {name: np.concatenate(part) for name, part in collected.items()}


def inputs_of(
    card: ModelCard, angles_deg: Floats, others: Mapping[str, Floats] | None = None
) -> tuple[Floats, ...]:
    """Return one call's inputs in the card's order.

    What is not given is typical (stride duration, body height) or zero (state).
    """
    known = {"angles_deg": np.ascontiguousarray(angles_deg, dtype=np.float32), **(others or {})}
    return tuple(
        known.get(
            tensor.name, np.full(tensor.shape, OTHER_INPUTS.get(tensor.name, 0.0), np.float32)
        )
        for tensor in card.inputs
    )


def measure(
    run: Run,
    engine: str,
    card: ModelCard,
    graph: bytes,
    float_size: int,
    strides_deg: Floats,
    source: dict[str, Floats],
    reference: dict[str, Floats],
) -> Parity:
    """Return what a graph is worth, next to its source.

    Parameters
    ----------
    float_size
        Bytes of the float32 graph in the same format.
    source
        PyTorch's own :func:`answers` to the strides.
    reference
        Labels of the strides, per output; may be empty.
    """
    found = answers(run, card, strides_deg)
    p50, p99 = latency_us(run, inputs_of(card, strides_deg[:1, : card.samples_per_cycle or 1]))
    return Parity(
        engine=engine,
        size_bytes=len(graph),
        size_ratio=len(graph) / float_size,
        max_error={n: float(np.abs(found[n] - source[n]).max()) for n in found},
        normalised_error=max(normalised_error(found[n], source[n]) for n in found),
        accuracy={
            name: _accuracy(found[name], source[name], labels)
            for name, labels in reference.items()
            if name in found
        },
        latency_us_p50=p50,
        latency_us_p99=p99,
    )


def normalised_error(answer: Floats, source: Floats) -> float:
    """Return the RMS difference over the SD of the source, the mean over channels."""
    difference = (answer.astype(np.float64) - source).reshape(-1, source.shape[-1])
    spread = source.reshape(-1, source.shape[-1]).std(axis=0, dtype=np.float64)
    return float(np.mean(np.sqrt((difference**2).mean(axis=0)) / spread))


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


def normal_strides(count: int = 12, seed: int = 0) -> Floats:
    """Return right strides (N, 180, 10) of made-up people who walk at various cadences."""
    rng = np.random.default_rng(seed)
    percent = np.linspace(0, 100, 180)
    strides = np.empty((count, 180, len(ANGLES)), np.float32)
    for stride in strides:
        growth = excursion_at(rng.uniform(80, 135))
        for side in SIDES:
            leg = percent + (50.0 if side == "l" else 0.0)
            stride[:, angles_of(side)] = normal_angles_deg(leg) * growth
        stride += rng.normal(0, 3, len(ANGLES))
    return strides


def _accuracy(found: Floats, source: Floats, labels: Floats) -> Accuracy:
    file, torch = Errors.between(labels, found), Errors.between(labels, source)
    return Accuracy(file.r2, torch.r2, file.rmse, torch.rmse)


def _is_state(name: str) -> bool:
    return name.partition(".")[0] == "state"
