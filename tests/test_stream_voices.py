"""Both voices and a cue on a real pseudo-terminal: a recorded walk at true pace, cut mid-stride."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgehip.channels import SIDES
from edgehip.events import Chunk
from edgehip.messages import Cue, CycleEstimate, SampleEstimate
from edgehip.wire import Frame, FrameDecoder
from tests.pty_device import PtyDevice
from tests.shared_data import needs_shared_data
from tests.streams import Walk, recorded_walk
from tests.test_stream_port import Program, estimates, expected, steady


@pytest.fixture
def device(tmp_path: Path) -> Iterator[PtyDevice]:
    device = PtyDevice(tmp_path)
    yield device
    device.close()


@needs_shared_data
def test_a_recorded_walk_is_followed_sample_by_sample_until_the_cable_is_pulled(
    device: PtyDevice,
) -> None:
    whole = recorded_walk()
    walk = Walk(whole.time_s[300:1100], whole.angles_deg[300:1100])
    program = Program(
        device, "--estimates", "cycle,sample", "--outputs", "hip_flexion_r,glmed_r",
        "--cue", "glmed_r > 4 N/kg, hysteresis=1.5, refractory_s=0.3", "--send", str(device.port),
    )  # fmt: skip
    sent_back = b""
    frames = list(zip((walk.time_s - walk.time_s[0]).tolist(), walk.frames(), strict=True))
    started_s = time.monotonic()
    for at_s, frame in frames:
        time.sleep(max(0.0, started_s + at_s - time.monotonic()))
        device.write(frame)
        sent_back += device.read()
    device.wait_until_taken(program.process)
    sent_back += device.read()
    device.unplug()
    program.until_link("live", "lost")
    records, err = program.finish()
    device.plug_in()

    assert f"samples    {len(walk)}; frames lost 0 (0.00 %)" in err
    assert "faults" not in err
    assert estimates(records) == expected(walk)
    assert {side for side, _, _ in estimates(records)} == {"l", "r"}

    samples = [r for r in records if r["record"] == "sample"]
    assert [r["time_s"] for r in samples] == [round(t, 6) for t in walk.time_s.tolist()]
    assert set(samples[0]) == {
        "record", "time_s", "flags", "out_of_range_score", "corrected", "link",
        "hip_flexion_r_nm_per_kg", "glmed_r_n_per_kg",
    }  # fmt: skip
    warming = [r for r in samples if "warming_up" in r["flags"]]
    assert 0 < len(warming) < 150
    assert warming == samples[: len(warming)]

    # Once warm, every stride says how far the answers that could not wait were from it.
    cycles = [r for r in records if r["record"] == "estimate"]
    compared = [r for r in cycles if "sample_moment_rmse_nm_per_kg" in r]
    assert len(compared) >= len(cycles) - 2
    assert all(r["sample_moment_rmse_nm_per_kg"] < 0.3 for r in compared)

    # The gluteus medius carries the body once in every stance of its leg.
    cues = [r for r in records if r["record"] == "cue"]
    for one, other in itertools.pairwise(cues):
        assert one["on"] is not other["on"]
    switched_on = [r["time_s"] for r in cues if r["on"]]
    strides = [r for r in cycles if r["side"] == "r"]
    for stride in strides[1:]:
        stance_s = stride["start_s"] + stride["stride_s"] * 0.65
        assert sum(stride["start_s"] - 0.15 < t < stance_s for t in switched_on) >= 1
    assert cues[-1]["on"] is False
    states = steady([r for r in records if r["record"] == "link"])
    assert [state for state, _ in itertools.groupby(states)] == ["live", "lost"]

    # The device heard the same, in frames.
    heard = [f.message for f in FrameDecoder().feed(Chunk(sent_back, 0)) if isinstance(f, Frame)]
    assert sum(isinstance(m, SampleEstimate) for m in heard) == len(SIDES) * len(samples)
    assert sum(isinstance(m, CycleEstimate) for m in heard) == len(cycles)
    lit = [bool(m.state) for m in heard if isinstance(m, Cue)]
    assert lit.count(True) >= len(switched_on)
