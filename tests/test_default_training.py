"""The pieces that edgehip's own models are trained and judged with."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from edgehip.channels import ANGLES, MIRROR, MUSCLES
from edgehip.model_card import ZeroCard
from edgehip_export import default_workshop
from edgehip_export.augmentation import Augmentation, Batch, disturb, mix
from edgehip_export.default_build import PRIOR, fit_build
from edgehip_export.default_cycle import SEEN, CycleNetwork
from edgehip_export.default_ensemble import TAUGHT_SHARE, CycleEnsemble
from edgehip_export.default_evaluate import folds, zeroed
from edgehip_export.default_fit import DISTILLED, chances, distil, set_scales
from edgehip_export.default_foreign import cycle_score, sample_score
from edgehip_export.default_kernel import KernelCycle, KernelProtocol, fit_kernel
from edgehip_export.default_lessons import AT_ONCE, Lessons
from edgehip_export.default_mechanics import Mechanics
from edgehip_export.default_movement import fit_movement
from edgehip_export.default_sample import (
    RATE_HZ,
    RECENT_S,
    ROW,
    SampleNetwork,
    SampleStep,
    liveliness,
    remember,
)
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import COVERAGE, Spread, fit_spread
from edgehip_export.default_steady import steady
from edgehip_export.default_student import Student
from edgehip_export.default_teacher import TeacherStrides
from edgehip_export.default_walks import at_phase, walk, walk_on, with_standing
from edgehip_export.strides import POINTS, Array, Strides, close_cycles, load_strides
from tests.shared_data import SHARED, needs_shared_data

OUTPUTS = 17
MECHANICS = Mechanics(torch.zeros(10))
MUTE = Student(CycleNetwork().eval(), torch.zeros(10))
"""Says that nothing is borne at all."""
MUTE.network.target_sd.zero_()


def estimated(
    member: KernelCycle, angles_deg: torch.Tensor, stride_s: torch.Tensor
) -> torch.Tensor:
    with torch.no_grad():
        return MUTE.network.at_points(member(angles_deg, stride_s))


def made_up(people_of: dict[str, int], each: int = 4, seed: int = 0) -> Strides:
    """Return strides of a few laboratories whose loads are linear in few movements."""
    rng = np.random.default_rng(seed)
    lab = np.repeat(list(people_of), [n * each for n in people_of.values()])
    person = np.array([f"{name}/{i // each}" for i, name in enumerate(lab)])
    n = len(lab)
    phase = np.linspace(0, 2 * np.pi, POINTS)[None, :, None]
    movement = rng.standard_normal((n, 1, 10))
    angles = (10 + 3 * movement) * np.cos(phase + np.arange(10)) + 5 * movement
    loads = np.sin(phase + np.arange(OUTPUTS)) * (1 + 0.3 * movement[..., :1]) + 2.0
    return Strides(
        angles.astype(np.float32),
        loads[..., :3].astype(np.float32),
        loads[..., 3:].astype(np.float32),
        rng.uniform(0.9, 1.3, n).astype(np.float32),
        lab,
        person,
        np.full(n, "walk"),
        np.full(n, "r"),
        np.full(n, np.nan, np.float32),
        np.full(n, np.nan, np.float32),
    )


def batch(strides: Strides) -> Batch:
    loads = np.concatenate([strides.moments, strides.forces], -1)
    return Batch(
        torch.from_numpy(close_cycles(strides.angles_deg)),
        torch.from_numpy(close_cycles(loads)),
        torch.from_numpy(strides.stride_s),
    )


@needs_shared_data
def test_every_stride_is_seen_from_its_own_leg() -> None:
    strides = load_strides(SHARED / "data")
    own_knee, other_knee = strides.angles_deg[..., 6], strides.angles_deg[..., 8]
    # At a leg's own contact its knee is nearly straight; the other leg is about to push off.
    assert (own_knee[:, 10:60].mean(1) < own_knee[:, 110:150].mean(1)).all()
    assert (other_knee[:, 30:60].mean(1) > own_knee[:, 30:60].mean(1)).all()
    assert set(strides.leg) == {"l", "r"}
    assert (strides.moments[:, 20:60, 1].mean(1) < 0).all()  # abductors hold the pelvis in stance


def test_closed_cycles_end_where_they_begin_and_keep_their_mean() -> None:
    curves = np.random.default_rng(0).standard_normal((3, POINTS, 5)).cumsum(1)
    closed = close_cycles(curves)
    np.testing.assert_allclose(closed[:, 0], closed[:, -1], atol=1e-4)
    np.testing.assert_allclose(closed.mean(1), curves.mean(1), atol=1e-4)


def test_folds_leave_every_stride_out_once_and_small_laboratories_whole() -> None:
    strides = made_up({"large": 5, "small": 2})
    every = list(folds(strides))
    assert (np.sum([fold.held for fold in every], axis=0) == 1).all()
    assert sum(fold.name == "small" for fold in every) == 1
    assert len(every) == 6
    assert len(list(folds(strides, people_at_once=3))) == 3


def test_a_person_with_many_strides_is_drawn_no_more_often_than_one_with_few() -> None:
    strides = made_up({"one": 1, "four": 4})
    chance = chances(strides)
    assert chance.sum() == pytest.approx(1.0)
    of_lab = {lab: chance[strides.lab == lab].sum() for lab in strides.labs}
    assert of_lab["four"] == pytest.approx(2 * of_lab["one"])


def test_the_whole_personal_zero_takes_a_constant_error_out() -> None:
    strides = made_up({"lab": 3})
    common = torch.zeros(10)
    wrong = dataclasses.replace(strides, angles_deg=strides.angles_deg + np.float32(7.0))
    shown, shown_wrong = (zeroed(s, common, 1.0) for s in (strides, wrong))
    np.testing.assert_allclose(shown.angles_deg, shown_wrong.angles_deg, atol=1e-4)


def test_a_mixture_of_a_stride_with_itself_is_the_stride() -> None:
    one = batch(made_up({"lab": 3}))
    mixed = mix(one, one, Augmentation(mixed=1.0), torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixed.loads, one.loads)
    torch.testing.assert_close(mixed.stride_s, one.stride_s)


def test_disturbed_strides_keep_their_loads_and_move_by_what_was_asked() -> None:
    one = batch(made_up({"lab": 50}))
    how = Augmentation(offset_deg=5.0, gain=0.0, noise_deg=0.0, person_share=0.0)
    moved = disturb(one, torch.zeros(10), how, torch.Generator().manual_seed(0))
    shift = moved.angles_deg - one.angles_deg
    assert float(shift.std(1).max()) < 1e-4
    assert float(shift.mean(1).std()) == pytest.approx(5.0, rel=0.1)
    torch.testing.assert_close(moved.loads, one.loads)


def test_a_walk_repeats_with_its_stride_and_standing_is_still() -> None:
    one = batch(made_up({"lab": 2}))
    angles, loads = walk(one, torch.tensor([0.3] * 8), 400, RATE_HZ)
    again = at_phase(one.angles_deg, 0.3 + torch.arange(400) / RATE_HZ / one.stride_s[:, None] + 1)
    torch.testing.assert_close(angles, again, atol=1e-2, rtol=0)
    pose = torch.full((8, 10), 3.0), torch.zeros(8, OUTPUTS)
    _, resting = with_standing((angles, loads), pose, RATE_HZ, torch.Generator().manual_seed(0))
    assert bool((resting.abs() <= loads.abs() + 1e-5).all())
    assert bool((resting == 0).any())


def test_people_left_out_teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the teacher made of their movements is poison: a network that drew it would know."""
    strides = made_up({"a": 4, "b": 4})
    hidden = {"a/0", "b/2"}
    rest = strides.take(~np.isin(strides.person, list(hidden)))
    shown = batch(strides)
    parents = np.stack([strides.person, np.roll(strides.person, 5)], axis=1)
    poisoned = torch.from_numpy(np.isin(parents, list(hidden)).any(1))
    teacher = TeacherStrides(shown, parents)
    for part in (shown.angles_deg, shown.loads, shown.stride_s):
        part[poisoned] = torch.nan
    assert not teacher.without(hidden).strides.angles_deg.isnan().any()
    for name in ("STUDENT", "CYCLE", "SAMPLE", "DISTILLED"):
        protocol = dataclasses.replace(getattr(default_workshop, name), steps=2, samples=80)
        monkeypatch.setattr(default_workshop, name, protocol)
    monkeypatch.setattr(default_workshop, "LESSONS", 20)
    zero = ZeroCard((0.0,) * 10, (0.0,) * 10, 0.0)
    workshop = default_workshop.Workshop(strides, zero, teacher, seed=0)
    estimates = workshop.models(rest, hidden).estimates()
    assert set(estimates) == {"cycle", "sample"}
    assert all(np.isfinite(estimate(rest)).all() for estimate in estimates.values())


