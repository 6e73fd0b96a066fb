"""The models edgehip brings along: what their files state, and what they answer."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MIRROR, MOMENTS, MUSCLES
from edgehip.model import Model, bundled_models, load_model
from tests.shared_data import SHARED, needs_shared_data

Floats = NDArray[np.float32]
CYCLE_FILES = ("hip-cycle.onnx", "hip-cycle.tflite")
SAMPLE_FILES = ("hip-sample.onnx", "hip-sample.tflite")
FOLDER = bundled_models()[0].parent
LIMIT_BYTES = 2_000_000


@cache
def bundled(file: str) -> Model:
    return load_model(FOLDER / file)


def a_stride(seed: int = 0) -> Floats:
    """Return a made-up cycle (1, 180, 10) of plausible angles: smooth, and closed."""
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 2 * np.pi, 180)[:, None]
    mean = np.array(bundled("hip-cycle.onnx").card.zero.stride_mean_deg)  # type: ignore[union-attr]
    size = np.array([20, 5, 5, 20, 5, 5, 30, 10, 30, 10])
    curve = mean + size * np.cos(phase + rng.uniform(0, 2 * np.pi, 10))
    return np.asarray(curve[None], np.float32)


def answer(file: str, angles: Floats, stride_s: float = 1.1) -> tuple[Floats, ...]:
    return bundled(file).engine.run(angles, np.array([[stride_s]], np.float32))


def walk(file: str, angles: Floats) -> tuple[Floats, Floats]:
    """Return moments (T, 3) and forces (T, 14) at every sample of (T, 10) angles."""
    model = bundled(file)
    state = [np.zeros(t.shape, np.float32) for t in model.card.inputs if t.name != "angles_deg"]
    moments, forces = [], []
    for sample in angles:
        now_moments, now_forces, _, _, _, *state = model.engine.run(
            np.ascontiguousarray(sample, np.float32).reshape(1, 1, 10), *state
        )
        moments.append(now_moments[0, 0])
        forces.append(now_forces[0, 0])
    return np.array(moments), np.array(forces)


def paced(stride: Floats, stride_s: float, strides: float, rate_hz: float = 100.0) -> Floats:
    """Return a stride (180, 10) walked over and over in real time."""
    phase = np.arange(int(strides * stride_s * rate_hz)) / (stride_s * rate_hz) % 1.0
    grid = np.linspace(0, 1, 180)
    return np.stack([np.interp(phase, grid, column) for column in stride.T], -1).astype(np.float32)


@pytest.mark.parametrize("file", CYCLE_FILES + SAMPLE_FILES)
def test_a_bundled_model_is_small_and_says_what_it_is(file: str) -> None:
    card = bundled(file).card
    assert (FOLDER / file).stat().st_size < LIMIT_BYTES
    assert card.kind == ("cycle" if "cycle" in file else "sample")
    assert card.side == "r"
    sources = card.training["sources"]
    assert {source["lab"] for source in sources} >= {"schreiber", "opencap", "Gait2Hip-60"}
    assert all(source["licence"] and source["citation"] for source in sources)
    assert card.training["limits"]
    assert set(card.metrics["by_output"]) == set(MOMENTS + MUSCLES)


@pytest.mark.parametrize("file", CYCLE_FILES + SAMPLE_FILES)
def test_the_training_range_holds_its_own_zero_and_is_the_same_on_both_sides(file: str) -> None:
    card = bundled(file).card
    low, high = card.ranges["angles_deg"].low, card.ranges["angles_deg"].high
    mirror = list(MIRROR)
    assert np.array_equal(np.array(low)[mirror], low)
    assert np.array_equal(np.array(high)[mirror], high)
    assert card.zero is not None
    for pose in (card.zero.standing_deg, card.zero.stride_mean_deg):
        assert len(pose) == len(ANGLES)
        assert (np.array(low) < pose).all()
        assert (np.array(high) > pose).all()


def test_both_engines_give_the_same_cycle() -> None:
    for seed in range(5):
        one, other = (answer(file, a_stride(seed)) for file in CYCLE_FILES)
        for tensor, twin in zip(one, other, strict=True):
            np.testing.assert_allclose(tensor, twin, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("file", SAMPLE_FILES)
def test_threads_that_share_a_model_do_not_get_each_others_answers(file: str) -> None:
    """Two devices in one program do; the engines' buffers are one and the same."""
    model = bundled(file)
    rng = np.random.default_rng(3)
    asked = [
        [rng.normal(0, 5, t.shape).astype(np.float32) for t in model.card.inputs] for _ in range(4)
    ]
    alone = [model.engine.run(*inputs)[0].tobytes() for inputs in asked]

    def again(inputs: list[Floats]) -> set[bytes]:
        return {model.engine.run(*inputs)[0].tobytes() for _ in range(2000)}

    with ThreadPoolExecutor(len(asked)) as threads:
        assert list(threads.map(again, asked)) == [{answer} for answer in alone]


