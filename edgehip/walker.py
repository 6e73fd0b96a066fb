"""A synthetic person who stands, walks and pauses, and whose gait events are known exactly.

A walker has no clock and no end: it gives one sample after the other, in constant memory, and the
same ones for the same parameters.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, Side, angles_of
from edgehip.events import FootOff, InitialContact
from edgehip.normal_gait import FOOT_OFF_PERCENT, excursion_at, normal_angles_deg

FOOT_OFF: Final = FOOT_OFF_PERCENT / 100.0
INITIATION_CYCLES: Final = 0.5
"""Gait cycles from the first foot off to full steps; people walk at their steady speed by the end
of the first step (Breniere & Do, J Biomech 19:1035, 1986)."""
TERMINATION_CYCLES: Final = 0.5
"""Gait cycles from the last initial contact to standing: the other foot comes alongside."""
FULL_ENOUGH: Final = 0.5
"""A contact or foot off counts as an event if the step has at least this share of its full size:
the foot that is lifted first and the one put alongside at the end make no heel strike."""
_CHANNELS: Final = np.array([angles_of("r"), angles_of("l")])


@dataclass(frozen=True, slots=True)
class WalkerParameters:
    """How somebody walks, and how it is measured.

    Parameters
    ----------
    rate_hz
        Samples per second.
    cadence_spm
        Steps (of both feet) per minute; excursions follow it (:func:`excursion_at`).
    noise_deg
        Standard deviation of white noise on every angle.
    drift_deg_per_min
        How fast every angle's zero drifts away, up or down as the seed has it.
    asymmetry_percent
        Robinson's symmetry index, 100 (right - left) / mean (J Manipulative Physiol Ther 10:172,
        1987), of both step time and excursion.
    stride_variability_percent
        Standard deviation of stride time and of excursion from stride to stride, in percent of
        their means (1 to 4 in healthy adults; Hausdorff et al., J Appl Physiol 80:1448, 1996).
    stand_s
        Quiet standing before the first step.
    walk_s
        How long a bout of walking lasts, up to the contact after which it is brought to an end.
    pause_s
        Standing between two bouts.
    seed
        Of every random number.
    """

    rate_hz: float = 100.0
    cadence_spm: float = 110.0
    noise_deg: float = 0.0
    drift_deg_per_min: float = 0.0
    asymmetry_percent: float = 0.0
    stride_variability_percent: float = 0.0
    stand_s: float = 2.0
    walk_s: float = math.inf
    pause_s: float = 5.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class WalkerSample:
    """The angles at one instant, and what the feet did since the sample before."""

    time_s: float
    angles_deg: tuple[float, ...]
    events: tuple[InitialContact | FootOff, ...]


@dataclass(slots=True)
class _Bout:
    """One bout of walking; ``phase`` counts right gait cycles, whole numbers at right contact."""

    stop_s: float
    phase: float
    stride_s: float
    excursion: float
    next_excursion: float
    stop_phase: float = math.inf

    @property
    def fullness(self) -> float:
        """Size of the steps: 0 while standing, 1 in steady walking."""
        since_start = (self.phase - FOOT_OFF) / INITIATION_CYCLES
        since_stop = (self.phase - self.stop_phase) / TERMINATION_CYCLES
        return _smooth_step(since_start) * (1.0 - _smooth_step(since_stop))

    @property
    def over(self) -> bool:
        """Whether both feet are on the ground again, side by side."""
        return self.phase >= self.stop_phase + TERMINATION_CYCLES


class Walker:
    """Somebody who stands, walks and pauses for ever; iterate to get the samples."""

    def __init__(self, parameters: WalkerParameters) -> None:
        self.parameters = p = parameters
        # Separate streams: noise does not change the strides, nor the other way round.
        self._strides, self._noise, drift = (
            np.random.default_rng((p.seed, stream)) for stream in range(3)
        )
        self._drift_deg_per_s = drift.choice((-1.0, 1.0), len(ANGLES)) * p.drift_deg_per_min / 60.0
        half_index = p.asymmetry_percent / 200.0
        legs = np.array([[1.0 + half_index], [1.0 - half_index]])
        self._excursion = legs * excursion_at(p.cadence_spm)
        # Time from the right foot's contact to the left one's is the left step.
        self._left_contact = 0.5 * (1.0 - half_index)
        self._marks: tuple[tuple[float, Side, type[InitialContact] | type[FootOff]], ...] = tuple(
            sorted(
                (
                    (0.0, "r", InitialContact),
                    (FOOT_OFF, "r", FootOff),
                    (self._left_contact, "l", InitialContact),
                    ((self._left_contact + FOOT_OFF) % 1.0, "l", FootOff),
                ),
                key=lambda mark: mark[0],
            )
        )
        self._index = 0
        self._bout: _Bout | None = None
        self._start_s = p.stand_s

    def __iter__(self) -> Iterator[WalkerSample]:
        return self

    def __next__(self) -> WalkerSample:
        """Return the next sample; there always is one."""
        time_s = self._index / self.parameters.rate_hz
        events = self._move_to(time_s)
        self._index += 1
        angles = self._drift_deg_per_s * time_s
        if self.parameters.noise_deg:
            angles += self.parameters.noise_deg * self._noise.standard_normal(len(ANGLES))
        if self._bout is not None:
            self._add_gait(self._bout, angles)
        return WalkerSample(time_s, tuple(angles.tolist()), tuple(events))

    def _add_gait(self, bout: _Bout, angles: NDArray[np.float64]) -> None:
        mix = _smooth_step(bout.phase % 1.0)
        size = bout.fullness * (bout.excursion + mix * (bout.next_excursion - bout.excursion))
        phases = np.array([bout.phase, bout.phase - self._left_contact])
        angles[_CHANNELS] += size * self._excursion * normal_angles_deg(100.0 * phases)

    def _move_to(self, time_s: float) -> list[InitialContact | FootOff]:
        """Walk on to ``time_s``; return the events on the way."""
        events: list[InitialContact | FootOff] = []
        now_s = (self._index - 1) / self.parameters.rate_hz
        if self._bout is None and self._start_s <= time_s:
            now_s = self._start_s
            self._bout = self._begin(now_s)
        while self._bout is not None and now_s < time_s:
            now_s = self._advance(self._bout, now_s, time_s, events)
            if self._bout.over:
                self._bout = None
                self._start_s = now_s + self.parameters.pause_s
        return events

    def _begin(self, now_s: float) -> _Bout:
        """Lift the right foot."""
        stop_s = now_s + self.parameters.walk_s
        return _Bout(stop_s, FOOT_OFF, self._stride_s(), self._jitter(), self._jitter())

    def _advance(
        self,
        bout: _Bout,
        now_s: float,
        until_s: float,
        events: list[InitialContact | FootOff],
    ) -> float:
        """Walk to the next mark of the gait cycle or to ``until_s``; return when that was."""
        cycle = math.floor(bout.phase)
        mark, side, event = next(
            (m for m in self._marks if cycle + m[0] > bout.phase), (1.0, *self._marks[0][1:])
        )
        reached_s = now_s + (cycle + mark - bout.phase) * bout.stride_s
        if reached_s > until_s:
            bout.phase += (until_s - now_s) / bout.stride_s
            return until_s
        bout.phase = cycle + mark
        if event is InitialContact and reached_s >= bout.stop_s and bout.stop_phase == math.inf:
            bout.stop_phase = bout.phase
        if bout.fullness >= FULL_ENOUGH:
            events.append(event(side, reached_s, reached_s))
        if mark == 1.0:
            bout.stride_s = self._stride_s()
            bout.excursion, bout.next_excursion = bout.next_excursion, self._jitter()
        return reached_s

    def _stride_s(self) -> float:
        return 120.0 / self.parameters.cadence_spm * self._jitter()

    def _jitter(self) -> float:
        """Return a factor around 1, held within three standard deviations."""
        deviation = min(max(float(self._strides.standard_normal()), -3.0), 3.0)
        return 1.0 + self.parameters.stride_variability_percent / 100.0 * deviation


def _smooth_step(x: float) -> float:
    """Go from 0 (at 0 and below) to 1 (at 1 and above) without a kink."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)
