"""Networks as one would run them without edgehip, made ready to be timed."""

from collections.abc import Callable

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
    """A recurrent layer (GRU; Cho et al. 2014) and its outputs, written in NumPy as one would.

    Parameters
    ----------
    inputs, width, networks
        Features, units, and how many such networks are averaged.
    """

    def __init__(self, inputs: int, width: int, networks: int) -> None:
        rng = np.random.default_rng(0)
        outputs = len(MOMENTS) + len(MUSCLES)
        self.hidden = [np.zeros(width, np.float32) for _ in range(networks)]
        self.weights = [
            tuple(
                rng.normal(0, 0.1, shape).astype(np.float32)
                for shape in ((3 * width, inputs), (3 * width, width), (outputs, width))
            )
            for _ in range(networks)
        ]

    def step(self, features: Floats) -> Floats:
        """Return the 17 outputs for one sample's features."""
        answers = []
        for place, (into, back, leave) in enumerate(self.weights):
            hidden = self.hidden[place]
            reset_in, update_in, new_in = np.split(into @ features, 3)
            reset_back, update_back, new_back = np.split(back @ hidden, 3)
            reset = 1 / (1 + np.exp(-(reset_in + reset_back)))
            update = 1 / (1 + np.exp(-(update_in + update_back)))
            new = np.tanh(new_in + reset * new_back)
            self.hidden[place] = new + update * (hidden - new)
            answers.append(leave @ self.hidden[place])
        mean: Floats = np.mean(answers, axis=0)
        return mean
