"""Initial contact and foot off of either foot, online, from hip and knee flexion alone.

Two curves per leg tell nearly everything, and neither depends on where an angle's zero is:

- **reach**, how far the leg is swung out in front of the other: ``1.5 hip - knee - other hip``
  (degrees; Parameters). It rises through swing and falls through stance, and the foot comes to the
  ground a moment after the maximum.
- **knee flexion**: its speed has a maximum shortly before the foot leaves the ground, and the
  reach has its minimum shortly after. The foot-off curve, ``knee acceleration - reach speed /
  horizon``, crosses zero between the two.

Each curve passes three equal first-order low-passes in a row, computed exactly for the interval
between two samples, so no sampling rate is assumed. The cascade delays everything that matters in
walking by three time constants, and the differences of its stages are smooth derivatives. Events
are zero crossings, interpolated between samples, set back by that delay and forward by a lead
measured against force plates. Nothing is kept but the state below.
"""

from dataclasses import dataclass, field
from math import exp
from typing import Final

from edgehip.channels import SIDES, Side, angles_of, opposite
from edgehip.events import FootOff, InitialContact, JointAngleSample

STAGES: Final = 3


@dataclass(frozen=True, slots=True)
class SegmentationParameters:
    """What the detector was tuned to; ``python -m benchmarks.segmentation`` says how well.

    Parameters
    ----------
    hip_weight
        Of the leg's own hip flexion in its reach; knee and other hip have -1. For two links of
        equal length the foot's forward speed would ask for 2.
    time_constant_s
        Of each low-pass. Longer is smoother, and three times as much is added to every delay.
    contact_lead_s
        By how much the reach's maximum precedes initial contact.
    foot_off_lead_s
        By how much the zero of the foot-off curve precedes foot off.
    foot_off_horizon_s
        Weight of the reach's speed against the knee's acceleration in the foot-off curve.
    least_reach_deg
        A smaller rise of the reach is no swing (standing, shifting weight).
    least_separation_deg
        A swing that opens the angle between the thighs by less is no step (turning on the spot,
        lifting a foot, sitting down).
    pause_s
        Nobody walks who has put no foot down for so long (60 steps/min is one a second).
    longest_gap_s
        After a longer time without samples everything before it is forgotten.
    """

    hip_weight: float = 1.5
    time_constant_s: float = 0.018
    contact_lead_s: float = 0.022
    foot_off_lead_s: float = 0.023
    foot_off_horizon_s: float = 0.05
    least_reach_deg: float = 20.0
    least_separation_deg: float = 8.0
    pause_s: float = 1.5
    longest_gap_s: float = 0.25


@dataclass(slots=True)
class CurveState:
    """The last sample of a curve (degrees) and the outputs of its low-passes."""

    raw: float
    first: float
    second: float
    third: float

    @classmethod
    def resting(cls, value: float) -> "CurveState":
        """Return the state of a curve that has always had this value."""
        return cls(value, value, value, value)


@dataclass(slots=True)
class LegState:
    """One leg.

    ``low_*`` are the lowest reach and the least angle between the thighs since the last swing.
    ``foot_off_s`` is the latest crossing of the foot-off curve in this stance.
    """

    reach: CurveState
    knee: CurveState
    low_reach_deg: float
    low_separation_deg: float
    reach_speed: float = 0.0
    foot_off_curve: float = 0.0
    swinging: bool = False
    foot_off_s: float | None = None
    foot_off_given_s: float | None = None


@dataclass(slots=True)
class SegmenterState:
    """Everything a :class:`GaitSegmenter` remembers."""

    time_s: float | None = None
    contact_s: float | None = None
    contact_side: Side | None = None
    legs: dict[Side, LegState] = field(default_factory=dict)


