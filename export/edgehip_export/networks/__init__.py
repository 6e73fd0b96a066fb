"""The three networks of Gait2Hip-60 (arXiv 2605.30374), in plain PyTorch.

Parameter names are those of the released checkpoints, so that these load strictly. Every network
maps z-scored angles (N, S, 10) to targets (N, S, D); the causal ones also go sample by sample with
their state held by the caller.
"""

from typing import Any

from edgehip_export.networks.causal import CausalNetwork, State
from edgehip_export.networks.lstm import Lstm, LstmSizes
from edgehip_export.networks.mamba import Mamba, MambaSizes
from edgehip_export.networks.transformer import Transformer, TransformerSizes

__all__ = [
    "FAMILIES",
    "CausalNetwork",
    "Lstm",
    "Mamba",
    "Network",
    "State",
    "Transformer",
    "build",
]

Network = Lstm | Transformer | Mamba

FAMILIES = ("lstm", "transformer", "mamba")


def build(family: str, outputs: int, sizes: dict[str, Any] | None = None) -> Network:
    """Return a freshly initialised network.

    Parameters
    ----------
    family
        A name in :data:`FAMILIES`.
    outputs
        Channels of the target, D.
    sizes
        Fields of the family's sizes that differ from the published ones.

    Raises
    ------
    ValueError, TypeError
        If there is no such family, or it has no such size.
    """
    sizes = sizes or {}
    match family:
        case "lstm":
            return Lstm(outputs, LstmSizes(**sizes))
        case "transformer":
            return Transformer(outputs, TransformerSizes(**sizes))
        case "mamba":
            return Mamba(outputs, MambaSizes(**sizes))
        case _:
            raise ValueError(f"no network is called {family!r}: there are {', '.join(FAMILIES)}")