def test_lessons_are_new_each_time_and_say_what_the_teacher_says_of_them() -> None:
    strides = made_up({"a": 4, "b": 4})
    shown = batch(strides)
    parents = np.stack([strides.person, strides.person], axis=1)

    def teacher(angles_deg: torch.Tensor, stride_s: torch.Tensor) -> torch.Tensor:
        swing = torch.sin(torch.linspace(0.0, 2.0 * torch.pi, POINTS))[:, None]
        return (angles_deg.std(1, keepdim=True) * swing / stride_s[:, None])[..., :1].expand(
            -1, -1, OUTPUTS
        )

    lessons = Lessons(TeacherStrides(shown, parents), teacher)
    random = torch.Generator().manual_seed(0)
    first, second = lessons.lend(64, random), lessons.lend(64, random)
    assert not torch.isclose(first.angles_deg, second.angles_deg).all(-1).any()
    known = teacher(first.angles_deg, first.stride_s[:, None])
    torch.testing.assert_close(first.loads, known, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first.angles_deg[:, 0], first.angles_deg[:, -1], atol=1e-3, rtol=0)
    spread = first.angles_deg.std(0).mean()
    assert spread > 1.2 * shown.angles_deg.std(0).mean()
    many = lessons.many(AT_ONCE + 1, random)
    assert many.angles_deg.shape == (AT_ONCE + 1, POINTS, 10)
    # This teacher does not see the zero, so its pupil is not told of wrong ones.
    known = teacher(many.angles_deg, many.stride_s[:, None])
    torch.testing.assert_close(many.loads, known, atol=1e-3, rtol=1e-3)
    assert many.stride_s.std() > 1.2 * first.stride_s.std()
    zero, usual = (lesson.angles_deg.mean(1).std(0).mean() for lesson in (many, first))
    assert zero > 1.2 * usual