class GaitSegmenter:
    """Finds initial contact and foot off of both feet in a stream of joint angles.

    Parameters
    ----------
    parameters
        What the detector was tuned to; the defaults are meant for everybody.

    Attributes
    ----------
    state
        Everything remembered from sample to sample. A copy of it, assigned back later, goes on as
        if nothing had happened in between.
    """

    def __init__(self, parameters: SegmentationParameters = SegmentationParameters()) -> None:
        self.parameters = parameters
        self.state = SegmenterState()

    @property
    def walking(self) -> bool:
        """Whether the person walks right now: a foot came to the ground less than a pause ago."""
        state = self.state
        if state.time_s is None or state.contact_s is None:
            return False
        return state.time_s - state.contact_s < self.parameters.pause_s

    def reset(self) -> None:
        """Forget everything, as after a gap or a reconnect."""
        self.state = SegmenterState()

    def feed(self, sample: JointAngleSample) -> list[InitialContact | FootOff]:
        """Take the next sample, later than the last; return the events that it made certain."""
        state, parameters = self.state, self.parameters
        last_s = state.time_s
        if last_s is None or sample.time_s - last_s > parameters.longest_gap_s:
            self.state = SegmenterState(time_s=sample.time_s)
            for side in SIDES:
                reach, knee, separation = self._curves(sample, side)
                self.state.legs[side] = LegState(
                    CurveState.resting(reach), CurveState.resting(knee), reach, separation
                )
            return []
        state.time_s = sample.time_s
        interval_s = sample.time_s - last_s
        gains = _gains(interval_s, parameters.time_constant_s)
        events: list[InitialContact | FootOff] = []
        for side, leg in state.legs.items():
            self._step(side, leg, sample, interval_s, gains, events)
        return events

    def _curves(self, sample: JointAngleSample, side: Side) -> tuple[float, float, float]:
        """Return reach, knee flexion and the angle between the thighs."""
        hip, _, _, knee, _ = _LEG[side]
        angles_deg = sample.angles_deg
        hip_deg, knee_deg = angles_deg[hip], angles_deg[knee]
        other_deg = angles_deg[_LEG[opposite(side)][0]]
        reach = self.parameters.hip_weight * hip_deg - knee_deg - other_deg
        return reach, knee_deg, hip_deg - other_deg

    def _step(
        self,
        side: Side,
        leg: LegState,
        sample: JointAngleSample,
        interval_s: float,
        gains: tuple[float, float, float],
        events: list[InitialContact | FootOff],
    ) -> None:
        parameters = self.parameters
        tau = parameters.time_constant_s
        now_s = sample.time_s
        reach_deg, knee_deg, separation_deg = self._curves(sample, side)
        _smooth(leg.reach, reach_deg, gains)
        _smooth(leg.knee, knee_deg, gains)
        reach_deg = leg.reach.third
        speed = (leg.reach.second - leg.reach.third) / tau
        acceleration = (leg.knee.first - 2.0 * leg.knee.second + leg.knee.third) / (tau * tau)
        curve = acceleration - speed / parameters.foot_off_horizon_s
        last_speed, leg.reach_speed = leg.reach_speed, speed
        last_curve, leg.foot_off_curve = leg.foot_off_curve, curve
        seen_s = now_s - interval_s - STAGES * tau

        if leg.swinging:
            if last_speed > 0.0 >= speed:
                leg.swinging = False
                if separation_deg - leg.low_separation_deg >= parameters.least_separation_deg:
                    crossing_s = seen_s + interval_s * last_speed / (last_speed - speed)
                    time_s = crossing_s + parameters.contact_lead_s
                    events.append(InitialContact(side, time_s, now_s))
                    self.state.contact_s, self.state.contact_side = time_s, side
                    leg.foot_off_s = leg.foot_off_given_s = None
                leg.low_reach_deg, leg.low_separation_deg = reach_deg, separation_deg
            return
        leg.low_reach_deg = min(leg.low_reach_deg, reach_deg)
        leg.low_separation_deg = min(leg.low_separation_deg, separation_deg)
        if last_curve > 0.0 >= curve:
            crossing_s = seen_s + interval_s * last_curve / (last_curve - curve)
            leg.foot_off_s = crossing_s + parameters.foot_off_lead_s
            # A walking foot stays down until the other one has come down.
            if self.state.contact_side == opposite(side) and self.walking:
                self._give_foot_off(side, leg, now_s, events)
        if speed > 0.0 and reach_deg - leg.low_reach_deg >= parameters.least_reach_deg:
            leg.swinging = True
            self._give_foot_off(side, leg, now_s, events)

    def _give_foot_off(
        self, side: Side, leg: LegState, now_s: float, events: list[InitialContact | FootOff]
    ) -> None:
        """Report the latest crossing, once in a stance."""
        given_s = leg.foot_off_given_s
        if leg.foot_off_s is None:
            return
        if given_s is not None and leg.foot_off_s - given_s < self.parameters.pause_s:
            return
        leg.foot_off_given_s = leg.foot_off_s
        events.append(FootOff(side, leg.foot_off_s, now_s))


_LEG: Final = {side: angles_of(side) for side in SIDES}


def _gains(interval_s: float, tau: float) -> tuple[float, float, float]:
    """Return what a low-pass makes of its output, its last input and its input.

    Exact for an input that goes in a straight line from sample to sample (first-order hold).
    """
    decay = exp(-interval_s / tau)
    mean = (1.0 - decay) * tau / interval_s
    return decay, mean - decay, 1.0 - mean


def _smooth(curve: CurveState, value: float, gains: tuple[float, float, float]) -> None:
    """Take the next sample of a curve through its low-passes."""
    decay, before, now = gains
    first = decay * curve.first + before * curve.raw + now * value
    second = decay * curve.second + before * curve.first + now * first
    curve.third = decay * curve.third + before * curve.second + now * second
    curve.raw, curve.first, curve.second = value, first, second
