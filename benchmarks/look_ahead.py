"""What a small delay would buy per-sample estimates of people no model saw in training.

``python -m benchmarks.look_ahead [--quick] [--data DIR]`` trains networks that answer for the
sample some milliseconds ago, without each laboratory in turn, and judges them beside the one that
answers for this very sample, all of them alone, one stride over and over. Laboratories of several
people, who would be left out one by one, are passed over: their networks take hours to train.
"""

import argparse
import sys
import time
from typing import Final

import numpy as np
import torch

from benchmarks.accuracy import conditions, options, pooled
from benchmarks.accuracy_claims import EVERYBODY, MEASURED, Row
from benchmarks.report import Report, Table, run_program
from edgehip_export.default_evaluate import Curves, Fold, answers, folds, gathered, left_out
from edgehip_export.default_workshop import TEACHERS, Workshop

LOOK_AHEADS_S: Final = (0.02, 0.05, 0.1)
NOW: Final = "sample"
COLUMNS: Final = ["look_ahead_ms", "moments_r2", "moments_rmse", "forces_r2", "forces_rmse"]


def measure(arguments: argparse.Namespace) -> Report:
    """Train and judge."""
    if not (arguments.data / "walking").is_dir():
        sys.exit(f"{arguments.data}: holds no walking/ with labelled strides")
    torch.set_num_threads(1)
    quick = arguments.quick
    workshop = Workshop.load(arguments.data, arguments.seed)
    strides = workshop.strides
    whole = [fold for fold in folds(strides) if fold.name in strides.labs]
    ahead_s = LOOK_AHEADS_S[1:2] if quick else LOOK_AHEADS_S
    began_s = time.monotonic()

    def ask(fold: Fold) -> dict[str, dict[str, Curves]]:
        rest, hidden = strides.take(~fold.held), set(strides.take(fold.held).people)
        models = workshop.models(rest, hidden, 1 if quick else TEACHERS)
        asked = {NOW: models.estimates()[NOW]}
        asked |= {_named(late): workshop.late(rest, hidden, models, late) for late in ahead_s}
        return answers(strides, fold, asked, conditions(0))

    def report(fold: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s without {fold} done", file=sys.stderr)

    told = gathered(strides, left_out(whole[: 1 if quick else None], ask, report))
    found: list[Row] = []
    reference = strides.loads
    judged = np.isfinite(told[NOW][MEASURED]).all((1, 2))
    groups = [(lab, judged & (strides.lab == lab)) for lab in strides.labs]
    for name, here in [*groups, (EVERYBODY, judged)]:
        for late in (0.0, *ahead_s) if here.any() else ():
            told_there = told[_named(late)][MEASURED][here]
            row: Row = {"of": name, "look_ahead_ms": 1000.0 * late}
            found.append(row | pooled(reference[here], [told_there]))
    columns = ["of", *COLUMNS]
    cells = [[row[column] for column in columns] for row in found]
    note = "RMSE in Nm/kg and N/kg; angles as measured"
    return Report([Table("Answers for a sample of some time ago", columns, cells, note)])


def _named(look_ahead_s: float) -> str:
    return f"{1000 * look_ahead_s:.0f} ms late" if look_ahead_s else NOW


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
