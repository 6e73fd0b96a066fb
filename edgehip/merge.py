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

from edgehip.events import Fault, JointAngleSample, LinkChange, LinkFault, LinkState

WAIT_S: Final = 0.25
"""How far one device may fall behind the other; what waited longer for it is dropped."""
BRIDGE_S: Final = 0.1
"""Longest gap in the second device's samples that is interpolated across."""
WAIT_NS: Final = round(WAIT_S * 1e9)
BRIDGE_NS: Final = round(BRIDGE_S * 1e9)

Device = Literal[0, 1]
Merged = JointAngleSample | LinkFault | LinkChange


@dataclass(slots=True)
class Timed:
    """A sample and its time on the host's clock."""

    host_ns: int
    sample: JointAngleSample


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
    dropped: int = 0


class Merger:
    """Completes one device's samples with another's.

    Feed every sample of either device as it arrives, NaN where the device measures nothing. The
    result does not depend on how the two streams are interleaved, as long as neither falls behind
    by more than :data:`WAIT_S`; a device that does is reported, once, and so is its return.

    Parameters
    ----------
    names
        What the devices are called in reports.
    """

    def __init__(self, names: tuple[str, str] = ("the first device", "the second device")) -> None:
        self.names = names
        self.state = MergerState()

    @property
    def dropped(self) -> int:
        """Samples of the first device that could not be completed."""
        return self.state.dropped

    def feed(self, device: Device, sample: JointAngleSample, host_ns: int) -> list[Merged]:
        """Return what this sample completes.

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
        newest_ns = state.newest_ns[device]
        if newest_ns is not None and host_ns <= newest_ns:
            # Its timebase has just learnt better: what was placed by the old one is misplaced.
            self._forget(device)
        state.waiting[device].append(Timed(host_ns, sample))
        state.newest_ns[device] = host_ns
        found: list[Merged] = []
        self._complete(found)
        self._tidy()
        self._watch(device, sample.received_ns, found)
        return found

    def reset(self) -> None:
        """Forget everything."""
        self.state = MergerState()

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
            before, after = others[0], others[min(1, len(others) - 1)]
            gap_ns = after.host_ns - before.host_ns
            if before.host_ns > at_ns or gap_ns > BRIDGE_NS:
                self._drop(first)
                continue
            share = (at_ns - before.host_ns) / gap_ns if gap_ns else 0.0
            found.append(self._merge(first, before.sample, after.sample, share))

    def _merge(
        self,
        first: JointAngleSample,
        before: JointAngleSample,
        after: JointAngleSample,
        share: float,
    ) -> JointAngleSample | LinkFault:
        received_ns = max(first.received_ns, after.received_ns)
        angles_deg = tuple(
            b + share * (a - b) if math.isnan(own) else own
            for own, b, a in zip(first.angles_deg, before.angles_deg, after.angles_deg, strict=True)
        )
        if any(math.isnan(angle) for angle in angles_deg):
            self._drop(first)
            return LinkFault(Fault.INCOMPLETE, 1, received_ns)
        lost = first.samples_lost + self.state.lost_before_next
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
        if state.stalled[device] and now_ns >= other_ns - WAIT_NS:
            state.stalled[device] = False
            found.append(LinkChange(LinkState.LIVE, received_ns, f"{self.names[device]} is back"))
        if not state.stalled[other] and other_ns < now_ns - WAIT_NS:
            state.stalled[other] = True
            detail = f"{self.names[other]} sends nothing, or too late"
            found.append(LinkChange(LinkState.STALE, received_ns, detail))

    def _tidy(self) -> None:
        """Let nothing wait longer than :data:`WAIT_S`."""
        leading, others = self.state.waiting
        while leading and leading[0].host_ns < leading[-1].host_ns - WAIT_NS:
            self._drop(leading.popleft().sample)
        # The last sample before the limit begins an interval that reaches behind it.
        while len(others) > 1 and others[1].host_ns < others[-1].host_ns - WAIT_NS:
            self._pass(others)

    def _drop(self, first: JointAngleSample) -> None:
        self.state.dropped += 1
        if self.state.merging:
            self.state.lost_before_next += 1 + first.samples_lost

    def _pass(self, others: deque[Timed]) -> None:
        """Go on to the second device's next interval; what was lost inside it counts."""
        others.popleft()
        self.state.lost_before_next += others[0].sample.samples_lost

    def _forget(self, device: Device) -> None:
        waiting = self.state.waiting[device]
        if device == 0:
            for timed in waiting:
                self._drop(timed.sample)
        waiting.clear()
