"""The way back to a device: greetings, and with ``--send`` estimates and cues, as frames."""

import math
import time
from dataclasses import replace
from typing import Final

from edgehip.events import Flag, LinkState
from edgehip.messages import Cue, Describe, Message, Rate, Start, Stop
from edgehip.sinks.device_messages import flag_bits
from edgehip.sinks.outbox import Outbox
from edgehip.sources import Source
from edgehip.wire import DELIMITER, encode

CAPACITY: Final = 16
"""Frames that may wait for a slow device; an older estimate is worth less than a newer."""
REPEAT_CUE_S: Final = 0.5
"""How often a cue's state is told again: a frame may get lost, and a device switches off what is
not told for a while."""
RETRY_CUE_S: Final = 0.1
"""How soon a cue's state is told again that the port did not take."""
GREET_AGAIN_S: Final = 1.0
"""After so long a silent device is greeted again, then after twice as long, and so on: many boards
start again when their port is opened, and some do not while anything comes to their boot loader."""
GREET_WITHIN_S: Final = 10.0
"""No pause is longer: a board may be powered hours after the adapter it hangs on."""
Greeting = Describe | Rate | Start


class DeviceLink:
    """Sends frames to a device without ever delaying the loop.

    A cue is a state: it overtakes the estimates that wait for a slow device, and only a newer state
    of the same cue takes its place.

    Parameters
    ----------
    target
        The source that is also the way back.
    """

    def __init__(self, target: Source) -> None:
        self._target = target
        self._sequence = 0
        self._broken_off = False
        self._closed = False
        self._greeted_s = math.inf
        self._greet_again_s = GREET_AGAIN_S
        self._unheard = True
        self._cues: dict[int, Cue] = {}
        self._told: dict[int, tuple[Cue, float, bool]] = {}
        """Of each cue what was last written, when, and whether the port took it."""
        self._meant = self._taken = 0
        """Messages that were to go out, and that did, greetings apart: those are told anew."""
        self.outbox: Outbox[Message] = Outbox(
            "send", self._write, capacity=CAPACITY, states_first=True
        )

    def greet(self, rate_hz: float | None) -> None:
        """Ask a device that just appeared what it is, and to start (at a rate)."""
        self._greeted_s, self._greet_again_s = time.monotonic(), GREET_AGAIN_S
        self._unheard = True
        self.send(Describe())
        if rate_hz is not None:
            self.send(Rate(rate_hz))
        self.send(Start())

    def greet_again(self, rate_hz: float | None, link: LinkState) -> None:
        """Greet once more a device that may not have heard the last greeting; to be called often.

        One that is silent is greeted ever more rarely, one whose samples come, or come again, once.
        """
        is_live = link is LinkState.LIVE
        self._unheard |= not is_live
        if not self._unheard or link is LinkState.STALE:
            return
        pause_s = GREET_AGAIN_S if is_live else self._greet_again_s
        if time.monotonic() - self._greeted_s >= pause_s:
            self.greet(rate_hz)
            self._greet_again_s = min(2 * pause_s, GREET_WITHIN_S)
            self._unheard = not is_live

    def send(self, message: Message) -> None:
        """Queue one message."""
        if isinstance(message, Cue):
            self._cues[message.cue] = message
            self._told.pop(message.cue, None)  # a repetition counts from when it is out
        self._meant += not isinstance(message, Greeting)
        self.outbox.put(message, state_of=_state_of(message))

    def repeat_cues(self) -> None:
        """Send again what is out for :data:`REPEAT_CUE_S`, or was refused; to be called often."""
        now_s = time.monotonic()
        for message, written_s, taken in list(self._told.values()):
            due_s = written_s + (REPEAT_CUE_S if taken else RETRY_CUE_S)
            if message is self._cues[message.cue] and now_s >= due_s:
                self.send(message)

    def close(self) -> None:
        """Switch the device's cues off, tell it to stop, and let go; once."""
        if self._closed:
            return
        self._closed = True
        for cue in list(self._cues.values()):
            # An "off" that waits is out before the end; one that was refused is tried once more.
            _, _, taken = self._told.get(cue.cue, (cue, 0.0, True))
            if cue.state or not taken:
                self.send(replace(cue, state=0, flags=flag_bits([Flag.LINK_DOWN])))
        self.send(Stop())
        self.outbox.close(timeout_s=0.5)

    @property
    def dropped(self) -> int:
        """Messages, greetings apart, that never went out."""
        return self._meant - self._taken

    def _write(self, message: Message) -> None:
        """Write a message as the next frame; in the outbox's thread."""
        frame = encode(message, self._sequence, time.monotonic_ns() // 1000)
        self._sequence += 1
        # Of a frame that was refused the beginning may be out: it is not to spoil this one.
        taken = self._target.write(DELIMITER + frame if self._broken_off else frame)
        self._broken_off = not taken
        self._taken += taken and not isinstance(message, Greeting)
        if isinstance(message, Cue):
            self._told[message.cue] = message, time.monotonic(), taken


def _state_of(message: Message) -> str | None:
    """Return what a message tells the state of; ``Stop`` is none, it waits for what is before."""
    if isinstance(message, Greeting):
        return type(message).__name__
    return f"cue {message.cue}" if isinstance(message, Cue) else None
