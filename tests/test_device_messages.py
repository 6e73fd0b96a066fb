"""What a device is told: what is told here, of the same hip and by the device's own clock."""

from dataclasses import replace

import numpy as np
import pytest

from edgehip import Pipeline
from edgehip.channels import MOMENTS, MUSCLES, SIDES, Side
from edgehip.events import Chunk, CueChange, Flag, HipSampleEstimate
from edgehip.messages import ESTIMATE_FLAGS, Cue, CycleEstimate, Message, SampleEstimate
from edgehip.model import Model
from edgehip.sinks.device_messages import cue_message, estimate_message, sample_message
from edgehip.wire import Frame, FrameDecoder, encode
from tests.pipelines import estimates, run
from tests.sample_model import leaky_model
from tests.streams import Walk

CODES = {"l": 0, "r": 1}


def sent(message: Message) -> Message:
    """Return a message as it is on the other side of the cable."""
    (frame,) = FrameDecoder().feed(Chunk(encode(message, 0, 0), 0))
    assert isinstance(frame, Frame)
    return frame.message


def flags_in(bits: int) -> set[str]:
    return {name for place, name in enumerate(ESTIMATE_FLAGS) if bits >> place & 1}


@pytest.fixture(scope="module")
def limp(walk: Walk) -> Walk:
    """A walk whose left knee is bent further, so that the hips' loads differ."""
    angles_deg = walk.angles_deg.copy()
    angles_deg[:, [1, 8]] += 6.0, 12.0
    return Walk(walk.time_s, angles_deg)


@pytest.mark.parametrize("side", SIDES)
def test_a_stride_is_told_by_its_peaks_and_when_it_was(
    model: Model, limp: Walk, side: Side
) -> None:
    found = [e for e in estimates(run(Pipeline(model), limp)) if e.side == side]
    for estimate in (found[0], replace(found[-1], flags=(Flag.LINK_DOWN, Flag.NO_FOOT_OFF))):
        told = sent(estimate_message(estimate, 4_000_000_000))
        assert isinstance(told, CycleEstimate)
        assert told.side == CODES[side]
        assert flags_in(told.flags) == {str(flag) for flag in estimate.flags}
        assert (told.start_us, told.stride_us) == (4_000_000_000, round(1e6 * estimate.stride_s))
        assert told.stance_percent == pytest.approx(estimate.stance_percent, abs=0.006)
        moments = np.array([estimate.moments_nm_per_kg[name] for name in MOMENTS])
        forces = np.array([estimate.forces_n_per_kg[name] for name in MUSCLES])
        for values, percents, curves, highest, digit in (
            (told.moment_max_nm_per_kg, told.moment_max_percent, moments, True, 0.001),
            (told.moment_min_nm_per_kg, told.moment_min_percent, moments, False, 0.001),
            (told.force_max_n_per_kg, told.force_max_percent, forces, True, 0.01),
        ):
            expected = curves.max(axis=1) if highest else curves.min(axis=1)
            place = curves.argmax(axis=1) if highest else curves.argmin(axis=1)
            assert values == pytest.approx(expected, abs=0.51 * digit)
            assert percents == pytest.approx(100.0 * place / 179, abs=0.26)


def test_a_sample_is_told_of_either_hip(limp: Walk) -> None:
    events = run(Pipeline(None, sample_model=leaky_model()), limp)
    samples = [event for event in events if isinstance(event, HipSampleEstimate)]
    for estimate in (samples[3], samples[-1]):
        for side in SIDES:
            told = sent(sample_message(estimate, side, 77))
            assert isinstance(told, SampleEstimate)
            assert (told.side, told.sample_us) == (CODES[side], 77)
            assert flags_in(told.flags) == {str(flag) for flag in estimate.flags}
            moments = [estimate.value(f"{name}_{side}") for name in MOMENTS]
            forces = [estimate.value(f"{name}_{side}") for name in MUSCLES]
            assert told.moments_nm_per_kg == pytest.approx(moments, abs=0.00051)
            assert told.forces_n_per_kg == pytest.approx(forces, abs=0.0051)


@pytest.mark.parametrize("flags", [(), (Flag.LINK_DOWN,), (Flag.OUT_OF_RANGE, Flag.WARMING_UP)])
def test_a_cue_is_told_with_why_it_went_off(flags: tuple[Flag, ...]) -> None:
    told = sent(cue_message(CueChange(3, "glmed_r > 1 N/kg", not flags, 1.0, 2.0, flags, 0), 55))
    assert isinstance(told, Cue)
    assert (told.cue, told.state, told.event_us) == (3, not flags, 55)
    assert flags_in(told.flags) == {str(flag) for flag in flags}
