"""How far the per-sample estimates of a stride were from the whole-cycle estimate of it.

The whole-cycle network has seen the finished stride, so it is the better witness; the distance
tells a user, live, how far to trust the answers that cannot wait.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import MOMENTS, MUSCLES
from edgehip.cycles import HISTORY_S, MAX_SAMPLES
from edgehip.events import Flag, HipEstimate, HipSampleEstimate


@dataclass(slots=True)
class AgreementState:
    """The per-sample estimates of the last few seconds."""

    recent: deque[HipSampleEstimate] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))


class Agreement:
    """Compares the two voices, stride by stride."""

    def __init__(self) -> None:
        self.state = AgreementState()

    def add(self, estimate: HipSampleEstimate) -> None:
        """Remember a per-sample estimate."""
        recent = self.state.recent
        recent.append(estimate)
        while recent[0].time_s < estimate.time_s - HISTORY_S:
            recent.popleft()

    def samples(self, cycle: HipEstimate) -> list[HipSampleEstimate]:
        """Return a stride's per-sample estimates, if they are all there.

        Nothing if they do not reach back to its start, or if one was still warming up.
        """
        recent = self.state.recent
        if not recent or recent[0].time_s > cycle.start_s:
            return []
        inside = [e for e in recent if cycle.start_s <= e.time_s < cycle.end_s]
        return [] if any(Flag.WARMING_UP in e.flags for e in inside) else inside

    def compare(self, cycle: HipEstimate, samples: Sequence[HipSampleEstimate]) -> HipEstimate:
        """Return the cycle's estimate with its ``samples``' distance filled in, if there are any.

        Root mean square over the stride and all outputs of a kind (Nm/kg, N/kg), of what was told.
        """
        if not samples:
            return cycle
        phase = np.array([(e.time_s - cycle.start_s) / cycle.stride_s for e in samples])
        return replace(
            cycle,
            sample_moment_rmse_nm_per_kg=_rmse(
                phase,
                cycle.moments_nm_per_kg,
                np.array([e.moments_nm_per_kg[cycle.side] for e in samples]),
                MOMENTS,
            ),
            sample_force_rmse_n_per_kg=_rmse(
                phase,
                cycle.forces_n_per_kg,
                np.array([e.forces_n_per_kg[cycle.side] for e in samples]),
                MUSCLES,
            ),
        )

    def reset(self) -> None:
        """Forget everything."""
        self.state = AgreementState()


def _rmse(
    phase: NDArray[np.float64],
    curves: Mapping[str, NDArray[np.float32]],
    answers: NDArray[np.float32],
    names: tuple[str, ...],
) -> float | None:
    """Return the root mean square distance of answers (N, outputs) at phases (N,) from curves."""
    if not curves:
        return None
    grid = np.linspace(0, 1, len(curves[names[0]]))
    reference = np.array([np.interp(phase, grid, curves[name]) for name in names])
    return float(np.sqrt(np.mean((answers.T - reference) ** 2)))
