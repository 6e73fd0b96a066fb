"""What finished strides taught: per-sample estimates, corrected by gait phase.

The whole-cycle model errs less than the causal one, but answers a stride late. Most of what lies
between the two is a curve over the gait cycle that is a person's own and hardly changes from one
stride to the next. So it is learnt from each finished stride and added at the same phase of those
that follow, as iterative learning control does with what repeats (Bristow, Tharayil and Alleyne,
"A survey of iterative learning control", 2006).

It is never more than the interval the whole-cycle model states, it changes smoothly, and it is
there only while steps of one pace follow each other: a stride that must not be trusted, as one of
another pace, ends it until one can be trusted again, and so does a step that is overdue.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import MOMENTS, MUSCLES, Side
from edgehip.events import Flag, HipEstimate, HipSampleEstimate, InitialContact

POINTS: Final = 200
"""Of a curve over the gait cycle: half a percent apart, less than a sample at 100 Hz."""
MEMORY_STRIDES: Final = 4
"""The curve is a mean: of all strides at first, later the newest counts as one of so many."""
GAIN: Final = 0.6
"""Share of the difference that is taken: more of it serves a walk that repeats, less one that
varies or changes its pace (``python -m benchmarks.accuracy``)."""
TRUSTED_SHARE: Final = 0.9
"""Of a stride's samples must be trusted for it to teach; the others are left out."""
STRIDE_FADES: Final = (1.05, 1.2)
STEP_FADES: Final = (0.6, 0.75)
"""How much of the last stride's duration may pass without a contact of this foot, and without one
of either: from the first share to the second the correction fades."""
EASE_S: Final = 0.1
"""What a finished stride changes comes in over this time: who follows an estimate feels steps."""
_MOMENTS: Final = len(MOMENTS)
_OUTPUTS: Final = len(MOMENTS) + len(MUSCLES)
_NO_FORCE: Final = np.float32(0.0)  # muscles only pull
_NOTHING: Final = np.zeros(_OUTPUTS, np.float32)  # corrections are replaced, never written to
_PHASES: Final = (np.arange(POINTS) + 0.5) / POINTS

Curves = NDArray[np.float32]


@dataclass(slots=True)
class HipCorrection:
    """One hip.

    ``curve`` (POINTS, 17), moments then forces, is what ``strides`` taught; point ``i`` lies at
    phase ``_PHASES[i]``. The last stride ended at ``contact_s`` (minus infinity if nothing can be
    said of the phase) and took ``stride_s``. ``added`` (17,) was added last. When something last
    changed, at ``eases_s``, it was ``before`` (17,), by ``jump`` (17,) more than was then wanted.
    """

    curve: Curves = field(default_factory=lambda: np.zeros((POINTS, _OUTPUTS), np.float32))
    strides: int = 0
    contact_s: float = -math.inf
    stride_s: float = 0.0
    added: Curves = field(default_factory=lambda: np.zeros(_OUTPUTS, np.float32))
    before: Curves = field(default_factory=lambda: np.zeros(_OUTPUTS, np.float32))
    jump: Curves = field(default_factory=lambda: np.zeros(_OUTPUTS, np.float32))
    eases_s: float = -math.inf


@dataclass(slots=True)
class CorrectionState:
    """Both hips, when a sample was last corrected, and when either foot last came down."""

    hips: dict[Side, HipCorrection] = field(
        default_factory=lambda: {"l": HipCorrection(), "r": HipCorrection()}
    )
    time_s: float = 0.0
    landed_s: float = -math.inf


