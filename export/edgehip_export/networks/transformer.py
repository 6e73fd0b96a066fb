"""The Transformer of Gait2Hip-60: a two-layer encoder over learned positions. Not causal."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from edgehip.channels import ANGLES


@dataclass(frozen=True, slots=True)
class TransformerSizes:
    """Sizes as published (arXiv 2605.30374)."""

    d_model: int = 128
    nhead: int = 4
    num_layers: int = 2
    dim_feedforward: int = 256
    dropout: float = 0.1
    max_len: int = 500


class LearnedPositions(nn.Module):
    """Adds a learned vector to every sample, by its place in the window."""

    def __init__(self, longest: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Embedding(longest, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, S, width) with the first S positions added."""
        return x + self.pos_embed.weight[: x.shape[1]]


class Transformer(nn.Module):
    """Angles to targets; every output sees the whole window."""

    def __init__(self, outputs: int, sizes: TransformerSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or TransformerSizes()
        width = self.sizes.d_model
        self.input_proj = nn.Linear(len(ANGLES), width)
        self.pos_encoder = LearnedPositions(self.sizes.max_len, width)
        layer = nn.TransformerEncoderLayer(
            width,
            self.sizes.nhead,
            self.sizes.dim_feedforward,
            self.sizes.dropout,
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, self.sizes.num_layers, enable_nested_tensor=False
        )
        self.output_proj = nn.Linear(width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs (N, S, D) for the window (N, S, 10)."""
        hidden = self.encoder(self.pos_encoder(self.input_proj(x)))
        return cast(torch.Tensor, self.output_proj(hidden))
