"""The training protocol of Gait2Hip-60 (arXiv 2605.30374): folds, median best epoch, final fit.

A run lives in a folder. Its state is written after every epoch, so that a run that was stopped
goes on where it was and ends in the same weights.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from edgehip.channels import ANGLES
from edgehip.errors import DatasetError, TrainingError
from edgehip_export.acquaintance import remember
from edgehip_export.dataset import DATA_SET, Cohort
from edgehip_export.fit import Fit, Pair, Recipe, predict
from edgehip_export.folder_lock import alone_in
from edgehip_export.metrics import Errors, Row, by_cadence, per_output, subject_mean, write_table
from edgehip_export.networks import build
from edgehip_export.run_folder import RunFolder
from edgehip_export.split import FOLDS, SPLIT_SEED, TEST_SHARE, folds, hold_out
from edgehip_export.trained import TrainedModel, TrainedNetwork, load_trained, save_trained

LEAST_SD: Final = 1e-8
"""Added to every SD, as published."""

TEST_FILES: Final = (
    "test_metrics.json",
    "test_metrics_by_cadence.csv",
    "test_metrics_per_output.csv",
)

LEAST_MOVEMENT_DEG: Final = 0.1
"""An angle that moves by less in most strides is locked, or was not measured: divided by the SD of
its rounding errors, anybody else's would be enormous."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is published of the training, and the one thing that may be done otherwise.

    Parameters
    ----------
    recipe
        How one network is fitted.
    folds, test_share, split_seed
        The split by person.
    scale_targets
        Fit z-scored targets instead of Nm/kg or N/kg. The published networks were fitted on the
        latter: their stored validation losses are the squares of their RMSE.
    """

    recipe: Recipe = field(default_factory=Recipe)
    folds: int = FOLDS
    test_share: float = TEST_SHARE
    split_seed: int = SPLIT_SEED
    scale_targets: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: in stage ``number`` of ``of``, after as many epochs as ``fit`` has."""

    stage: str
    number: int
    of: int
    fit: Fit


@dataclass(frozen=True, slots=True)
class Scaling:
    """Means and SDs of some strides, per column."""

    angle_mean: torch.Tensor
    angle_sd: torch.Tensor
    target_mean: torch.Tensor
    target_sd: torch.Tensor

    @classmethod
    def of(cls, cohort: Cohort, scale_targets: bool) -> "Scaling":
        """Return the scaling for training on a cohort."""
        angles = torch.from_numpy(cohort.angles_deg).flatten(0, 1)
        targets = torch.from_numpy(cohort.per_kg).flatten(0, 1)
        mean, sd = torch.zeros(targets.shape[1]), torch.ones(targets.shape[1])
        if scale_targets:
            mean, sd = targets.mean(0), targets.std(0, correction=0) + LEAST_SD
        return cls(angles.mean(0), angles.std(0, correction=0) + LEAST_SD, mean, sd)

    def pair(self, cohort: Cohort) -> Pair:
        """Return a cohort's angles and targets, scaled."""
        x = (torch.from_numpy(cohort.angles_deg) - self.angle_mean) / self.angle_sd
        y = (torch.from_numpy(cohort.per_kg) - self.target_mean) / self.target_sd
        return x, y


def train(
    cohort: Cohort,
    family: str,
    folder: Path,
    protocol: Protocol | None = None,
    sizes: dict[str, Any] | None = None,
    device: str = "cpu",
    on_stage: Callable[[Progress], None] = lambda progress: None,
    on_epoch: Callable[[Progress], None] = lambda progress: None,
) -> TrainedModel:
    """Return a network trained by the protocol; write everything about it to ``folder``.

    A folder that holds an unfinished run of the same configuration is gone on with; one that
    holds a finished one is read, and tables that it lacks are written again. ``on_stage`` is told
    of every stage before the first epoch that is left of it, ``on_epoch`` of every epoch.

    Raises
    ------
    TrainingError
        If the folder holds a run of another configuration or a damaged one, another process trains
        in it, or there is no such device.
    DatasetError
        If there are too few people to split, or an angle never moves.
    """
    if device != "cpu" and not torch.cuda.is_available():
        raise TrainingError(f"PyTorch finds no {device} device here: train on cpu")
    run = _Run(cohort, family, protocol or Protocol(), sizes or {}, device, on_stage, on_epoch)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        run.take_up(RunFolder(folder, run.config))
        return run.model()


