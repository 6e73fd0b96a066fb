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

    def movement(self, seen: Tensor, change: Tensor) -> Tensor:
        """Return the angles and their rates of change (..., 20) of what the network sees."""
        return torch.cat([seen[..., : len(ANGLES)], change[..., : len(ANGLES)]], -1)

    def loads(self, hidden: Tensor) -> Tensor:
        """Return moments (Nm/kg) and forces (N/kg) side by side (..., 17)."""
        loads: Tensor = self.leave(hidden) * self.target_sd + self.target_mean
        return loads


class SampleStep(nn.Module):
    """One sample of several networks, whose answers are averaged, with explicit state.

    The state is all zero at the beginning: ``hidden`` (1, N * width), and ``before`` (1, 19), the
    sample before as the networks see it and a 1 that says there was one.

    Parameters
    ----------
    networks
        Trained alike, on the same people.
    spread
        Of the loads' interval.
    score
        Makes the out-of-range score (B, 1) of :meth:`SampleNetwork.movement`.
    """

    def __init__(self, networks: Sequence[SampleNetwork], spread: Spread, score: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.answer = Answer(spread)
        self.score = score
        self.width = networks[0].memory.hidden_size

    @property
    def state_sizes(self) -> dict[str, int]:
        """Name and length of each state, in the order of the arguments and of the outputs."""
        return {"hidden": len(self.networks) * self.width, "before": SEEN + 1}

    def forward(self, angles_deg: Tensor, hidden: Tensor, before: Tensor) -> tuple[Tensor, ...]:
        """Return moments, forces, the spread of each, the score, and the next states."""
        first = self.networks[0]
        assert isinstance(first, SampleNetwork)
        seen = first.see(angles_deg[:, 0])
        started = before[:, SEEN:]
        change = first.change(seen, before[:, :SEEN]) * started
        features = torch.cat([seen, change], -1)
        score = self.score(first.movement(seen, change))
        hiddens, answers = [], []
        for place, network in enumerate(self.networks):
            assert isinstance(network, SampleNetwork)
            old = hidden[:, place * self.width : (place + 1) * self.width]
            hiddens.append(_gru(network.memory, features, old))
            answers.append(network.loads(hiddens[-1]))
        loads = torch.stack(answers).mean(0)[:, None]
        now = torch.cat([seen, torch.ones_like(started)], -1)
        return (*self.answer(loads), score, torch.cat(hiddens, -1), now)


def _gru(layer: nn.GRU, features: Tensor, hidden: Tensor) -> Tensor:
    """Return a GRU layer's next hidden state (Cho et al. 2014, as PyTorch has it)."""
    weight_in, weight_back, bias_in, bias_back = layer.all_weights[0]
    into = functional.linear(features, weight_in, bias_in)
    back = functional.linear(hidden, weight_back, bias_back)
    into_reset, into_update, into_new = into.chunk(3, -1)
    back_reset, back_update, back_new = back.chunk(3, -1)
    reset = torch.sigmoid(into_reset + back_reset)
    update = torch.sigmoid(into_update + back_update)
    new = torch.tanh(into_new + reset * back_new)
    return new + update * (hidden - new)
