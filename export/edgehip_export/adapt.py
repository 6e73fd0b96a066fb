"""A whole-cycle model adapted to one person, by strides of theirs that a laboratory labelled.

What a model misses of somebody is for the most part a curve over the gait cycle that is their own:
it comes back at another pace, and in the other leg. So the mean of what it missed in some strides
is what it will miss in others, and a share of it is added from then on.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgehip.body import DECIMALS, Body, card_curves, is_one_mass
from edgehip.errors import DatasetError, ModelFileError, ModelInputError
from edgehip.model import Model, bundled_files, is_bundled, load_model
from edgehip.model_card import ModelCard, PersonalCard
from edgehip.model_file import read_model, without_card, write_model
from edgehip_export.answers import Floats, answers, require_duration
from edgehip_export.copies import as_text, copies_among, traces
from edgehip_export.dataset import Cohort
from edgehip_export.export_file import is_model_file
from edgehip_export.forms import OUTPUTS
from edgehip_export.metrics import Errors
from edgehip_export.run_folder import model_file
from edgehip_export.trained import UNITS, Target

OF_WALK: Final = 0.2
OF_STRIDE: Final = 0.9
"""Variance of what is missed that is a walk's own, and a stride's, beside that which is a person's:
about as of people left out (``python -m benchmarks.accuracy``), moments and forces alike."""
USUAL_TIMES: Final = (0.6, 1.9)
"""So many times what a model says are the loads of people it never saw, amply: those it was tried
on have 0.78 to 1.7 times what the released networks' mean says of them."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """Errors on one target: as the model is, and adapted, each stride by the others alone.

    ``after`` is None of a single stride; ``times`` is how many times what the model says the labels
    are, by least squares.
    """

    target: Target
    before: Errors
    after: Errors | None
    times: float

    def doubt(self) -> str:
        """Return what should be looked at of the labels, or nothing."""
        low, high = USUAL_TIMES
        if low <= self.times <= high:
            return ""
        unit = UNITS[self.target].partition("/")[0]
        return (
            f"{self.target} are {self.times:.2g} times what the model says of these angles, and "
            f"most people's {low:g} to {high:g} times: is weight_kg this person's, and Y in {unit}?"
        )


def share(strides: int) -> float:
    """Return how much of the mean of what was missed in some strides belongs to the person.

    It is that of a normal mean's posterior (Gelman et al., Bayesian Data Analysis, ch. 2).
    """
    return 1.0 / (1.0 + OF_WALK + OF_STRIDE / strides)


def offset_of(missed: Floats) -> Floats:
    """Return the person's own part (S, D) of what was missed in strides (N, S, D), N at least 1."""
    offset: Floats = np.float32(share(len(missed))) * missed.mean(axis=0, dtype=np.float32)
    return offset


def adapt(source: str, cohorts: Sequence[Cohort], output: Path) -> list[Adapted]:
    """Write a model file adapted to one person, and return what that changes, per target.

    Parameters
    ----------
    source
        A model file, or the name of a bundled model.
    cohorts
        Strides of one person, each labelled with moments or with forces.
    output
        Ends as the model's file does.

    Raises
    ------
    DatasetError
        If the strides are not one person's, of one height and mass and each there once, or do not
        agree in what the model misses.
    ModelFileError
        If there is no such model, or it does not estimate what the strides are labelled with.
    ModelInputError
        If the model is of another kind, or wants something the strides do not tell.
    """
    labelled = list(_by_target(cohorts).values())
    first = labelled[0]
    path = _file_of(source, output)
    if os.path.realpath(path) == os.path.realpath(output):
        raise ModelFileError(
            f"{output}: is the model to start from, and everybody's: name another file"
        )
    model = load_model(path, trusted=False)
    card = model.card
    if card.kind != "cycle":
        raise ModelInputError(
            f"{path}: is of kind '{card.kind}'; what is a person's own is a curve over the gait "
            "cycle: adapt a whole-cycle model, which teaches a per-sample one in a stream"
        )
    if card.personal is not None:
        raise ModelInputError(f"{path}: is one person's already: adapt the model it was made of")
    offsets, found = {}, []
    for cohort in labelled:
        name = OUTPUTS[cohort.target]
        if card.output(name) is None:
            raise ModelFileError(f"{path}: gives no {cohort.target}, which {cohort.path} labels")
        require_duration(card, path, cohort.stride_s, cohort.path)
        said, missed = _missed(model, cohort)
        offsets[name] = offset_of(missed)
        times = float((said * cohort.per_kg).sum() / (np.square(said).sum() or 1.0))
        adapted = Adapted(cohort.target, Errors.between(cohort.per_kg, said), None, times)
        if len(cohort) > 1:
            adapted = replace(adapted, after=_by_the_others(cohort, model, said, missed))
        found.append(adapted)
        if adapted.after is not None and not adapted.after.r2 >= adapted.before.r2:
            raise DatasetError(
                f"{cohort.path}: what its strides show of this person does not hold from one to "
                f"the next: adapted by the others each is met with R² {adapted.after.r2:.3f}, as "
                f"the model is with {adapted.before.r2:.3f}; nothing is written"
            )
    height_m, mass_kg = (
        round(float(one[0]), DECIMALS) for one in (first.body_height_m, first.body_mass_kg)
    )
    body = _body(card, first)
    personal = PersonalCard(
        {name: card_curves(offset) for name, offset in offsets.items()},
        max(map(len, labelled)),
        None if body.height_m is None else height_m,
        mass_kg,
    )
    training = card.training | {c.target: _remembering(card, c) for c in labelled}
    _, content, _ = read_model(path)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_model(
        output,
        without_card(content, str(path)),
        replace(
            card,
            name=output.stem,
            description=f"{card.description}; adapted to one person",
            personal=personal,
            training=training,
        ),
    )
    return found


