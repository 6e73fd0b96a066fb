"""Fitting one network, epoch by epoch, so that it can be put down and taken up again."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgehip_export.networks import Network

Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Optimisation as published (arXiv 2605.30374).

    Parameters
    ----------
    patience
        Epochs without improvement by more than ``least_improvement`` after which a fit ends.
    gradient_clip
        Largest norm of the gradient.
    """

    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    batch: int = 64
    most_epochs: int = 300
    patience: int = 30
    least_improvement: float = 1e-8
    gradient_clip: float = 0.5
    seed: int = 2025


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of a fit's history; the validation loss is NaN in a fit without validation."""

    number: int
    training_loss: float
    validation_loss: float


class Fit:
    """AdamW on the mean squared error, over shuffled batches.

    Parameters
    ----------
    make
        Makes the network, after the seed has been set.
    training
        Normalised angles (N, S, 10) and targets (N, S, D).
    validation
        The same for validation, or None to train for ``epochs`` and not stop early.
    epochs
        How long at most.
    """

    def __init__(
        self,
        make: Callable[[], Network],
        recipe: Recipe,
        training: Pair,
        validation: Pair | None,
        epochs: int,
        device: str = "cpu",
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.epochs = epochs
        self.history: list[Epoch] = []
        self.best_epoch = 0
        self.best_loss = math.inf
        self.network = make().to(device)
        self._device = device
        self._training = _to(training, device)
        self._validation = None if validation is None else _to(validation, device)
        self._best_weights: dict[str, torch.Tensor] = {}
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )

    @property
    def done(self) -> bool:
        """Whether the fit has ended."""
        passed = len(self.history)
        if self._validation is None:
            return passed >= self.epochs
        return passed >= self.epochs or passed - self.best_epoch >= self.recipe.patience

    def run_epoch(self) -> None:
        """Train for one epoch, and note the loss."""
        training_loss = self._train()
        validation_loss = math.nan
        if self._validation is not None:
            validation_loss = self._validate(self._validation)
        epoch = Epoch(len(self.history) + 1, training_loss, validation_loss)
        self.history.append(epoch)
        if validation_loss < self.best_loss - self.recipe.least_improvement:
            self.best_loss = validation_loss
            self.best_epoch = epoch.number
            self._best_weights = _copy(self.network)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the weights of the best epoch, or of the last in a fit without validation."""
        return self._best_weights or _copy(self.network)

    def state(self) -> dict[str, Any]:
        """Return everything the fit needs to go on: tensors and plain values."""
        return {
            "network": _copy(self.network),
            "optimiser": self._optimiser.state_dict(),
            "best_weights": self._best_weights,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "history": [(e.number, e.training_loss, e.validation_loss) for e in self.history],
            "random": _random_state(self._device),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._best_weights = state["best_weights"]
        self.best_epoch = state["best_epoch"]
        self.best_loss = state["best_loss"]
        self.history = [Epoch(*line) for line in state["history"]]
        for device, random in state["random"].items():
            if device == "cpu":
                torch.set_rng_state(random)
            else:
                torch.cuda.set_rng_state(random, device)

    def _train(self) -> float:
        x, y = self._training
        self.network.train()
        losses = []
        for chosen in torch.split(torch.randperm(len(x)), self.recipe.batch):
            chosen = chosen.to(self._device)
            self._optimiser.zero_grad(set_to_none=True)
            loss = nn.functional.mse_loss(self.network(x[chosen]), y[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
            self._optimiser.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def _validate(self, validation: Pair) -> float:
        """Return the mean over batches, as published: the last, smaller one counts as much."""
        self.network.eval()
        with torch.no_grad():
            losses = [
                nn.functional.mse_loss(self.network(x), y).item()
                for x, y in zip(
                    *(torch.split(part, self.recipe.batch) for part in validation), strict=True
                )
            ]
        return sum(losses) / len(losses)


def predict(module: nn.Module, x: torch.Tensor, batch: int = 64) -> NDArray[np.float32]:
    """Return a module's answers (N, S, D) to many strides (N, S, 10)."""
    module.eval()
    device = next(module.parameters()).device
    with torch.no_grad():
        answers = [module(part.to(device)).cpu() for part in torch.split(x, batch)]
    return np.asarray(torch.cat(answers).numpy())


def _to(pair: Pair, device: str) -> Pair:
    return pair[0].to(device), pair[1].to(device)


def _copy(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _random_state(device: str) -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device != "cpu":
        states[device] = torch.cuda.get_rng_state(device)
    return states
