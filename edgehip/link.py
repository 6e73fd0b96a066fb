"""What is known of a link: its state, and what was counted on it."""

from collections import Counter
from typing import Final

from edgehip.events import Fault, LinkChange, LinkFault, LinkState

STALE_AFTER_S: Final = 0.25
FRESH_WITHIN_S: Final = STALE_AFTER_S / 2
"""Samples that were too old are believed again once they are younger than this."""
LOST_AFTER_S: Final = 2.0


class LinkMonitor:
    """Follows one link: live, stale after :data:`STALE_AFTER_S`, lost after :data:`LOST_AFTER_S`.

    Without a sample, that is; samples that are old when they come make it stale, too.

    Parameters
    ----------
    stale_after_s, lost_after_s
        Without a sample for so long, the link is said to be stale, or lost.
    """

    def __init__(
        self, stale_after_s: float = STALE_AFTER_S, lost_after_s: float = LOST_AFTER_S
    ) -> None:
        self.stale_after_s = stale_after_s
        self.lost_after_s = lost_after_s
        self.state = LinkState.WAITING
        self.samples = 0
        self.faults: Counter[Fault] = Counter()
        self._last_sample_ns: int | None = None

    def fault(self, fault: LinkFault) -> None:
        """Count a fault."""
        self.faults[fault.fault] += fault.count

    def sampled(self, samples: int, received_ns: int) -> LinkChange | None:
        """Note that samples came; return the change to live, if it is one."""
        self.samples += samples
        self._last_sample_ns = received_ns
        return self._to(LinkState.LIVE, received_ns, "samples are coming")

    def came_late(self, samples: int, received_ns: int, age_s: float) -> LinkChange | None:
        """Note that samples came which are too old to follow; return the change to stale."""
        self.samples += samples
        self._last_sample_ns = received_ns
        return self._to(LinkState.STALE, received_ns, f"the samples are {age_s:.2f} s old")

    def port_lost(self, at_ns: int, detail: str) -> LinkChange | None:
        """Note that the port itself went away."""
        return self._to(LinkState.LOST, at_ns, detail)

    def tick(self, now_ns: int) -> LinkChange | None:
        """Return the change that the passing of time brings, if any."""
        if self._last_sample_ns is None or self.state is LinkState.LOST:
            return None
        silent_s = (now_ns - self._last_sample_ns) / 1e9
        detail = f"no sample for {silent_s:.2f} s"
        if silent_s >= self.lost_after_s:
            return self._to(LinkState.LOST, now_ns, detail)
        if silent_s >= self.stale_after_s:
            return self._to(LinkState.STALE, now_ns, detail)
        return None

    @property
    def frames_lost(self) -> int:
        """Frames that never came: what was missing in its place, less what came late."""
        return self.faults[Fault.LOST] - self.faults[Fault.REORDERED]

    @property
    def loss_percent(self) -> float:
        """Lost frames in percent of those the device sent."""
        sent = self.samples + self.faults[Fault.REORDERED] + self.frames_lost
        return 100.0 * self.frames_lost / sent if sent else 0.0

    def _to(self, state: LinkState, at_ns: int, detail: str) -> LinkChange | None:
        if state is self.state:
            return None
        self.state = state
        return LinkChange(state, at_ns, detail)