def test_a_stride_walked_over_and_over_is_answered_as_by_warm_networks() -> None:
    """Whatever its duration and whoever's it is answered with, at each of its own points."""
    torch.manual_seed(0)
    networks = [SampleNetwork(8).eval() for _ in range(2)]
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


def test_what_is_distilled_says_what_the_lessons_say() -> None:
    lessons = batch(made_up({"a": 12}))
    torch.manual_seed(0)
    network = CycleNetwork()
    set_scales(network, lessons)
    student = Student(network.eval(), torch.zeros(10))
    shown = lessons.angles_deg, lessons.stride_s[:, None]
    found = distil(lessons, student, MECHANICS, dataclasses.replace(DISTILLED, steps=150), 0)
    with torch.no_grad():
        told = found.at_points(found.on_grid(*shown) + MECHANICS.expected(*shown))
        before = network(*shown)
    assert (told - lessons.loads).std() < 0.3 * (before - lessons.loads).std()
    assert not found.training


def test_the_student_does_not_see_the_zero_of_the_angles() -> None:
    student = Student(CycleNetwork().eval(), torch.arange(10.0))
    angles, stride_s = torch.randn(2, POINTS, 10).cumsum(1), torch.tensor([[1.0], [1.2]])
    moved = student(angles + 7.0 * torch.randn(2, 1, 10), stride_s)
    torch.testing.assert_close(moved, student(angles, stride_s), atol=1e-3, rtol=1e-3)


