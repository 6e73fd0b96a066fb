"""Every engine gives the same answers, keeps none of its outputs, refuses what is wrong."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.errors import MissingExtraError, ModelFileError, ModelInputError
from edgehip.model import Model, load_model
from edgehip.model_card import ModelCard, TensorCard
from edgehip.model_file import read_model, write_model
from edgehip_export.export import example_inputs, export_onnx, export_tflite, run_module

SUFFIXES = ("onnx", "tflite")

CARD = ModelCard(
    name="tiny",
    version="1",
    kind="sample",
    side="r",
    rate_hz=100.0,
    licence="MIT",
    description="random weights, made by the test",
    inputs=(
        TensorCard("angles_deg", (1, 1, 10), ANGLES),
        TensorCard("state.slow", (1, 4)),
        TensorCard("body_height_m", (1, 1)),
        TensorCard("state.fast", (1, 4)),
    ),
    outputs=(
        TensorCard("forces_n_per_kg", (1, 1, 14), MUSCLES),
        TensorCard("state.fast", (1, 4)),
        TensorCard("moments_nm_per_kg", (1, 1, 3), MOMENTS),
        TensorCard("state.slow", (1, 4)),
    ),
)


class Tiny(nn.Module):
    """Two states of one shape, outputs in another order than inputs: easy to confuse."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.into = nn.Linear(10, 4)
        self.forces = nn.Linear(4, 14)
        self.moments = nn.Linear(4, 3)

    def forward(
        self, angles: torch.Tensor, slow: torch.Tensor, height: torch.Tensor, fast: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        entering = torch.tanh(self.into(angles[:, 0] / 20))
        slow = 0.9 * slow + 0.1 * entering
        fast = 0.5 * fast + 0.5 * entering
        return (
            self.forces(fast).unsqueeze(1) * height,
            fast,
            self.moments(slow).unsqueeze(1),
            slow,
        )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("engines")
    module = Tiny().eval()
    paths = {suffix: folder / f"tiny.{suffix}" for suffix in SUFFIXES}
    export_onnx(module, CARD, paths["onnx"])
    export_tflite(module, CARD, paths["tflite"])
    return paths


@pytest.fixture(params=SUFFIXES)
def path(request: pytest.FixtureRequest, files: dict[str, Path]) -> Path:
    return files[str(request.param)]


@pytest.fixture
def model(path: Path) -> Model:
    return load_model(path)


@pytest.mark.parametrize("seed", range(5))
def test_engine_answers_as_the_module_does(model: Model, seed: int) -> None:
    inputs = example_inputs(CARD, seed)
    for answer, expected in zip(
        model.engine.run(*inputs), run_module(Tiny().eval(), *inputs), strict=True
    ):
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-6)


def test_outputs_belong_to_the_caller(model: Model) -> None:
    first = model.engine.run(*example_inputs(CARD, 0))
    kept = [output.copy() for output in first]
    second = model.engine.run(*example_inputs(CARD, 1))
    for output, copy, other in zip(first, kept, second, strict=True):
        np.testing.assert_array_equal(output, copy)
        assert not np.array_equal(output, other)
        output[:] = np.nan
    for output in model.engine.run(*example_inputs(CARD, 1)):
        assert np.isfinite(output).all()


def test_state_carried_by_the_caller_is_all_there_is(model: Model) -> None:
    angles, slow, height, fast = example_inputs(CARD, 3)
    _, fast_1, _, slow_1 = model.engine.run(angles, slow, height, fast)
    before = model.engine.run(angles, slow_1, height, fast_1)
    model.engine.run(*example_inputs(CARD, 4))
    after = model.engine.run(angles, slow_1, height, fast_1)
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first, second)


def test_wrong_inputs_are_refused_in_one_line(model: Model) -> None:
    right = example_inputs(CARD)
    for wrong in (
        right[:-1],
        (*right, right[-1]),
        (right[0][:, :, :9], *right[1:]),
        (right[0][0], *right[1:]),
        (right[0].astype(np.float64), *right[1:]),
    ):
        with pytest.raises(ModelInputError, match="refuses the inputs") as caught:
            model.engine.run(*wrong)
        assert "\n" not in str(caught.value)
    model.engine.run(*right)


@pytest.mark.parametrize(
    ("tensor", "lie"),
    [
        ("state.slow", TensorCard("state.slow", (1, 5))),
        ("state.fast", TensorCard("state.fast", (4, 1))),
    ],
)
def test_card_that_lies_about_shapes_is_refused(
    path: Path, tmp_path: Path, tensor: str, lie: TensorCard
) -> None:
    graph = _graph(path)
    card = dataclasses.replace(
        CARD, inputs=tuple(lie if t.name == tensor else t for t in CARD.inputs)
    )
    liar = tmp_path / path.name
    write_model(liar, graph, card)
    with pytest.raises(ModelFileError, match="the card lies about the graph"):
        load_model(liar)


def test_card_with_a_tensor_too_many_is_refused(path: Path, tmp_path: Path) -> None:
    card = dataclasses.replace(CARD, inputs=(*CARD.inputs, TensorCard("stride_s", (1, 1))))
    liar = tmp_path / path.name
    write_model(liar, _graph(path), card)
    with pytest.raises(ModelFileError, match="the card lies about the graph"):
        load_model(liar)


def test_damaged_files_are_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    broken = tmp_path / path.name
    flipped = bytearray(content)
    flipped[len(content) // 3] ^= 0x40
    for damage in (content[:-1], content[: len(content) // 2], bytes(flipped), b"", b"a text\n"):
        broken.write_bytes(damage)
        with pytest.raises(ModelFileError) as caught:
            load_model(broken)
        assert str(broken) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_graph_that_is_none_is_refused_by_the_engine(path: Path, tmp_path: Path) -> None:
    nonsense = tmp_path / path.name
    write_model(nonsense, b"this is no graph", CARD)
    with pytest.raises(ModelFileError, match="refuses the graph") as caught:
        load_model(nonsense)
    assert "\n" not in str(caught.value)


def test_module_that_does_not_fit_its_card_is_not_exported(tmp_path: Path) -> None:
    card = dataclasses.replace(CARD, outputs=CARD.outputs[::-1])
    with pytest.raises(ModelFileError, match="its card states"):
        export_onnx(Tiny().eval(), card, tmp_path / "x.onnx")


def _graph(path: Path) -> bytes:
    """Return a model file's bytes up to the card."""
    _, content, _ = read_model(path)
    return content[: int(content[-12:])]


def test_missing_engine_is_named_with_the_command_that_mends_it(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for suffix, package, command in (
        ("onnx", "onnxruntime", "pip install 'edgehip[onnx]'"),
        ("tflite", "ai_edge_litert", "pip install ai-edge-litert"),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setattr("edgehip.backends.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError) as caught:
            load_model(files[suffix])
        assert str(caught.value).endswith(command)
