"""The device's clock: a wrapping counter made one steady time, across wraps, restarts and leaps."""

from dataclasses import dataclass
from typing import Final, NamedTuple

JUMP_S: Final = 1.0
"""A device clock that agrees neither with the host's nor with the frame count to this has leapt."""
PERIOD_SMOOTHING: Final = 0.05
OTHER_RATE: Final = 4.0
"""Frames so many times further apart than usual, or nearer, are so for a pause or at a new rate."""
OTHER_FRAMES: Final = 50
"""So many of them in a row, and the rate is new."""
FASTER: Final = 10.0
"""A device that has sent so many times as many frames as it could did not: it counts anew."""
SAME_PERIODS: Final = 1.5
"""Of two samples that are less apart, in periods, none in between is missing."""


class Reading(NamedTuple):
    """A counter, when it arrived, and where it begins again (None if it never does)."""

    raw_us: int
    received_ns: int
    wrap_us: int | None


@dataclass(slots=True)
class DeviceClockState:
    """The last reading, the steady time given for it, and the mean time between frames.

    ``others`` counts the latest frames, one after the other, that did not come at that rate.
    """

    last_raw_us: int = 0
    last_us: int | None = None
    last_received_ns: int = 0
    period_us: float | None = None
    others: int = 0


class DeviceClock:
    """Turns a wrapping, restarting counter into a steady time in microseconds."""

    def __init__(self) -> None:
        self.state = DeviceClockState()

    def feed(
        self, reading: Reading, frames: int | None, restarted: bool = False
    ) -> tuple[int, bool]:
        """Return the steady time of a reading, and whether the clock leapt.

        After a restart or a leap the steady time goes on by what the host's clock says has passed.

        Parameters
        ----------
        reading
            What the device's counter said.
        frames
            How many frames the device sent since the reading before, or None if nobody knows.
        restarted
            The device is known to have started again.
        """
        state = self.state
        time_us, leapt = reading.raw_us, False
        if state.last_us is not None:
            device_us, host_us = self._elapsed_us(reading)
            leapt = not restarted and not self._plausible(device_us, host_us, frames)
            if restarted or leapt:
                time_us = state.last_us + max(host_us, 1)
            else:
                time_us = state.last_us + device_us
                self._learn_period(device_us, frames)
        state.last_raw_us, state.last_us = reading.raw_us, time_us
        state.last_received_ns = reading.received_ns
        return time_us, leapt

    def goes_back(self, reading: Reading) -> bool:
        """Say whether the counter is lower than it was, and no new turn of it explains that."""
        state = self.state
        if state.last_us is None or reading.raw_us >= state.last_raw_us:
            return False
        device_us, host_us = self._elapsed_us(reading)
        return not 0 < device_us < host_us + JUMP_S * 1e6

    def leaves_time_for(self, frames: int, reading: Reading) -> bool:
        """Say whether a device can have sent so many frames since the last reading.

        By either clock: the host's stands still where a burst comes, the device's when it resets.
        """
        period_us = self._steady_period_us
        if period_us is None:
            return True
        elapsed_us = max(self._elapsed_us(reading))
        return frames * period_us < FASTER * elapsed_us + JUMP_S * 1e6

    def is_next(self, reading: Reading) -> bool:
        """Say whether a sample comes one period after the last, so that none is missing between."""
        period_us = self._steady_period_us
        if period_us is None:
            return False
        device_us, _ = self._elapsed_us(reading)
        return 0 < device_us < SAME_PERIODS * period_us

    def raw_us(self, time_us: int) -> int:
        """Return the device's own reading (unwrapped) at a recent steady time."""
        return time_us - (self.state.last_us or 0) + self.state.last_raw_us

    @property
    def _steady_period_us(self) -> float | None:
        """The mean time between frames, or None while it is not known or seems to change."""
        return None if self.state.others else self.state.period_us

    def _elapsed_us(self, reading: Reading) -> tuple[int, int]:
        """Return the time since the last reading, by the device's clock and by the host's."""
        raw_us, received_ns, wrap_us = reading
        host_us = (received_ns - self.state.last_received_ns) // 1000
        device_us = raw_us - self.state.last_raw_us
        if wrap_us is not None:
            # Whole turns that passed unseen (a long silence) are had from the host's clock.
            device_us += wrap_us * round((host_us - device_us) / wrap_us)
        return device_us, host_us

    def _plausible(self, device_us: int, host_us: int, frames: int | None) -> bool:
        """Say whether so much device time can have passed.

        Arrivals stall and bunch up, so the host's clock alone may disagree by the length of a
        stall; then the number of frames decides, where it is known.
        """
        limit_us = JUMP_S * 1e6
        if device_us <= 0:
            return False
        if device_us - host_us < limit_us and (frames is None or device_us - host_us > -limit_us):
            return True
        period_us = self.state.period_us
        if frames is None or period_us is None:
            return False
        return abs(device_us - frames * period_us) < limit_us

    def _learn_period(self, device_us: int, frames: int | None) -> None:
        if frames is None:
            return
        state = self.state
        period_us = device_us / frames
        if state.period_us is None:
            state.period_us = period_us
        elif 1 / OTHER_RATE < period_us / state.period_us < OTHER_RATE:
            state.others = 0
            state.period_us += PERIOD_SMOOTHING * (period_us - state.period_us)
        else:  # a pause says nothing of the rate
            state.others += 1
            if state.others >= OTHER_FRAMES:
                state.others, state.period_us = 0, period_us