def test_the_kernel_expects_what_student_and_mechanics_say_and_learns_the_rest() -> None:
    """Where they are right, there is nothing to learn; where they are not, the kernel is."""
    strides = made_up({"a": 12, "b": 12})
    torch.manual_seed(0)
    student = Student(CycleNetwork().eval(), torch.zeros(10))
    shown = torch.from_numpy(strides.angles_deg), torch.from_numpy(strides.stride_s)[:, None]
    with torch.no_grad():
        told = student(*shown) + MECHANICS.expected(*shown)
        told = student.network.at_points(told).numpy()
    right = dataclasses.replace(strides, moments=told[..., :3], forces=told[..., 3:])
    whole = KernelProtocol(student=1.0)
    nothing = fit_kernel(right, chances(right), whole, MECHANICS, student)
    assert float(nothing.weight_moments.abs().max()) < 1e-2
    assert float(nothing.weight_forces.abs().max()) < 1e-2
    protocol = KernelProtocol(noise=1e-6, person=0.0)
    member = fit_kernel(strides, chances(strides), protocol, MECHANICS, student)
    torch.testing.assert_close(estimated(member, *shown), batch(strides).loads, atol=0.02, rtol=0)


def test_the_kernel_member_finds_a_law_and_survives_a_wrong_zero() -> None:
    strides = made_up({"a": 20, "b": 20})
    half = np.isin(strides.person, strides.people[::2])
    rest, held = strides.take(~half), strides.take(half)
    angles = torch.from_numpy(held.angles_deg)
    stride_s = torch.from_numpy(held.stride_s)[:, None]
    reference = batch(held).loads
    usual = reference - batch(rest).loads.mean(0)
    offset = 5.0 * torch.randn(len(held), 1, 10, generator=torch.Generator().manual_seed(0))
    missed = {}
    loads = {"moments": slice(None, 3), "forces": slice(3, None)}
    for zero in ((1.0, 0.1), (0.1, 1.0)):
        protocol = KernelProtocol(zero=zero, person=0.0)
        member = fit_kernel(rest, chances(rest), protocol, MECHANICS, MUTE)
        for shown_as, shown in (("right", angles), ("wrong", angles + offset)):
            off = estimated(member, shown, stride_s) - reference
            for counts, (name, some) in zip(zero, loads.items(), strict=True):
                error = off[..., some].std() / usual[..., some].std()
                missed[name, counts, shown_as] = float(error)
    for name in loads:
        assert missed[name, 1.0, "right"] < 0.3
        # What counts the zero little is hardly led astray by a wrong one.
        careless, careful = (
            missed[name, counts, "wrong"] - missed[name, counts, "right"] for counts in (1.0, 0.1)
        )
        assert careful < 0.3 * careless


