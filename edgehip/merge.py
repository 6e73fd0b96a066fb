"""Two devices, one at each leg and each with its own clock, made into one stream of ten angles.

The first device leads: each of its samples is completed by the other device's angles, interpolated
linearly to the same instant of the host's clock, to which each device's own
:class:`~edgehip.timebase.Timebase` maps its times. The constant part of each link's delay cannot be
seen, so the legs may stay apart by the difference of the two (a few milliseconds over Bluetooth).
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from edgehip.cycles import MAX_BRIDGED_GAP_S
from edgehip.events import Fault, JointAngleSample, LinkChange, LinkFault, LinkState
from edgehip.link import FRESH_WITHIN_S, STALE_AFTER_S

WAIT_NS: Final = round(STALE_AFTER_S * 1e9)
"""How far one device may fall behind the other; what waited longer for it is dropped."""
BACK_NS: Final = round(FRESH_WITHIN_S * 1e9)
"""A device that fell behind is back once it is this near; at the limit itself it would come and go
with every sample, and cues with it."""
BRIDGE_NS: Final = round(MAX_BRIDGED_GAP_S * 1e9)
"""Longest gap in the second device's samples that is interpolated across: what bridges none in one
device's samples bridges none here."""

Device = Literal[0, 1]
Merged = JointAngleSample | LinkFault | LinkChange


@dataclass(slots=True)
class Timed:
    """A sample, its time on the host's clock, and how much of its loss no merged sample tells yet.

    Every sample that is interpolated across a gap tells of a loss, even if there are more of them
    than were lost.
    """

    host_ns: int
    sample: JointAngleSample
    untold: int


@dataclass(slots=True)
class MergerState:
    """Samples of either device that wait, its newest host time, and whether it has stalled.

    ``merging`` is whether there was a merged sample yet: nothing counts as lost before the first.
    """

    waiting: tuple[deque[Timed], deque[Timed]] = field(default_factory=lambda: (deque(), deque()))
    newest_ns: list[int | None] = field(default_factory=lambda: [None, None])
    stalled: list[bool] = field(default_factory=lambda: [False, False])
    begin_ns: int | None = None
    merging: bool = False
    lost_before_next: int = 0


class Merger:
    """Completes one device's samples with another's.

    Feed every sample of either device as it arrives, NaN where the device measures nothing. The
    result does not depend on how the two streams are interleaved, as long as neither falls behind
    by more than :data:`WAIT_NS`; a device that does is reported, once, and so is its return.

    Parameters
    ----------
    names
        What the devices are called in reports.
    """

    def __init__(self, names: tuple[str, str] = ("the first device", "the second device")) -> None:
        self.names = names
        self.state = MergerState()

    def feed(self, device: Device, sample: JointAngleSample, host_ns: int) -> list[Merged]:
        """Return what this sample completes, and a fault for each that cannot be completed.

        Parameters
        ----------
        device
            Which one it came from: 0 leads, 1 completes.
        sample
            Its times are the device's own; those of device 0 are kept.
        host_ns
            The sample's time on the host's clock, by the device's timebase.
        """
        state = self.state
        found: list[Merged] = []
        newest_ns = state.newest_ns[device]
        if newest_ns is not None and host_ns <= newest_ns:
            # Its timebase has just learnt better: what was placed by the old one is misplaced.
            if device == 0:
                self._drop_all(found)
            state.waiting[device].clear()
        state.waiting[device].append(Timed(host_ns, sample, sample.samples_lost))
        state.newest_ns[device] = host_ns
        self._complete(found)
        self._tidy(found)
        self._watch(device, sample.received_ns, found)
        return found

    def reset(self) -> list[Merged]:
        """Forget everything; return a fault for each sample that waited."""
        found: list[Merged] = []
        self._drop_all(found)
        self.state = MergerState()
        return found

    def _complete(self, found: list[Merged]) -> None:
        state = self.state
        leading, others = state.waiting
        while leading:
            at_ns = leading[0].host_ns
            while len(others) > 1 and others[1].host_ns <= at_ns:
                self._pass(others)
            if not others or (len(others) == 1 and others[0].host_ns < at_ns):
                return  # the other device's next sample decides
            first = leading.popleft().sample
            before = others[0]
            after = before if before.host_ns == at_ns else others[min(1, len(others) - 1)]
            gap_ns = after.host_ns - before.host_ns
            if before.host_ns > at_ns or gap_ns > BRIDGE_NS:
                self._drop(first, found)
                continue
            share = (at_ns - before.host_ns) / gap_ns if gap_ns else 0.0
            found.append(self._merge(first, before.sample, after, share))

    def _merge(
        self,
        first: JointAngleSample,
        before: JointAngleSample,
        other: Timed,
        share: float,
    ) -> JointAngleSample | LinkFault:
        after = other.sample
        received_ns = max(first.received_ns, after.received_ns)
        angles_deg = tuple(
            b + share * (a - b) if math.isnan(own) else own
            for own, b, a in zip(first.angles_deg, before.angles_deg, after.angles_deg, strict=True)
        )
        if any(math.isnan(angle) for angle in angles_deg):
            self._lose(first)
            return LinkFault(Fault.INCOMPLETE, 1, received_ns)
        lost = first.samples_lost + self.state.lost_before_next
        if share and after.samples_lost:
            lost += 1
            other.untold -= 1
        self.state.merging, self.state.lost_before_next = True, 0
        late_ns = max(first.late_ns, after.late_ns)
        return JointAngleSample(first.time_s, angles_deg, received_ns, lost, late_ns)

    def _watch(self, device: Device, received_ns: int, found: list[Merged]) -> None:
        """Say which device stalls or is back."""
        state = self.state
        other: Device = 1 if device == 0 else 0
        now_ns, other_ns = state.newest_ns[device], state.newest_ns[other]
        assert now_ns is not None
        if state.begin_ns is None:
            state.begin_ns = now_ns
        if other_ns is None:
            other_ns = state.begin_ns
        if state.stalled[device] and now_ns >= other_ns - BACK_NS:
            state.stalled[device] = False
            found.append(LinkChange(LinkState.LIVE, received_ns, f"{self.names[device]} is back"))
        if not state.stalled[other] and other_ns < now_ns - WAIT_NS:
            state.stalled[other] = True
            detail = f"{self.names[other]} sends nothing, or too late"
            found.append(LinkChange(LinkState.STALE, received_ns, detail))

    def _tidy(self, found: list[Merged]) -> None:
        """Let nothing wait longer than :data:`WAIT_NS`."""
        leading, others = self.state.waiting
        while leading and leading[0].host_ns < leading[-1].host_ns - WAIT_NS:
            self._drop(leading.popleft().sample, found)
        # The last sample before the limit begins an interval that reaches behind it.
        while len(others) > 1 and others[1].host_ns < others[-1].host_ns - WAIT_NS:
            self._pass(others)

    def _drop(self, first: JointAngleSample, found: list[Merged]) -> None:
        found.append(LinkFault(Fault.UNMATCHED, 1, first.received_ns))
        self._lose(first)

    def _drop_all(self, found: list[Merged]) -> None:
        leading, _ = self.state.waiting
        while leading:
            self._drop(leading.popleft().sample, found)

    def _lose(self, first: JointAngleSample) -> None:
        if self.state.merging:
            self.state.lost_before_next += 1 + first.samples_lost

    def _pass(self, others: deque[Timed]) -> None:
        """Go on to the second device's next interval; what is untold of this one's loss counts."""
        others.popleft()
        self.state.lost_before_next += max(others[0].untold, 0)
