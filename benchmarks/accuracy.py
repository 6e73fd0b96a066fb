"""How well hip loads are estimated for people and laboratories no model saw in training.

``python -m benchmarks.accuracy [--quick] [--data DIR]`` trains edgehip's models anew without each
group of people and judges them on those people, beside the released Gait2Hip-60 networks and their
mean on the same strides. R2 and RMSE are pooled over strides, points and outputs, as published.
A few constants (shares, lengths, numbers of steps) were chosen by looking at these very figures:
expect people of the next laboratory to be served a little worse than they say.
``--quick`` leaves out more people at once and trains fewer networks: a little pessimistic.
"""

import argparse
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks.accuracy_claims import (
    AFTER_OTHERS,
    CYCLE,
    EVERYBODY,
    LABORATORY,
    MEASURED,
    OFFSET_SD_DEG,
    OFFSETS,
    PEER,
    REPEATING,
    SAMPLE,
    TOLD,
    Row,
    adapted_better,
    better_than_peer,
    children_served,
    goals_reached,
    loss_rows,
    robust,
)
from benchmarks.adapted import adapted_rows, variance_rows
from benchmarks.bodies import children_rows
from benchmarks.corrected import after_others, repeating, varying
from benchmarks.machine import DATA
from benchmarks.report import Report, Table, run_program
from benchmarks.varying import Varied, in_places, load_runs, told, walks
from edgehip.channels import MOMENTS, MUSCLES
from edgehip_export.default_evaluate import (
    Condition,
    Curves,
    Fold,
    answers,
    errors,
    folds,
    gathered,
    left_out,
    moments_and_forces,
    offsets,
    zeroed,
)
from edgehip_export.default_spread import COVERAGE, fit_spread
from edgehip_export.default_teacher import released_answers
from edgehip_export.default_workshop import TEACHERS, Workshop
from edgehip_export.strides import Strides

UNITS: Final = (
    "RMSE in Nm/kg and N/kg; released: the six networks as published, and their mean; hip-sample "
    "itself: one stride over and over; corrected as in a stream with both voices "
    "(edgehip/estimators/correction.py), but with contacts known exactly and at once and every "
    "estimate trusted, are: repeating, as the same stride goes on, which is the most that a stream "
    "can gain; varying, after strides that differ from this one and from each other as those of "
    "people who walked for longer do (own: the same walks, not corrected); after others, after the "
    "person's other strides of that leg, for schreiber one of another speed, where there are any; "
    "body told: our models know the mass and height of those of whom they are written down, which "
    "is schreiber's people alone"
)
CHILDREN: Final = (
    "the models as bundled; RMSE in Nm/kg; moments of another body model (Plug-in-Gait); heights "
    "from masses, as nobody wrote them down"
)
ADAPTED: Final = (
    "people left out, angles as measured; before: hip-cycle as it is, on the same strides; each "
    "stride is judged once for each stride, or set of strides, that it can be adapted by; inside: "
    "the share of references in the stated interval, which stays everybody's; repeating: "
    "corrected by the adapted stride; offsets later: adapted by angles as measured, used with "
    "wrong zeros"
)
DRAWN: Final = (
    "mean over draws of one constant error per angle and person; largest share: of the released "
    "networks' loss, none where errors helped"
)
NUMBER: Final = re.compile(r"_[0-9]+$|(?<=[A-Za-z]{2})[0-9]+$")
"""Of a trial, behind what was asked for in it."""
DRAW: Final = re.compile(r" [0-9]+$")
"""Of a condition, behind its name."""
WALKS: Final = (
    "RMSE in Nm/kg and N/kg; schreiber: as fast as one likes (C4) and fast (C5); opencap: as one "
    "likes, toes turned in (TI) or out (TO), and the trunk swayed (TS), which no leg's angle tells "
    "of; fukuchi_tm: two speeds of a treadmill"
)
OFFSET_DRAWS: Final = 16
VARYING_DRAWS: Final = 3
PERSONAL_ZERO: Final = 0.5
"""Share of a person's difference to the common mean angles that the personal zero takes out."""


def conditions(draws: int) -> dict[str, Condition]:
    """Return how people left out are presented; draws of one condition end in a number."""
    shown: dict[str, Condition] = {
        MEASURED: lambda held, mean: held.of_nobody(),
        "personal zero": lambda held, mean: zeroed(held.of_nobody(), mean, PERSONAL_ZERO),
        TOLD: lambda held, mean: held,
    }
    return shown | {f"{OFFSETS} {draw}": _offset(draw) for draw in range(draws)}


def _offset(seed: int) -> Condition:
    """Return what moves every angle's zero at random."""
    return lambda held, mean: replace(
        held.of_nobody(), angles_deg=held.angles_deg + offsets(held, OFFSET_SD_DEG, seed)
    )