def test_what_matters_less_to_a_hip_makes_two_strides_less_unlike() -> None:
    """Ankles, rotations and the other leg; the same for what is wrong with an angle's zero."""
    strides = made_up({"a": 12, "b": 12})
    member = fit_kernel(strides, chances(strides), KernelProtocol(), MECHANICS, MUTE)
    stride_s = torch.from_numpy(strides.stride_s)[:1, None]
    usual = torch.from_numpy(strides.angles_deg.mean(0))[None]
    bent = 2.0 * torch.sin(torch.linspace(0, 2 * np.pi, POINTS)) + 1.0
    seen = member.see(usual, stride_s)

    def unlike(angle: str) -> torch.Tensor:
        """Return how far the stride is from itself with this angle bent, for moments and forces."""
        channel = ANGLES.index(angle)
        other = usual.clone()
        other[..., channel] += bent * member.sd[channel]
        apart = member.see(other, stride_s) - seen
        return (member.counts * apart**2).sum(-1).sqrt()

    knee = unlike("knee_angle_r")
    for angle, counts in (
        ("hip_flexion_r", 1.0),
        ("hip_adduction_r", 1.0),
        ("hip_rotation_r", 0.5),
        ("ankle_angle_r", 0.5),
        ("knee_angle_l", 0.6),
        ("hip_rotation_l", 0.3),
        ("ankle_angle_l", 0.3),
    ):
        torch.testing.assert_close(unlike(angle), counts * knee, rtol=1e-3, atol=1e-4)


def test_what_all_known_strides_have_in_common_is_in_no_weight() -> None:
    """So a kernel whose weights are rounded to int8 still says the same."""
    strides = made_up({"a": 12, "b": 12})
    member = fit_kernel(strides, chances(strides), KernelProtocol(), MECHANICS, MUTE)
    shown = torch.from_numpy(strides.angles_deg) + 1.0, torch.from_numpy(strides.stride_s)[:, None]
    exact = estimated(member, *shown)
    for weight in (member.weight_moments, member.weight_forces):
        step = weight.abs().amax(0) / 127
        weight.copy_((weight / step).round() * step)
    off = estimated(member, *shown) - exact
    assert off.square().mean().sqrt() < 0.002 * exact.std()


def test_a_stranger_is_answered_like_the_person_who_moves_alike_and_far_away_linearly() -> None:
    strides = made_up({"a": 12, "b": 12})
    protocol = KernelProtocol(noise=1e-6, person=0.0, mechanics=0.0)
    member = fit_kernel(strides, chances(strides), protocol, MECHANICS, MUTE)
    stride_s = torch.from_numpy(strides.stride_s)[:, None]
    found = estimated(member, torch.from_numpy(strides.angles_deg), stride_s)
    torch.testing.assert_close(found, batch(strides).loads, atol=0.02, rtol=0)
    away = 1e3 * torch.randn(1, POINTS, 10, generator=torch.Generator().manual_seed(0)).cumsum(1)
    shown = [(n * away, stride_s[:1]) for n in (1, 2, 3)]
    middle, one, two = (member(*far) - MECHANICS.expected(*far) for far in shown)
    torch.testing.assert_close(two - one, one - middle, atol=1e-3, rtol=1e-3)


