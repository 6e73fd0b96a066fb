"""The forms a trained model can be exported in: a whole gait cycle at once, or sample by sample."""

from typing import Final, cast

import torch
from torch import nn

from edgehip.channels import ANGLES
from edgehip.errors import ModelFileError
from edgehip.model_card import ModelCard, OutputName, RangeCard, TensorCard
from edgehip_export.networks import CausalNetwork, Lstm, Mamba, Transformer
from edgehip_export.strides import POINTS
from edgehip_export.trained import (
    CHANNELS,
    NormalisedNetwork,
    Target,
    TrainedModel,
)

TYPICAL_STRIDE_S: Final = 1.1

OUTPUTS: dict[Target, OutputName] = {"moments": "moments_nm_per_kg", "forces": "forces_n_per_kg"}


class StepForm(nn.Module):
    """Angles (1, 1, 10) in degrees and every network's state, to every target and next state."""

    def __init__(self, networks: list[NormalisedNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, angles_deg: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the targets, then the states, in the order of the inputs."""
        targets: list[torch.Tensor] = []
        after: list[torch.Tensor] = []
        rest = list(states)
        for module in self.networks:
            network = cast(NormalisedNetwork, module)
            causal = cast(CausalNetwork, network.network)
            state = tuple(rest.pop(0) for _ in causal.state_names)
            output, next_state = causal.step(network.normalise(angles_deg), state)
            targets.append(network.denormalise(output))
            after.extend(next_state)
        return (*targets, *after)


class CycleForm(nn.Module):
    """Angles (1, 180, 10) in degrees to every target over the cycle.

    Attributes
    ----------
    loop
        The step form and its card, if a converter without loops does better to repeat it than to
        unroll the window: an LSTM is thousands of operations then.
    """

    def __init__(
        self, networks: list[NormalisedNetwork], loop: tuple[StepForm, ModelCard] | None = None
    ) -> None:
        super().__init__()
        self.loop = loop
        self.networks = nn.ModuleList(networks)
        for network in networks:
            if isinstance(network.network, Mamba):
                network.network.scan = "chunked"

    def forward(self, angles_deg: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the targets, moments before forces."""
        return tuple(network(angles_deg) for network in self.networks)


def cycle_form(model: TrainedModel) -> tuple[CycleForm, ModelCard]:
    """Return a model's whole-cycle form and its card."""
    card = ModelCard(
        name=model.name,
        kind="cycle",
        samples_per_cycle=POINTS,
        inputs=(TensorCard("angles_deg", (1, POINTS, len(ANGLES)), ANGLES),),
        outputs=_target_cards(model, POINTS),
        description=f"{_families(model)} over a whole gait cycle",
        **_common(model),  # type: ignore[arg-type]
    )
    families = {network.family for network in model.networks}
    loop = "lstm" in families and "transformer" not in families
    form = CycleForm(
        [network.module() for network in model.networks],
        step_form(model, TYPICAL_STRIDE_S) if loop else None,
    )
    return form.eval(), card


def step_form(model: TrainedModel, stride_s: float) -> tuple[StepForm, ModelCard]:
    """Return a model's single-step form and its card.

    The networks were trained on cycles of 180 points from zero state, so a step is right where a
    stride has about as many samples and the state is put back to zero at its start.

    Parameters
    ----------
    stride_s
        The stride duration to be met: the rate is 180 samples in this time.

    Raises
    ------
    ModelFileError
        If one of its networks is not causal.
    """
    modules = [network.module() for network in model.networks]
    if any(isinstance(module.network, Transformer) for module in modules):
        raise ModelFileError(
            f"{model.name}: a Transformer sees the whole cycle at once and has no step form: "
            "export its cycle form"
        )
    states = tuple(
        TensorCard(f"state.{trained.target}_{name}", tuple(tensor.shape))
        for trained, module in zip(model.networks, modules, strict=True)
        for name, tensor in zip(
            cast(CausalNetwork, module.network).state_names,
            cast(CausalNetwork, module.network).initial_state(),
            strict=True,
        )
    )
    limits = (
        "Starts from zero state at every initial contact of the right foot; a stride must have "
    )
    if any(isinstance(module.network, Lstm) for module in modules):
        limits += "180 samples, for its LSTM counts them"
    else:
        limits += "roughly 180 samples"
    card = ModelCard(
        name=f"{model.name}-step",
        kind="sample",
        rate_hz=POINTS / stride_s,
        resets_at_contact=True,
        inputs=(TensorCard("angles_deg", (1, 1, len(ANGLES)), ANGLES), *states),
        outputs=(*_target_cards(model, 1), *states),
        description=f"{_families(model)}, sample by sample. {limits}",
        **_common(model),  # type: ignore[arg-type]
    )
    return StepForm(modules).eval(), card


def _target_cards(model: TrainedModel, samples: int) -> tuple[TensorCard, ...]:
    return tuple(
        TensorCard(
            OUTPUTS[network.target],
            (1, samples, len(CHANNELS[network.target])),
            CHANNELS[network.target],
        )
        for network in model.networks
    )


def _families(model: TrainedModel) -> str:
    names = {"lstm": "LSTM", "transformer": "Transformer", "mamba": "Mamba"}
    return " and ".join(dict.fromkeys(names[network.family] for network in model.networks))


def _common(model: TrainedModel) -> dict[str, object]:
    """Return what both forms' cards share."""
    low = torch.stack([n.angle_range_deg[0] for n in model.networks]).amax(0)
    high = torch.stack([n.angle_range_deg[1] for n in model.networks]).amin(0)
    return {
        "version": "1",
        "side": "r",
        "licence": str(model.networks[0].provenance.get("licence", "see the training data")),
        "ranges": {"angles_deg": RangeCard(tuple(low.tolist()), tuple(high.tolist()))},
        "training": {
            network.target: network.provenance | {"weights_sha256": network.weights_sha256()}
            for network in model.networks
        },
    }
