"""What a model answers to whole strides, asked the way it is meant to be asked."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.body import Body
from edgehip.errors import ModelInputError
from edgehip.model_card import ModelCard
from edgehip_export.dataset import CADENCE_SPM
from edgehip_export.strides import close_cycles, resample

Floats = NDArray[np.float32]
Run = Callable[..., tuple[Floats, ...]]

OTHER_INPUTS: Final = {"stride_s": 1.1, "body_height_m": 1.7}
"""Typical values of what a model may want beyond angles and state."""

WALKED: Final = 3
"""So many times in a row a model that lives in time walks a stride; the last is its answer."""


def answers(
    run: Run, card: ModelCard, strides_deg: Floats, others: Mapping[str, Floats] | None = None
) -> dict[str, Floats]:
    """Return a model's targets over many strides.

    A per-sample model that is reset at contacts starts each stride from zero state, and takes its
    points for samples. Any other walks it over and over, in time and at its own rate.

    Parameters
    ----------
    run
        An engine's ``run``, or the module's own.
    strides_deg
        (N, S, 10), contact to contact.
    others
        (N,) for each input the model may want beyond angles, by its name; ``stride_s`` (s) also
        tells how fast a stride is walked, and ``body_height_m`` (m) and ``body_mass_kg`` (kg) how
        large who walks it is.

    Returns
    -------
    (N, S, D) for every output that is not a state.
    """
    collected: dict[str, list[Floats]] = {}
    for number, stride in enumerate(strides_deg):
        known = {name: column[number].reshape(1, 1) for name, column in (others or {}).items()}
        height_m, mass_kg = (
            known[name].item() if name in known else None
            for name in ("body_height_m", "body_mass_kg")
        )
        body = Body.of(card, height_m, mass_kg)
        if "stride_s" in known:
            known["stride_s"] = known["stride_s"] / np.float32(body.slower)
        if card.kind == "cycle":
            found = _ask(run, card, [stride[None]], known)
        elif card.resets_at_contact:
            found = _ask(run, card, np.split(stride[None], len(stride), 1), known)
        else:
            found = _walk(run, card, stride, known)
        for name, answer in found.items():
            collected.setdefault(name, []).append(body.load(name, answer))
    return {name: np.concatenate(parts) for name, parts in collected.items()}


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


def needs_duration(card: ModelCard) -> bool:
    """Return whether a model cannot be asked about a stride without knowing how long it took."""
    lives_in_time = card.kind == "sample" and not card.resets_at_contact
    return lives_in_time or card.input("stride_s") is not None


def require_duration(
    card: ModelCard, path: str | Path, stride_s: Floats | None, strides: str
) -> None:
    """Refuse a model that must know how long strides took, where nothing says it.

    Raises
    ------
    ModelInputError
        With the names of both, ``path`` and ``strides``.
    """
    if stride_s is None and needs_duration(card):
        raise ModelInputError(
            f"{path}: wants each stride's duration, and {strides} has neither a key stride_s nor "
            f"the cadence labels {', '.join(CADENCE_SPM)}"
        )


def _ask(
    run: Run, card: ModelCard, calls: Sequence[Floats], known: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return the answers (1, T, D) to calls in a row, from zero state on."""
    state: dict[str, Floats] = {}
    parts: dict[str, list[Floats]] = {}
    for angles in calls:
        outputs = run(*inputs_of(card, angles, {**known, **state}))
        for tensor, output in zip(card.outputs, outputs, strict=True):
            if tensor.name.partition(".")[0] == "state":
                state[tensor.name] = output
            else:
                parts.setdefault(tensor.name, []).append(output)
    return {name: np.concatenate(part, axis=1) for name, part in parts.items()}


def _walk(
    run: Run, card: ModelCard, stride: Floats, known: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return the answers (1, S, D) at the points of a stride that is walked over and over."""
    assert card.rate_hz is not None
    stride_s = known["stride_s"].item() if "stride_s" in known else OTHER_INPUTS["stride_s"]
    samples = math.ceil((WALKED + 0.1) * stride_s * card.rate_hz)
    phase = np.arange(samples) / (stride_s * card.rate_hz)
    points = np.linspace(0.0, 1.0, len(stride))
    angles = resample(phase % 1.0, points, close_cycles(stride[None])[0])
    found = _ask(run, card, np.split(angles[None], samples, 1), known)
    last = points + WALKED - 1
    return {
        name: resample(last, phase, curves.reshape(samples, -1))[None]
        for name, curves in found.items()
    }
