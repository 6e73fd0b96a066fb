"""The loop of ``edgehip stream``: what each event is handed to, and how it is stopped."""

import contextlib
import gc
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Final

from edgehip.channels import SIDES
from edgehip.events import CueChange, HipEstimate, HipSampleEstimate, PortOpened
from edgehip.runtime import Stream, StreamEvent
from edgehip.sinks.device import DeviceLink, cue_message, estimate_message, sample_message
from edgehip.sinks.output import Output
from edgehip.sinks.profile_file import ProfileFile
from edgehip.zero import Profile

SWITCH_S: Final = 0.0005
INSIST_S: Final = 3.0
"""How long after the first Ctrl-C another one is taken for the same: the last estimates, the
recording and the terminal need that time, and an interrupt in the middle of them would lose some.
Who still has to insist then may break off what hangs."""
ENDINGS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, the system, and a terminal that goes away (Windows tells nothing of that)."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the loop's events are handed to.

    ``device`` is the device the angles come from, which is greeted; ``target`` is where estimates
    and cues are sent, if anywhere.
    """

    streaming: Stream
    shown: Output
    device: DeviceLink | None
    target: DeviceLink | None
    rate_hz: float | None
    profile: ProfileFile | None

    def until(self, ends_s: float | None) -> None:
        """Stream until the source ends, the reader is gone, or the time is up."""
        # What start-up made stays: a full collection that walked it would take several samples.
        gc.collect()
        gc.freeze()
        # A drawing or writing thread gives way to a sample within this time (usually 5 ms).
        sys.setswitchinterval(SWITCH_S)
        for event in self.streaming:
            if event is not None:
                self._handle(event)
                continue  # in the middle of what an item brings about: a profile may be to come
            if self.target is not None:
                self.target.repeat_cues()
            if self.device is not None:
                self.device.greet_again(self.rate_hz, self.streaming.link.state)
            if self.shown.reader_gone or (ends_s is not None and time.monotonic() >= ends_s):
                self.streaming.stop()  # which still switches cues off

    def _handle(self, event: StreamEvent) -> None:
        if self.target is not None:
            self._send(self.target, event)
        self.shown.show(event)
        match event:
            case PortOpened():
                if self.device:
                    self.device.greet(self.rate_hz)
            case Profile():
                if self.profile:
                    self.profile.put(event)

    def _send(self, target: DeviceLink, event: StreamEvent) -> None:
        match event:
            case HipEstimate():
                target.send(estimate_message(event, self._device_us(event.start_s)))
            case HipSampleEstimate():
                for side in SIDES:
                    target.send(sample_message(event, side, self._device_us(event.time_s)))
            case CueChange():
                target.send(cue_message(event, self._device_us(event.time_s)))

    def _device_us(self, time_s: float) -> int:
        """Return a time on the device's own clock."""
        return self.streaming.pipeline.intake.receivers[0].clock.raw_us(round(time_s * 1e6))


@contextlib.contextmanager
def stopped_by_signals(streaming: Stream) -> Iterator[None]:
    """End the stream at one of ENDINGS; one that comes :data:`INSIST_S` later acts as usual."""
    stopped_s: float | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped_s
        stopped_s = stopped_s or time.monotonic()
        streaming.stop()
        if time.monotonic() - stopped_s > INSIST_S:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    before = {number: signal.getsignal(number) for number in ENDINGS}
    # What a shell started in the background is to ignore stays ignored.
    before = {number: how for number, how in before.items() if how is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
