"""The kernel member of the whole-cycle model, and what it is averaged with."""

import dataclasses

import numpy as np
import torch

from edgehip.channels import ANGLES
from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_ensemble import CycleEnsemble
from edgehip_export.default_fit import chances
from edgehip_export.default_kernel import KernelCycle, KernelProtocol, fit_kernel
from edgehip_export.default_student import Student
from edgehip_export.strides import POINTS
from tests.made_up_strides import MECHANICS, MUTE, OUTPUTS, batch, made_up


def estimated(
    member: KernelCycle, angles_deg: torch.Tensor, stride_s: torch.Tensor
) -> torch.Tensor:
    with torch.no_grad():
        return MUTE.network.at_points(member(angles_deg, stride_s))


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
    ensemble = CycleEnsemble(CycleNetwork().eval(), member)
    stride_s = torch.from_numpy(strides.stride_s[:1])[:, None]
    known = torch.from_numpy(strides.angles_deg[:1])
    shares = []
    for angles in (known, 2.0 * known, 4.0 * known):
        with torch.no_grad():
            told = ensemble(angles, stride_s)
            alike = member.at_points(angles, stride_s)
            learnt = ensemble.network(angles, stride_s)
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
