"""Estimates and cues as the messages that a device understands."""

import math
from collections.abc import Iterable
from typing import Final

from edgehip.channels import MOMENTS, MUSCLES, Side
from edgehip.events import CueChange, Flag, HipEstimate, HipSampleEstimate
from edgehip.messages import ESTIMATE_FLAGS, Cue, CycleEstimate, SampleEstimate, side_code
from edgehip.peaks import Extremum, maximum, minimum

NO_PEAK: Final = Extremum(math.nan, math.nan)
"""Of an output the model does not give: "not known" on the wire."""


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
