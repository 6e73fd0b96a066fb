"""A smooth curve, and its derivatives, from samples that come at any times.

Three equal first-order low-passes in a row. Each is solved exactly for an input that goes in a
straight line from sample to sample (first-order hold), so neither the rate nor its constancy
matters. Well below ``1 / (2 pi tau)`` (9 Hz at 17 ms; walking lies below 6 Hz: Winter,
"Biomechanics and Motor Control of Human Movement", 2009, ch. 3) the cascade is a pure delay of
three time constants, and the differences between its stages are derivatives with the same delay.
"""

from dataclasses import dataclass
from math import exp
from typing import Final

STAGES: Final = 3


@dataclass(frozen=True, slots=True)
class Gains:
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
    """The last sample of a curve and the outputs of its three low-passes, all in its own unit."""

    raw: float
    first: float
    second: float
    third: float

    @classmethod
    def resting(cls, value: float) -> "Curve":
        """Return a curve that has always had this value."""
        return cls(value, value, value, value)

    def feed(self, value: float, gains: Gains) -> None:
        """Take the next sample."""
        decay, before, now = gains.decay, gains.before, gains.now
        first = decay * self.first + before * self.raw + now * value
        second = decay * self.second + before * self.first + now * first
        self.third = decay * self.third + before * self.second + now * second
        self.raw, self.first, self.second = value, first, second

    def speed(self, time_constant_s: float) -> float:
        """Return the first derivative per second, delayed like :attr:`third`."""
        return (self.second - self.third) / time_constant_s

    def acceleration(self, time_constant_s: float) -> float:
        """Return the second derivative per second squared, delayed like :attr:`third`."""
        return (self.first - 2.0 * self.second + self.third) / (time_constant_s * time_constant_s)
