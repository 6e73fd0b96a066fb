"""The per-sample network: ten angles in, one hip's loads out at once, memory carried along.

One gated recurrent layer (GRU) at :data:`RATE_HZ` on angles, on where they put the feet, on how
both change from sample to sample, and on how lively each was of late. Time, which moments need,
comes in through those differences; the walk's pace, which a short memory would have to guess,
through their mean size.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import ANGLES
from edgehip_export.default_cycle import OUTPUTS, SEEN, VELOCITY_SCALE
from edgehip_export.default_features import SEGMENTS, foot_path, path_weight
from edgehip_export.default_score import OutOfRangeScore
from edgehip_export.default_spread import Answer, Spread

RATE_HZ = 100.0
PER_S = RATE_HZ / VELOCITY_SCALE
"""From a difference of two samples in a row to a rate of change."""

ROW = SEEN + 1
"""What a step knows of each angle and path, and one number more."""

RECENT_S = 1.5
"""Time constant of what was of late: longer than a stride, shorter than a walk at one pace."""

STILL = 1e-4
"""Added to each square: the root of nothing is infinitely steep, and denormal numbers are slow."""


class SampleNetwork(nn.Module):
    """The network over whole sequences, as it is trained.

    Parameters
    ----------
    width
        Units of the recurrent layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.memory = nn.GRU(3 * SEEN, width, batch_first=True)
        self.leave = nn.Linear(width, OUTPUTS)
        for name, columns in (("seen", SEEN), ("target", OUTPUTS)):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_sd", torch.ones(columns))
        self.seen_mean: Tensor
        self.seen_sd: Tensor
        self.target_mean: Tensor
        self.target_sd: Tensor

    def forward(self, angles_deg: Tensor, past: int = 0) -> Tensor:
        """Return loads (B, T - past, 17) for angles (B, T, 10); forces may come out below zero.

        Of the first ``past`` samples nothing but how lively they were is remembered.
        """
        seen = self.see(angles_deg)
        before = torch.cat([seen[:, :1], seen[:, :-1]], 1)
        change = self.change(seen, before)
        recent = [torch.zeros(len(seen), ROW)]
        for now in functional.pad(change, (0, 1)).unbind(1):
            recent.append(remember(recent[-1], now))
        lively = liveliness(torch.stack(recent[1:], 1))[..., :SEEN]
        hidden, _ = self.memory(torch.cat([seen, change, lively], -1)[:, past:])
        return self.loads(hidden)

    def see(self, angles_deg: Tensor) -> Tensor:
        """Return scaled angles and foot paths (..., 18)."""
        seen = torch.cat([angles_deg, foot_path(angles_deg)], -1)
        return (seen - self.seen_mean) / self.seen_sd

    def change(self, seen: Tensor, before: Tensor) -> Tensor:
        """Return the rates of change between two samples in a row."""
        return (seen - before) * PER_S

    def loads(self, hidden: Tensor) -> Tensor:
        """Return moments (Nm/kg) and forces (N/kg) side by side (..., 17)."""
        loads: Tensor = self.leave(hidden) * self.target_sd + self.target_mean
        return loads


def remember(recent: Tensor, change: Tensor) -> Tensor:
    """Return what is known of late (B, ROW) after one more change (B, ROW), which ends in a 0.

    That are running means of the squares and, to divide them by, of a 1 in each sample's place.
    """
    now = change * change + _ADDED
    return recent + (now - recent) * (1.0 / (RECENT_S * RATE_HZ))


def liveliness(recent: Tensor) -> Tensor:
    """Return the root mean square (..., ROW) of the changes of late, and a 1."""
    return torch.sqrt(recent / recent[..., SEEN:])