def test_the_kernel_knows_what_it_does_not_know() -> None:
    """The variance is that of a Gaussian process whose mean is unknown, and forces' own."""
    strides = made_up({"a": 8, "b": 4})
    forces = strides.forces.copy()
    forces[strides.lab == "b"] = np.nan
    strides = dataclasses.replace(strides, forces=forces)
    protocol = KernelProtocol()
    chance = chances(strides)
    member = fit_kernel(strides, chance, protocol, MECHANICS, MUTE)
    far = 3.0 * torch.from_numpy(strides.angles_deg[:1])
    angles = torch.cat([torch.from_numpy(strides.angles_deg[[0, -1]]), far])
    stride_s = torch.from_numpy(strides.stride_s[[0, -1, 0]])[:, None]
    loads, variance = member.with_variance(angles, stride_s)
    torch.testing.assert_close(loads, member(angles, stride_s))
    assert variance.shape == (3, 1, OUTPUTS)
    for kind, outputs in enumerate((slice(None, 3), slice(3, None))):
        known = np.isfinite(strides.loads[..., outputs]).all((1, 2))
        rows, counts = member.known[torch.from_numpy(known)], member.counts[kind]
        own = protocol.person * (strides.person[known, None] == strides.person[known])
        noise = np.diag(protocol.noise / (chance[known] * len(strides)))
        covariance = member.covariance(rows, rows, counts).numpy() + own + noise
        seen = member.see(angles, stride_s)
        between = member.covariance(seen, rows, counts).numpy().astype(float)
        # As one system: the weights of the known strides, which add up to 1.
        ones = np.ones((len(rows), 1))
        system = np.block([[covariance, ones], [ones.T, np.zeros((1, 1))]])
        right = np.concatenate([between.T, np.ones((1, 3))])
        weights = np.linalg.solve(system, right)
        itself = np.diag(member.covariance(seen, seen, counts).numpy())
        wanted = itself - (weights * right).sum(0)
        found = variance[:, 0, outputs].numpy()
        np.testing.assert_allclose(found, np.repeat(wanted[:, None], found.shape[1], 1), atol=2e-3)
    moments, forces_variance = variance[:, 0, 0], variance[:, 0, -1]
    assert moments[0] < 0.2 * moments[2]
    assert forces_variance[1] > 1.5 * moments[1]  # of whom the moments alone were known


def test_the_ensemble_trusts_its_kernel_where_that_knows_people() -> None:
    strides = made_up({"a": 12})
    torch.manual_seed(0)
    member = fit_kernel(strides, chances(strides), KernelProtocol(), MECHANICS, MUTE)
    ensemble = CycleEnsemble(CycleNetwork().eval(), CycleNetwork().eval(), member)
    stride_s = torch.from_numpy(strides.stride_s[:1])[:, None]
    known = torch.from_numpy(strides.angles_deg[:1])
    shares = []
    for angles in (known, 2.0 * known, 4.0 * known):
        with torch.no_grad():
            told = ensemble(angles, stride_s)
            alike = member.at_points(angles, stride_s)
            expected = MECHANICS.expected(angles, stride_s)
            one, other = (
                network.at_points(network.on_grid(angles, stride_s) + expected)
                for network in (ensemble.network, ensemble.taught)
            )
            learnt = torch.lerp(one, other, TAUGHT_SHARE)
            shares.append(float(((told - alike) / (learnt - alike)).median()))
    assert 0.0 < shares[0] < shares[1] < shares[2] < 1.0
    assert shares[0] < 0.3
    assert shares[2] > 0.6


def test_forces_follow_from_mechanics_where_nobody_moved_alike() -> None:
    """What mechanics makes of a movement decides on the forces: the kernel need not know it."""
    strides = made_up({"a": 30, "b": 30})
    shown = torch.from_numpy(strides.angles_deg), torch.from_numpy(strides.stride_s)[:, None]
    signals = MECHANICS(*shown)
    forces = CycleNetwork().at_points(20.0 + 5.0 * signals @ torch.ones(6, 14)).detach().numpy()
    half = np.isin(strides.person, strides.people[::2])
    rest = dataclasses.replace(strides, forces=forces).take(~half)
    held = [part[torch.from_numpy(half)] for part in shown]
    missed = []
    for mechanics in (0.0, 1.0):
        protocol = KernelProtocol(mechanics=mechanics, person=0.0)
        member = fit_kernel(rest, chances(rest), protocol, MECHANICS, MUTE)
        found = estimated(member, *held)
        missed.append(float((found[..., 3:] - torch.from_numpy(forces[half])).std()))
    assert missed[1] < 0.5 * missed[0]


