"""What finished strides taught: per-sample estimates, corrected by gait phase.

The whole-cycle model errs less than the causal one, but answers a stride late. Most of what lies
between the two is a curve over the gait cycle that is a person's own and hardly changes from one
stride to the next. So it is learnt from each finished stride and added at the same phase of those
that follow, as iterative learning control does with what repeats (Bristow, Tharayil and Alleyne,
"A survey of iterative learning control", 2006).

Nothing is added before a stride could be trusted, nor when the next step does not come in time:
whoever stops is answered by the causal model alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import MOMENTS, MUSCLES, Side
from edgehip.events import DISTRUST, Flag, HipEstimate, HipSampleEstimate

POINTS: Final = 200
"""Of a curve over the gait cycle: half a percent apart, less than a sample at 100 Hz."""
MEMORY_STRIDES: Final = 4
"""The curve is a mean: of all strides at first, later the newest counts as one of so many."""
GAIN: Final = 0.8
"""Share of the difference that is taken: the last fifth would bring a steady walk next to nothing,
and costs a stride at another pace than the one before most (``python -m benchmarks.accuracy``)."""
STRIDE_FADES: Final = (1.1, 1.3)
STEP_FADES: Final = (0.6, 0.75)
"""How much of the last stride's duration may pass without a contact of this foot, and without one
of either: from the first share to the second the correction fades."""
_NO_FORCE: Final = np.float32(0.0)  # muscles only pull
_PHASES: Final = (np.arange(POINTS) + 0.5) / POINTS

Curves = NDArray[np.float32]


@dataclass(slots=True)
class HipCorrection:
    """What is added to one hip's answers; point ``i`` of ``POINTS`` at phase ``_PHASES[i]``.

    ``strides`` it was learnt from; the last one ended at ``contact_s`` and took ``stride_s``.
    """

    moments_nm_per_kg: Curves = field(
        default_factory=lambda: np.zeros((POINTS, len(MOMENTS)), np.float32)
    )
    forces_n_per_kg: Curves = field(
        default_factory=lambda: np.zeros((POINTS, len(MUSCLES)), np.float32)
    )
    strides: int = 0
    contact_s: float = -math.inf
    stride_s: float = 1.0


@dataclass(slots=True)
class CorrectionState:
    """Both hips."""

    hips: dict[Side, HipCorrection] = field(
        default_factory=lambda: {"l": HipCorrection(), "r": HipCorrection()}
    )


class Correction:
    """Learns from whole-cycle estimates what to add to per-sample ones."""

    def __init__(self) -> None:
        self.state = CorrectionState()

    def correct(self, estimate: HipSampleEstimate) -> HipSampleEstimate:
        """Return a model's own answer to a sample with what is known of each hip added."""
        moments, forces = dict(estimate.moments_nm_per_kg), dict(estimate.forces_n_per_kg)
        own_moments: dict[Side, Curves] = {}
        own_forces: dict[Side, Curves] = {}
        hips = self.state.hips
        step_began_s = max(hip.contact_s for hip in hips.values())
        for side, hip in hips.items():
            phase = (estimate.time_s - hip.contact_s) / hip.stride_s
            since_step = (estimate.time_s - step_began_s) / hip.stride_s
            share = min(_left(phase, *STRIDE_FADES), _left(since_step, *STEP_FADES))
            if not hip.strides or share <= 0.0:
                continue
            point = int(phase * POINTS) % POINTS
            moment, force = hip.moments_nm_per_kg[point], hip.forces_n_per_kg[point]
            if share < 1.0:
                moment, force = np.float32(share) * moment, np.float32(share) * force
            own_moments[side], own_forces[side] = moments[side], forces[side]
            moments[side] = moments[side] + moment
            forces[side] = np.maximum(forces[side] + force, _NO_FORCE)
        if not own_moments:
            return estimate
        return replace(
            estimate,
            moments_nm_per_kg=moments,
            forces_n_per_kg=forces,
            own_moments_nm_per_kg=own_moments,
            own_forces_n_per_kg=own_forces,
        )

    def learn(self, cycle: HipEstimate, samples: Sequence[HipSampleEstimate]) -> None:
        """Take a finished stride into account.

        Parameters
        ----------
        cycle
            The whole-cycle estimate. One that must not be trusted, or is not all numbers, teaches
            nothing.
        samples
            What :meth:`correct` made of the stride's samples; none if they are not to be compared.
        """
        side = cycle.side
        hip = self.state.hips[side]
        hip.contact_s, hip.stride_s = cycle.end_s, cycle.stride_s
        if not samples or Flag.SAMPLES_LOST in cycle.flags or not DISTRUST.isdisjoint(cycle.flags):
            return
        moment = [s.own_moments_nm_per_kg.get(side, s.moments_nm_per_kg[side]) for s in samples]
        force = [s.own_forces_n_per_kg.get(side, s.forces_n_per_kg[side]) for s in samples]
        phase = np.array([(s.time_s - cycle.start_s) / cycle.stride_s for s in samples])
        lessons = []
        for mean, curves, spread, answers in (
            (hip.moments_nm_per_kg, cycle.moments_nm_per_kg, cycle.moment_spread_nm_per_kg, moment),
            (hip.forces_n_per_kg, cycle.forces_n_per_kg, cycle.force_spread_n_per_kg, force),
        ):
            if not curves:  # the model gives none
                continue
            off = _at(_PHASES, curves) - _periodic(phase, np.array(answers))
            # No difference is believed that the better model would not admit itself.
            most = _at(_PHASES, spread) if spread else np.float32(np.inf)
            if not np.isfinite(off).all() or np.isnan(most).any():
                return
            lessons.append((mean, np.float32(GAIN) * off, most))
        hip.strides += 1
        for mean, newest, most in lessons:
            mean += (newest - mean) / np.float32(min(hip.strides, MEMORY_STRIDES))
            np.clip(mean, -most, most, out=mean)

    def reset(self) -> None:
        """Forget everything."""
        self.state = CorrectionState()


def _left(since: float, fades: float, ends: float) -> float:
    """Return 1 until something fades, down to 0 (and below) where it has ended."""
    return (ends - since) / (ends - fades) if since > fades else 1.0


def _at(phases: NDArray[np.float64], curves: Mapping[str, Curves]) -> Curves:
    """Return curves from contact to contact at phases, (len(phases), len(curves))."""
    columns = [np.interp(phases, np.linspace(0, 1, len(c)), c) for c in curves.values()]
    return np.stack(columns, axis=-1).astype(np.float32)


def _periodic(phases: NDArray[np.float64], answers: Curves) -> Curves:
    """Return answers (N, C) at phases (N,) of a cycle that repeats, at ``_PHASES``."""
    columns = [np.interp(_PHASES, phases, column, period=1.0) for column in answers.T]
    return np.stack(columns, axis=-1).astype(np.float32)
