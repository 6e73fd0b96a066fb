"""Closes gait cycles: from initial contact to the next of the same foot, whole or declared broken.

A short gap between samples is bridged (and counted in the cycle); a longer one breaks the cycle,
because nobody knows what the leg did meanwhile.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edgehip.channels import Side, opposite
from edgehip.events import BrokenCycle, FootOff, GaitCycle, InitialContact, JointAngleSample

MAX_BRIDGED_GAP_S: Final = 0.065
"""Two lost samples at 50 Hz, five at 100 Hz, and some jitter. Joint angles of walking lie below
6 Hz (Winter, "Biomechanics and Motor Control of Human Movement", 2009, ch. 3); over this time a
straight line errs by a few degrees where a joint turns fastest, and the stride is flagged."""
MAX_SAMPLES: Final = 10_000
"""Nobody samples that fast for :data:`HISTORY_S`: a device whose clock crawls fills no memory."""
MIN_STRIDE_S: Final = 0.4
MAX_STRIDE_S: Final = 2.6
"""Two contacts further apart have a pause between them (60 steps/min is a stride of 2 s)."""
SAME_PACE: Final = 0.25
"""A stride that takes longer or shorter than the one before by more than this share of it holds a
stop, or is the first after one: it is not of the same walk."""
HISTORY_S: Final = MAX_STRIDE_S + 1.0


@dataclass(slots=True)
class FootState:
    """The last contact, foot off and stride of one foot, and its strides since walking went on."""

    contact_s: float | None = None
    foot_off_s: float | None = None
    others_contacts: int = 0
    """Contacts of the other foot since this one's."""
    stride_s: float = 0.0
    strides_since_gap: int = 0


@dataclass(slots=True)
class CycleTrackerState:
    """Recent samples (a few seconds) and both feet."""

    samples: deque[JointAngleSample] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))
    feet: dict[Side, FootState] = field(
        default_factory=lambda: {"l": FootState(), "r": FootState()}
    )


class CycleTracker:
    """Collects samples and gait events into gait cycles."""

    def __init__(self) -> None:
        self.state = CycleTrackerState()

    def add(self, sample: JointAngleSample) -> None:
        """Remember a sample; call before the events that it confirms."""
        samples = self.state.samples
        samples.append(sample)
        while samples[0].time_s < sample.time_s - HISTORY_S:
            samples.popleft()

    @property
    def last_sample(self) -> JointAngleSample | None:
        """The last sample, unless nothing is remembered."""
        samples = self.state.samples
        return samples[-1] if samples else None

    def event(
        self, event: InitialContact | FootOff, received_ns: int
    ) -> GaitCycle | BrokenCycle | None:
        """Return the cycle that an event closes, if it closes one."""
        foot = self.state.feet[event.side]
        if isinstance(event, FootOff):
            foot.foot_off_s = event.time_s
            return None
        start_s, foot.contact_s = foot.contact_s, event.time_s
        steps, foot.others_contacts = foot.others_contacts, 0
        self.state.feet[opposite(event.side)].others_contacts += 1
        if (
            start_s is None
            or not MIN_STRIDE_S <= event.time_s - start_s <= MAX_STRIDE_S
            or steps > 1  # a contact of this foot went unseen: these are two strides
        ):
            foot.strides_since_gap = 0
            return None
        inside = self._between(start_s, event.time_s)
        time_s = np.array([sample.time_s for sample in inside])
        gap_s = float(np.max(np.diff(time_s), initial=0.0))
        if not inside or inside[0].time_s > start_s or inside[-1].time_s < event.time_s:
            gap_s = event.time_s - start_s
        if gap_s > MAX_BRIDGED_GAP_S:
            foot.strides_since_gap = 0
            return BrokenCycle(event.side, start_s, event.time_s, gap_s)
        foot_off_s = foot.foot_off_s
        if foot_off_s is not None and not start_s < foot_off_s < event.time_s:
            foot_off_s = None
        stride_s = event.time_s - start_s
        steady = is_same_pace(stride_s, foot.stride_s)
        foot.stride_s = stride_s
        foot.strides_since_gap = foot.strides_since_gap + 1 if steady else 1
        return GaitCycle(
            side=event.side,
            start_s=start_s,
            end_s=event.time_s,
            confirmed_s=event.confirmed_s,
            foot_off_s=foot_off_s,
            sample_time_s=time_s,
            angles_deg=np.array([sample.angles_deg for sample in inside]),
            samples_lost=sum(sample.samples_lost for sample in inside[1:]),
            strides_since_gap=foot.strides_since_gap - 1,
            received_ns=received_ns,
        )

    def reset(self) -> None:
        """Forget everything: what comes next has no connection with what was."""
        self.state = CycleTrackerState()

    def _between(self, start_s: float, end_s: float) -> list[JointAngleSample]:
        """Return the samples from the last at or before the start to the first at or after the end.

        The deque is short and this runs once a stride, so it is walked from the newest.
        """
        inside: list[JointAngleSample] = []
        for sample in reversed(self.state.samples):
            if sample.time_s >= end_s:
                inside = [sample]
                continue
            inside.append(sample)
            if sample.time_s <= start_s:
                break
        return inside[::-1]


def is_same_pace(stride_s: float, before_s: float) -> bool:
    """Return whether a stride's duration and the last one's (0 for none) are of one walk."""
    return abs(stride_s - before_s) <= SAME_PACE * before_s