class SampleStep(nn.Module):
    """One sample of several networks, whose answers are averaged, with explicit state.

    The state is all zero at the beginning: ``hidden`` (1, N * width), ``before`` (1, ROW), the
    sample before as the networks see it and a 1 that says there was one, and ``recent`` (1, ROW),
    see :func:`remember`. A call costs an engine more for each node of its graph than for the
    arithmetic: the networks' weights lie side by side, rows stay whole, and what is linear in them
    is one product. All numbers of a row are of a size, as 8-bit products ask of them.

    Parameters
    ----------
    networks
        Trained alike, on the same people, so of the same scales.
    spread
        Of the loads' interval.
    score
        Makes the out-of-range score (B, 1) of scaled angles and of their changes (B, 20).
    """

    def __init__(
        self, networks: Sequence[SampleNetwork], spread: Spread, score: OutOfRangeScore
    ) -> None:
        super().__init__()
        first = networks[0]
        self.answer = Answer(spread)
        self.networks = len(networks)
        self.width = first.memory.hidden_size
        layers = [network.memory.all_weights[0] for network in networks]
        weight_in, weight_back, bias_in, bias_back = (
            torch.stack([layer[part] for layer in layers]).detach() for part in range(4)
        )
        with torch.no_grad():
            leave = torch.cat([network.leave.weight for network in networks], 1)
            bias = torch.stack([network.leave.bias for network in networks]).mean(0)
            scale = first.target_sd
            leave = leave * scale[:, None] / self.networks
            bias = bias * scale + first.target_mean
        angles = len(ANGLES)
        judged = (score.weight[:, :angles], score.weight[:, angles:])
        for name, value in (
            ("segments", SEGMENTS),
            ("weight_see", functional.pad(path_weight() / first.seen_sd[:, None], (0, 0, 0, 1))),
            ("bias_see", functional.pad(-first.seen_mean / first.seen_sd, (0, 1), value=1.0)),
            ("weight_in", _rows(weight_in.reshape(-1, 3, SEEN))),
            ("bias_in", bias_in.flatten()),
            ("weight_back", weight_back.transpose(1, 2).contiguous()),
            ("bias_back", bias_back[:, None]),
            ("weight_out", leave),
            ("bias_out", bias),
            ("weight_score", _rows(torch.stack([*judged, torch.zeros_like(judged[0])], 1))),
            ("bias_score", score.bias),
        ):
            self.register_buffer(name, value)
        self.segments: Tensor
        self.weight_see: Tensor
        self.bias_see: Tensor
        self.weight_in: Tensor
        self.bias_in: Tensor
        self.weight_back: Tensor
        self.bias_back: Tensor
        self.weight_out: Tensor
        self.bias_out: Tensor
        self.weight_score: Tensor
        self.bias_score: Tensor

    @property
    def state_sizes(self) -> dict[str, int]:
        """Name and length of each state, in the order of the arguments and of the outputs."""
        return {"hidden": self.networks * self.width, "before": ROW, "recent": ROW}

    def forward(
        self, angles_deg: Tensor, hidden: Tensor, before: Tensor, recent: Tensor
    ) -> tuple[Tensor, ...]:
        """Return moments, forces, the spread of each, the score, and the next states."""
        angles = angles_deg[:, 0]
        pitch = angles @ self.segments
        waves = torch.cat([angles, torch.sin(pitch), torch.cos(pitch)], -1)
        seen = functional.linear(waves, self.weight_see, self.bias_see)
        change = (seen - before) * (PER_S * before[:, SEEN:])
        recent = remember(recent, change)
        rows = torch.cat([seen, change, liveliness(recent)], -1)
        hidden = self._gate(rows, hidden)
        loads = functional.linear(hidden, self.weight_out, self.bias_out)[:, None]
        score = functional.linear(rows, self.weight_score, self.bias_score)
        far = torch.linalg.vector_norm(score, dim=-1, keepdim=True)
        return (*self.answer(loads), far, hidden, seen, recent)

    def _gate(self, rows: Tensor, hidden: Tensor) -> Tensor:
        """Return the next hidden state (Cho et al. 2014, as PyTorch has it), all networks' (1, -1).

        Gates are (networks, 1, 3 width): reset, update, new.
        """
        parts = [2 * self.width, self.width]
        old = hidden.reshape(self.networks, 1, self.width)
        into = functional.linear(rows, self.weight_in, self.bias_in)
        into_gates, into_new = torch.split(into.reshape(self.networks, 1, -1), parts, -1)
        back = old @ self.weight_back + self.bias_back
        back_gates, back_new = torch.split(back, parts, -1)
        reset, update = torch.chunk(torch.sigmoid(into_gates + back_gates), 2, -1)
        new = torch.tanh(into_new + reset * back_new)
        return (new + update * (old - new)).reshape(1, -1)


def _rows(weight: Tensor) -> Tensor:
    """Return weights (M, 3, C) of the columns that rows begin with as weights (M, 3 ROW) of all."""
    return functional.pad(weight, (0, ROW - weight.shape[-1])).flatten(1)


_ADDED = torch.tensor([STILL] * SEEN + [1.0])
