"""The kernel member of the whole-cycle model: what people who move alike had to bear.

A Gaussian process (Rasmussen and Williams 2006, ch. 2) over whole strides. Its covariance is the
sum of a linear part, which carries on where nobody has walked, and of a Gaussian one, which follows
the training people where there are some. Strides of one person share what is that person's own, so
that many strides of few people do not pass for many people. Expected before anybody is known is a
share of the moments that mechanics makes, and half of what the student says. How forces follow from
mechanics is learnt, point by point. For forces, posture counts more than for moments: it makes the
muscles' lengths and lever arms.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgehip.channels import ANGLES, MOMENTS, MUSCLES, angles_of
from edgehip_export.default_cycle import GRID, OUTPUTS, grid_matrices
from edgehip_export.default_features import PACE, pace
from edgehip_export.default_mechanics import SIGNALS, Mechanics
from edgehip_export.default_student import Student
from edgehip_export.strides import POINTS, Strides, close_cycles

EVERY = 6
"""A curve is compared at each sixth of its points: gait has little between them."""

SEEN = len(ANGLES) * (1 + POINTS // EVERY) + PACE

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class KernelProtocol:
    """The covariance of loads in units of their own variance.

    Parameters
    ----------
    linear, gaussian
        What the two parts contribute.
    length
        Of the Gaussian part, in SDs of a stride.
    noise, person
        Variance of a single stride, and of what all strides of a person share.
    ankle, rotation, other_leg
        What a difference of ankles, of hip rotations or of anything of the other leg counts beside
        one of the hip and the knee whose loads these are.
    zero
        What a difference of two strides' mean angles counts beside one of their curves, for moments
        and for forces: the zero of an angle is a laboratory's habit or a sensor's error more often
        than a way of walking.
    pace
        What one SD of the stride's duration counts.
    mechanics
        What one SD of all of mechanics' signals at a point contributes to the forces there.
    student
        Share of the student's answer in what is expected before anybody is known.
    """

    linear: float = 0.7
    gaussian: float = 0.7
    length: float = 0.8
    noise: float = 0.1
    person: float = 0.1
    ankle: float = 0.5
    rotation: float = 0.5
    other_leg: float = 0.6
    zero: tuple[float, float] = (0.3, 0.5)
    pace: float = 0.2
    mechanics: float = 0.05
    student: float = 0.5

    def relevance(self) -> Tensor:
        """Return what a difference of each angle counts (10,)."""
        counts = torch.ones(len(ANGLES))
        _, _, rotation_r, _, ankle_r = angles_of("r")
        _, _, rotation_l, _, ankle_l = other_leg = angles_of("l")
        counts[[ankle_r, ankle_l]] *= self.ankle
        counts[[rotation_r, rotation_l]] *= self.rotation
        counts[list(other_leg)] *= self.other_leg
        return counts


class KernelCycle(nn.Module):
    """Loads from a stride's likeness to training strides.

    Parameters
    ----------
    strides
        How many of them there are.
    protocol
        The covariance.
    mechanics
        What angles say of every body.
    student
        Whose answer is expected in part.
    """

    def __init__(
        self,
        strides: int,
        protocol: KernelProtocol,
        mechanics: Mechanics,
        student: Student,
    ) -> None:
        super().__init__()
        self.protocol = protocol
        self.mechanics = mechanics
        self.student = student
        for name, shape in (
            ("centre", (POINTS // EVERY, len(ANGLES))),
            ("sd", (len(ANGLES),)),
            ("known", (strides, SEEN)),
            ("weight_moments", (strides, GRID * len(MOMENTS))),
            ("weight_forces", (strides, GRID * len(MUSCLES))),
            ("bias", (GRID, OUTPUTS)),
            ("slope", (GRID, SIGNALS, OUTPUTS)),
            ("likeness", (len(protocol.zero), strides, strides + 1)),
            ("unlike", (len(protocol.zero),)),
        ):
            self.register_buffer(name, torch.zeros(shape))
        relevance = protocol.relevance()
        counts = torch.ones(len(protocol.zero), SEEN)
        counts[:, : len(ANGLES)] = torch.tensor(protocol.zero)[:, None] * relevance
        counts[:, len(ANGLES) : -PACE] = relevance.repeat(POINTS // EVERY)
        counts = counts**2
        self.register_buffer("counts", counts, persistent=False)
        self.register_buffer("ramp", torch.linspace(-0.5, 0.5, POINTS)[:, None], persistent=False)
        self.counts: Tensor
        self.ramp: Tensor
        self.centre: Tensor
        self.sd: Tensor
        self.known: Tensor
        self.weight_moments: Tensor
        self.weight_forces: Tensor
        self.bias: Tensor
        self.slope: Tensor
        self.likeness: Tensor
        self.unlike: Tensor
        self.slope.copy_(mechanics.share)

    def forward(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, GRID, 17) for angles (B, 180, 10) and durations (B, 1)."""
        return self.with_variance(angles_deg, stride_s)[0]

    def with_variance(self, angles_deg: Tensor, stride_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return loads (B, GRID, 17), and the variance (B, 1, 17) of what they miss.

        It is in units of the variance there is before anybody is known, and the same for all
        moments, and for all forces (Rasmussen and Williams 2006, eq. 2.42: the mean is unknown).
        """
        seen = self.see(angles_deg, stride_s)
        signals: Tensor = self.mechanics(angles_deg, stride_s)
        parts, variances = [], []
        for kind, weight in enumerate((self.weight_moments, self.weight_forces)):
            counts = self.counts[kind]
            covaries = self.covariance(seen, self.known, counts)
            parts.append((self._centred(covaries) @ weight).reshape(len(seen), GRID, -1))
            own = self.protocol.linear * (seen * seen * counts).sum(-1, keepdim=True)
            variance = self._variance(own + self.protocol.gaussian, covaries, kind)
            variances.append(variance[:, None].expand(-1, -1, parts[-1].shape[-1]))
        learnt = torch.cat(parts, -1) + self.bias
        learnt = learnt + (signals[:, :, None] @ self.slope).squeeze(2)
        told: Tensor = self.student(angles_deg, stride_s)
        return learnt + self.protocol.student * told, torch.cat(variances, -1)

    def at_points(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return loads (B, 180, 17) at the strides' points."""
        return self.student.network.at_points(self(angles_deg, stride_s))

    def _centred(self, covaries: Tensor) -> Tensor:
        """Return the covariance with the known strides, less its mean over them.

        The weights sum to zero, so that changes nothing but what is lost by rounding them.
        """
        return covaries - covaries.mean(-1, keepdim=True)

    def _variance(self, own: Tensor, covaries: Tensor, kind: int) -> Tensor:
        """Return what of strides' own variance (B, 1) the known ones (B, N) leave open (B, 1)."""
        alike = covaries @ self.likeness[kind]
        told, mean = alike[:, :-1], alike[:, -1:]
        left = own - (told * told).sum(-1, keepdim=True) + (self.unlike[kind] - mean) ** 2
        return torch.relu(left)

    def see(self, angles_deg: Tensor, stride_s: Tensor) -> Tensor:
        """Return means and curves (B, SEEN), so scaled that two strides differ by their distance.

        What each of them counts is not yet in it.
        """
        closed = angles_deg - (angles_deg[:, -1:] - angles_deg[:, :1]) * self.ramp
        off = (closed[:, ::EVERY] - self.centre) / self.sd
        mean = off.mean(1, keepdim=True)
        curve = (off - mean).flatten(1) / (POINTS // EVERY) ** 0.5
        angles = torch.cat([mean[:, 0], curve], -1) / len(ANGLES) ** 0.5
        return torch.cat([angles, pace(stride_s) * self.protocol.pace], -1)

    def covariance(self, seen: Tensor, other: Tensor, counts: Tensor) -> Tensor:
        """Return the covariance (B, C) of the loads of strides seen as (B, SEEN) and (C, SEEN).

        ``counts`` (SEEN,) is what the square of each difference counts.
        """
        weighed = seen * counts
        product = weighed @ other.T
        size, other_size = (weighed * seen).sum(-1), (other * counts * other).sum(-1)
        apart = torch.relu(size[:, None] + other_size - 2.0 * product)
        near = torch.exp(apart * (-0.5 / self.protocol.length**2))
        return self.protocol.linear * product + self.protocol.gaussian * near


def fit_kernel(
    strides: Strides,
    chance: NDArray[np.float64],
    protocol: KernelProtocol,
    mechanics: Mechanics,
    student: Student,
) -> KernelCycle:
    """Return a kernel fitted to some people; each stride counts as its ``chance`` (N,)."""
    member = KernelCycle(len(strides), protocol, mechanics, student)
    angles = close_cycles(strides.angles_deg)
    curves = angles[:, ::EVERY].astype(np.float64)
    centre = np.tensordot(chance, curves, 1)
    sd = np.sqrt(np.tensordot(chance, ((curves - centre) ** 2).mean(1), 1))
    member.centre.copy_(torch.from_numpy(centre))
    member.sd.copy_(torch.from_numpy(sd))
    shown = torch.from_numpy(angles), torch.from_numpy(strides.stride_s)[:, None]
    member.known.copy_(member.see(*shown))
    with torch.no_grad():  # it has learnt nothing yet
        expected = member(*shown).double().numpy()
        signals = mechanics(*shown).double().numpy()
    usual = np.tensordot(chance, signals, 1)
    signals -= usual
    size = SIGNALS**0.5 * np.sqrt(np.tensordot(chance, (signals**2).mean(1), 1))
    said = (signals / size).swapaxes(0, 1)
    known = member.known.double()
    same = strides.person[:, None] == strides.person
    own = protocol.person * same + np.diag(protocol.noise / (chance * len(strides)))
    of_moments, of_forces = (
        member.covariance(known, known, counts).numpy() + own for counts in member.counts
    )
    linear = protocol.mechanics * said @ said.swapaxes(1, 2)
    smooth, _ = grid_matrices()
    weight = np.zeros((len(strides), GRID, OUTPUTS))
    bias = np.empty((GRID, OUTPUTS))
    for kind, (place, loads, alike, covaries) in enumerate(
        (
            (slice(None, len(MOMENTS)), strides.moments, of_moments, of_moments),
            (slice(len(MOMENTS), None), strides.forces, of_forces, of_forces + linear),
        )
    ):
        there = np.isfinite(loads).all((1, 2))
        likeness = np.zeros((len(strides), len(strides) + 1))
        told, unlike = _likeness(alike[there][:, there])
        likeness[np.ix_(there, np.append(there, True))] = told
        member.likeness[kind].copy_(torch.from_numpy(likeness))
        member.unlike[kind] = unlike
        grid = (smooth @ torch.from_numpy(close_cycles(loads[there]))).double().numpy()
        off = (grid - expected[there, :, place]).swapaxes(0, 1)
        slope, bias[:, place] = _solve(covaries[..., there, :][..., there], off)
        weight[there, :, place] = slope.swapaxes(0, 1)
    # What is linear in the signals needs no likeness to anybody: one slope holds it.
    slope = protocol.mechanics * said.swapaxes(1, 2) @ weight.swapaxes(0, 1) / size[:, None]
    slope[..., : len(MOMENTS)] = 0.0
    bias -= (usual[:, None] @ slope)[:, 0]
    member.slope.add_(torch.from_numpy(slope))
    for part, place in (
        (member.weight_moments, slice(None, len(MOMENTS))),
        (member.weight_forces, slice(len(MOMENTS), None)),
    ):
        part.copy_(torch.from_numpy(weight[..., place].reshape(len(strides), -1)))
    member.bias.copy_(torch.from_numpy(bias))
    return member.eval()


def _solve(covariance: Matrix, loads: Matrix) -> tuple[Matrix, Matrix]:
    """Return the weights (G, N, M) and the most likely mean (G, M) of loads (G, N, M)."""
    ones = np.ones((*loads.shape[:2], 1))
    both = np.linalg.solve(covariance, np.concatenate([loads, ones], -1))
    mean = both[..., :-1].sum(1) / both[..., -1].sum(1)[:, None]
    return both[..., :-1] - both[..., -1:] * mean[:, None], mean


def _likeness(covariance: Matrix) -> tuple[Matrix, float]:
    """Return what makes of covariances with N strides what these tell of another: (N, N + 1).

    Squares of the first N columns' sum is the variance they explain; the last column, and the
    number it is compared with, are of the mean, which is known from them alone.
    """
    inverse = np.linalg.inv(covariance)
    ones = inverse.sum(1)
    size = float(ones.sum()) ** 0.5
    return np.concatenate([np.linalg.cholesky(inverse), ones[:, None] / size], 1), 1.0 / size
