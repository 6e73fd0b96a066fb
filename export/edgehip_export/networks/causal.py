"""What the networks that can answer sample by sample have in common."""

from typing import Protocol

import torch

State = tuple[torch.Tensor, ...]


class CausalNetwork(Protocol):
    """A network whose output at one sample depends on that and earlier samples alone.

    Attributes
    ----------
    state_names
        What the tensors of its state are called, in order.
    """

    state_names: tuple[str, ...]

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before the first sample."""
        ...

    def step(self, x: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """Return the output (N, 1, D) for one sample (N, 1, 10), and the state after it."""
        ...


def unroll(network: CausalNetwork, x: torch.Tensor) -> torch.Tensor:
    """Return the outputs (N, S, D) for the samples (N, S, 10), one step after the other."""
    state = network.initial_state(x.shape[0])
    outputs = []
    for t in range(x.shape[1]):
        output, state = network.step(x[:, t : t + 1], state)
        outputs.append(output)
    return torch.cat(outputs, dim=1)
