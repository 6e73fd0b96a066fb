"""Per-sample estimates: a causal network with explicit state, one answer at every sample.

The network steps on a grid of its own rate, begun at the first sample. Samples come at any rate, so
a grid point's angles are interpolated between the two samples around it: never beyond the newest.
A sample that lies a fraction ``f`` past the last grid point is answered without waiting for the
next: a step is tried from the state at the last point, with the angles that the next point would
have if the movement went on as it does, and the answer lies ``f`` of the way from the last point's
to the tried one's. On the grid the answer is the network's own; between, it is continuous.

A body of another size than the model knows has a grid in its own time.
"""

import itertools
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.backends import Tensor
from edgehip.body import PER_HEIGHT, Body
from edgehip.channels import ANGLES, MIRROR, SIDES, Side
from edgehip.cycles import MAX_BRIDGED_GAP_S
from edgehip.errors import ModelInputError
from edgehip.events import HipSampleEstimate, JointAngleSample
from edgehip.flags import flags_of_sample
from edgehip.model import Model
from edgehip.model_card import SCORE
from edgehip.zero import ModelZero

ON_GRID: Final = 0.02
"""Samples within this share of a step from a grid point count as on it (0.2 ms at 100 Hz)."""
_MIRROR: Final = np.array(MIRROR)


@dataclass(slots=True)
class HipMemory:
    """One hip: the network's state, and its answers at the last grid point, in the card's order."""

    state: list[Tensor] = field(default_factory=list)
    answers: list[Tensor] = field(default_factory=list)


@dataclass(slots=True)
class SampleEstimatorState:
    """The last sample, the last two grid points, and both hips.

    ``fresh`` are the memories, begun at ``fresh_s``, that take their place once they are warm.
    """

    began_s: float | None = None
    last_s: float = 0.0
    last_deg: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(ANGLES)))
    grid_s: float = 0.0
    grid_deg: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(ANGLES)))
    grid_change_deg: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(ANGLES)))
    hips: dict[Side, HipMemory] = field(default_factory=dict)
    fresh: dict[Side, HipMemory] = field(default_factory=dict)
    fresh_s: float = 0.0


