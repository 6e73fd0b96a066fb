"""Exported files do what their source does, in every form and precision, or are not written."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgehip.errors import ModelFileError
from edgehip.model import load_model
from edgehip.model_card import ModelCard
from edgehip.model_file import write_model
from edgehip_export import answers as answers_module
from edgehip_export import parity
from edgehip_export.answers import answers
from edgehip_export.checkpoint import import_checkpoints
from edgehip_export.comparison_strides import Labelled, normal_strides
from edgehip_export.export import onnx_graph, run_module
from edgehip_export.export_model import Limits, export_graphs, export_model
from edgehip_export.forms import cycle_form, step_form
from edgehip_export.networks import CausalNetwork
from edgehip_export.parity import Accuracy, Parity, normalised_error
from edgehip_export.quantize import PRECISIONS, Inputs, Precision
from edgehip_export.strides import close_cycles, resample
from edgehip_export.trained import TrainedModel
from tests.test_export_checkpoint import synthetic
from tests.test_export_networks import unroll

STRIDES = normal_strides(3)
FEW = Labelled(STRIDES)
GraphOfOne: TypeAlias = tuple[nn.Module, ModelCard, bytes]


def model(folder: Path, family: str, *targets: str) -> TrainedModel:
    return import_checkpoints(
        [synthetic(folder / f"{family}_{t}.pt", family, t) for t in targets], name=f"made-{family}"
    )


@pytest.fixture(scope="module")
def graph_of_one(tmp_path_factory: pytest.TempPathFactory) -> GraphOfOne:
    """A module, its card and its graph, of which every file is made."""
    torch.manual_seed(4)
    module, card = cycle_form(model(tmp_path_factory.mktemp("one"), "transformer", "moments"))
    return module, card, onnx_graph(module, card)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    monkeypatch.setattr(parity, "LATENCY_BUDGET_S", 0.0)


def test_step_form_is_the_cycle_form_from_zero_state(tmp_path: Path) -> None:
    both = model(tmp_path, "mamba", "forces", "moments")
    cycle, cycle_card = cycle_form(both)
    step, step_card = step_form(both, stride_s=1.2)
    assert step_card.rate_hz == pytest.approx(150)
    assert step_card.resets_at_contact
    whole = answers(lambda *x: run_module(cycle, *x), cycle_card, STRIDES)
    stepped = answers(lambda *x: run_module(step, *x), step_card, STRIDES)
    for name in ("moments_nm_per_kg", "forces_n_per_kg"):
        assert normalised_error(stepped[name], whole[name]) < 1e-5


def test_lstm_cycle_in_tflite_is_a_loop_over_its_step(tmp_path: Path) -> None:
    both = model(tmp_path, "lstm", "moments", "forces")
    module, card = cycle_form(both)
    source = answers(lambda *x: run_module(module, *x), card, STRIDES)
    done = export_model(both, tmp_path, ["tflite"], ("fp32", "int8"), limits=Limits(), labelled=FEW)
    for exported, tolerance, ratio in zip(done, (1e-5, 0.08), (1.01, 0.35), strict=True):
        loaded = load_model(exported.path)
        for _ in range(2):  # a second call must start from zero state again
            found = answers(loaded.engine.run, loaded.card, STRIDES)
            for name, answer in found.items():
                assert normalised_error(answer, source[name]) < tolerance
        assert exported.parity is not None
        assert exported.parity.size_ratio < ratio
        assert exported.path.stat().st_size < 2_000_000


def test_an_lstm_cycle_in_onnx_is_made_smaller(tmp_path: Path) -> None:
    one = model(tmp_path, "lstm", "moments")
    (small,) = export_model(one, tmp_path, ["onnx"], ["int8"], limits=Limits(), labelled=FEW)
    assert small.refusal is None
    assert small.parity is not None
    assert small.parity.size_ratio < 0.35


def test_a_file_is_measured_as_the_legend_says(tmp_path: Path) -> None:
    _, card = cycle_form(model(tmp_path, "transformer", "moments", "forces"))
    rng = np.random.default_rng(0)
    names = {"moments_nm_per_kg": 3, "forces_n_per_kg": 14}
    source, found, labels = (
        {
            name: (rng.normal(size=(3, 180, width)) * np.linspace(1, 9, width) ** growth).astype(
                "f4"
            )
            for name, width in names.items()
        }
        for growth in (1, 3, 1)
    )

    class Engine:
        name = "engine"

        def run(self, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
            stride = [np.array_equal(inputs[0][0], one) for one in STRIDES].index(True)
            return tuple(found[name][stride, None] for name in names)

    labelled = Labelled(STRIDES, {"forces": labels["forces_n_per_kg"]})
    measured = parity.measure(Engine(), card, b"12", 8, labelled, source)
    assert measured.size_ratio == 0.25
    errors = []
    for name in names:
        off = (found[name] - source[name]).reshape(540, -1)
        assert measured.max_error[name] == pytest.approx(np.abs(off).max())
        errors.append((off.std(axis=0) / source[name].reshape(540, -1).std(axis=0)).mean())
    assert errors[0] != pytest.approx(errors[1], rel=0.01)
    assert measured.normalised_error == pytest.approx(max(errors), rel=0.01)
    ((name, accuracy),) = measured.accuracy.items()
    truth = labels[name]
    spread = truth.var()
    for one, r2, rmse in (
        (found, accuracy.r2, accuracy.rmse),
        (source, accuracy.r2_of_source, accuracy.rmse_of_source),
    ):
        squared = ((one[name] - truth) ** 2).mean()
        assert (r2, rmse**2) == pytest.approx((1 - squared / spread, squared), rel=1e-4)
    assert accuracy.r2_loss == accuracy.r2_of_source - accuracy.r2


def test_an_output_that_never_changes_is_measured_by_its_size() -> None:
    """A dead channel must neither be divided by its SD of nothing nor be left out."""
    source = np.zeros((4, 9, 3), np.float32)
    source[..., 0] = 2.0
    source[..., 1] = np.tile([-1.0, 1.0], 18).reshape(4, 9)
    assert normalised_error(source, source) == 0.0
    for channel, size in enumerate((2.0, 1.0, 1.0)):
        off = source.copy()
        off[..., channel] += 0.3
        assert normalised_error(off, source) == pytest.approx(0.3 / size / 3, rel=1e-3)


def test_a_graph_the_engine_refuses_is_not_written_and_the_others_are(
    tmp_path: Path, graph_of_one: GraphOfOne
) -> None:
    module, card, graph = graph_of_one
    source = answers(lambda *x: run_module(module, *x), card, STRIDES)

    def broken(precision: Precision, _: object) -> bytes:
        return graph[: len(graph) // 2] if precision == "int8" else graph

    precisions: tuple[Precision, ...] = ("int8", "fp32")
    done = export_graphs(
        [("onnx", broken)], card, tmp_path, precisions, FEW, source, Limits(), no_static=None
    )
    assert "refuses the graph" in (done[0].refusal or "")
    assert [exported.path.exists() for exported in done] == [False, True]


def test_a_report_says_what_is_there(tmp_path: Path, graph_of_one: GraphOfOne) -> None:
    """Also after an interrupt, and where a file of another run is refused now."""
    module, card, graph = graph_of_one
    source = answers(lambda *x: run_module(module, *x), card, STRIDES)

    def interrupted(precision: Precision, _: object) -> bytes:
        if precision == "fp16":
            raise KeyboardInterrupt
        return graph

    write_model(tmp_path / "made-transformer-int8.onnx", graph, card)  # of another run
    strict = Limits(dict.fromkeys(PRECISIONS, 0.0))
    with pytest.raises(KeyboardInterrupt):
        export_graphs(
            [("onnx", interrupted)],
            card,
            tmp_path,
            ("int8-static", "int8", "fp16"),
            FEW,
            {name: answer + 1 for name, answer in source.items()},
            strict,
            no_static="not this one",
        )
    report = json.loads((tmp_path / "made-transformer.parity.json").read_text())
    assert {name: one["written"] for name, one in report.items()} == {
        "made-transformer-int8-static.onnx": False,
        "made-transformer-int8.onnx": False,
    }
    assert not list(tmp_path.glob("*.onnx"))


def test_a_model_that_lives_in_time_is_asked_in_time() -> None:
    """How many points a stride has is no matter; how long it took is."""
    hip = load_model("hip-sample")
    fine = resample(np.linspace(0, 1, 359), np.linspace(0, 1, 180), STRIDES[0])
    quick, slow = (
        answers(hip.engine.run, hip.card, STRIDES[:1], {"stride_s": np.array([s], np.float32)})
        for s in (1.0, 1.4)
    )
    other = {"stride_s": np.array([1.0], np.float32)}
    finer = answers(hip.engine.run, hip.card, fine[None], other)
    for name in ("moments_nm_per_kg", "forces_n_per_kg"):
        assert quick[name].shape[:2] == (1, 180)
        assert normalised_error(finer[name][:, ::2], quick[name]) < 0.01
        assert normalised_error(slow[name], quick[name]) > 0.1


def test_a_stride_that_is_walked_is_closed_and_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    hip = load_model("hip-sample")
    stride_s = {"stride_s": np.array([1.1], np.float32)}
    open_stride = STRIDES[:1] + np.linspace(0, 8, 180, dtype=np.float32)[:, None]

    def answer(strides: NDArray[np.float32]) -> NDArray[np.float32]:
        return answers(hip.engine.run, hip.card, strides, stride_s)["moments_nm_per_kg"]

    found = answer(open_stride)
    assert normalised_error(found, answer(close_cycles(open_stride))) < 1e-5
    monkeypatch.setattr(answers_module, "WALKED", 6)
    assert normalised_error(found, answer(open_stride)) < 0.01


def test_transformer_has_no_step_form(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="has no step form: export its cycle form"):
        step_form(model(tmp_path, "transformer", "moments"), stride_s=1.1)


def test_cycle_files_of_both_formats_answer_as_pytorch(tmp_path: Path) -> None:
    one = model(tmp_path, "transformer", "moments")
    done = export_model(
        one, tmp_path / "files", precisions=PRECISIONS, limits=Limits(), labelled=FEW
    )
    module, card = cycle_form(one)
    source = answers(lambda *x: run_module(module, *x), card, STRIDES)
    tolerance = {"fp32": 1e-4, "fp16": 5e-3, "int8": 0.08, "int8-static": 0.08}
    written = [exported for exported in done if exported.refusal is None]
    assert {e.precision for e in written} >= {"fp32", "fp16", "int8"}
    for exported in written:
        loaded = load_model(exported.path)
        assert loaded.card.precision == exported.precision
        found = answers(loaded.engine.run, loaded.card, STRIDES)
        for name, answer in found.items():
            assert normalised_error(answer, source[name]) < tolerance[exported.precision]
        if exported.precision == "int8":
            assert exported.parity is not None
            assert exported.parity.size_ratio < 0.35
    report = json.loads((tmp_path / "files" / "made-transformer.parity.json").read_text())
    assert set(report) == {exported.path.name for exported in done}
    assert len(done) == 2 * len(PRECISIONS)


@pytest.mark.parametrize("family", ["lstm", "mamba"])
def test_step_files_carry_their_state_in_float(tmp_path: Path, family: str) -> None:
    one = model(tmp_path, family, "moments")
    done = export_model(
        one,
        tmp_path,
        precisions=("int8", "int8-static"),
        forms=("step",),
        limits=Limits(),
        labelled=FEW,
    )
    refused = {e.path.name: e.refusal for e in done if e.refusal}
    assert set(refused) == {f"made-{family}-step-int8-static.{s}" for s in ("onnx", "tflite")}
    assert all("state drifts away" in str(refusal) for refusal in refused.values())
    network = one.networks[0].module()
    with torch.no_grad():
        x = network.normalise(torch.from_numpy(STRIDES))
        whole = network.denormalise(unroll(cast(CausalNetwork, network.network), x)).numpy()
    for exported in done:
        if exported.refusal is None:
            loaded = load_model(exported.path)
            found = answers(loaded.engine.run, loaded.card, STRIDES)["moments_nm_per_kg"]
            assert normalised_error(found, whole) < 0.08


def test_file_beyond_its_limit_is_not_written(tmp_path: Path) -> None:
    one = model(tmp_path, "lstm", "moments")
    strict = Limits(dict.fromkeys(PRECISIONS, 1e-6))
    for limits, written in ((strict, False), (None, True)):
        (exported,) = export_model(
            one, tmp_path / "out", ["onnx"], ["int8"], ["step"], limits=limits, labelled=FEW
        )
        assert exported.path.exists() is written
        assert (exported.refusal is None) is written
    assert exported.parity is not None
    assert "is above 0.00%, the limit for int8" in str(strict.refusal("int8", exported.parity))


@pytest.mark.parametrize(
    ("precision", "near", "far"),
    [("fp32", 1e-4, 2e-3), ("fp16", 2e-3, 1e-2), ("int8", 0.05, 0.1), ("int8-static", 0.05, 0.1)],
)
def test_limits_keep_what_answers_otherwise_from_being_written(
    precision: Precision, near: float, far: float
) -> None:
    def refusal(error: float, r2: float = 0.8) -> str | None:
        accuracy = {"moments_nm_per_kg": Accuracy(r2, 0.8, 0.1, 0.1)}
        return Limits().refusal(precision, Parity("", 1, 1.0, {}, error, accuracy, 1.0, 1.0))

    assert refusal(near) is None
    assert refusal(near, 0.796) is None
    assert "normalised error" in (refusal(far) or "")
    assert "nan%" in (refusal(float("nan")) or "")
    assert "0.0060 of R²" in (refusal(near, 0.794) or "")
    assert "nan of R²" in (refusal(near, float("nan")) or "")


def test_a_model_of_two_networks_knows_what_both_know(tmp_path: Path) -> None:
    forces = synthetic(
        tmp_path / "mf.pt",
        target="forces",
        mu_x=np.linspace(0, 20, 10).astype(np.float32),
        sd_x=np.linspace(15, 4, 10).astype(np.float32),
    )
    both = import_checkpoints([forces, synthetic(tmp_path / "jm.pt")])
    low, high = (torch.stack([n.angle_range_deg[side] for n in both.networks]) for side in (0, 1))
    for _, card in (cycle_form(both), step_form(both, 1.1)):
        known = card.ranges["angles_deg"]
        assert known.low == pytest.approx(low.amax(0).tolist())
        assert known.high == pytest.approx(high.amin(0).tolist())
    assert not (low[0] > low[1]).all()
    assert (low[0] > low[1]).any()


def test_a_file_of_another_model_is_not_replaced(tmp_path: Path) -> None:
    one, other = (model(tmp_path, "lstm", "moments") for _ in range(2))
    (exported,) = export_model(one, tmp_path, ["onnx"], forms=["step"], labelled=FEW)
    before = exported.path.read_bytes()
    with pytest.raises(ModelFileError, match=r"made of another model that is also called .*--name"):
        export_model(other, tmp_path, ["onnx"], ["int8"], ["step"], labelled=FEW)
    assert exported.path.read_bytes() == before
    exported.path.write_bytes(before[:100])
    with pytest.raises(ModelFileError, match=r"truncated.*: remove it, or give another folder"):
        export_model(one, tmp_path, ["onnx"], ["int8"], ["step"], labelled=FEW)
    exported.path.unlink()
    (again,) = export_model(one, tmp_path, ["onnx"], forms=["step"], stride_s=1.3, labelled=FEW)
    assert load_model(again.path).card.rate_hz == pytest.approx(180 / 1.3)


def test_what_is_judged_does_not_calibrate(tmp_path: Path, graph_of_one: GraphOfOne) -> None:
    module, card, graph = graph_of_one
    seen = []

    def noting(_: Precision, calibration: Sequence[Inputs]) -> bytes:
        if calibration:
            seen.append(np.concatenate([inputs[0] for inputs in calibration]))
        return graph

    for labelled in (FEW, Labelled.made_up(), Labelled(STRIDES + 5)):
        source = answers(lambda *x: run_module(module, *x), card, labelled.strides_deg)
        files = export_graphs(
            [("onnx", noting)], card, tmp_path, ["int8-static"], labelled, source, None, None
        )
        assert [exported.refusal for exported in files] == [None]
        assert not np.isin(seen[-1][:, 0, 0], labelled.strides_deg[:, 0, 0]).any()
    np.testing.assert_array_equal(seen[2], seen[0])


def test_loss_of_accuracy_on_labelled_strides_is_measured_and_limited(tmp_path: Path) -> None:
    one = model(tmp_path, "lstm", "moments")
    module, card = step_form(one, 1.1)
    truth = answers(lambda *x: run_module(module, *x), card, STRIDES)["moments_nm_per_kg"]
    labelled = Labelled(STRIDES, {"moments": truth})
    limits = Limits(dict.fromkeys(PRECISIONS, 1.0), r2_loss=1e-9)
    (exported,) = export_model(
        one, tmp_path, ["onnx"], ["int8"], ["step"], labelled=labelled, limits=limits
    )
    assert exported.parity is not None
    accuracy = exported.parity.accuracy["moments_nm_per_kg"]
    assert accuracy.r2_of_source == pytest.approx(1)
    assert 0 < accuracy.r2_loss < 0.05
    assert "of R² in moments_nm_per_kg, more than" in str(exported.refusal)
    assert not exported.path.exists()


def test_card_says_where_the_model_comes_from(tmp_path: Path) -> None:
    (exported,) = export_model(
        model(tmp_path, "lstm", "forces"), tmp_path, ["onnx"], forms=["step"]
    )
    card = load_model(exported.path).card
    assert card.licence == "MIT"
    assert "arXiv 2605.30374" in card.training["forces"]["citation"]
    assert card.metrics["parity"]["normalised_error"] < 1e-4
    low, high = (
        np.array(side) for side in (card.ranges["angles_deg"].low, card.ranges["angles_deg"].high)
    )
    np.testing.assert_allclose(high - low, 6 * np.linspace(5, 20, 10), rtol=1e-5)
