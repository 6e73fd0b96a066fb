"""The way back to a device: greetings, and with ``--send`` the estimates, as frames."""

import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from edgehip.channels import MOMENTS, MUSCLES, Side
from edgehip.estimators.cycle import maximum, minimum
from edgehip.events import CueChange, Extremum, Flag, HipEstimate, HipSampleEstimate
from edgehip.messages import (
    ESTIMATE_FLAGS,
    Cue,
    CycleEstimate,
    Describe,
    Message,
    Rate,
    SampleEstimate,
    Start,
    Stop,
    side_code,
)
from edgehip.sinks.outbox import Outbox
from edgehip.sources import Source
from edgehip.wire import encode

CAPACITY: Final = 16
"""Frames that may wait for a slow device; an older estimate is worth less than a newer, and any
less than how a cue stands."""
REPEAT_CUE_S: Final = 1.0
"""How often a cue's state is told again: a frame may get lost, and silence switches cues off."""
NO_PEAK: Final = Extremum(math.nan, math.nan)
"""Of an output the model does not give: "not known" on the wire."""


class DeviceLink:
    """Sends frames to a device without ever delaying the loop.

    Parameters
    ----------
    target
        The source that is also the way back.
    """

    def __init__(self, target: Source) -> None:
        self._target = target
        self._sequence = 0
        self._closed = False
        self._cues: dict[int, tuple[Cue, float]] = {}
        self.refused = 0
        """Frames the port did not take (unplugged, or its buffer full)."""
        self.outbox = Outbox("send", self._write, capacity=CAPACITY)

    def greet(self, rate_hz: float | None) -> None:
        """Ask a device that just appeared what it is, and to start (at a rate)."""
        self.send(Describe())
        if rate_hz is not None:
            self.send(Rate(rate_hz))
        self.send(Start())

    def send(self, message: Message) -> None:
        """Queue one message."""
        frame = encode(message, self._sequence, time.monotonic_ns() // 1000)
        self.outbox.put(frame, state_of=_state_of(message))
        self._sequence += 1
        if isinstance(message, Cue):
            self._cues[message.cue] = message, time.monotonic()

    def repeat_cues(self) -> None:
        """Send again what was not sent for :data:`REPEAT_CUE_S`; to be called often."""
        now_s = time.monotonic()
        for cue, sent_s in list(self._cues.values()):
            if now_s - sent_s >= REPEAT_CUE_S:
                self.send(cue)

    def close(self) -> None:
        """Switch the device's cues off, tell it to stop, and let go; once."""
        if self._closed:
            return
        self._closed = True
        for cue, _ in list(self._cues.values()):
            if cue.state:
                self.send(replace(cue, state=0, flags=flag_bits([Flag.LINK_DOWN])))
        self.send(Stop())
        self.outbox.close(timeout_s=0.5)

    @property
    def dropped(self) -> int:
        """Frames that never went out."""
        return self.outbox.dropped + self.refused

    def _write(self, frame: bytes) -> None:
        self.refused += not self._target.write(frame)


def _state_of(message: Message) -> str | None:
    """Return what a message tells the state of, until the next about the same."""
    match message:
        case Cue():
            return f"cue {message.cue}"
        case Start() | Stop():
            return "measuring"
    return None


def flag_bits(flags: Iterable[Flag]) -> int:
    """Return flags as the bits of :data:`edgehip.messages.ESTIMATE_FLAGS`."""
    return sum(1 << ESTIMATE_FLAGS.index(flag) for flag in flags)


def sample_message(estimate: HipSampleEstimate, side: Side, sample_us: int) -> SampleEstimate:
    """Return one hip's per-sample estimate as a message; ``sample_us`` on the device's clock."""
    return SampleEstimate(
        side=side_code(side),
        flags=flag_bits(estimate.flags),
        sample_us=sample_us,
        moments_nm_per_kg=tuple(estimate.moments_nm_per_kg[side].tolist()),
        forces_n_per_kg=tuple(estimate.forces_n_per_kg[side].tolist()),
    )


def cue_message(change: CueChange, event_us: int) -> Cue:
    """Return a cue that was switched as a message; ``event_us`` on the device's clock."""
    return Cue(change.cue, int(change.on), event_us, flag_bits(change.flags))


def estimate_message(estimate: HipEstimate, start_us: int) -> CycleEstimate:
    """Return an estimate's peaks as a message.

    Parameters
    ----------
    estimate
        Outputs the model does not give are sent as not known.
    start_us
        The cycle's start on the device's own clock.
    """
    moments = [estimate.moments_nm_per_kg.get(name) for name in MOMENTS]
    forces = [estimate.forces_n_per_kg.get(name) for name in MUSCLES]
    highs = [NO_PEAK if curve is None else maximum(curve) for curve in moments]
    lows = [NO_PEAK if curve is None else minimum(curve) for curve in moments]
    peaks = [NO_PEAK if curve is None else maximum(curve) for curve in forces]
    stance_percent = estimate.stance_percent
    return CycleEstimate(
        side=side_code(estimate.side),
        flags=flag_bits(estimate.flags),
        start_us=start_us,
        stride_us=round(estimate.stride_s * 1e6),
        stance_percent=math.nan if stance_percent is None else stance_percent,
        moment_max_nm_per_kg=tuple(peak.value for peak in highs),
        moment_min_nm_per_kg=tuple(peak.value for peak in lows),
        force_max_n_per_kg=tuple(peak.value for peak in peaks),
        moment_max_percent=tuple(peak.gait_cycle_percent for peak in highs),
        moment_min_percent=tuple(peak.gait_cycle_percent for peak in lows),
        force_max_percent=tuple(peak.gait_cycle_percent for peak in peaks),
    )
