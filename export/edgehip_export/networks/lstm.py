"""The LSTM of Gait2Hip-60: two layers of 128, and a linear read-out."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from edgehip.channels import ANGLES
from edgehip_export.networks.causal import State


@dataclass(frozen=True, slots=True)
class LstmSizes:
    """Sizes as published (arXiv 2605.30374)."""

    hidden: int = 128
    layers: int = 2
    dropout: float = 0.1


class Lstm(nn.Module):
    """Angles to targets; causal."""

    state_names = ("h", "c")

    def __init__(self, outputs: int, sizes: LstmSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or LstmSizes()
        self.lstm = nn.LSTM(
            len(ANGLES),
            self.sizes.hidden,
            self.sizes.layers,
            batch_first=True,
            dropout=self.sizes.dropout if self.sizes.layers > 1 else 0.0,
        )
        self.fc = nn.Linear(self.sizes.hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs (N, S, D) for the samples (N, S, 10)."""
        hidden, _ = self.lstm(x)
        return cast(torch.Tensor, self.fc(hidden))

    def initial_state(self, batch: int = 1) -> State:
        """See :class:`edgehip_export.networks.causal.CausalNetwork`; (L, N, H) each."""
        shape = (self.sizes.layers, batch, self.sizes.hidden)
        return torch.zeros(shape), torch.zeros(shape)

    def step(self, x: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """See :class:`edgehip_export.networks.causal.CausalNetwork`."""
        hidden, cell = state
        below = x[:, 0]
        next_hidden, next_cell = [], []
        for layer in range(self.sizes.layers):
            gates = functional.linear(
                below,
                getattr(self.lstm, f"weight_ih_l{layer}"),
                getattr(self.lstm, f"bias_ih_l{layer}"),
            ) + functional.linear(
                hidden[layer],
                getattr(self.lstm, f"weight_hh_l{layer}"),
                getattr(self.lstm, f"bias_hh_l{layer}"),
            )
            # PyTorch's order of the gates: input, forget, cell, output.
            enter, forget, candidate, leave = gates.chunk(4, dim=-1)
            kept = torch.sigmoid(forget) * cell[layer]
            next_cell.append(kept + torch.sigmoid(enter) * torch.tanh(candidate))
            below = torch.sigmoid(leave) * torch.tanh(next_cell[-1])
            next_hidden.append(below)
        return self.fc(below).unsqueeze(1), (torch.stack(next_hidden), torch.stack(next_cell))
