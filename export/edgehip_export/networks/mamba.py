"""The Mamba of Gait2Hip-60: two selective state-space blocks (arXiv 2312.00752), no CUDA.

Three forms of its recurrence agree: sample by sample (:meth:`Mamba.step`), sequential over a window
and in chunks (:mod:`edgehip_export.networks.scan`).
"""

import math
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import nn
from torch.nn import functional

from edgehip.channels import ANGLES
from edgehip_export.networks.causal import State
from edgehip_export.networks.scan import chunked_scan, sequential_scan

Scan = Literal["sequential", "chunked"]


@dataclass(frozen=True, slots=True)
class MambaSizes:
    """Sizes as published (arXiv 2605.30374)."""

    d_model: int = 128
    d_state: int = 16
    d_conv: int = 4
    expand: int = 2
    layers: int = 2
    dropout: float = 0.1


class MambaBlock(nn.Module):
    """One selective state-space block; parameters are named as in its authors' package."""

    def __init__(self, sizes: MambaSizes) -> None:
        super().__init__()
        inner = sizes.expand * sizes.d_model
        self.rank = math.ceil(sizes.d_model / 16)
        self.d_state = sizes.d_state
        self.in_proj = nn.Linear(sizes.d_model, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, sizes.d_conv, groups=inner)
        self.x_proj = nn.Linear(inner, self.rank + 2 * sizes.d_state, bias=False)
        self.dt_proj = nn.Linear(self.rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, sizes.d_state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, sizes.d_model, bias=False)
        self._start_time_steps()

    def _start_time_steps(self) -> None:
        """Draw time steps log-uniformly from 0.001 to 0.1 (arXiv 2312.00752, section 3.6)."""
        scale = self.rank**-0.5
        nn.init.uniform_(self.dt_proj.weight, -scale, scale)
        low, high = math.log(1e-3), math.log(1e-1)
        steps = torch.exp(low + (high - low) * torch.rand(self.dt_proj.bias.shape))
        with torch.no_grad():
            self.dt_proj.bias.copy_(steps + torch.log(-torch.expm1(-steps)))

    def forward(self, x: torch.Tensor, scan: Scan) -> torch.Tensor:
        """Return (N, S, d_model) for (N, S, d_model)."""
        through, gate = self.in_proj(x).chunk(2, dim=-1)
        before = self.conv1d.kernel_size[0] - 1
        padded = functional.pad(through.transpose(1, 2), (before, 0))
        through = functional.silu(self.conv1d(padded).transpose(1, 2))
        step, write, read = self._selected(through)
        run = sequential_scan if scan == "sequential" else chunked_scan
        y = run(step, -torch.exp(self.A_log), write, read, through)
        return self._out(y, through, gate)

    def step(
        self, x: torch.Tensor, window: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the output (N, 1, d_model), the next window (N, E, d_conv - 1) and state.

        ``window`` holds the samples the convolution still sees, ``state`` (N, E, d_state) the
        recurrence, E the inner width.
        """
        through, gate = self.in_proj(x).chunk(2, dim=-1)
        seen = torch.cat([window, through.transpose(1, 2)], dim=2)
        mixed = (seen * self.conv1d.weight[:, 0]).sum(dim=2)
        through = functional.silu(mixed + cast(torch.Tensor, self.conv1d.bias)).unsqueeze(1)
        step, write, read = self._selected(through)
        kept = torch.exp(step.transpose(1, 2) * -torch.exp(self.A_log))
        state = kept * state + (step * through).transpose(1, 2) * write
        y = (state * read).sum(dim=-1).unsqueeze(1)
        return self._out(y, through, gate), seen[:, :, 1:], state

    def _selected(self, through: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return time steps (N, S, E), and how to write and read the state (N, S, d_state)."""
        rank_part, write, read = self.x_proj(through).split(
            [self.rank, self.d_state, self.d_state], dim=-1
        )
        return functional.softplus(self.dt_proj(rank_part)), write, read

    def _out(self, y: torch.Tensor, through: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        y = (y + self.D * through) * functional.silu(gate)
        return cast(torch.Tensor, self.out_proj(y))


class Mamba(nn.Module):
    """Angles to targets; causal.

    Attributes
    ----------
    scan
        How a whole window is scanned: ``sequential`` is the quicker to train on a CPU, ``chunked``
        makes the smaller graph, and is the quicker where each step waits to be launched. None
        takes the quicker one.
    """

    state_names = ("window", "ssm")
    scan: Scan | None = None

    def __init__(self, outputs: int, sizes: MambaSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or MambaSizes()
        self.input_proj = nn.Linear(len(ANGLES), self.sizes.d_model)
        self.blocks = nn.ModuleList(MambaBlock(self.sizes) for _ in range(self.sizes.layers))
        self.drop = nn.Dropout(self.sizes.dropout)
        self.norm = nn.LayerNorm(self.sizes.d_model)
        self.output_proj = nn.Linear(self.sizes.d_model, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs (N, S, D) for the samples (N, S, 10)."""
        hidden = self.input_proj(x)
        scan = self.scan or ("sequential" if x.device.type == "cpu" else "chunked")
        for block in self.blocks:
            hidden = hidden + self.drop(block(hidden, scan))
        return cast(torch.Tensor, self.output_proj(self.norm(hidden)))

    def initial_state(self, batch: int = 1) -> State:
        """See :class:`edgehip_export.networks.causal.CausalNetwork`; (L, N, E, ...) each."""
        inner = self.sizes.expand * self.sizes.d_model
        layers = self.sizes.layers
        return (
            torch.zeros(layers, batch, inner, self.sizes.d_conv - 1),
            torch.zeros(layers, batch, inner, self.sizes.d_state),
        )

    def step(self, x: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """See :class:`edgehip_export.networks.causal.CausalNetwork`."""
        windows, states = state
        hidden = self.input_proj(x)
        next_windows, next_states = [], []
        for layer, block in enumerate(self.blocks):
            output, window, kept = cast(MambaBlock, block).step(
                hidden, windows[layer], states[layer]
            )
            hidden = hidden + output
            next_windows.append(window)
            next_states.append(kept)
        output = self.output_proj(self.norm(hidden))
        return output, (torch.stack(next_windows), torch.stack(next_states))
