"""The README's programs run as they are printed, and do what stands beside them."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgehip.channels import MOMENTS, MUSCLES, SIDES
from edgehip.errors import ArgumentError
from edgehip.events import DISTRUST, Flag, HipEstimate, HipSampleEstimate, JointAngleSample
from edgehip.pipeline import Pipeline
from tests.sample_model import leaky_model
from tests.streams import synthetic_walk

README = (Path(__file__).parents[1] / "README.md").read_text()
STREAMED, FED = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def run(program: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_stream_is_followed(tmp_path: Path) -> None:
    *strides, latency = run(STREAMED.replace("duration_s=10", "duration_s=10&speed=max"), tmp_path)
    assert len(strides) > 5
    assert all(re.fullmatch(r"[lr] \d+/min glmed \d+\.\d N/kg", line) for line in strides)
    assert latency.startswith("Percentiles(")


def test_own_samples_are_followed_and_gone_on_with(tmp_path: Path) -> None:
    told = run(FED, tmp_path)
    assert len(told) > 300
    assert all(re.fullmatch(r"\d\.\d\d s  [+-]\d\.\d\d Nm/kg", line) for line in told)
    # The second time the state is there, and the walker begins anew: that is what is told.
    assert (tmp_path / "walk.state").exists()
    assert len(run(FED, tmp_path)) > 300
    # And where the program was killed while it wrote, it begins as if there were none.
    (tmp_path / "walk.state").write_text((tmp_path / "walk.state").read_text()[:5000])
    assert len(run(FED, tmp_path)) > 300


def test_an_estimate_is_trusted_unless_a_flag_forbids_it() -> None:
    sample = JointAngleSample(0.0, (0.0,) * 10, 0)
    (estimate,) = Pipeline(None, sample_model=leaky_model()).feed_sample(sample)
    assert isinstance(estimate, HipSampleEstimate)
    assert estimate.flags == (Flag.WARMING_UP,)
    assert not estimate.trusted
    for kind in (HipSampleEstimate, HipEstimate):
        for flag in Flag:
            bare: Any = object.__new__(kind)
            object.__setattr__(bare, "flags", (Flag.NO_ZERO, flag))
            assert bare.trusted is (flag not in DISTRUST)


def test_each_output_has_its_name() -> None:
    walk = synthetic_walk(1.0)
    pipeline = Pipeline(None, sample_model=leaky_model())
    *_, estimate = (event for sample in walk.samples() for event in pipeline.feed_sample(sample))
    assert isinstance(estimate, HipSampleEstimate)
    for side in SIDES:
        moments = [estimate.value(f"{name}_{side}") for name in MOMENTS]
        assert moments == estimate.moments_nm_per_kg[side].tolist()
        forces = [estimate.value(f"{name}_{side}") for name in MUSCLES]
        assert forces == estimate.forces_n_per_kg[side].tolist()
    for output in ("glmed", "glmed_x", "hip_flexion", "gluteus_r", ""):
        with pytest.raises(ArgumentError, match="each with _l or _r"):
            estimate.value(output)
