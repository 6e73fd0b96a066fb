"""The per-sample network, and the walks it is trained and judged on."""

import math

import numpy as np
import pytest
import torch

from edgehip.channels import MIRROR, MUSCLES
from edgehip_export.augmentation import Augmentation, Batch
from edgehip_export.default_cycle import SEEN
from edgehip_export.default_foreign import sample_score
from edgehip_export.default_legendre import ORDER, WINDOW_S, LegendreNetwork, memory
from edgehip_export.default_sample import (
    PER_S,
    RATE_HZ,
    RECENT_S,
    ROW,
    RecurrentNetwork,
    liveliness,
    remember,
)
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import Spread
from edgehip_export.default_steady import steady
from edgehip_export.default_step import SampleStep
from edgehip_export.default_walks import at_phase, walk, walk_on, with_standing
from edgehip_export.strides import POINTS
from tests.made_up_strides import OUTPUTS, batch, made_up


def test_a_walk_repeats_with_its_stride_and_standing_is_still() -> None:
    one = batch(made_up({"lab": 2}))
    angles, loads = walk(one, torch.tensor([0.3] * 8), 400, RATE_HZ)
    again = at_phase(one.angles_deg, 0.3 + torch.arange(400) / RATE_HZ / one.stride_s[:, None] + 1)
    torch.testing.assert_close(angles, again, atol=1e-2, rtol=0)
    pose = torch.full((8, 10), 3.0), torch.zeros(8, OUTPUTS)
    _, resting = with_standing((angles, loads), pose, RATE_HZ, torch.Generator().manual_seed(0))
    assert bool((resting.abs() <= loads.abs() + 1e-5).all())
    assert bool((resting == 0).any())


def test_a_stride_walked_over_and_over_is_answered_as_by_warm_networks() -> None:
    """Whatever its duration and whoever's it is answered with, at each of its own points."""
    torch.manual_seed(0)
    networks = [RecurrentNetwork(8).eval() for _ in range(2)]
    shown = batch(made_up({"a": 3}))
    duration = torch.linspace(0.8, 1.9, len(shown.stride_s))
    late_s = 0.1
    now = steady(networks, shown.angles_deg, duration)
    late = steady(networks, shown.angles_deg, duration, late_s)
    for place, stride_s in enumerate(duration.tolist()):
        samples = torch.arange(math.ceil(3.5 * stride_s * RATE_HZ))
        walked = at_phase(shown.angles_deg[[place]], samples[None] / RATE_HZ / stride_s)
        with torch.no_grad():
            loads = torch.stack([network(walked) for network in networks]).mean(0)[0]
        for point in (0, 60, POINTS - 1):
            at = (2.0 + point / (POINTS - 1)) * stride_s * RATE_HZ
            for told, sample in ((now, at), (late, at + late_s * RATE_HZ)):
                below = int(sample)
                wanted = torch.lerp(loads[below], loads[below + 1], sample - below)
                torch.testing.assert_close(told[place, point], wanted, atol=1e-3, rtol=1e-3)


def test_a_sample_nobody_would_show_scores_high() -> None:
    strides = made_up({"a": 12, "b": 12, "c": 12})
    network = RecurrentNetwork(8).eval()
    network.seen_mean[:10] = torch.from_numpy(strides.angles_deg.mean((0, 1)))
    network.seen_sd[:10] = torch.from_numpy(strides.angles_deg.std((0, 1)))
    held = [strides.person == person for person in strides.people]
    score = sample_score(strides, network, Augmentation(offset_deg=1.0, noise_deg=0.2), held)
    angles = torch.from_numpy(strides.angles_deg)
    seen = network.see(angles[:, ::2])
    thrown = network.change(network.see(angles[:, ::2] + 30.0), seen)
    still, hurled = (
        score(torch.cat([seen[..., :10], change[..., :10]], -1).flatten(0, 1))
        for change in (torch.zeros_like(seen), thrown)
    )
    assert float((still < 1.0).float().mean()) > 0.95
    assert float(hurled.min()) > 1.0


