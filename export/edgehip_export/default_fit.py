"""Fitting the networks of edgehip's own models to a few people, without learning them by heart."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgehip.channels import ANGLES, MOMENTS
from edgehip_export.augmentation import Augmentation, Batch, disturb, mix
from edgehip_export.default_cycle import CycleNetwork
from edgehip_export.default_features import foot_path
from edgehip_export.default_legendre import LegendreNetwork
from edgehip_export.default_sample import RATE_HZ, RecurrentNetwork, SampleNetwork
from edgehip_export.default_student import Student
from edgehip_export.default_teacher import TeacherStrides
from edgehip_export.default_walks import walk_on, with_standing
from edgehip_export.strides import Strides, close_cycles


@dataclass(frozen=True)
class Protocol:
    """How long and on what a network is trained.

    ``teacher_share`` is the share of strides nobody walked, with a teacher's labels;
    ``standing_share`` that of walks that begin or end in standing. A sample network learns from
    ``samples`` in a row, of which the first ``warm_up`` do not count where it is already walking.
    In a ``warm_share`` of batches up to ``past`` samples went before, at a pace that was another
    by a factor (its logarithm's SD is ``pace``). What learns from lessons alone has ``lessons`` of
    them.
    """

    steps: int
    batch: int = 32
    rate: float = 5e-3
    weight_decay: float = 1e-2
    averaging: float = 0.99
    teacher_share: float = 0.9
    augmentation: Augmentation = field(default_factory=Augmentation)
    standing_share: float = 0.15
    samples: int = 220
    warm_up: int = 60
    warm_share: float = 0.6
    past: int = 400
    pace: float = 0.15
    lessons: int = 20_000


STUDENT: Final = Protocol(steps=400, batch=64, weight_decay=1e-3)
DISTILLED: Final = Protocol(steps=2400, rate=3e-3)
RECURRENT: Final = Protocol(steps=600, augmentation=Augmentation(offset_deg=3.0, noise_deg=0.2))
"""Its teacher knows the people: most of what is learnt are strides between and beyond them."""

PUPIL: Final = Protocol(
    steps=2500,
    rate=3e-3,
    weight_decay=1e-3,
    augmentation=Augmentation(offset_deg=3.0),
    samples=330,
    warm_up=110,
    lessons=40_000,
)
"""It learns from lessons alone, whose zeros are wrong already; only standing is moved."""

Lend = Callable[[int, torch.Generator], Batch]
"""Gives so many closed cycles with a teacher's loads."""

Draw = Callable[[Protocol, torch.Generator], Batch]
"""Gives a batch of closed cycles as a protocol asks for it."""

Network = TypeVar("Network", CycleNetwork, RecurrentNetwork, LegendreNetwork)
Sampling = TypeVar("Sampling", RecurrentNetwork, LegendreNetwork)


@dataclass(frozen=True)
class Pose:
    """Quiet standing: ``angles_deg`` (10,) and the ``loads`` (17,) it asks of a hip."""

    angles_deg: Tensor
    loads: Tensor


class Material:
    """What one network learns from: people's strides drawn with fair chances, and the teacher's."""

    def __init__(self, strides: Strides, lend: Lend) -> None:
        self.real = Batch(
            torch.from_numpy(close_cycles(strides.angles_deg)),
            torch.from_numpy(close_cycles(strides.loads)),
            torch.from_numpy(strides.stride_s),
        )
        self.lend = lend
        self.common_mean_deg = torch.from_numpy(strides.mean_angles_deg)
        self._chance = torch.from_numpy(chances(strides))

    def draw(self, protocol: Protocol, random: torch.Generator) -> Batch:
        """Return a batch of disturbed strides."""
        taught = round(protocol.teacher_share * protocol.batch)
        real = protocol.batch - taught
        rows = torch.multinomial(self._chance, 2 * real, replacement=True, generator=random)
        mixed = mix(
            self.real.take(rows[:real]),
            self.real.take(rows[real:]),
            protocol.augmentation,
            random,
        )
        lent = self.lend(taught, random)
        whole = Batch(
            torch.cat([mixed.angles_deg, lent.angles_deg]),
            torch.cat([mixed.loads, lent.loads]),
            torch.cat([mixed.stride_s, lent.stride_s]),
        )
        return disturb(whole, self.common_mean_deg, protocol.augmentation, random)


def fit_student(
    teacher: TeacherStrides, common_mean_deg: Tensor, protocol: Protocol, seed: int
) -> Student:
    """Return what says of strides what the teacher says, in eval mode."""
    torch.manual_seed(seed)
    network = CycleNetwork()
    set_scales(network, teacher.strides)
    student = Student(network, common_mean_deg)

    def errors(random: torch.Generator) -> tuple[Tensor, Tensor]:
        some = teacher.lend(protocol.batch, random)
        return network.at_points(student(some.angles_deg, some.stride_s[:, None])), some.loads

    return Student(_fit(network, errors, protocol, seed), common_mean_deg).eval()


def distil(lessons: Batch, protocol: Protocol, seed: int) -> CycleNetwork:
    """Return what says of strides what the lessons say, in eval mode."""
    torch.manual_seed(seed)
    network = CycleNetwork(dropout=0.0)  # of so many lessons nothing is learnt by heart
    set_scales(network, lessons)

    def errors(random: torch.Generator) -> tuple[Tensor, Tensor]:
        some = lessons.draw(protocol.batch, random)
        return network(some.angles_deg, some.stride_s[:, None]), some.loads

    return _fit(network, errors, protocol, seed)


def fit_recurrent(
    material: Material, pose: Pose, protocol: Protocol, seed: int
) -> RecurrentNetwork:
    """Return a per-sample network that learnt of people and a teacher, in eval mode."""
    torch.manual_seed(seed)
    network = RecurrentNetwork()
    set_scales(network, material.real)
    return fit_sample(network, material.draw, pose, protocol, seed)


def teach(
    lessons: Batch, pose: Pose, protocol: Protocol, seed: int, look_ahead_s: float = 0.0
) -> LegendreNetwork:
    """Return a per-sample network that learnt from lessons alone, in eval mode.

    With ``look_ahead_s`` above zero it answers for the sample that long ago.
    """
    torch.manual_seed(seed)
    network = LegendreNetwork()
    set_scales(network, lessons)

    def draw(protocol: Protocol, random: torch.Generator) -> Batch:
        return lessons.draw(protocol.batch, random)

    return fit_sample(network, draw, pose, protocol, seed, look_ahead_s)


def fit_sample(
    network: Sampling,
    draw: Draw,
    pose: Pose,
    protocol: Protocol,
    seed: int,
    look_ahead_s: float = 0.0,
) -> Sampling:
    """Return a per-sample network fitted to walks of the drawn strides, in eval mode."""
    late = round(look_ahead_s * RATE_HZ)

    def errors(random: torch.Generator) -> tuple[Tensor, Tensor]:
        batch = draw(protocol, random)
        strides = len(batch.stride_s)
        warm = bool(torch.rand(1, generator=random) < protocol.warm_share)
        past = int(torch.randint(1, protocol.past, (1,), generator=random)) if warm else 0
        phase = torch.rand(strides, generator=random)
        pace = torch.exp(protocol.pace * torch.randn(strides, generator=random))
        length = past, protocol.samples + late
        angles, loads = walk_on(batch, pace * batch.stride_s, phase, length, RATE_HZ)
        some = round(protocol.standing_share * strides)
        zero = 0.7 * protocol.augmentation.offset_deg
        standing = pose.angles_deg + zero * torch.randn(some, len(ANGLES), generator=random)
        stopped = with_standing(
            (angles[:some], loads[:some]),
            (standing, pose.loads.expand(some, -1)),
            RATE_HZ,
            random,
        )
        angles, loads = (
            torch.cat([part, whole[some:]])
            for part, whole in zip(stopped, (angles, loads), strict=True)
        )
        wanted = loads[:, past : past + protocol.samples].clone()
        # From a cold start only a standing person can be answered well at once.
        wanted[0 if past else some :, : protocol.warm_up] = torch.nan
        return network(angles, past)[:, late:], wanted

    return _fit(network, errors, protocol, seed)


def _fit(
    network: Network,
    errors: Callable[[torch.Generator], tuple[Tensor, Tensor]],
    protocol: Protocol,
    seed: int,
) -> Network:
    """Minimise the error; return the running average of the weights (Polyak and Juditsky 1992)."""
    random = torch.Generator().manual_seed(seed)
    weight = _weights(network.target_sd)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=protocol.rate, weight_decay=protocol.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, protocol.rate, total_steps=protocol.steps, pct_start=0.15
    )
    average = copy.deepcopy(network)
    for step in range(protocol.steps):
        loads, wanted = errors(random)
        known = torch.isfinite(wanted)
        squared = (loads - wanted.nan_to_num()) ** 2 * weight * known
        optimizer.zero_grad()
        torch.autograd.backward(squared.sum() / known.sum())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        keep = min(protocol.averaging, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, current in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(current, 1.0 - keep)
    return average.eval()


def _weights(target_sd: Tensor) -> Tensor:
    """Return what a squared error of each output counts (17,).

    Between Nm/kg and its own SD: a large load matters more than a small one, though not by its
    square. Moments together count as much as forces together.
    """
    weight = 1.0 / target_sd
    split = len(MOMENTS)
    whole = weight * target_sd**2
    halves = [weight[:split] / whole[:split].sum(), weight[split:] / whole[split:].sum()]
    return torch.cat(halves) * len(target_sd) / 2.0


def set_scales(network: "CycleNetwork | SampleNetwork", strides: Batch) -> None:
    """Give the network the strides' means and spreads."""
    loads = strides.loads.flatten(0, 1)
    mean = torch.nanmean(loads, 0)
    network.target_mean.copy_(mean)
    network.target_sd.copy_(torch.nanmean((loads - mean) ** 2, 0).sqrt())
    angles = strides.angles_deg
    seen = torch.cat([angles, foot_path(angles)], -1)
    network.seen_mean.copy_(seen.mean((0, 1)))
    network.seen_sd.copy_((seen - seen.mean(1, keepdim=True)).std((0, 1)))


def chances(strides: Strides) -> NDArray[np.float64]:
    """Return each stride's chance of being drawn.

    A person's strides share one chance, and a laboratory's people share the square root of their
    number: a laboratory weighs more than one person of it, less than all of them.
    """
    chance = np.empty(len(strides))
    for lab in strides.labs:
        people = set(strides.person[strides.lab == lab])
        for person in people:
            own = strides.person == person
            chance[own] = len(people) ** -0.5 / own.sum()
    total: float = chance.sum()
    return np.asarray(chance / total)