def test_both_engines_give_the_same_walk() -> None:
    angles = paced(a_stride()[0], 1.1, 5.0)
    (moments, forces), (twin_moments, twin_forces) = (walk(file, angles) for file in SAMPLE_FILES)
    np.testing.assert_allclose(moments, twin_moments, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(forces, twin_forces, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("file", CYCLE_FILES)
def test_loads_are_finite_muscles_only_pull_and_the_spread_is_positive(file: str) -> None:
    moments, forces, moment_spread, force_spread, _ = answer(file, a_stride())
    assert np.isfinite(moments).all()
    assert (forces >= 0).all()
    assert (moment_spread > 0).all()
    assert (force_spread > 0).all()
    assert bundled(file).card.spread_coverage == pytest.approx(0.9)


@pytest.mark.parametrize("file", CYCLE_FILES)
def test_a_stride_no_person_walks_is_told_by_its_score(file: str) -> None:
    zero = bundled(file).card.zero
    assert zero is not None
    mean = np.array(zero.stride_mean_deg)
    quiet = np.tile(mean, (180, 1)).astype(np.float32)[None]
    assert answer(file, quiet)[-1].shape == (1, 1)
    for strange, stride_s in ((3.0 * a_stride(), 1.1), (quiet, 0.3), (quiet + 90.0, 1.1)):
        assert answer(file, strange.astype(np.float32), stride_s)[-1][0, 0] > 1.0


@needs_shared_data
@pytest.mark.parametrize("file", CYCLE_FILES)
def test_a_real_stride_scores_below_one(file: str) -> None:
    with np.load(SHARED / "data" / "walking" / "strides_180.npz") as saved:
        strides = zip(saved["X"], saved["stride_s"], strict=True)
        scores = [float(answer(file, x[None], float(s))[-1][0, 0]) for x, s in strides]
    assert max(scores) < 1.0


@pytest.mark.parametrize("file", SAMPLE_FILES)
def test_standing_still_asks_little_of_a_hip_from_the_first_sample_on(file: str) -> None:
    zero = bundled(file).card.zero
    assert zero is not None
    rng = np.random.default_rng(0)
    time_s = np.arange(1500) / 100
    for sensor_error_deg in (0.0, 3.0):
        pose = np.array(zero.standing_deg) + sensor_error_deg * rng.standard_normal(10)
        sway = 0.3 * np.sin(2 * np.pi * 0.3 * time_s)[:, None] * rng.standard_normal(10)
        moments, forces = walk(file, (pose + sway).astype(np.float32))
        assert np.abs(moments[100:]).max() < 0.25
        assert np.abs(moments[0]).max() < 0.6
        assert forces[100:].max() < 6.0
        assert np.ptp(moments[500:], axis=0).max() < 0.2  # no phantom stride


@pytest.mark.parametrize("file", SAMPLE_FILES)
def test_a_symmetric_walk_loads_both_hips_alike_half_a_stride_apart(file: str) -> None:
    time_s = np.arange(1100) / 100
    right = np.array([0, 1, 2, 6, 7])  # hip flexion, adduction, rotation, knee, ankle
    size, lag = np.array([20, 5, 5, 30, 10]), np.array([0, 1, 2, 3, 4])
    angles = np.tile(a_stride()[0].mean(0), (len(time_s), 1))
    angles[:, right] = size * np.cos(2 * np.pi * time_s[:, None] / 1.1 + lag)
    angles[:, np.array(MIRROR)[right]] = size * np.cos(
        2 * np.pi * (time_s[:, None] / 1.1 - 0.5) + lag
    )
    hip, _ = walk(file, angles)
    other, _ = walk(file, angles[:, MIRROR])
    np.testing.assert_allclose(hip[500:900], other[555:955], atol=1e-3)


@pytest.mark.parametrize("file", SAMPLE_FILES)
def test_a_long_walk_neither_drifts_nor_grows(file: str) -> None:
    angles = paced(a_stride()[0], 1.1, 60.0)
    moments, forces = walk(file, angles)
    early, late = slice(1100, 2200), slice(-1100, None)
    np.testing.assert_allclose(moments[early], moments[late], atol=1e-3)
    np.testing.assert_allclose(forces[early], forces[late], atol=1e-2)


def r2(reference: Floats, estimate: Floats) -> float:
    return float(
        1 - ((reference - estimate) ** 2).sum() / ((reference - reference.mean()) ** 2).sum()
    )


@needs_shared_data
@pytest.mark.parametrize("file", CYCLE_FILES)
def test_recorded_strides_are_explained_far_better_than_by_their_mean_curve(file: str) -> None:
    with np.load(Path(SHARED) / "data" / "walking" / "strides_180.npz") as saved:
        angles, moments, forces = saved["X"], saved["Y_moment"], saved["Y_force"]
        stride_s = saved["stride_s"]
    answers = [answer(file, angles[i : i + 1], float(stride_s[i])) for i in range(len(angles))]
    for reference, place in ((moments, 0), (forces, 1)):
        found = np.concatenate([a[place] for a in answers])
        baseline = np.broadcast_to(reference.mean(0), reference.shape)
        assert 1 - r2(reference, found) < 0.5 * (1 - r2(reference, baseline))


@needs_shared_data
def test_a_constant_sensor_error_changes_little() -> None:
    with np.load(Path(SHARED) / "data" / "walking" / "strides_180.npz") as saved:
        angles, moments, stride_s = saved["X"], saved["Y_moment"], saved["stride_s"]
    rng = np.random.default_rng(1)
    offset = (5.0 * rng.standard_normal((len(angles), 1, 10))).astype(np.float32)
    shown = [
        np.concatenate(
            [
                answer("hip-cycle.tflite", a[None], float(s))[0]
                for a, s in zip(x, stride_s, strict=True)
            ]
        )
        for x in (angles, angles + offset)
    ]
    assert r2(moments, shown[0]) - r2(moments, shown[1]) < 0.05


@needs_shared_data
@pytest.mark.parametrize("file", SAMPLE_FILES)
def test_a_recorded_stride_is_followed_while_it_is_walked(file: str) -> None:
    with np.load(Path(SHARED) / "data" / "walking" / "strides_180.npz") as saved:
        angles, moments, stride_s = saved["X"], saved["Y_moment"], saved["stride_s"]
    references, estimates = [], []
    for i in range(0, len(angles), 6):
        found, _ = walk(file, paced(angles[i], float(stride_s[i]), 3.0))
        references.append(paced(moments[i], float(stride_s[i]), 3.0)[-100:])
        estimates.append(found[-100:])
    assert r2(np.concatenate(references), np.concatenate(estimates)) > 0.9


LOADING = {
    "many threads at once": "threads = [Thread(target=load_model) for _ in range(40)]\n"
    "for thread in threads: thread.start()\n"
    "for thread in threads: thread.join()\n",
    "no standard error in Python": "sys.stderr = None; load_model(); sys.stderr = sys.__stderr__\n",
    "no standard error at all": "saved = os.dup(2); os.close(2); load_model(); os.dup2(saved, 2)\n",
}


@pytest.mark.parametrize("how", LOADING)
def test_a_program_keeps_its_standard_error_whatever_it_loads(how: str) -> None:
    code = (
        "import os, sys\n"
        "from threading import Thread\n"
        "from edgehip import load_model\n"
        f"{LOADING[how]}"
        "print('still here', file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "still here\n")