class _Run:
    folder: RunFolder
    stage: int
    rows: list[Row]
    fit_state: dict[str, Any] | None

    def __init__(
        self,
        cohort: Cohort,
        family: str,
        protocol: Protocol,
        sizes: dict[str, Any],
        device: str,
        on_stage: Callable[[Progress], None],
        on_epoch: Callable[[Progress], None],
    ) -> None:
        self.family, self.sizes, self.protocol, self.device = family, sizes, protocol, device
        self.on_stage, self.on_epoch = on_stage, on_epoch
        self.held_out = hold_out(cohort.subjects, protocol.test_share, protocol.split_seed)
        self.test = cohort.of_people(self.held_out)
        self.pool = cohort.of_people([p for p in cohort.people() if p not in self.held_out])
        if len(self.pool.people()) < protocol.folds:
            raise DatasetError(
                f"{cohort.path}: {len(cohort.people())} people are too few for a test and "
                f"{protocol.folds} folds"
            )
        _check_movement(self.pool)
        self.is_release = cohort.is_release()
        self.config = {
            "family": family,
            "sizes": sizes,
            "protocol": asdict(protocol),
            "device": device,
            "target": cohort.target,
            "strides": len(cohort),
            "people": len(cohort.people()),
            "data_sha256": _digest(cohort),
        }

    def take_up(self, folder: RunFolder) -> None:
        """Go on with what a folder holds of this run."""
        self.folder = folder
        state = folder.load_state() or {"stage": 0, "rows": [], "fit": None}
        try:
            self.stage = int(state["stage"])
            self.rows = list(state["rows"])
            self.fit_state = state["fit"]
            best = [int(row["best_epoch"]) for row in self.rows]
        except (KeyError, TypeError, ValueError) as error:
            raise folder.damaged_state() from error
        if len(best) != self.stage:
            raise folder.damaged_state()

    def model(self) -> TrainedModel:
        if self.folder.model.exists():
            model = load_trained(self.folder.model)
            if not all((self.folder.path / name).exists() for name in TEST_FILES):
                self._test(model.networks[0])
            return model
        for number, (training, validation) in enumerate(
            folds(self.pool.subjects, self.protocol.folds)
        ):
            if number >= self.stage:
                self._run_fold(number, self.pool.of(training), self.pool.of(validation))
        epochs = max(1, int(np.median([int(row["best_epoch"]) for row in self.rows])))
        scaling = Scaling.of(self.pool, self.protocol.scale_targets)
        fit = self._fit(scaling.pair(self.pool), None, epochs, "final fit")
        model = self._trained(fit, scaling)
        write_table(self.folder.path / "cv_metrics.csv", self.rows)
        save_trained(self.folder.model, model)
        self.folder.drop_state()
        return model

    def _save(self, fit: Fit | None) -> None:
        state = fit.state() if fit is not None else None
        self.folder.save_state({"stage": self.stage, "rows": self.rows, "fit": state})

    def _fit(self, training: Pair, validation: Pair | None, epochs: int, stage: str) -> Fit:
        """Return a finished fit, begun anew or gone on with."""
        outputs = training[1].shape[-1]
        fit = Fit(
            lambda: build(self.family, outputs, self.sizes),
            self.protocol.recipe,
            training,
            validation,
            epochs,
            self.device,
        )
        if self.fit_state is not None:
            try:
                fit.restore(self.fit_state)
            except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
                raise self.folder.damaged_state() from error
            self.fit_state = None
        progress = Progress(stage, self.stage + 1, self.protocol.folds + 1, fit)
        self.on_stage(progress)
        while not fit.done:
            fit.run_epoch()
            self._save(fit)
            self.on_epoch(progress)
        write_table(
            self.folder.path / f"history_{stage.replace(' ', '_')}.csv",
            [asdict(epoch) for epoch in fit.history],
        )
        return fit

    def _run_fold(self, number: int, training: Cohort, validation: Cohort) -> None:
        scaling = Scaling.of(training, self.protocol.scale_targets)
        fit = self._fit(
            scaling.pair(training),
            scaling.pair(validation),
            self.protocol.recipe.most_epochs,
            f"fold {number + 1}",
        )
        fit.network.load_state_dict(fit.weights())
        answer = predict(fit.network, scaling.pair(validation)[0])
        answer = answer * scaling.target_sd.numpy() + scaling.target_mean.numpy()
        row: Row = {
            "fold": number + 1,
            "n_train_trials": len(training),
            "n_val_trials": len(validation),
            "n_val_subjects": len(validation.people()),
            "best_epoch": fit.best_epoch,
            "best_val_loss": fit.best_loss,
        }
        row |= Errors.between(validation.per_kg, answer).row("val_")
        row |= subject_mean(validation.per_kg, answer, validation.subjects).row("val_subject_mean_")
        self.rows.append(row)
        self.stage = number + 1
        self._save(None)

    def _trained(self, fit: Fit, scaling: Scaling) -> TrainedModel:
        """Return the final network with its normalisation and what is to be told of it."""
        angles = torch.from_numpy(self.pool.angles_deg).flatten(0, 1)
        network = TrainedNetwork(
            target=self.pool.target,
            family=self.family,
            sizes=self.sizes,
            weights=fit.weights(),
            angle_mean_deg=scaling.angle_mean,
            angle_sd_deg=scaling.angle_sd,
            target_mean=scaling.target_mean,
            target_sd=scaling.target_sd,
            angle_range_deg=torch.stack([angles.amin(0), angles.amax(0)]),
        )
        people = f"{len(self.pool)} strides of {len(self.pool.people())} people"
        published = "Zhang et al., Gait2Hip-60, arXiv 2605.30374"
        about = {"data": f"{people} of {Path(self.pool.path).name}"}
        if self.is_release:
            about = {"data": f"{people} of Gait2Hip-60 ({DATA_SET})", "citation": published}
        network.provenance.update(
            about,
            cohort={"file": Path(self.pool.path).name, "sha256": self.pool.sha256},
            protocol={"as_in": published} | asdict(self.protocol),
            epochs=len(fit.history),
            test_subjects=list(self.held_out),
            training_subjects=list(self.pool.people()),
            test_strides=remember(self.test, self.held_out),
            training_strides=remember(self.pool, self.pool.people()),
            **self._test(network),
        )
        return TrainedModel(f"{self.family}-{network.target}", (network,))

    def _test(self, network: TrainedNetwork) -> dict[str, dict[str, float]]:
        """Return the metrics on the held-out people; write them, and their tables."""
        answer = predict(network.module(), torch.from_numpy(self.test.angles_deg))
        truth, subjects = self.test.per_kg, self.test.subjects
        metrics = {
            "test_metrics_overall": Errors.between(truth, answer).row(),
            "test_metrics_subject_mean": subject_mean(truth, answer, subjects).mean_row(),
        }
        overall, by_label, by_output = TEST_FILES
        self.folder.write_json(overall, metrics)
        write_table(
            self.folder.path / by_label,
            by_cadence(truth, answer, subjects, self.test.cadences),
        )
        write_table(self.folder.path / by_output, per_output(truth, answer, subjects))
        return metrics


def _check_movement(cohort: Cohort) -> None:
    moved = np.median(np.ptp(cohort.angles_deg, axis=1), axis=0)
    still = [name for name, by in zip(ANGLES, moved, strict=True) if by < LEAST_MOVEMENT_DEG]
    if still:
        raise DatasetError(
            f"{cohort.path}: {' and '.join(still)} never move{'s' * (len(still) == 1)}: less than "
            f"{LEAST_MOVEMENT_DEG:g} degrees in most strides. A network trained on that fails "
            "wherever it does move: all ten angles must be measured ones"
        )


def _digest(cohort: Cohort) -> str:
    digest = hashlib.sha256()
    for array in (cohort.angles_deg, cohort.per_kg, cohort.subjects, cohort.cadences):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