def released(data: Path, strides: Strides, draws: int) -> dict[str, dict[str, Curves]]:
    """Return each released network's loads, and their mean's, per condition."""
    angles = torch.from_numpy(strides.angles_deg)
    means = torch.empty(len(strides), angles.shape[-1])
    for person in strides.people:
        own = torch.from_numpy(strides.person == person)
        means[own] = angles[own].mean((0, 1))
    asked = {MEASURED: (angles, 0.0), "personal zero": (angles, PERSONAL_ZERO)}
    for draw in range(draws):
        asked[f"{OFFSETS} {draw}"] = (
            angles + torch.from_numpy(offsets(strides, OFFSET_SD_DEG, draw)),
            0.0,
        )
    table: dict[str, dict[str, Curves]] = {}
    for condition, (shown, strength) in asked.items():
        answers = released_answers(data / "gait2hip60", shown, means, strength)
        answers[PEER] = torch.stack(list(answers.values())).mean(0)
        for model, loads in answers.items():
            table.setdefault(model, {})[condition] = loads.numpy()
    return table


def rows(strides: Strides, table: dict[str, dict[str, Curves]]) -> list[Row]:
    """Return the errors of every model and condition, by laboratory and by person."""
    reference = strides.loads
    found: list[Row] = []
    groups = [(LABORATORY, lab, strides.lab == lab) for lab in strides.labs]
    groups += [(LABORATORY, EVERYBODY, np.ones(len(strides), bool))]
    groups += [("person", person, strides.person == person) for person in strides.people]
    for level, name, here in groups:
        for model, by_condition in table.items():
            shown: dict[str, list[Curves]] = {}
            for condition, estimate in by_condition.items():
                shown.setdefault(DRAW.sub("", condition), []).append(estimate)
            if not np.isfinite(strides.body_height_m[here]).any():
                shown.pop(TOLD, None)
            for condition, estimates in shown.items():
                row: Row = {"level": level, "of": name, "model": model, "angles": condition}
                row |= pooled(reference[here], [estimate[here] for estimate in estimates])
                found.append(row)
    return found


def pooled(reference: Curves, estimates: list[Curves]) -> Row:
    """Return the errors' mean over several draws of the same condition."""
    figures: Row = {}
    drawn = [moments_and_forces(reference, estimate) for estimate in estimates]
    for target in ("moments", "forces"):
        known = [e for one in drawn if (e := one[target]) is not None]
        figures[f"{target}_r2"] = float(np.mean([e.r2 for e in known])) if known else None
        figures[f"{target}_rmse"] = float(np.mean([e.rmse for e in known])) if known else None
    return figures


def output_rows(strides: Strides, table: dict[str, dict[str, Curves]]) -> list[Row]:
    """Return every output's errors over all people, angles as measured."""
    reference = strides.loads
    found: list[Row] = []
    for place, name in enumerate(MOMENTS + MUSCLES):
        one = slice(place, place + 1)
        for model, by_condition in table.items():
            e = errors(reference[..., one], by_condition[MEASURED][..., one])
            assert e is not None
            found.append({"output": name, "model": model, "r2": e.r2, "rmse": e.rmse})
    return found


def walk_rows(strides: Strides, table: dict[str, dict[str, Curves]]) -> list[Row]:
    """Return errors by what people were asked to do, where that was more than one thing."""
    asked = np.array([NUMBER.sub("", trial) for trial in strides.trial.tolist()])
    reference = strides.loads
    found: list[Row] = []
    for lab in strides.labs:
        walks = dict.fromkeys(asked[strides.lab == lab].tolist())
        for walk in walks if len(walks) > 1 else ():
            here = (strides.lab == lab) & (asked == walk)
            for model, by_condition in table.items():
                estimate = by_condition[MEASURED][here]
                row: Row = {"of": lab, "walk": walk, "strides": int(here.sum()), "model": model}
                for place, name in enumerate(MOMENTS):
                    one = errors(reference[here, :, place, None], estimate[..., place, None])
                    row[f"{name}_rmse"] = one.rmse if one else None
                forces = moments_and_forces(reference[here], estimate)["forces"]
                row["forces_rmse"] = forces.rmse if forces else None
                found.append(row)
    return found


def half_widths(strides: Strides, estimates: Curves) -> Curves:
    """Return the half-width of each estimate's interval, fitted to other people."""
    reference = strides.loads
    width = np.empty_like(estimates)
    for fold in folds(strides):
        spread = fit_spread(estimates[~fold.held], reference[~fold.held], strides.take(~fold.held))
        width[fold.held] = spread.half_width(torch.from_numpy(estimates[fold.held])).numpy()
    return width


def coverage_rows(strides: Strides, estimates: Curves, width: Curves, model: str) -> list[Row]:
    """Return the share of references inside the stated interval, by laboratory."""
    missed = np.abs(estimates - strides.loads)
    is_inside = np.where(np.isfinite(missed), missed <= width, np.nan)
    found: list[Row] = []
    for lab in strides.labs:
        people = dict.fromkeys(strides.person[strides.lab == lab].tolist())
        inside = [is_inside[strides.person == person].mean((0, 1)) for person in people]
        shares = np.mean(inside, axis=0)
        split = len(MOMENTS)
        forces = shares[split:]
        found.append(
            {
                "model": model,
                "of": lab,
                "stated": COVERAGE,
                "moments": float(np.mean(shares[:split])),
                "forces": float(np.mean(forces)) if np.isfinite(forces).all() else None,
            }
        )
    return found


