"""A smooth curve, and its derivatives, from samples that come at any times.

Four equal first-order low-passes in a row. Each is solved exactly for an input that goes in a
straight line from sample to sample (first-order hold), so neither the rate nor its constancy
matters. Well below ``1 / (2 pi tau)`` (9 Hz at 17 ms; walking lies below 6 Hz: Winter,
"Biomechanics and Motor Control of Human Movement", 2009, ch. 3) each stage is a pure delay of one
time constant, and the differences between stages are derivatives with the delay of the last of
them. So the same cascade gives derivatives twice: sooner from its first three stages, and with less
noise from its last three.
"""

from dataclasses import dataclass
from math import exp
from typing import Final, NamedTuple

SOONER_STAGES: Final = 3
"""Delay of :attr:`Curve.third` and its derivatives, in time constants."""
SMOOTHER_STAGES: Final = 4
"""Delay of the smoother derivatives, in time constants."""


class Gains(NamedTuple):
    """What a low-pass makes of its last output, its last input and its present input."""

    decay: float
    before: float
    now: float

    @classmethod
    def over(cls, interval_s: float, time_constant_s: float) -> "Gains":
        """Return the gains for the interval between two samples."""
        decay = exp(-interval_s / time_constant_s)
        mean = (1.0 - decay) * time_constant_s / interval_s
        return cls(decay, mean - decay, 1.0 - mean)


@dataclass(slots=True)
class Curve:
    """The last sample of a curve and the outputs of its four low-passes, all in its own unit."""

    raw: float
    first: float
    second: float
    third: float
    fourth: float

    @classmethod
    def resting(cls, value: float) -> "Curve":
        """Return a curve that has always had this value."""
        return cls(value, value, value, value, value)

    def feed(self, value: float, gains: Gains) -> None:
        """Take the next sample."""
        decay, before, now = gains
        first = decay * self.first + before * self.raw + now * value
        second = decay * self.second + before * self.first + now * first
        third = decay * self.third + before * self.second + now * second
        self.fourth = decay * self.fourth + before * self.third + now * third
        self.raw, self.first, self.second, self.third = value, first, second, third

    def speed(self, time_constant_s: float) -> float:
        """Return the first derivative per second, delayed like :attr:`third`."""
        return (self.second - self.third) / time_constant_s

    def acceleration(self, time_constant_s: float) -> float:
        """Return the second derivative per second squared, delayed like :attr:`third`."""
        return (self.first - 2.0 * self.second + self.third) / (time_constant_s * time_constant_s)

    def smoother_speed(self, time_constant_s: float) -> float:
        """Return the first derivative per second, delayed like :attr:`fourth`."""
        return (self.third - self.fourth) / time_constant_s

    def smoother_acceleration(self, time_constant_s: float) -> float:
        """Return the second derivative per second squared, delayed like :attr:`fourth`."""
        return (self.second - 2.0 * self.third + self.fourth) / (time_constant_s * time_constant_s)
