"""Networks as one would run them without edgehip, made ready to be timed."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, MOMENTS, MUSCLES

WINDOW: int = 180
Floats = NDArray[np.float32]


def torch_windows() -> dict[str, Callable[[], object]]:
    """Return calls of the paper's Transformer on the last 180 samples, in PyTorch on one thread.

    As published: one network for moments and one for forces, each for one hip. The other hip is
    that of the mirrored body, here the second of a batch. Weights take no part in how long it
    takes, so they are random.

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    """
    import torch

    from edgehip_export.networks.transformer import Transformer

    torch.set_num_threads(1)
    networks = [Transformer(len(names)).eval() for names in (MUSCLES, MOMENTS)]
    angles = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, WINDOW, len(ANGLES))))
    window = angles.float()

    def one() -> object:
        with torch.inference_mode():
            return networks[0](window[:1])[:, -1].numpy()

    def all_outputs() -> object:
        with torch.inference_mode():
            return [network(window)[:, -1].numpy() for network in networks]

    return {"forces of one hip": one, "moments and forces of both hips": all_outputs}


class NumpyLoop:
    """A linear memory of each angle and dense layers on it, written in NumPy as one would.

    Parameters
    ----------
    features, memory
        Inputs of the layers: those that are given, and those that are kept for all angles.
    units
        Of each layer.
    """

    def __init__(self, features: int, memory: int, units: Sequence[int]) -> None:
        rng = np.random.default_rng(0)
        order = memory // len(ANGLES)
        self.memory = np.zeros((len(ANGLES), order), np.float32)
        self.keep = 0.9 * np.eye(order, dtype=np.float32)
        self.take = np.ones(order, np.float32)
        sizes = [features + memory, *units, len(MOMENTS) + len(MUSCLES)]
        self.weights = [
            rng.normal(0, 0.1, (out, into)).astype(np.float32) for into, out in pairwise(sizes)
        ]

    def step(self, features: Floats) -> Floats:
        """Return the 17 outputs for one sample's features."""
        self.memory = self.memory @ self.keep + np.outer(features[: len(ANGLES)], self.take)
        value = np.concatenate([features, self.memory.ravel()])
        *inner, leave = self.weights
        for weight in inner:
            into = weight @ value
            # Hendrycks and Gimpel 2016, Gaussian error linear units: the usual short form.
            value = into / (1 + np.exp(-1.702 * into))
        answer: Floats = leave @ value
        return answer