class Correction:
    """Learns from whole-cycle estimates what to add to per-sample ones."""

    def __init__(self) -> None:
        self.state = CorrectionState()

    def correct(self, estimate: HipSampleEstimate) -> HipSampleEstimate:
        """Return a model's own answer to a sample with what is known of each hip added.

        The answer of a model that warms up is left as it is.
        """
        state = self.state
        state.time_s = time_s = estimate.time_s
        if Flag.WARMING_UP in estimate.flags:
            for hip in state.hips.values():
                self._ease(hip, _NOTHING)
            return estimate
        moments, forces = dict(estimate.moments_nm_per_kg), dict(estimate.forces_n_per_kg)
        own_moments: dict[Side, Curves] = {}
        own_forces: dict[Side, Curves] = {}
        for side, hip in state.hips.items():
            add = self._wanted(hip, time_s)
            remaining = 1.0 - (time_s - hip.eases_s) / EASE_S
            if remaining > 0.0:
                most = np.maximum(np.abs(add), np.abs(hip.before))
                add = np.clip(add + np.float32(remaining) * hip.jump, -most, most)
            hip.added = add
            if add is _NOTHING:
                continue
            own_moments[side], own_forces[side] = moments[side], forces[side]
            moments[side] = moments[side] + add[:_MOMENTS]
            forces[side] = np.maximum(forces[side] + add[_MOMENTS:], _NO_FORCE)
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
            The whole-cycle estimate. One without an interval teaches nothing.
        samples
            What :meth:`correct` made of the stride's samples; none if they are not to be compared.
        """
        hip = self.state.hips[cycle.side]
        hip.stride_s = cycle.stride_s
        hip.contact_s = cycle.end_s if cycle.trusted else -math.inf
        if cycle.trusted and Flag.SAMPLES_LOST not in cycle.flags:
            _teach(hip, cycle, samples)
        self._landed(cycle.end_s)

    def lose_step(self, contact: InitialContact) -> None:
        """Hear of a contact that closed no stride: the pace of this foot is not known."""
        self.state.hips[contact.side].contact_s = -math.inf
        self._landed(contact.time_s)

    def reset(self) -> None:
        """Forget everything."""
        self.state = CorrectionState()

    def _landed(self, time_s: float) -> None:
        """Take note of a contact, which may change what is wanted of either hip."""
        self.state.landed_s = time_s
        for hip in self.state.hips.values():
            self._ease(hip, hip.added)

    def _ease(self, hip: HipCorrection, added: Curves) -> None:
        """Let what is added go over from ``added`` (17,) to what is wanted from now on."""
        jump = added - self._wanted(hip, self.state.time_s)
        hip.added = hip.before = added
        hip.jump, hip.eases_s = jump, self.state.time_s if jump.any() else -math.inf

    def _wanted(self, hip: HipCorrection, time_s: float) -> Curves:
        """Return what is to be added (17,) once nothing eases any more."""
        if not hip.strides or hip.contact_s == -math.inf:
            return _NOTHING
        phase = (time_s - hip.contact_s) / hip.stride_s
        since_step = (time_s - self.state.landed_s) / hip.stride_s
        share = min(_remaining(phase, *STRIDE_FADES), _remaining(since_step, *STEP_FADES))
        if share <= 0.0:
            return _NOTHING
        add: Curves = hip.curve[int(phase * POINTS) % POINTS]
        if share < 1.0:
            add = np.float32(share) * add
        return add


def _teach(hip: HipCorrection, cycle: HipEstimate, samples: Sequence[HipSampleEstimate]) -> None:
    """Let a stride change a hip's curve, unless too much of it is not to be trusted."""
    side = cycle.side
    some = [s for s in samples if s.trusted]
    if not some or len(some) < TRUSTED_SHARE * len(samples):
        return
    phase = np.array([(s.time_s - cycle.start_s) / cycle.stride_s for s in some])
    moments = [s.own_moments_nm_per_kg.get(side, s.moments_nm_per_kg[side]) for s in some]
    forces = [s.own_forces_n_per_kg.get(side, s.forces_n_per_kg[side]) for s in some]
    newest, most = np.zeros((2, POINTS, _OUTPUTS), np.float32)
    for part, curves, spread, own in (
        (slice(None, _MOMENTS), cycle.moments_nm_per_kg, cycle.moment_spread_nm_per_kg, moments),
        (slice(_MOMENTS, None), cycle.forces_n_per_kg, cycle.force_spread_n_per_kg, forces),
    ):
        if curves and spread:  # a model may give only one kind, and no interval
            newest[:, part] = _at_phases(curves) - _repeated_at_phases(phase, np.array(own))
            most[:, part] = _at_phases(spread)
    if not most.any() or not np.isfinite(newest).all() or np.isnan(most).any():
        return
    hip.strides += 1
    mean = hip.curve + (GAIN * newest - hip.curve) / min(hip.strides, MEMORY_STRIDES)
    hip.curve = np.clip(mean, -most, most)


def _remaining(since: float, fades: float, ends: float) -> float:
    """Return 1 until something fades, down to 0 (and below) where it has ended."""
    return (ends - since) / (ends - fades) if since > fades else 1.0


def _at_phases(curves: Mapping[str, Curves]) -> Curves:
    """Return curves from contact to contact at ``_PHASES``, (POINTS, len(curves))."""
    points = np.stack(list(curves.values()), axis=-1)
    return _between(np.linspace(0.0, 1.0, len(points)), points)


def _repeated_at_phases(phases: NDArray[np.float64], answers: Curves) -> Curves:
    """Return answers (N, C) at increasing phases (N,) of a cycle that repeats, at ``_PHASES``."""
    around = np.concatenate([phases[-1:] - 1.0, phases, phases[:1] + 1.0])
    return _between(around, np.concatenate([answers[-1:], answers, answers[:1]]))


def _between(phases: NDArray[np.float64], points: Curves) -> Curves:
    """Return what lies at ``_PHASES`` on straight lines between points (N, C) at phases (N,)."""
    above = np.searchsorted(phases, _PHASES, side="right")
    share = (_PHASES - phases[above - 1]) / (phases[above] - phases[above - 1])
    below: Curves = points[above - 1]
    return below + share.astype(np.float32)[:, None] * (points[above] - below)
