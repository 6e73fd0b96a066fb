"""Training follows the published protocol, can be put down and taken up, and repeats itself."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgehip.channels import ANGLES
from edgehip.errors import DatasetError, TrainingError
from edgehip_export.dataset import Cohort, read_cohort
from edgehip_export.file_digest import file_sha256
from edgehip_export.fit import Recipe
from edgehip_export.metrics import Errors, by_cadence, per_output, subject_mean
from edgehip_export.networks import build
from edgehip_export.progress_bar import ProgressBar
from edgehip_export.safe_load import load_tensors
from edgehip_export.split import folds, hold_out
from edgehip_export.train import Progress, Protocol, train
from edgehip_export.trained import TrainedModel, load_trained
from tests.export_cohort import SIXTY, cohort_arrays, write_cohort
from tests.programs import running
from tests.shared_data import SHARED, needs_shared_data

QUICK = Protocol(Recipe(most_epochs=3, batch=8), folds=2)
SMALL = {"hidden": 8}

RESTLESS = Recipe(
    learning_rate=0.03,
    weight_decay=0.5,
    batch=5,
    most_epochs=16,
    patience=3,
    least_improvement=0.015,
    gradient_clip=0.05,
    seed=27,
)
"""Folds end at other epochs, none at its best one, and everything in it tells in the weights."""


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    return read_cohort(write_cohort(tmp_path / "cohort.npz", people=SIXTY[:6], strides_each=3))


def weights(model: TrainedModel) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in model.networks[0].weights.values()])


def test_defaults_are_the_published_protocol() -> None:
    protocol = Protocol()
    assert protocol == Protocol(
        Recipe(
            learning_rate=1e-4,
            weight_decay=1e-5,
            batch=64,
            most_epochs=300,
            patience=30,
            least_improvement=1e-8,
            gradient_clip=0.5,
            seed=2025,
        ),
        folds=5,
        test_share=0.2,
        split_seed=42,
        scale_targets=False,
    )


def by_hand(
    recipe: Recipe,
    training: tuple[torch.Tensor, torch.Tensor],
    validation: tuple[torch.Tensor, torch.Tensor] | None,
    epochs: int,
) -> tuple[dict[str, torch.Tensor], int, float]:
    """Return the weights of a fit's best epoch, its number and its loss; or those of the last."""
    torch.manual_seed(recipe.seed)
    x, y = training
    network = build("lstm", y.shape[-1], SMALL)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    best, least, kept = 0, float("inf"), network.state_dict()
    for epoch in range(1, epochs + 1):
        network.train()
        order = torch.randperm(len(x))
        for start in range(0, len(x), recipe.batch):
            batch = order[start : start + recipe.batch]
            optimiser.zero_grad()
            loss = ((network(x[batch]) - y[batch]) ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
            optimiser.step()
        if validation is None:
            continue
        network.eval()
        losses = []
        with torch.no_grad():
            for start in range(0, len(validation[0]), recipe.batch):
                part = slice(start, start + recipe.batch)
                losses.append(((network(validation[0][part]) - validation[1][part]) ** 2).mean())
        mean = float(torch.stack(losses).mean())
        if mean < least - recipe.least_improvement:
            best, least = epoch, mean
            kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        elif epoch - best >= recipe.patience:
            break
    return (network.state_dict() if validation is None else kept), best, least


@pytest.mark.parametrize("scale_targets", [False, True])
def test_a_run_is_the_protocol_written_out(
    tmp_path: Path, cohort: Cohort, scale_targets: bool
) -> None:
    recipe = RESTLESS
    protocol = Protocol(recipe, folds=3, scale_targets=scale_targets)
    model = train(cohort, "lstm", tmp_path, protocol, SMALL).networks[0]
    pool = ~np.isin(cohort.subjects, hold_out(cohort.subjects))
    x, y = (torch.from_numpy(values[pool]) for values in (cohort.angles_deg, cohort.per_kg))

    def scaled(strides: torch.Tensor, over: torch.Tensor) -> torch.Tensor:
        columns = over.flatten(0, 1)
        return (strides - columns.mean(0)) / columns.std(0, correction=0)

    def loads(strides: torch.Tensor, over: torch.Tensor) -> torch.Tensor:
        return scaled(strides, over) if scale_targets else strides

    with (tmp_path / "cv_metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    best_epochs = []
    for row, (mine, others) in zip(rows, folds(cohort.subjects[pool], 3), strict=True):
        validation = scaled(x[others], x[mine]), loads(y[others], y[mine])
        training = scaled(x[mine], x[mine]), loads(y[mine], y[mine])
        kept, best, least = by_hand(recipe, training, validation, recipe.most_epochs)
        assert int(row["best_epoch"]) == best
        assert float(row["best_val_loss"]) == pytest.approx(least, abs=6e-5)
        network = build("lstm", 3, SMALL).eval()
        network.load_state_dict(kept)
        with torch.no_grad():
            answer = network(validation[0])
        if scale_targets:
            columns = y[mine].flatten(0, 1)
            answer = answer * columns.std(0, correction=0) + columns.mean(0)
        rmse = float(((answer - y[others]) ** 2).mean().sqrt())
        assert float(row["val_RMSE"]) == pytest.approx(rmse, abs=6e-5)
        best_epochs.append(best)
    final = by_hand(recipe, (scaled(x, x), loads(y, y)), None, sorted(best_epochs)[1])[0]
    for name, tensor in final.items():
        torch.testing.assert_close(model.weights[name], tensor, rtol=1e-3, atol=1e-4)
    others_than_the_median = int(np.mean(best_epochs)), max(best_epochs), recipe.most_epochs
    assert sorted(best_epochs)[1] not in others_than_the_median
    low, high = model.angle_range_deg
    np.testing.assert_array_equal(low, x.flatten(0, 1).amin(0))
    np.testing.assert_array_equal(high, x.flatten(0, 1).amax(0))


class Stop(BaseException):
    """As an interrupt from the keyboard."""


def stopping(_: Progress) -> None:
    raise Stop


def test_run_stopped_anywhere_ends_in_the_same_weights(tmp_path: Path, cohort: Cohort) -> None:
    protocol = Protocol(RESTLESS, folds=3)
    passed: list[tuple[str, int]] = []

    def note(progress: Progress) -> None:
        passed.append((progress.stage, len(progress.fit.history) - progress.fit.best_epoch))

    whole = train(cohort, "lstm", tmp_path / "whole", protocol, SMALL, on_epoch=note)
    behind = [number for number, (stage, after) in enumerate(passed) if "fold" in stage and after]
    for stop_after in (1, behind[0] + 1, behind[-1], len(passed) - 2):  # also past a best epoch
        cut = tmp_path / f"cut-{stop_after}"
        left = stop_after

        def stop(progress: Progress) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Stop

        with pytest.raises(Stop):
            train(cohort, "lstm", cut, protocol, SMALL, on_epoch=stop)
        torch.manual_seed(99)
        resumed = train(cohort, "lstm", cut, protocol, SMALL)
        torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
        for table in (tmp_path / "whole").glob("*.csv"):
            assert (cut / table.name).read_text() == table.read_text()


def test_run_folder_tells_the_whole_story(tmp_path: Path, cohort: Cohort) -> None:
    model = train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["protocol"]["recipe"]["seed"] == 2025
    assert config["strides"] == 18
    with (tmp_path / "run" / "cv_metrics.csv").open() as file:
        best = [int(row["best_epoch"]) for row in csv.DictReader(file)]
    provenance = model.networks[0].provenance
    assert provenance["epochs"] == int(np.median(best))
    assert not (tmp_path / "run" / "state.pt").exists()
    again = load_trained(tmp_path / "run" / "model.pt")
    torch.testing.assert_close(weights(again), weights(model), rtol=0, atol=0)
    assert set(provenance["test_subjects"]) < set(SIXTY[:6])
    torch.testing.assert_close(
        weights(train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)), weights(model)
    )


def test_scaled_targets_come_out_in_their_own_units(tmp_path: Path) -> None:
    cohort = read_cohort(write_cohort(tmp_path / "f.npz", target="forces", people=SIXTY[:6]))
    protocol = Protocol(
        Recipe(most_epochs=40, batch=8, learning_rate=1e-2), folds=2, scale_targets=True
    )
    model = train(cohort, "lstm", tmp_path / "run", protocol, SMALL)
    metrics = json.loads((tmp_path / "run" / "test_metrics.json").read_text())
    assert metrics["test_metrics_overall"]["R2"] > 0.5
    assert model.networks[0].target_sd.min() > 1.0


def test_folder_of_another_run_is_left_alone(tmp_path: Path, cohort: Cohort) -> None:
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    with pytest.raises(TrainingError, match="family lstm there, transformer here, hidden 8 there"):
        train(cohort, "transformer", tmp_path / "run", QUICK)
    longer = replace(QUICK, recipe=replace(QUICK.recipe, most_epochs=4))
    message = r"holds another run \(most_epochs 3 there, 4 here\): give another folder"
    with pytest.raises(TrainingError, match=message):
        train(cohort, "lstm", tmp_path / "run", longer, SMALL)
    for other in (
        replace(cohort, angles_deg=cohort.angles_deg + 1),
        replace(cohort, per_kg=cohort.per_kg * np.float32(1.1)),
        replace(cohort, subjects=cohort.subjects[::-1]),
        replace(cohort, cadences=cohort.cadences[::-1]),
    ):
        with pytest.raises(TrainingError, match=r"another run \(data_sha256 \w+\.\.\. there"):
            train(other, "lstm", tmp_path / "run", QUICK, SMALL)


HOLDING = """
import sys, time
from pathlib import Path
from edgehip_export.folder_lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_one_process_trains_in_a_folder_and_one_that_was_killed_bars_nobody(
    tmp_path: Path, cohort: Cohort
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    command = [sys.executable, "-c", HOLDING, str(run)]
    with running(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TrainingError, match=f"process {other.pid} on .* is training there"):
            train(cohort, "lstm", run, QUICK, SMALL)
        other.kill()
    assert [path.name for path in run.iterdir()] == ["run.lock"]

    def second(_: Progress) -> None:
        with pytest.raises(TrainingError, match="is training there: give another folder, or wait"):
            train(cohort, "lstm", run, QUICK, SMALL)
        raise Stop

    with pytest.raises(Stop):
        train(cohort, "lstm", run, QUICK, SMALL, on_epoch=second)
    gone_on = train(cohort, "lstm", run, QUICK, SMALL)
    alone = train(cohort, "lstm", tmp_path / "alone", QUICK, SMALL)
    torch.testing.assert_close(weights(gone_on), weights(alone), rtol=0, atol=0)


def test_a_model_that_no_run_made_is_not_taken_for_this_ones(
    tmp_path: Path, cohort: Cohort
) -> None:
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    before = (tmp_path / "run" / "model.pt").read_bytes()
    (tmp_path / "run" / "config.json").unlink()
    with pytest.raises(TrainingError, match=r"run without its config\.json: give another folder"):
        train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    assert (tmp_path / "run" / "model.pt").read_bytes() == before


def test_a_run_keeps_the_versions_it_was_begun_with(tmp_path: Path, cohort: Cohort) -> None:
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    config = tmp_path / "run" / "config.json"
    older = config.read_text().replace('"torch": "', '"torch": "1.')
    config.write_text(older)
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    assert config.read_text() == older


def test_a_state_that_is_not_this_runs_says_the_way_out(tmp_path: Path, cohort: Cohort) -> None:
    with pytest.raises(Stop):
        train(cohort, "lstm", tmp_path / "run", QUICK, SMALL, on_epoch=stopping)
    state = tmp_path / "run" / "state.pt"
    whole = state.read_bytes()
    other = dict(load_tensors(state)) | {"fit": {"network": {}}}
    for spoil in (
        lambda: state.write_bytes(whole[: len(whole) // 2]),
        lambda: torch.save({"something": "else"}, state),
        lambda: torch.save(other, state),
        lambda: torch.save(other | {"stage": 2}, state),
    ):
        spoil()
        message = r"state\.pt: is damaged, or not this run's: remove it to start the run anew"
        with pytest.raises(TrainingError, match=message):
            train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)


def test_a_finished_run_writes_its_tables_again(tmp_path: Path, cohort: Cohort) -> None:
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    table = tmp_path / "run" / "test_metrics_by_cadence.csv"
    before = table.read_text()
    table.unlink()
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    assert table.read_text() == before


def test_only_the_release_is_cited_as_the_data(tmp_path: Path, cohort: Cohort) -> None:
    model = train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    provenance = model.networks[0].provenance
    assert provenance["data"] == "15 strides of 5 people of cohort.npz"
    assert provenance["cohort"] == {"file": "cohort.npz", "sha256": file_sha256(cohort.path)}
    assert "citation" not in provenance
    assert "Gait2Hip-60" in provenance["protocol"]["as_in"]


def test_the_bar_goes_on_where_the_run_does(
    tmp_path: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> str:
        bar = ProgressBar()

        def show(progress: Progress) -> None:
            bar.show(progress)
            if progress.number == 2 and len(progress.fit.history) == 2:
                raise Stop

        try:
            train(cohort, "lstm", tmp_path / "run", QUICK, SMALL, on_stage=bar.begin, on_epoch=show)
        except Stop:
            pass
        finally:
            bar.close()
        shown = capsys.readouterr()
        return shown.out + shown.err

    assert "goes on" not in run()
    shown = run()
    assert shown.count("goes on at fold 2, epoch 3") == 1
    assert "fold 2 (2/3):  67%" in shown
    assert "final fit (3/3): 100%" in shown


def test_too_few_people_are_named(tmp_path: Path, cohort: Cohort) -> None:
    with pytest.raises(DatasetError, match="5 people are too few for a test and 5 folds"):
        train(cohort.of_people(SIXTY[:5]), "lstm", tmp_path / "run")


def test_an_angle_that_never_moves_is_named(tmp_path: Path) -> None:
    angles = cohort_arrays(people=SIXTY[:6])["X"]
    angles[:, :, 2] = np.repeat(np.linspace(-5, 5, 18), 180).reshape(18, 180)
    angles[3, :, 2] += np.linspace(0, 20, 180)  # a knock in one stride is no movement
    path = write_cohort(tmp_path / "locked.npz", people=SIXTY[:6], X=angles)
    with pytest.raises(DatasetError, match=f"locked.npz: {ANGLES[2]} never moves"):
        train(read_cohort(path), "lstm", tmp_path / "run", QUICK, SMALL)
    assert not (tmp_path / "run").exists()


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path, cohort: Cohort) -> None:
    fits = {}
    protocol = Protocol(
        Recipe(most_epochs=60, batch=8, learning_rate=0.2, patience=3, gradient_clip=1e9), folds=2
    )

    def note(progress: Progress) -> None:
        fits[progress.stage] = progress.fit

    train(cohort, "lstm", tmp_path / "run", protocol, SMALL, on_epoch=note)
    for stage in ("fold 1", "fold 2"):
        losses = [epoch.validation_loss for epoch in fits[stage].history]
        assert fits[stage].best_epoch == int(np.argmin(losses)) + 1
        assert len(losses) in (60, fits[stage].best_epoch + 3)


def test_metrics_are_the_published_definitions() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(6, 180, 3)) + np.array([0, 5, 10])
    answer = truth + rng.normal(size=truth.shape)
    who = np.array(["a", "a", "b", "b", "b", "c"])
    pooled = Errors.between(truth, answer)
    spread = ((truth - truth.mean()) ** 2).sum()
    assert pooled.r2 == pytest.approx(1 - ((answer - truth) ** 2).sum() / spread)
    assert pooled.rmse == pytest.approx(np.sqrt(((answer - truth) ** 2).mean()))
    each = [Errors.between(truth[who == w], answer[who == w]).mae for w in "abc"]
    assert subject_mean(truth, answer, who).mae == pytest.approx(np.mean(each))
    # Each output about its own mean: the offsets between outputs explain nothing.
    assert float(per_output(truth, answer, who)[0]["R2"]) < 0.2 < pooled.r2


@needs_shared_data
@pytest.mark.parametrize("kind", ["cv_5fold_baseline_metrics", "test_metrics_by_speed_mean"])
def test_tables_have_the_published_columns(tmp_path: Path, cohort: Cohort, kind: str) -> None:
    train(cohort, "lstm", tmp_path / "run", QUICK, SMALL)
    ours = "cv_metrics.csv" if kind.startswith("cv") else "test_metrics_by_cadence.csv"
    published = SHARED / "data" / "gait2hip60" / f"LSTM_JM60_{kind}.csv"
    header, *lines = (tmp_path / "run" / ours).read_text().splitlines()
    published_header, *published_lines = published.read_text().splitlines()
    added = ",subject_mean_R2_undefined_people" if "cadence" in ours else ""
    assert header == published_header + added
    if ours == "test_metrics_by_cadence.csv":
        assert [line.split(",")[0] for line in lines] == [
            line.split(",")[0] for line in published_lines
        ]


def test_cadence_rows_count_what_they_hold(cohort: Cohort) -> None:
    cohort = cohort.of(np.arange(1, 18))  # somebody never walked slowly
    rows = by_cadence(cohort.per_kg, cohort.per_kg * 0.9, cohort.subjects, cohort.cadences)
    assert [(row["speed"], row["n_trials"], row["n_subjects"]) for row in rows] == [
        ("overall", 17, 6),
        ("fast", 6, 6),
        ("med", 6, 6),
        ("slow", 5, 5),
    ]


def test_a_cadence_may_be_called_overall(cohort: Cohort) -> None:
    labels = np.where(cohort.cadences == "slow", "overall", cohort.cadences)
    rows = by_cadence(cohort.per_kg, cohort.per_kg * 0.9, cohort.subjects, labels)
    counts = [(row["speed"], row["n_trials"]) for row in rows]
    assert counts == [("overall", 18), ("fast", 6), ("med", 6), ("overall (label)", 6)]