def table(title: str, found: list[Row], note: str = "") -> Table:
    """Return rows as a table."""
    columns = list(found[0])
    return Table(title, columns, [[row[name] for name in columns] for row in found], note)


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the recordings")
    parser.add_argument("--seed", type=int, default=0)


@dataclass(frozen=True)
class Told:
    """What models say of people left out: per model and condition, and of walks that vary."""

    loads: dict[str, dict[str, Curves]]
    varied: list[Varied]


def of_people_left_out(arguments: argparse.Namespace, workshop: Workshop, draws: int) -> Told:
    """Train edgehip's models without each group of people, and ask them."""
    strides = workshop.strides
    every = list(folds(strides, people_at_once=4 if arguments.quick else 1))
    teachers = 1 if arguments.quick else TEACHERS
    runs = load_runs(arguments.data)
    walked = [walks(strides, runs, seed) for seed in range(VARYING_DRAWS)]
    began_s = time.monotonic()

    def ask(fold: Fold) -> tuple[dict[str, dict[str, Curves]], list[Varied]]:
        rest, hidden = strides.take(~fold.held), set(strides.take(fold.held).people)
        models = workshop.models(rest, hidden, teachers)
        found = answers(strides, fold, models.estimates(), conditions(draws))
        found = {f"hip-{kind}": shown for kind, shown in found.items()}
        return found, [told(models, some.take(fold.held)) for some in walked]

    def note(fold: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s without {fold} done", file=sys.stderr)

    found = list(left_out(every, ask, note))
    masks = [fold.held for fold, _ in found]
    return Told(
        gathered(strides, [(fold, by_model) for fold, (by_model, _) in found]),
        [
            in_places(masks, [several[draw] for _, (_, several) in found])
            for draw in range(VARYING_DRAWS)
        ],
    )


def measure(arguments: argparse.Namespace) -> Report:
    """Train and judge."""
    if not (arguments.data / "walking").is_dir():
        sys.exit(f"{arguments.data}: holds no walking/ with labelled strides")
    torch.set_num_threads(1)
    quick = arguments.quick
    draws = 1 if quick else OFFSET_DRAWS
    workshop = Workshop.load(arguments.data, arguments.seed)
    strides = workshop.strides
    found = of_people_left_out(arguments, workshop, draws)
    loads = found.loads
    own: list[str] = [CYCLE, SAMPLE]
    # An interval is around what is told, whatever it is that corrected it.
    widths = {name: half_widths(strides, loads[name][MEASURED]) for name in own}
    for corrected, correct in ((REPEATING, repeating), (AFTER_OTHERS, after_others)):
        widths[corrected] = widths[SAMPLE]
        loads[corrected] = {
            condition: correct(strides, loads[CYCLE][condition], samples, widths[CYCLE])
            for condition, samples in loads[SAMPLE].items()
        }
    vary: dict[str, dict[str, Curves]] = {f"{SAMPLE}, varying, own": {}, f"{SAMPLE}, varying": {}}
    for draw, varied in enumerate(found.varied):
        both = varied.samples[:, -1], varying(varied, widths[CYCLE])
        for by_draw, curves in zip(vary.values(), both, strict=True):
            by_draw[f"{MEASURED} {draw}"] = curves
    loads |= released(arguments.data, strides, draws)
    figures = rows(strides, loads | vary)
    coverage = [
        row
        for name, width in widths.items()
        for row in coverage_rows(strides, loads[name][MEASURED], width, name)
    ]
    people = [r for r in figures if r["level"] == "person" and r["angles"] == MEASURED]
    losses = loss_rows(figures, own)
    children = children_rows(arguments.data)
    wrong = [e for c, e in loads[CYCLE].items() if c.startswith(OFFSETS)]
    cycles, samples = (loads[name][MEASURED] for name in own)
    adapted = adapted_rows(strides, cycles, samples, widths[CYCLE], wrong)
    checks = [
        better_than_peer(figures, [*own, AFTER_OTHERS]),
        children_served(children),
        adapted_better(adapted),
    ]
    skipped = []
    if not quick:
        checks += [better_than_peer(figures, own, OFFSETS), robust(losses)]
        checks.append(goals_reached(figures, AFTER_OTHERS))
    else:
        skipped.append("whether wrong zeros cost a third at most: one draw of them says little")
    return Report(
        [
            table("By laboratory", [r for r in figures if r["level"] == LABORATORY], UNITS),
            table("Loss in R2 by 5 degrees SD in every angle's zero", losses, DRAWN),
            table("By person, angles as measured", people, UNITS),
            table("By what was asked for, angles as measured", walk_rows(strides, loads), WALKS),
            table("Adapted to the person", adapted, ADAPTED),
            table("Whose own what is missed is, in variances", variance_rows(strides, cycles)),
            table("Children, from whom no model learnt", children, CHILDREN),
            table("By output, angles as measured, over all people", output_rows(strides, loads)),
            table("Share of references inside the stated interval", coverage),
        ],
        checks,
        skipped,
    )


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
