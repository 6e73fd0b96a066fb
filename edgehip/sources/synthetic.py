"""``synthetic:``, a source without hardware: a synthetic walker behind the real frame format.

``synthetic:?cadence_spm=100&noise_deg=0.3&walk_s=20&pause_s=5`` walks at 100 steps/min with noise
and stands for 5 s after every 20 s. :data:`OPTIONS` lists the options, each with its unit in its
name; what they mean is written at :class:`edgehip.walker.WalkerParameters`. The noise is that of
good sensors unless it is given: angles that never change in standing are taken for a hub that
hangs. And:

``drop_share``
    Share of the frames that get lost on the way (0 to 0.95); their sequence numbers are missing.
``duration_s``
    When the stream ends; without it, never.
``speed``
    1 sends in real time, 2 twice as fast, ``max`` as fast as it is read. At another pace than the
    true one arrival times are the samples' own, as in a replay.
"""

import math
import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgehip.channels import ANGLES
from edgehip.errors import SourceError
from edgehip.events import Chunk, PortOpened, SourceItem
from edgehip.messages import Angles, Describe, Description, Message
from edgehip.sources.options import parse_speed, split_options
from edgehip.walker import Walker, WalkerParameters
from edgehip.wire import Frame, FrameDecoder, encode

NAME: Final = "edgehip synthetic"
ALL_CHANNELS: Final = (1 << len(ANGLES)) - 1
DROP_STREAM: Final = 3
"""Keeps the lost frames' random numbers apart from the walker's own streams."""


@dataclass(frozen=True, slots=True)
class _Option:
    default: float
    low: float
    high: float


OPTIONS: Final = {
    "rate_hz": _Option(100.0, 10.0, 1000.0),
    "cadence_spm": _Option(110.0, 40.0, 180.0),
    "noise_deg": _Option(0.1, 0.0, 20.0),
    "drift_deg_per_min": _Option(0.0, 0.0, 60.0),
    "asymmetry_percent": _Option(0.0, -50.0, 50.0),
    "stride_variability_percent": _Option(2.0, 0.0, 10.0),
    "stand_s": _Option(2.0, 0.0, 3600.0),
    "walk_s": _Option(math.inf, 2.0, math.inf),
    "pause_s": _Option(5.0, 0.0, 3600.0),
    "seed": _Option(0, 0, 2**32),
    "drop_share": _Option(0.0, 0.0, 0.95),
    "duration_s": _Option(math.inf, 0.0, math.inf),
}
"""Every option's default and the values it can have (``speed`` aside)."""


def open_url(rest: str) -> "SyntheticSource":
    """Open ``synthetic:?NAME=VALUE&...``.

    Raises
    ------
    SourceError
        If an option is unknown or has a value it cannot have.
    """
    url = f"synthetic:{rest}"
    path, given = split_options(rest, url, (*OPTIONS, "speed"))
    if path:
        raise SourceError(f"{url}: options begin with a '?': synthetic:?{path}")
    value = {
        name: _number(given[name], name, option, url) if name in given else option.default
        for name, option in OPTIONS.items()
    }
    drop_share, duration_s = value.pop("drop_share"), value.pop("duration_s")
    parameters = WalkerParameters(seed=int(value.pop("seed")), **value)
    speed = parse_speed(given.get("speed", "1"), url)
    return SyntheticSource(parameters, drop_share, duration_s, speed)


def _number(text: str, name: str, option: _Option, url: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not option.low <= value <= option.high or (name == "seed" and value % 1):
        kind = "a whole number" if name == "seed" else "a number"
        limits = (
            f"of at least {option.low:g}"
            if math.isinf(option.high)
            else f"from {option.low:g} to {option.high:.10g}"
        )
        raise SourceError(f"{url}: {name}={text!r} is not {kind} {limits}")
    return value


class SyntheticSource:
    """A walker's samples as frames, after a description; describes itself again when asked.

    Parameters
    ----------
    parameters
        Who walks, and how.
    drop_share
        Share of the frames that get lost, 0 to 0.95.
    duration_s
        When the stream ends; may be infinite.
    speed
        A factor of real time, or None for as fast as they are read.
    """

    def __init__(
        self,
        parameters: WalkerParameters,
        drop_share: float = 0.0,
        duration_s: float = math.inf,
        speed: float | None = None,
    ) -> None:
        self.parameters = parameters
        self.live = speed == 1.0
        self.devices = 1
        self.dropped = 0
        """Frames that were lost on purpose."""
        self._drop_share = drop_share
        self._duration_s = duration_s
        self._speed = speed
        self._walker = Walker(parameters)
        self._drops = np.random.default_rng((parameters.seed, DROP_STREAM))
        self._commands = FrameDecoder()
        self._describe = True
        self._closed = False
        self._sequence = 0
        self._started_ns: int | None = None
        self._sample = next(self._walker)

    @property
    def ended(self) -> bool:
        """Whether the walk is over."""
        return self._closed or self._sample.time_s >= self._duration_s

    def read(self, timeout_s: float) -> SourceItem | None:
        """See :class:`edgehip.sources.Source`."""
        if self._started_ns is None:
            self._started_ns = time.monotonic_ns()
            return PortOpened(self._now_ns(), NAME)
        if self.ended:
            return None
        if self._describe:
            self._describe = False
            description = Description(self.parameters.rate_hz, ALL_CHANNELS, NAME, "1")
            return Chunk(self._frame(description), self._now_ns())
        if self._speed is not None:
            due_ns = self._started_ns + self._sample.time_s / self._speed * 1e9
            wait_s = (due_ns - time.monotonic_ns()) / 1e9
            time.sleep(max(0.0, min(wait_s, timeout_s)))
            if wait_s > timeout_s:
                return None
        frame = self._frame(Angles(self._sample.angles_deg))
        chunk = Chunk(frame, self._now_ns())
        self._advance()
        return chunk

    def write(self, data: bytes) -> bool:
        """Take commands; only the one for a description is obeyed."""
        for frame in self._commands.feed(Chunk(data, 0)):
            if isinstance(frame, Frame) and isinstance(frame.message, Describe):
                self._describe = True
        return True

    def close(self) -> None:
        """End the walk."""
        self._closed = True

    def _now_ns(self) -> int:
        """Return the host's time or, at another pace, the time on the walker's own clock."""
        return time.monotonic_ns() if self.live else round(self._sample.time_s * 1e9)

    def _frame(self, message: Message) -> bytes:
        frame = encode(message, self._sequence, round(self._sample.time_s * 1e6))
        self._sequence += 1
        return frame

    def _advance(self) -> None:
        """Go to the next sample that is not lost on the way."""
        self._sample = next(self._walker)
        while not self.ended and self._drops.random() < self._drop_share:
            self.dropped += 1
            self._sequence += 1
            self._sample = next(self._walker)
