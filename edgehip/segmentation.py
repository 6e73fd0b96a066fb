"""Initial contact and foot off of either foot, online, from hip and knee flexion alone.

Both events are zero crossings of one curve each, made of derivatives of these angles, and so
neither depends on where an angle's zero is:

- **contact curve**. The reach, ``1.8 hip - knee - other hip - 0.2 other knee``, tells how far the
  leg is swung out in front of the other. It rises through swing and falls through stance, and the
  foot comes to the ground about when it is greatest. But there it can be flat for a tenth of a
  second, above all in slow walking, and where its maximum lies is chance. What the knees do at that
  moment is not: the swinging one is braked, the other begins to give way. The contact curve,
  ``reach speed - horizon (knee + other knee acceleration)``, falls steeply through zero.
- **foot-off curve**. The knee's flexion speed has a maximum shortly before the foot leaves the
  ground; the reach has its minimum shortly after. ``knee acceleration - reach speed / horizon``
  crosses zero between the two; its reach is ``1.5 hip - knee - other hip``.

The derivatives are smooth (see :mod:`edgehip.gait_curve`); the crossings are interpolated between
samples, set back by the smoothing's delay and forward by a lead measured against force plates. A
swing counts as a step if it takes the foot far enough past the other: standing, squatting and
turning on the spot bring it back to where it was. How well all this works, on whom, says
``python -m benchmarks.segmentation``.
"""

from dataclasses import dataclass, field
from typing import Final

from edgehip.channels import SIDES, Side, angles_of, opposite
from edgehip.events import FootOff, InitialContact, JointAngleSample
from edgehip.gait_curve import SMOOTHER_STAGES, SOONER_STAGES, Curve, Gains

_LEG: Final = {side: angles_of(side) for side in SIDES}


@dataclass(frozen=True, slots=True)
class SegmentationParameters:
    """What the detector is tuned to: the same for everybody.

    The first eight were chosen for the least scatter against force plates, together with the least
    difference between people and laboratories; none of them is critical.

    Parameters
    ----------
    hip_weight
        Of a leg's own hip flexion in its reach; its knee and the other hip have -1.
    other_knee_weight
        Of the other knee's flexion in the reach, with a minus: while it still straightens, as in
        the first steps from standing, the foot is not down yet.
    contact_horizon_s
        Weight of both knees' acceleration against the reach's speed in the contact curve.
    time_constant_s
        Of each low-pass. Longer means smoother, and three or four times as much later.
    contact_lead_s
        By how much the zero of the contact curve precedes initial contact.
    foot_off_lead_s
        By how much the zero of the foot-off curve precedes foot off.
    foot_off_hip_weight
        Like ``hip_weight``, in the reach of the foot-off curve.
    foot_off_horizon_s
        Weight of the reach's speed against the knee's acceleration in the foot-off curve.
    foot_off_knee_share
        At foot off the knee flexes at least with this share of its top speed in the last swing.
    least_step_deg
        A swing in which reach or lead (see :class:`LegState`) rises less is no step.
    least_step_share
        Nor is one that ends short of this share of the lead's recent range, as a foot does that is
        lifted and put down in its place.
    least_knee_speed
        Degrees/s. Hips that swing under knees that never flex so fast, neither this leg's since the
        other foot landed nor the other's before, sway in standing. A person one of whose knees is
        locked still walks.
    forget_s
        Time constant with which recent extremes are forgotten.
    lift_s
        Foot off precedes a clear swing by less than this.
    pause_s
        Nobody walks who has put no foot down for so long (60 steps/min are one a second).
    longest_gap_s
        After a longer time without a sample all that came before is forgotten, here and in the
        whole pipeline.
    """

    hip_weight: float = 1.8
    other_knee_weight: float = 0.2
    contact_horizon_s: float = 0.016
    time_constant_s: float = 0.017
    contact_lead_s: float = 0.042
    foot_off_lead_s: float = 0.021
    foot_off_hip_weight: float = 1.5
    foot_off_horizon_s: float = 0.05
    foot_off_knee_share: float = 0.5
    least_step_deg: float = 20.0
    least_step_share: float = 0.7
    least_knee_speed: float = 40.0
    forget_s: float = 3.0
    lift_s: float = 0.5
    pause_s: float = 1.5
    longest_gap_s: float = 0.25