class SampleEstimator:
    """Estimates hip moments and muscle forces of both hips at every sample.

    Parameters
    ----------
    model
        Of kind ``sample``, giving moments and forces.
    body_height_m
        For models that heed it; to others it makes no difference.

    Raises
    ------
    ModelInputError
        If the model is of another kind, gives something else, or needs what no stream can give.
    """

    def __init__(self, model: Model, *, body_height_m: float | None = None) -> None:
        self.body = Body.of(model.card, body_height_m)
        card = self.body.timed(model.card)
        if card.kind != "sample":
            raise ModelInputError(
                f"{model.path}: is a model of kind '{card.kind}', give it as --model (Python: "
                "model); per-sample estimates need one of kind 'sample'"
            )
        if card.resets_at_contact:
            raise ModelInputError(
                f"{model.path}: its state must be reset at the very instant of initial contact, "
                "which is known only some 30 ms later: export its whole-cycle form instead"
            )
        states = [tensor for tensor in card.inputs if tensor.name != "angles_deg"]
        loads = ["moments_nm_per_kg", "forces_n_per_kg"]
        further = ["moment_spread_nm_per_kg", "force_spread_n_per_kg", SCORE]
        names = [tensor.name for tensor in card.outputs]
        self._answers = names[: len(names) - len(states)]
        if (
            card.inputs[0].name != "angles_deg"
            or names[len(self._answers) :] != [tensor.name for tensor in states]
            or self._answers != loads + [name for name in further if name in self._answers]
            or (further[0] in self._answers) != (further[1] in self._answers)
        ):
            raise ModelInputError(
                f"{model.path}: a per-sample model takes angles_deg and its state, and gives "
                "moments_nm_per_kg, forces_n_per_kg, both spreads or neither, out_of_range_score "
                "if it has one, and its next state, in this order"
            )
        self.model = model
        self.step_s = 1.0 / (card.rate_hz or 1.0)
        self.warm_up_s = card.warm_up_s
        is_other = self.body.taller != 1.0
        self._per_height = [name for name in self._answers if is_other and name in PER_HEIGHT]
        self.state = SampleEstimatorState()
        self._blank = [np.zeros(tensor.shape, np.float32) for tensor in states]
        span = card.ranges.get("angles_deg")
        low = np.array(span.low) if span else np.full(len(ANGLES), -np.inf)
        high = np.array(span.high) if span else np.full(len(ANGLES), np.inf)
        # Of the other hip the network sees the mirrored body: either must lie within.
        self._low, self._high = np.maximum(low, low[_MIRROR]), np.minimum(high, high[_MIRROR])
        self.zero = ModelZero(None, card)

    def feed(self, sample: JointAngleSample) -> HipSampleEstimate:
        """Return what a sample says of both hips. Times must increase from sample to sample."""
        state = self.state
        now_s = sample.time_s
        angles = np.array(sample.angles_deg) - self.zero.offset_deg
        if state.began_s is None or now_s - state.last_s > MAX_BRIDGED_GAP_S:
            self._begin(now_s, angles)
        else:
            self._walk_grid(now_s, angles)
        state = self.state
        state.last_s, state.last_deg = now_s, angles
        share = (now_s - state.grid_s) / self.step_s
        answers = {side: self._answer(side, angles, share) for side in SIDES}
        by_name = {
            name: {side: answers[side][place] for side in SIDES}
            for place, name in enumerate(self._answers)
        }
        for name in self._per_height:
            by_name[name] = {side: self.body.load(name, by_name[name][side]) for side in SIDES}
        score = None
        if SCORE in by_name:
            one, other = (value.item() for value in by_name[SCORE].values())
            # NaN, which no comparison finds larger, must not hide behind the other hip's number.
            score = one if one > other or one != one else other
        moments, forces = by_name["moments_nm_per_kg"], by_name["forces_n_per_kg"]
        loads = (*moments.values(), *forces.values())
        out_of_range: tuple[str, ...] = ()
        foreign = (angles < self._low) | (angles > self._high)
        if np.count_nonzero(foreign):  # seldom, and to name them takes time
            out_of_range = tuple(itertools.compress(ANGLES, foreign))
        is_warm = state.began_s is not None and now_s - state.began_s >= self.warm_up_s
        return HipSampleEstimate(
            time_s=now_s,
            moments_nm_per_kg=moments,
            forces_n_per_kg=forces,
            moment_spread_nm_per_kg=by_name.get("moment_spread_nm_per_kg", {}),
            force_spread_n_per_kg=by_name.get("force_spread_n_per_kg", {}),
            zero=self.zero.text,
            flags=flags_of_sample(sample, self.zero, out_of_range, score, loads, is_warm=is_warm),
            out_of_range=out_of_range,
            out_of_range_score=score,
            received_ns=sample.received_ns,
        )

    def reset(self) -> None:
        """Begin anew: what comes next has no connection with what was."""
        self.state = SampleEstimatorState()

    def renew(self) -> None:
        """Let the memory end without a break: it answers on until a fresh one has warmed up."""
        state = self.state
        if state.began_s is not None:
            state.fresh_s = state.grid_s
            state.fresh = {side: HipMemory(state=list(self._blank)) for side in SIDES}

    def _begin(self, now_s: float, angles: NDArray[np.float64]) -> None:
        self.state = state = SampleEstimatorState(began_s=now_s, grid_s=now_s, grid_deg=angles)
        for side in SIDES:
            state.hips[side] = self._run(side, angles, self._blank)

    def _walk_grid(self, now_s: float, angles: NDArray[np.float64]) -> None:
        """Step through every grid point up to now."""
        state = self.state
        while state.grid_s + (1.0 - ON_GRID) * self.step_s <= now_s:
            state.grid_s += self.step_s
            share = min((state.grid_s - state.last_s) / (now_s - state.last_s), 1.0)
            point = state.last_deg + share * (angles - state.last_deg)
            state.grid_change_deg, state.grid_deg = point - state.grid_deg, point
            for side in SIDES:
                state.hips[side] = self._run(side, point, state.hips[side].state)
            for side, memory in state.fresh.items():
                state.fresh[side] = self._run(side, point, memory.state)
            if state.fresh and state.grid_s - state.fresh_s >= self.warm_up_s:
                state.hips, state.fresh = state.fresh, {}

    def _answer(self, side: Side, angles: NDArray[np.float64], share: float) -> list[Tensor]:
        """Return the answers at angles that lie so much of a step past the last grid point."""
        hip = self.state.hips[side]
        if share <= ON_GRID:
            return hip.answers
        ahead = angles + (1.0 - share) * self.state.grid_change_deg
        tried = self._run(side, ahead, hip.state).answers
        return [
            at + np.float32(share) * (on - at) for at, on in zip(hip.answers, tried, strict=True)
        ]

    def _run(self, side: Side, angles: NDArray[np.float64], memory: list[Tensor]) -> HipMemory:
        if side != self.model.card.side:
            angles = angles[_MIRROR]
        seen = angles.astype(np.float32).reshape(1, 1, len(ANGLES))
        outputs = self.model.engine.run(seen, *memory)
        answers = len(self._answers)
        return HipMemory(list(outputs[answers:]), [out.reshape(-1) for out in outputs[:answers]])