def test_stepping_sample_by_sample_equals_the_whole_sequence() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = LegendreNetwork(12, 8).eval()
    network.seen_mean, network.seen_sd = 5.0 * torch.randn(SEEN), 0.5 + 5.0 * torch.rand(SEEN)
    network.target_mean, network.target_sd = torch.randn(OUTPUTS), torch.rand(OUTPUTS)
    spread = Spread(torch.ones(OUTPUTS), torch.zeros(OUTPUTS))
    score = OutOfRangeScore(rng.normal(size=20), rng.normal(size=(20, 20)))
    step = SampleStep(network, spread, score).eval()
    angles = torch.randn(1, 700, 10).cumsum(1)
    with torch.no_grad():
        whole = network(angles)
    seen = network.see(angles)
    change = network.change(seen, torch.cat([seen[:, :1], seen[:, :-1]], 1))
    far = score(torch.cat([seen[..., :10], change[..., :10]], -1))
    states = [torch.zeros(1, size) for size in step.state_sizes.values()]
    for i in range(angles.shape[1]):
        moments, forces, _, _, scored, *states = step(angles[:, i : i + 1], *states)
        torch.testing.assert_close(moments[0, 0], whole[0, i, :3], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(forces[0, 0], whole[0, i, 3:].relu(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(scored, far[:, i], atol=1e-4, rtol=1e-4)
    assert forces.shape[-1] == len(MUSCLES)


def test_the_memory_is_the_last_window_as_polynomials() -> None:
    """From it the past can be drawn again, relative to now (Voelker et al. 2019, equation 3)."""
    time_s = torch.arange(400) / RATE_HZ
    wave = torch.stack([torch.sin(2.0 * math.pi * time_s / 1.1), 0.4 * time_s], -1)[None]
    change = PER_S * torch.cat([torch.zeros(1, 1, 2), wave.diff(dim=1)], 1)
    kept = memory(change)[0, -1].reshape(2, ORDER).double().numpy()
    ago_s = np.linspace(0.0, WINDOW_S, 16)
    drawn = np.polynomial.legendre.legval(2.0 * ago_s / WINDOW_S - 1.0, kept.T)
    samples = len(time_s) - 1 - np.round(ago_s * RATE_HZ).astype(int)
    past = (wave[0, samples] - wave[0, -1]).T.numpy()
    np.testing.assert_allclose(drawn, past, atol=0.06)


def test_of_a_leg_that_stands_still_nothing_is_left_and_no_number_is_denormal() -> None:
    torch.manual_seed(0)
    score = OutOfRangeScore(np.zeros(20), np.zeros((20, 20)))
    spread = Spread(torch.ones(OUTPUTS), torch.zeros(OUTPUTS))
    step = SampleStep(LegendreNetwork(8, 8).eval(), spread, score).eval()
    states = [torch.zeros(1, size) for size in step.state_sizes.values()]
    angles = torch.randn(1, 200, 10).cumsum(1)
    for i in range(3000):
        with torch.no_grad():
            *_, kept, before, recent = step(angles[:, min(i, 199), None], *states)
        states = [kept, before, recent]
        assert float(kept.abs().min()) >= torch.finfo(torch.float32).tiny
    assert float(kept.abs().max()) < 1e-6


def test_how_lively_the_legs_were_of_late_is_known_from_the_first_sample_on() -> None:
    def row(change: float) -> torch.Tensor:
        return torch.tensor([[change] * SEEN + [0.0]])

    def known(recent: torch.Tensor) -> torch.Tensor:
        return liveliness(recent)[:, :SEEN]

    recent = torch.zeros(1, ROW)
    for _ in range(3):
        recent = remember(recent, row(-2.0))
        torch.testing.assert_close(known(recent), torch.full((1, SEEN), 2.0), atol=1e-3, rtol=0)
    still = remember(torch.zeros(1, ROW), row(0.0))
    assert 0.0 < float(known(still).max()) < 0.05
    for _ in range(round(5 * RECENT_S * RATE_HZ)):
        recent = remember(recent, row(1.0))
    torch.testing.assert_close(known(recent), torch.ones(1, SEEN), atol=0.02, rtol=0)


def test_of_a_past_that_is_left_out_only_its_pace_is_remembered() -> None:
    torch.manual_seed(0)
    network = RecurrentNetwork(8).eval()
    quick = 10.0 * torch.randn(1, 150, 10)
    now, last = quick[:, 100:], quick[:, 99:100]
    loads = network(quick, 100)
    assert loads.shape == (1, 50, OUTPUTS)
    # The sample before the first that counts is the same: what differs is only of late.
    quiet = torch.cat([last.expand(-1, 100, -1), now], 1)
    assert not torch.allclose(loads, network(quiet, 100), atol=1e-3)
    still = torch.cat([now[:, :1].expand(-1, 100, -1), now], 1)
    assert not torch.allclose(network(still, 100), network(now), atol=1e-3)


def test_of_a_past_that_is_left_out_a_memory_that_is_not_learnt_keeps_everything() -> None:
    torch.manual_seed(0)
    network = LegendreNetwork(12, 8).eval()
    angles = 5.0 * torch.randn(2, 300, 10).cumsum(1)
    torch.testing.assert_close(network(angles, 120), network(angles)[:, 120:])


def test_a_walk_goes_on_at_its_own_pace_without_a_step() -> None:
    phase = torch.linspace(0.0, 2.0 * math.pi, POINTS)[None, :, None]
    wave = torch.cat([torch.sin(phase), torch.cos(phase)], -1)
    batch = Batch(wave, wave, torch.tensor([1.0]))
    angles, loads = walk_on(batch, torch.tensor([2.0]), torch.tensor([0.3]), (150, 50), 100.0)
    assert torch.equal(angles, loads)
    turns = torch.atan2(angles[0, :, 0], angles[0, :, 1]) / (2.0 * math.pi)
    steps = turns.diff() % 1.0
    torch.testing.assert_close(steps[:150], torch.full((150,), 0.005), atol=2e-4, rtol=0)
    torch.testing.assert_close(steps[150:], torch.full((49,), 0.01), atol=2e-4, rtol=0)
    assert float(turns[150]) == pytest.approx(0.3, abs=1e-3)


def test_a_mirrored_foot_path_is_the_other_foots() -> None:
    from edgehip_export.default_features import foot_path

    angles = torch.randn(5, 10) * 20
    path, mirrored = foot_path(angles), foot_path(angles[:, list(MIRROR)])
    torch.testing.assert_close(path[:, :4], mirrored[:, 4:])