@dataclass(slots=True)
class LegState:
    """One leg.

    ``lead_deg`` is how far its foot is in front of the other: the difference of ``2 hip - knee``,
    the foot's place under the hip for two links of equal length and small angles. ``low_*`` are
    recent minima, that of the reach since the last swing. ``crossing_s`` is the latest foot off
    that may be one; ``foot_off_s`` the one reported in this stance. ``knee_speed`` is the knee's
    top speed since the other foot landed, ``last_knee_speed`` what it was a stride earlier.
    """

    hip: Curve
    knee: Curve
    reach_deg: float = 0.0
    lead_deg: float = 0.0
    low_reach_deg: float = 0.0
    low_lead_deg: float = 0.0
    contact_curve: float = 0.0
    foot_off_curve: float = 0.0
    swinging: bool = False
    crossing_s: float | None = None
    foot_off_s: float | None = None
    knee_speed: float = 0.0
    last_knee_speed: float = 0.0


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
        What the detector is tuned to.

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
        last_s, now_s = state.time_s, sample.time_s
        if last_s is None or not 0.0 < now_s - last_s <= parameters.longest_gap_s:
            self._begin(sample)
            return []
        state.time_s = now_s
        interval_s = now_s - last_s
        gains = Gains.over(interval_s, parameters.time_constant_s)
        leak = interval_s / parameters.forget_s
        for side, leg in state.legs.items():
            hip, _, _, knee, _ = _LEG[side]
            leg.hip.feed(sample.angles_deg[hip], gains)
            leg.knee.feed(sample.angles_deg[knee], gains)
        self._measure()
        for leg in state.legs.values():
            leg.low_lead_deg = _leaky_minimum(leg.low_lead_deg, leg.lead_deg, leak)
            leg.low_reach_deg = _leaky_minimum(leg.low_reach_deg, leg.reach_deg, leak)
        events: list[InitialContact | FootOff] = []
        for side in state.legs:
            events += self._advance(side, last_s, now_s)
        return events

    def _begin(self, sample: JointAngleSample) -> None:
        """Start anew, as if the person had always stood like this."""
        self.state = SegmenterState(time_s=sample.time_s)
        for side in SIDES:
            hip, _, _, knee, _ = _LEG[side]
            self.state.legs[side] = LegState(
                Curve.resting(sample.angles_deg[hip]), Curve.resting(sample.angles_deg[knee])
            )
        self._measure()
        for leg in self.state.legs.values():
            leg.low_reach_deg, leg.low_lead_deg = leg.reach_deg, leg.lead_deg

    def _measure(self) -> None:
        """Bring reaches and leads up to date."""
        left, right, parameters = self.state.legs["l"], self.state.legs["r"], self.parameters
        own, other_knee = parameters.hip_weight, parameters.other_knee_weight
        left_hip, left_knee = left.hip.third, left.knee.third
        right_hip, right_knee = right.hip.third, right.knee.third
        left.reach_deg = own * left_hip - left_knee - right_hip - other_knee * right_knee
        right.reach_deg = own * right_hip - right_knee - left_hip - other_knee * left_knee
        left.lead_deg = 2.0 * (left_hip - right_hip) - left_knee + right_knee
        right.lead_deg = -left.lead_deg

    def _advance(self, side: Side, last_s: float, now_s: float) -> list[InitialContact | FootOff]:
        """Return what one leg did between the last sample and this one."""
        parameters, state = self.parameters, self.state
        leg, other = state.legs[side], state.legs[opposite(side)]
        last_contact, last_foot_off = leg.contact_curve, leg.foot_off_curve
        leg.contact_curve = self._contact_curve(leg, other)
        leg.foot_off_curve = self._foot_off_curve(leg, other)
        knee_speed = leg.knee.speed(parameters.time_constant_s)
        other_landed = state.contact_side == opposite(side)
        if state.contact_side != side:
            leg.knee_speed = max(leg.knee_speed, knee_speed)
        # A leg that has not swung yet is likely to swing like the other.
        last_knee_speed = leg.last_knee_speed or other.last_knee_speed
        # The other leg's least lead is this one's greatest, with the opposite sign.
        range_deg = -other.low_lead_deg - leg.low_lead_deg
        least_deg = max(parameters.least_step_deg, parameters.least_step_share * range_deg)
        flexing = max(leg.knee_speed, other.last_knee_speed) >= parameters.least_knee_speed
        stepping = flexing and leg.lead_deg - leg.low_lead_deg >= least_deg
        lifted = False

        if not leg.swinging:
            if last_foot_off > 0.0 >= leg.foot_off_curve:
                zero_s = _zero(last_s, last_foot_off, now_s, leg.foot_off_curve)
                delay_s = SOONER_STAGES * parameters.time_constant_s
                leg.crossing_s = zero_s - delay_s + parameters.foot_off_lead_s
                # A walking foot stays down until the other one has come down.
                lifted = (
                    self.walking
                    and other_landed
                    and knee_speed >= parameters.foot_off_knee_share * last_knee_speed
                )
            risen_deg = leg.reach_deg - leg.low_reach_deg
            if leg.contact_curve > 0.0 and risen_deg >= parameters.least_step_deg:
                leg.swinging = True
                if leg.crossing_s is not None and now_s - leg.crossing_s > parameters.lift_s:
                    leg.crossing_s = None
        events: list[InitialContact | FootOff] = []
        if lifted or (leg.swinging and stepping):
            events += self._foot_off(side, leg, now_s)
        if leg.swinging and last_contact > 0.0 >= leg.contact_curve:
            leg.swinging = False
            leg.low_reach_deg = leg.reach_deg
            if stepping:
                zero_s = _zero(last_s, last_contact, now_s, leg.contact_curve)
                delay_s = SMOOTHER_STAGES * parameters.time_constant_s
                state.contact_s = zero_s - delay_s + parameters.contact_lead_s
                state.contact_side = side
                leg.crossing_s = leg.foot_off_s = None
                leg.last_knee_speed, leg.knee_speed = leg.knee_speed, 0.0
                events.append(InitialContact(side, state.contact_s, now_s))
        return events

    def _contact_curve(self, leg: LegState, other: LegState) -> float:
        """Return what falls through zero about when a leg's foot comes down, in degrees/s."""
        parameters, tau = self.parameters, self.parameters.time_constant_s
        return (
            parameters.hip_weight * leg.hip.smoother_speed(tau)
            - leg.knee.smoother_speed(tau)
            - other.hip.smoother_speed(tau)
            - parameters.other_knee_weight * other.knee.smoother_speed(tau)
            - parameters.contact_horizon_s
            * (leg.knee.smoother_acceleration(tau) + other.knee.smoother_acceleration(tau))
        )

    def _foot_off_curve(self, leg: LegState, other: LegState) -> float:
        """Return what falls through zero about when a leg's foot goes up, in degrees/s^2."""
        parameters, tau = self.parameters, self.parameters.time_constant_s
        reach_speed = (
            parameters.foot_off_hip_weight * leg.hip.speed(tau)
            - leg.knee.speed(tau)
            - other.hip.speed(tau)
        )
        return leg.knee.acceleration(tau) - reach_speed / parameters.foot_off_horizon_s

    def _foot_off(self, side: Side, leg: LegState, now_s: float) -> list[FootOff]:
        """Return the latest crossing as foot off, but only once in a stance."""
        if leg.crossing_s is None:
            return []
        if leg.foot_off_s is not None and leg.crossing_s - leg.foot_off_s < self.parameters.pause_s:
            return []
        leg.foot_off_s = leg.crossing_s
        return [FootOff(side, leg.foot_off_s, now_s)]


def _leaky_minimum(low: float, value: float, leak: float) -> float:
    """Return the least value so far, drawn a little towards the present one."""
    return min(value, low + leak * (value - low))


def _zero(last_s: float, last: float, now_s: float, now: float) -> float:
    """Return when a straight line through two points is zero."""
    return last_s + (now_s - last_s) * last / (last - now)
