"""The per-sample network: ten angles in, one hip's loads out at once, memory carried along.

One gated recurrent layer (GRU) at :data:`RATE_HZ` on angles, on where they put the feet, and on how
both change from sample to sample: time, which moments need, comes in through those differences.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip_export.default_features import PATH_CHANNELS, foot_path
from edgehip_export.default_spread import Answer, Spread

RATE_HZ = 100.0
SEEN = len(ANGLES) + PATH_CHANNELS
OUTPUTS = len(MOMENTS) + len(MUSCLES)
VELOCITY_SCALE = 6.0
"""Typical ratio (1/s) of an angle's rate of change to its own SD."""


class SampleNetwork(nn.Module):
    """The network over whole sequences, as it is trained.

    Parameters
    ----------
    width
        Units of the recurrent layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.memory = nn.GRU(2 * SEEN, width, batch_first=True)
        self.leave = nn.Linear(width, OUTPUTS)
        for name, columns in (("seen", SEEN), ("target", OUTPUTS)):
            self.register_buffer(f"{name}_mean", torch.zeros(columns))
            self.register_buffer(f"{name}_sd", torch.ones(columns))
        self.seen_mean: Tensor
        self.seen_sd: Tensor
        self.target_mean: Tensor
        self.target_sd: Tensor

    def forward(self, angles_deg: Tensor) -> Tensor:
        """Return loads (B, T, 17) for angles (B, T, 10); forces may come out below zero."""
        seen = self.see(angles_deg)
        before = torch.cat([seen[:, :1], seen[:, :-1]], 1)
        hidden, _ = self.memory(torch.cat([seen, self.change(seen, before)], -1))
        return self.loads(hidden)

    def see(self, angles_deg: Tensor) -> Tensor:
        """Return scaled angles and foot paths (..., 18)."""
        seen = torch.cat([angles_deg, foot_path(angles_deg)], -1)
        return (seen - self.seen_mean) / self.seen_sd

    def change(self, seen: Tensor, before: Tensor) -> Tensor:
        """Return the rates of change between two samples in a row."""
        return (seen - before) * (RATE_HZ / VELOCITY_SCALE)

    def loads(self, hidden: Tensor) -> Tensor:
        """Return moments (Nm/kg) and forces (N/kg) side by side (..., 17)."""
        loads: Tensor = self.leave(hidden) * self.target_sd + self.target_mean
        return loads


class SampleStep(nn.Module):
    """One sample of several networks, whose answers are averaged, with explicit state.

    The state is all zero at the beginning: ``hidden`` (1, N * width), and ``before`` (1, 19), the
    sample before as the networks see it and a 1 that says there was one. The networks' weights lie
    side by side: a call costs an engine more for each node of its graph than for the arithmetic.

    Parameters
    ----------
    networks
        Trained alike, on the same people, so of the same scales.
    spread
        Of the loads' interval.
    score
        Makes the out-of-range score (B, 1) of what the networks see (B, 36).
    """

    def __init__(self, networks: Sequence[SampleNetwork], spread: Spread, score: nn.Module) -> None:
        super().__init__()
        first = networks[0]
        self.first = first
        self.answer = Answer(spread)
        self.score = score
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
            leave = (leave * scale[:, None] / self.networks).T.contiguous()
            bias = bias * scale + first.target_mean
        for name, value in (
            ("weight_in", weight_in.flatten(0, 1)),
            ("bias_in", bias_in.flatten()),
            ("weight_back", weight_back.transpose(1, 2).contiguous()),
            ("bias_back", bias_back[:, None]),
            ("weight_out", leave),
            ("bias_out", bias),
        ):
            self.register_buffer(name, value)
        self.weight_in: Tensor
        self.bias_in: Tensor
        self.weight_back: Tensor
        self.bias_back: Tensor
        self.weight_out: Tensor
        self.bias_out: Tensor

    @property
    def state_sizes(self) -> dict[str, int]:
        """Name and length of each state, in the order of the arguments and of the outputs."""
        return {"hidden": self.networks * self.width, "before": SEEN + 1}

    def forward(self, angles_deg: Tensor, hidden: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        """Return moments, forces, the spread of each, the score, and the next states."""
        seen = self.first.see(angles_deg[:, 0])
        started = before[:, SEEN:]
        change = self.first.change(seen, before[:, :SEEN]) * started
        features = torch.cat([seen, change], -1)
        after = self._remember(features, hidden)
        loads = (after @ self.weight_out + self.bias_out)[:, None]
        now = torch.cat([seen, torch.ones_like(started)], -1)
        return (*self.answer(loads), self.score(features), after, now)

    def _remember(self, features: Tensor, hidden: Tensor) -> Tensor:
        """Return the next hidden state (Cho et al. 2014, as PyTorch has it), all networks' (1, -1).

        Gates are (networks, 3, width): reset, update, new.
        """
        shape = (self.networks, 3, self.width)
        old = hidden.reshape(self.networks, 1, self.width)
        into = functional.linear(features, self.weight_in, self.bias_in).reshape(shape)
        back = (old @ self.weight_back + self.bias_back).reshape(shape)
        gates = torch.sigmoid(into[:, :2] + back[:, :2])
        new = torch.tanh(into[:, 2:] + gates[:, :1] * back[:, 2:])
        return (new + gates[:, 1:] * (old - new)).reshape(1, -1)