def _by_target(cohorts: Sequence[Cohort]) -> dict[Target, Cohort]:
    """Return all strides of a target as one cohort."""
    paths = ", ".join(cohort.path for cohort in cohorts)
    people = dict.fromkeys(person for cohort in cohorts for person in cohort.people())
    if len(people) > 1:
        whom = ", ".join([*people][:3]) + (" ..." if len(people) > 3 else "")
        raise DatasetError(
            f"{paths}: strides of {len(people)} people ({whom}), and a model is adapted to one: "
            "say which with --subject, of files that hold them"
        )
    heights_m = {round(float(height), 2) for cohort in cohorts for height in cohort.body_height_m}
    if len(heights_m) > 1:
        raise DatasetError(
            f"{paths}: height_m is {', '.join(map(str, sorted(heights_m)))} of one person: put "
            "right what is wrong"
        )
    masses_kg = [float(mass) for cohort in cohorts for mass in cohort.body_mass_kg]
    if not is_one_mass(*masses_kg):
        raise DatasetError(
            f"{paths}: weight_kg is {min(masses_kg):.4g} to {max(masses_kg):.4g} of one person, "
            "and their labels are divided by it: put right what is wrong, or give strides of one "
            "time of their life"
        )
    joined: dict[Target, Cohort] = {}
    for cohort in cohorts:
        before = joined.get(cohort.target)
        joined[cohort.target] = cohort if before is None else before.joined(cohort)
    for cohort in joined.values():
        if twice := copies_among(cohort.angles_deg):
            raise DatasetError(
                f"{cohort.path}: {twice} of {len(cohort)} strides are there a second time, if "
                "perhaps from contacts a little apart, and would be judged by themselves: give "
                "each once"
            )
    return joined


def _file_of(source: str, output: Path) -> Path:
    """Return the model file to start from, which ends as ``output`` does."""
    suffix = output.suffix.lower()
    path = model_file(source)
    if not is_model_file(path):
        raise ModelFileError(f"{path}: is no model file: export it, and adapt what that writes")
    if is_bundled(source):
        named = {f".{format}": file for format, file in bundled_files(source).items()}
        if suffix not in named:
            raise ModelFileError(f"{output}: must end in {' or '.join(sorted(named))}")
        return named[suffix]
    named_as = Path(path).suffix  # without one it is no file, and loading says what there is
    if named_as and suffix != named_as.lower():
        raise ModelFileError(f"{output}: must end in {named_as}, as {path} does")
    return Path(path)


def _body(card: ModelCard, cohort: Cohort, place: int = 0) -> Body:
    return Body.of(card, float(cohort.body_height_m[place]), float(cohort.body_mass_kg[place]))


def _missed(model: Model, cohort: Cohort) -> tuple[Floats, Floats]:
    """Return what a model says of strides, and what it misses, in a body of its own height."""
    name = OUTPUTS[cohort.target]
    said = answers(model.engine.run, model.card, cohort.angles_deg, cohort.others)[name]
    body = _body(model.card, cohort)
    return said, body.unload(name, cohort.per_kg - said)


def _by_the_others(cohort: Cohort, model: Model, said: Floats, missed: Floats) -> Errors:
    """Return the errors on strides that are each adapted by the others."""
    name: str = OUTPUTS[cohort.target]
    adapted = np.empty_like(said)
    for place in range(len(said)):
        own = _body(model.card, cohort, place)
        offsets: dict[str, Floats] = {name: offset_of(np.delete(missed, place, axis=0))}
        usual = own.unload(name, said[place])
        adapted[place] = replace(own, offsets=offsets).load(name, usual)
    return Errors.between(cohort.per_kg, adapted)


def _remembering(card: ModelCard, cohort: Cohort) -> dict[str, Any]:
    """Return what a model says of its training on a target, and whom it was adapted by."""
    own = card.training.get(cohort.target)
    return (own if isinstance(own, dict) else {}) | {
        "adapted_subjects": list(cohort.people()),
        "adapted_strides": as_text(traces(cohort.angles_deg)),
    }
