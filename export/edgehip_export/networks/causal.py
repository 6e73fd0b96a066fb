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
