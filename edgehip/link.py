"""What is known of a link: its state, and what was counted on it."""

from collections import Counter
from dataclasses import replace
from typing import Final

from edgehip.events import Fault, LinkChange, LinkFault, LinkState

STALE_AFTER_S: Final = 0.25
FRESH_WITHIN_S: Final = STALE_AFTER_S / 2
"""Samples that were too old are believed again once they are younger than this."""
LOST_AFTER_S: Final = 2.0


class LinkMonitor:
    """Follows one link: live, stale after :data:`STALE_AFTER_S`, lost after :data:`LOST_AFTER_S`.

    Without a sample, that is; samples that are old when they come make it stale, too.
    """

    def __init__(self) -> None:
        self.state = LinkState.WAITING
        self.samples = 0
        self.received = 0
        """Good samples of all devices: of two, a sample of each makes one."""
        self.faults: Counter[Fault] = Counter()
        self.has_waited = False
        """Whether a device had time to begin before its first sample, if one came."""
        self._first_look_ns: int | None = None
        self._last_sample_ns: int | None = None

    def fault(self, fault: LinkFault) -> None:
        """Count a fault."""
        self.faults[fault.fault] += fault.count

    def sampled(
        self, samples: int, received_ns: int, too_old_s: float | None = None
    ) -> LinkChange | None:
        """Note that samples came, and how old they are if nobody is to follow them.

        Return the change to live, or to stale, if it is one.
        """
        self.samples += samples
        self._last_sample_ns = received_ns
        if too_old_s is not None:
            detail = (
                f"the samples are {too_old_s:.2f} s old; if it is the device's clock that stood "
                "still, open the port again"
            )
            return self._to(LinkState.STALE, received_ns, detail)
        return self._to(LinkState.LIVE, received_ns, "samples are coming")

    def news(self, change: LinkChange) -> LinkChange:
        """Return what is news of a device: good news makes no link live, its next sample does."""
        if change.state is LinkState.LIVE:
            return replace(change, state=self.state)
        if self.state is LinkState.LIVE:
            self.state = change.state
        return change

    def renamed(self, at_ns: int) -> LinkChange | None:
        """Note that what came so far was something else than was thought."""
        if self.state is not LinkState.LIVE:
            return None
        return self._to(LinkState.STALE, at_ns, "a header names other columns: all begins anew")

    def port_lost(self, at_ns: int, detail: str) -> LinkChange | None:
        """Note that the port itself went away."""
        return self._to(LinkState.LOST, at_ns, detail)

    def tick(self, now_ns: int) -> LinkChange | None:
        """Return the change that the passing of time brings, if any."""
        if self._last_sample_ns is None:
            return self._wait(now_ns)
        if self.state is LinkState.LOST:
            return None
        silent_s = (now_ns - self._last_sample_ns) / 1e9
        detail = f"no sample for {silent_s:.2f} s"
        if silent_s >= LOST_AFTER_S:
            return self._to(LinkState.LOST, now_ns, detail)
        if silent_s >= STALE_AFTER_S:
            return self._to(LinkState.STALE, now_ns, detail)
        return None

    @property
    def frames_lost(self) -> int:
        """Frames that never came: what was missing in its place, less what came late."""
        return self.faults[Fault.LOST] - self.faults[Fault.REORDERED]

    @property
    def loss_percent(self) -> float:
        """Lost frames in percent of those that the devices sent."""
        sent = self.received + self.faults[Fault.REORDERED] + self.frames_lost
        return 100.0 * self.frames_lost / sent if sent else 0.0

    def _wait(self, now_ns: int) -> LinkChange | None:
        """Say once that nothing came in the time in which a link would be lost."""
        if self._first_look_ns is None:
            self._first_look_ns = now_ns
        waited_s = (now_ns - self._first_look_ns) / 1e9
        if self.has_waited or waited_s < LOST_AFTER_S:
            return None
        self.has_waited = True
        if self.state is not LinkState.WAITING:
            return None
        return LinkChange(self.state, now_ns, f"no sample in the first {waited_s:.2f} s")

    def _to(self, state: LinkState, at_ns: int, detail: str) -> LinkChange | None:
        if state is self.state:
            return None
        self.state = state
        return LinkChange(state, at_ns, detail)
