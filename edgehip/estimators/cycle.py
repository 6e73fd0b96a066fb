"""Whole-cycle estimates: one inference per finished stride."""

from collections.abc import Mapping

import numpy as np

from edgehip.backends import Tensor
from edgehip.body import Body
from edgehip.channels import ANGLES, MIRROR
from edgehip.errors import ModelInputError
from edgehip.events import GaitCycle, HipEstimate
from edgehip.flags import flags_of_stride
from edgehip.model import Model
from edgehip.model_card import SCORE
from edgehip.zero import ModelZero


class CycleEstimator:
    """Estimates hip moments and muscle forces over a finished stride.

    The network knows one leg's hip; the other hip is the same hip of the mirrored body. What the
    model wants beyond the angles (stride duration, body height) follows its card. To a model of
    bodies of one height, another's stride is as long as that movement takes them.

    Parameters
    ----------
    model
        Of kind ``cycle``.
    body_mass_kg
        Makes N and Nm of N/kg and Nm/kg; with the height it serves models that heed them.
    body_height_m
        For models that heed it; to others it makes no difference.

    Raises
    ------
    ModelInputError
        If the model is of another kind, or asks for something that is not given.
    """

    def __init__(
        self,
        model: Model,
        *,
        body_mass_kg: float | None = None,
        body_height_m: float | None = None,
    ) -> None:
        card = model.card
        if card.kind != "cycle":
            what = "give it as --sample-model (Python: sample_model)"
            if card.resets_at_contact:
                what = (
                    "whose state must be reset at the very instant of initial contact, so no "
                    "stream can run it: export its whole-cycle form (edgehip export --form cycle)"
                )
            raise ModelInputError(
                f"{model.path}: is a model of kind '{card.kind}', {what}; whole-cycle estimates "
                "need one of kind 'cycle'"
            )
        self.body = Body.of(card, body_height_m, body_mass_kg)
        if card.input("body_height_m") is not None and self.body.height_m is None:
            raise ModelInputError(
                f"{model.path}: wants the body's height: give --body-height (Python: body_height_m)"
            )
        self.model = model
        self.body_mass_kg = body_mass_kg
        self.samples_per_cycle = card.samples_per_cycle or 0
        self.zero = ModelZero(None, card)

    def estimate(self, cycle: GaitCycle) -> HipEstimate:
        """Return what a gait cycle says of its side's hip."""
        card = self.model.card
        mirrored = cycle.side != card.side
        grid_s = np.linspace(cycle.start_s, cycle.end_s, self.samples_per_cycle)
        angles = np.empty((1, self.samples_per_cycle, len(ANGLES)), np.float32)
        for target in range(len(ANGLES)):
            channel = MIRROR[target] if mirrored else target
            column = cycle.angles_deg[:, channel] - self.zero.offset_deg[channel]
            angles[0, :, target] = np.interp(grid_s, cycle.sample_time_s, column)
        inputs: dict[str, Tensor] = {"angles_deg": angles}
        inputs["stride_s"] = np.array([[cycle.stride_s / self.body.slower]], np.float32)
        if self.body.height_m is not None:
            inputs["body_height_m"] = np.array([[self.body.height_m]], np.float32)
        raw = self.model.engine.run(*(inputs[tensor.name] for tensor in card.inputs))
        answers = zip(card.outputs, raw, strict=True)
        outputs, loads, score = {}, [], None
        for tensor, value in answers:
            if tensor.name == SCORE:
                score = float(value[0, 0])
            else:
                curves = self.body.load(tensor.name, value[0])
                loads.append(curves.ravel())
                outputs[tensor.name] = dict(zip(tensor.channels, curves.T, strict=True))
        beyond = self._out_of_range(inputs, mirrored)
        out_of_range = tuple(dict.fromkeys(beyond + cycle.still))
        return HipEstimate(
            side=cycle.side,
            start_s=cycle.start_s,
            end_s=cycle.end_s,
            confirmed_s=cycle.confirmed_s,
            foot_off_s=cycle.foot_off_s,
            cadence_spm=120.0 / cycle.stride_s,
            moments_nm_per_kg=outputs.get("moments_nm_per_kg", {}),
            forces_n_per_kg=outputs.get("forces_n_per_kg", {}),
            moment_spread_nm_per_kg=outputs.get("moment_spread_nm_per_kg", {}),
            force_spread_n_per_kg=outputs.get("force_spread_n_per_kg", {}),
            body_mass_kg=self.body_mass_kg,
            body_height_m=self.body.height_m,
            zero=self.zero.text,
            flags=flags_of_stride(cycle, self.zero, out_of_range, score, loads),
            out_of_range=out_of_range,
            out_of_range_score=score,
            samples_lost=cycle.samples_lost,
            received_ns=cycle.received_ns,
        )

    def _out_of_range(self, inputs: Mapping[str, Tensor], mirrored: bool) -> tuple[str, ...]:
        """Name the inputs that leave the training range anywhere in the stride."""
        foreign: list[str] = []
        for name, span in self.model.card.ranges.items():
            values = inputs.get(name)
            if values is None:
                continue
            flat = values.reshape(-1, values.shape[-1])
            outside = np.any((flat < span.low) | (flat > span.high), axis=0)
            for index in np.flatnonzero(outside):
                if name == "angles_deg":
                    foreign.append(ANGLES[MIRROR[index] if mirrored else index])
                else:
                    foreign.append(name)
        return tuple(foreign)
