"""Whether the legs are known to do what the models do not know, which no single sample shows.

How long a stride took, and how it moved as a whole, is known of finished strides only; and who
walks too slowly for strides, squats or paces on the spot finishes none. So each foot has a time up
to which all is known of it: its last stride, its last contact in time, or when the legs began to
move after they had been still. Once they have moved on from that for longer than any stride takes,
or a stride was out of range, or both legs were bent at once as in squatting, every estimate is
doubted until the next stride within it, or until they rest. Legs that rest in standing are doubted
by nobody, but those that rest in another posture are, and those of which not one angle changes at
all: nobody stands so still, but a hub that hangs repeats what it measured last. In whole degrees
people do stand so still for a while: there a hub that hangs shows at once only in a walk.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from edgehip.channels import ANGLES, SIDES, Side
from edgehip.cycles import MAX_STRIDE_S
from edgehip.events import GaitCycle, HipEstimate, InitialContact, JointAngleSample
from edgehip.flags import is_foreign
from edgehip.model_card import ModelCard
from edgehip.posture import FAR_DEG, FLEXIONS, crouches, farthest
from edgehip.zero import Profile

MOVED_DEG: Final = 7.5
"""A hip's or knee's flexion that changes by more has moved: noise and the sway of quiet standing
stay below, and a walk of 20 steps/min exceeds it again and again."""
REST_S: Final = 1.25
"""Legs that have not moved for so long rest: longer than between two movements of such a walk."""
FROZEN_S: Final = 0.5
"""Angles none of which has changed for so long are measured no more. Recorded at 100 Hz from IMUs,
all ten stay the same for 0.01 s at most in quiet standing, rounded to 0.1 degrees for 0.16 s; a
sensor slower than its link repeats them for one of its own periods."""
FROZEN_WHOLE_S: Final = 5.0
"""And for so long where they are whole degrees, in legs that had stopped moving before. So rounded,
all ten stay the same for up to 1.05 s of the little that was recorded of quiet standing, and for
0.03 s at most in walks."""


@dataclass(slots=True)
class WalkWatchState:
    """The last sample, and since when its angles are what they are.

    ``are_whole`` is whether all so far were whole degrees; None while none has changed, as a hub
    that never measured may send zeros.

    Besides, when the legs began to move, and last moved, and where to.
    ``known_s`` is up to when all is known of each foot: its last stride, its last contact in time,
    or when the legs began to move. ``foreign`` says whether that stride was out of range, or both
    legs were bent since.
    """

    time_s: float = 0.0
    angles_deg: tuple[float, ...] = ()
    changed_s: float = 0.0
    are_whole: bool | None = None
    began_s: float = -math.inf
    moved_s: float = -math.inf
    posture_deg: tuple[float, ...] | None = None
    known_s: dict[Side, float] = field(default_factory=lambda: dict.fromkeys(SIDES, 0.0))
    foreign: dict[Side, bool] = field(default_factory=lambda: dict.fromkeys(SIDES, False))


class WalkWatch:
    """Doubts what is estimated while the legs do what the models do not know.

    Parameters
    ----------
    cards
        Of the models: the durations of strides that each of them knows, and how people stand.
    """

    def __init__(self, cards: Collection[ModelCard] = ()) -> None:
        spans = [card.ranges["stride_s"] for card in cards if "stride_s" in card.ranges]
        self._shortest_s = max((span.low[0] for span in spans), default=0.0)
        self._longest_s = min((span.high[0] for span in spans), default=math.inf)
        zeros = [card.zero.standing_deg for card in cards if card.zero is not None]
        self._standing_deg = zeros[0] if zeros else (0.0,) * len(ANGLES)
        self.set_zero(None)
        self.state = WalkWatchState()

    def set_zero(self, profile: Profile | None) -> None:
        """Know from now on how this person stands, or nothing of it."""
        self.standing_deg = self._standing_deg
        if profile is not None and profile.method == "standing":
            self.standing_deg = profile.mean_deg

    def feed(self, sample: JointAngleSample) -> None:
        """Take the next sample, later than the last."""
        state, angles = self.state, sample.angles_deg
        state.time_s = sample.time_s
        if angles != state.angles_deg:
            if state.angles_deg and state.are_whole is not False:
                both = (*state.angles_deg, *angles)
                state.are_whole = all(angle.is_integer() for angle in both)
            state.angles_deg, state.changed_s = angles, sample.time_s
        if crouches(angles, self.standing_deg):
            for side in SIDES:
                state.foreign[side] = True
        posture = state.posture_deg
        if posture is None:
            state.posture_deg = angles
            return
        for place in FLEXIONS:
            if abs(angles[place] - posture[place]) > MOVED_DEG:
                if self._rests:
                    state.began_s = sample.time_s
                    for side in SIDES:
                        state.known_s[side], state.foreign[side] = sample.time_s, False
                state.posture_deg, state.moved_s = angles, sample.time_s
                return

    def landed(self, contact: InitialContact) -> None:
        """Hear of a contact: in time, it begins what may be a stride like any other."""
        if not self.doubts(contact.side):
            self.state.known_s[contact.side] = contact.time_s

    def finished(self, cycle: GaitCycle, estimate: HipEstimate | None) -> None:
        """Hear of a stride, and of what the whole-cycle model made of it, if there is one.

        Angles that leave their range for a moment are no matter here: their own samples show them.
        """
        foreign = (
            bool(cycle.still)
            or not self._shortest_s <= cycle.stride_s <= self._longest_s
            or (estimate is not None and is_foreign(estimate.out_of_range_score))
        )
        state, side = self.state, cycle.side
        state.known_s[side] = cycle.end_s
        # Legs that rested in it made a short pause: that is no way of walking.
        state.foreign[side] = foreign and cycle.start_s >= state.began_s

    def doubts(self, side: Side) -> bool:
        """Return whether what this leg does now is known to be out of range."""
        return (self.state.foreign[side] and not self._rests) or self.is_overdue(side)

    def is_overdue(self, side: Side) -> bool:
        """Return whether the legs have moved on for longer than a stride takes, without one."""
        state = self.state
        return state.moved_s - state.known_s[side] > MAX_STRIDE_S and not self._rests

    def reset(self) -> None:
        """Forget everything."""
        self.state = WalkWatchState()

    @property
    def doubts_sample(self) -> bool:
        """Whether the last sample is out of range for the legs, their posture or the sensors."""
        return self._hangs or self._is_bent or self.doubts("l") or self.doubts("r")

    @property
    def is_frozen(self) -> bool:
        """Whether no angle has changed for longer than any is measured."""
        return self.state.time_s - self.state.changed_s > FROZEN_S

    @property
    def _hangs(self) -> bool:
        """Whether angles that are frozen are not those of somebody who stands, in whole degrees."""
        state = self.state
        stopped = state.changed_s - state.moved_s > FROZEN_S  # or a hub did, amid a movement
        stands = state.are_whole and stopped and state.time_s - state.changed_s <= FROZEN_WHOLE_S
        return self.is_frozen and not stands

    @property
    def _is_bent(self) -> bool:
        """Whether the legs rest, but not in standing."""
        if not self._rests:
            return False
        return abs(farthest(self.state.angles_deg, self.standing_deg)[1]) > FAR_DEG

    @property
    def _rests(self) -> bool:
        return self.state.time_s - self.state.moved_s > REST_S