def test_many_strides_of_one_person_do_not_pass_for_many_people() -> None:
    strides = made_up({"a": 2}, each=8)
    loads = strides.moments.copy()
    loads[strides.person == "a/1"] += 1.0
    apart = dataclasses.replace(strides, moments=loads)
    stride_s = torch.from_numpy(apart.stride_s)[:1, None]
    mean = torch.from_numpy(apart.angles_deg.mean(0))[None]
    leaning = []
    for person in (0.0, 10.0):
        uneven = np.where(apart.person == "a/1", 7.0, 1.0)
        member = fit_kernel(
            apart, uneven / uneven.sum(), KernelProtocol(person=person), MECHANICS, MUTE
        )
        leaning.append(
            float(
                (estimated(member, mean, stride_s) - batch(strides).loads.mean(0))[..., :3].mean()
            )
        )
    assert abs(leaning[1] - 0.5) < abs(leaning[0] - 0.5)


def test_the_spread_covers_what_it_states_though_errors_grow_with_the_load() -> None:
    strides = made_up({"a": 8, "b": 8})
    rng = np.random.default_rng(0)
    reference = np.abs(rng.standard_normal((len(strides), POINTS, OUTPUTS))).astype(np.float32) * 3
    error = rng.standard_normal(reference.shape) * (0.2 + 0.3 * reference)
    estimate = (reference + error).astype(np.float32)
    reference[: len(strides) // 4, :, 3:] = np.nan
    half = np.arange(len(strides)) % 2 == 0
    spread = fit_spread(estimate[half], reference[half], strides.take(half))
    width = spread.half_width(torch.from_numpy(estimate[~half])).numpy()
    missed = np.abs(estimate - reference)[~half]
    inside = np.where(np.isfinite(missed), missed <= width, np.nan)
    assert np.nanmean(inside) == pytest.approx(COVERAGE, abs=0.03)


def test_the_spread_allows_for_a_laboratory_that_is_unlike_the_others() -> None:
    strides = made_up({"a": 2, "b": 2, "strange": 2}, each=2)
    rng = np.random.default_rng(0)
    size = np.where(strides.lab == "strange", 4.0, 1.0)[:, None, None]
    estimate = np.zeros((len(strides), POINTS, OUTPUTS), np.float32)
    reference = (size * rng.standard_normal(estimate.shape)).astype(np.float32)
    fitted = fit_spread(estimate, reference, strides).base
    inside = np.quantile(np.abs(reference), COVERAGE)
    assert float(fitted.mean()) > 2.0 * inside


def test_the_score_of_what_training_people_do_is_low_and_of_what_nobody_does_high() -> None:
    strides = made_up({"a": 12, "b": 12, "c": 12})
    movement = fit_movement(strides, chances(strides), 6)
    held = [strides.person == person for person in strides.people]
    score = cycle_score(strides, movement, 1.0, held)
    angles, stride_s = (torch.from_numpy(a) for a in (strides.angles_deg, strides.stride_s))
    stride_s = stride_s[:, None]
    usual = score(movement(angles, stride_s))
    assert usual.shape == (len(strides), 1)
    assert float(usual.median()) < 0.9
    for strange in ((4.0 * angles, stride_s), (angles, stride_s / 4.0), (angles + 90.0, stride_s)):
        assert float(score(movement(*strange)).median()) > 1.0


def test_a_sample_nobody_would_show_scores_high() -> None:
    strides = made_up({"a": 12, "b": 12, "c": 12})
    network = SampleNetwork(8).eval()
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
    networks = [SampleNetwork(8).eval() for _ in range(2)]
    scales = 5.0 * torch.randn(SEEN), 0.5 + 5.0 * torch.rand(SEEN)
    for network in networks:
        network.seen_mean, network.seen_sd = scales
        network.target_mean, network.target_sd = torch.randn(OUTPUTS), torch.rand(OUTPUTS)
    networks[1].target_mean, networks[1].target_sd = networks[0].target_mean, networks[0].target_sd
    spread = Spread(torch.ones(OUTPUTS), torch.zeros(OUTPUTS))
    score = OutOfRangeScore(rng.normal(size=20), rng.normal(size=(20, 20)))
    step = SampleStep(networks, spread, score).eval()
    angles = torch.randn(1, 200, 10).cumsum(1)
    whole = torch.stack([network(angles) for network in networks]).mean(0)
    seen = networks[0].see(angles)
    change = networks[0].change(seen, torch.cat([seen[:, :1], seen[:, :-1]], 1))
    far = score(torch.cat([seen[..., :10], change[..., :10]], -1))
    states = [torch.zeros(1, size) for size in step.state_sizes.values()]
    for i in range(angles.shape[1]):
        moments, forces, _, _, scored, *states = step(angles[:, i : i + 1], *states)
        torch.testing.assert_close(moments[0, 0], whole[0, i, :3], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(forces[0, 0], whole[0, i, 3:].relu(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(scored, far[:, i], atol=1e-4, rtol=1e-4)
    assert forces.shape[-1] == len(MUSCLES)


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
    network = SampleNetwork(8).eval()
    quick = 10.0 * torch.randn(1, 150, 10)
    now, last = quick[:, 100:], quick[:, 99:100]
    loads = network(quick, 100)
    assert loads.shape == (1, 50, OUTPUTS)
    # The sample before the first that counts is the same: what differs is only of late.
    quiet = torch.cat([last.expand(-1, 100, -1), now], 1)
    assert not torch.allclose(loads, network(quiet, 100), atol=1e-3)
    still = torch.cat([now[:, :1].expand(-1, 100, -1), now], 1)
    assert not torch.allclose(network(still, 100), network(now), atol=1e-3)


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


def test_what_a_build_changes_is_learnt_from_people_left_out_and_shrunk() -> None:
    """Each is heavier or lighter than usual, and bears in proportion more than their angles say."""
    strides = made_up({"lab": 12})
    person = np.arange(len(strides)) // 4
    heavier = np.linspace(-0.25, 0.25, 12)[person]
    height_m = np.linspace(1.55, 1.95, 12)[person].astype(np.float32)
    slope = np.sin(np.arange(POINTS))[:, None] * np.ones(OUTPUTS)
    added = heavier[:, None, None] * slope
    taller = (height_m / 1.7)[:, None, None]
    known = dataclasses.replace(
        strides,
        moments=((strides.moments + added[..., :3]) * taller).astype(np.float32),
        forces=(strides.forces + added[..., 3:]).astype(np.float32),
        body_mass_kg=(22.0 * np.exp(heavier) * height_m**2).astype(np.float32),
        body_height_m=height_m,
    )
    shown: list[tuple[set[str], set[str]]] = []

    def without_build(rest: Strides, held: Strides) -> Array:
        shown.append((set(rest.people), set(held.people)))
        return strides.take(strides.person == held.person[0]).loads

    build = fit_build(known, without_build)
    assert build is not None
    assert all(len(held) == 1 and not rest & held for rest, held in shown)
    assert build.usual == pytest.approx(22.0, rel=1e-3)
    squares = (np.linspace(-0.25, 0.25, 12) ** 2).sum()
    np.testing.assert_allclose(build.slope, slope * squares / (squares + PRIOR), atol=1e-3)
    # Whoever is beyond all of them is taken for the heaviest, and somebody unknown for usual.
    one = known.take(np.zeros(4, int))
    mass_kg = np.array([22.0, 22.0 * np.exp(0.25), 90.0, np.nan]) * one.body_height_m**2
    others = dataclasses.replace(one, body_mass_kg=mass_kg.astype(np.float32))
    usual, heaviest, beyond, unknown = build.added(others)
    assert abs(usual).max() < 1e-4
    np.testing.assert_allclose(heaviest, 0.25 * build.slope, atol=1e-3)
    np.testing.assert_allclose(beyond, heaviest, atol=1e-3)
    assert not unknown.any()


def test_no_build_is_made_of_nobodys_mass() -> None:
    strides = made_up({"lab": 4})
    assert fit_build(strides, lambda rest, held: held.loads) is None
