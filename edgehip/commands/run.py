"""The loop of ``edgehip stream``: what each event is handed to, and what it all came to."""

import gc
import math
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from edgehip.calibration import STANDING_S, STRIDES
from edgehip.channels import SIDES
from edgehip.commands.stream_options import StreamOptions
from edgehip.errors import EdgehipError, ProfileError
from edgehip.events import (
    CueChange,
    Fault,
    HipEstimate,
    HipSampleEstimate,
    LinkFault,
    PortOpened,
)
from edgehip.runtime import Stream, StreamEvent
from edgehip.sinks.device import DeviceLink
from edgehip.sinks.device_messages import cue_message, estimate_message, sample_message
from edgehip.sinks.output import Output
from edgehip.sinks.profile_file import ProfileFile
from edgehip.sinks.recorder import Recorder
from edgehip.sinks.summary import summary_lines
from edgehip.sources.replay import ReplaySource
from edgehip.zero import NO_ZERO, Profile

SWITCH_S: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Run:
    """What the loop's events are handed to.

    ``devices`` are those the angles come from, where they are greeted; ``targets`` are where
    estimates and cues are sent, each with times by the clock of the device in its place;
    ``profile`` is where a zero that is measured is written, if anywhere.
    """

    options: StreamOptions
    streaming: Stream
    shown: Output
    devices: tuple[DeviceLink, ...]
    targets: tuple[DeviceLink, ...]
    profile: ProfileFile | None
    recorder: Recorder | None

    @property
    def links(self) -> list[DeviceLink]:
        """The ways back, those of the cues first: a motor may follow them."""
        return [*dict.fromkeys(self.targets + self.devices)]

    def loop(self) -> None:
        """Stream until the source ends, the reader is gone, or the time is up."""
        duration_s = self.options.duration_s
        ends_s = math.inf if duration_s is None else time.monotonic() + duration_s
        # What start-up made stays: a full collection that walked it would take several samples.
        gc.collect()
        gc.freeze()
        # A drawing or writing thread gives way to a sample within this time (usually 5 ms).
        sys.setswitchinterval(SWITCH_S)
        for event in self.streaming:
            if event is not None:
                self._handle(event)
                continue  # in the middle of what an item brings about: a profile may be to come
            for target in self.targets:
                target.repeat_cues()
            for device in self.devices:
                device.greet_again(self.options.rate_hz, self.streaming.link.state)
            if self.shown.reader_gone or time.monotonic() >= ends_s:
                self.streaming.stop()  # which still switches cues off

    def end(self, problem: EdgehipError | None) -> tuple[list[str], list[EdgehipError]]:
        """Close it all; return what the stream came to, and what went wrong, worst first.

        ``problem`` is what ended it, if anything did.
        """
        streaming = self.streaming
        problems = [problem, streaming.complaint()]
        for link in self.links:
            link.close()
        told = summary_lines(streaming.summary()) + self.shown.close()
        if isinstance(streaming.source, ReplaySource):
            left_out = streaming.source.left_out(as_lines=self.options.format_ == "lines")
            if isinstance(left_out, EdgehipError) and not any(problems):
                problems.append(left_out)
            elif left_out is not None:
                told.append(f"replay     {left_out}")
        unmeasured = _unmeasured(streaming)
        if streaming.pipeline.zero != NO_ZERO:
            told.append(f"zero       {streaming.pipeline.zero}")
        elif unmeasured and not self.profile:
            told.append(f"zero       none: {unmeasured}")
        for link in self.links:
            if link.dropped:
                told.append(f"send       {link.dropped} frames the device did not take")
        if unmeasured and self.profile:
            problems.append(ProfileError(f"{self.profile.path}: not written: {unmeasured}"))
        closed = [sink.close() for sink in (self.profile, self.recorder) if sink is not None]
        problems += [EdgehipError(trouble) for trouble in (self.shown.trouble, *closed) if trouble]
        return told, [one for one in problems if one is not None]

    def _handle(self, event: StreamEvent) -> None:
        for place, target in enumerate(self.targets):
            self._send(target, event, place)
        self.shown.show(event)
        match event:
            case PortOpened():
                if self.devices:
                    self.devices[event.device].greet(self.options.rate_hz)
            case Profile():
                if self.profile:
                    self.profile.put(event)
            case LinkFault() if event.fault is Fault.COLUMNS and self.profile:
                self.profile.withdraw()  # it was measured of other angles, and is so anew

    def _send(self, target: DeviceLink, event: StreamEvent, device: int) -> None:
        """Send what a device is to know, with times by its own clock."""
        device_us = partial(self.streaming.pipeline.intake.device_us, device=device)
        match event:
            case HipEstimate():
                target.send(estimate_message(event, device_us(event.start_s)))
            case HipSampleEstimate():
                for side in SIDES:
                    target.send(sample_message(event, side, device_us(event.time_s)))
            case CueChange():
                target.send(cue_message(event, device_us(event.time_s)))


def _unmeasured(streaming: Stream) -> str:
    """Say why a zero that was to be measured is none; nothing if it is one, or was not to be."""
    calibration = streaming.pipeline.state.calibration
    if calibration is None:
        return ""
    is_standing = calibration.method == "standing"
    wants = f"{STANDING_S:g} s of quiet standing" if is_standing else f"{STRIDES} whole strides"
    if streaming.pipeline.watch.is_frozen:
        wants += (
            ", and no angle changes any more: see what measures them, and that they come in tenths "
            "of a degree or finer"
        )
    return f"the stream ended before there were {wants}"
