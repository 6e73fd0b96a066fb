"""What each hop costs, told by a clock that goes on by a millisecond at every look."""

import itertools

import pytest

from edgehip.events import Hop
from edgehip.latency import LatencyMeter, Out


@pytest.mark.parametrize("samples", [1, 10])
def test_a_samples_hop_is_its_own_however_many_come_at_once(samples: int) -> None:
    meter = LatencyMeter(itertools.count(0, 1_000_000).__next__, 10**9)
    meter.start(0)
    meter.mark(Hop.DECODE)
    for _ in range(samples):
        meter.mark(Hop.SEGMENT)
        meter.mark(Hop.SAMPLE)
        meter.out(Out.SAMPLE)
    meter.mark(Hop.ESTIMATE)  # a stride that the last one ends
    meter.out(Out.ESTIMATE)
    told = meter.distributions()
    assert told["sample"].count == samples
    assert told["sample"].max_ms == 1.0
    # A stride has waited for all that its chunk brought.
    assert told["segment"].max_ms == samples
    assert told["byte_in_to_estimate_out"].max_ms == 1 + 3 * samples + 2
