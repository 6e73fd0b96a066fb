"""tflite-runtime, in an environment of its own: right where it can be, refused where it is not."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgehip_export.answers import inputs_of
from edgehip_export.checkpoint import import_checkpoints
from edgehip_export.comparison_strides import normal_strides
from edgehip_export.export import run_module
from edgehip_export.export_model import Exported, export_model
from edgehip_export.forms import cycle_form, step_form
from tests.test_export_checkpoint import synthetic

REPOSITORY = Path(__file__).resolve().parents[1]

SCRIPT = """
import sys
import numpy as np
from edgehip.errors import EdgehipError
from edgehip.model import load_model

assert np.__version__.startswith("1."), np.__version__
path, inputs, outputs = sys.argv[1:]
try:
    model = load_model(path)
except EdgehipError as error:
    sys.exit(str(error))
with np.load(inputs) as file:
    answers = model.engine.run(*(file[name] for name in file.files))
print(model.engine.name)
np.savez(outputs, *answers)
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("tflite-runtime has wheels up to CPython 3.11 only")
    folder = tmp_path_factory.mktemp("packages")
    wanted = ["tflite-runtime==2.14.0", "numpy<2"]
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "--target", str(folder)]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"pip cannot install tflite-runtime: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """Every precision and form, by the end of the file's name."""
    folder = tmp_path_factory.mktemp("exported")
    model = import_checkpoints([synthetic(folder / "lstm.pt")], name="small")
    files = export_model(model, folder, ["tflite"], ["fp32", "fp16", "int8"], ["step", "cycle"])
    return {file.path.stem.removeprefix("small-"): file for file in files}


def run(packages: Path, model: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a model file under tflite-runtime; site-packages are switched off."""
    environment = {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{REPOSITORY}"}
    return subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT, str(model), f"{folder}/in.npz", f"{folder}/out.npz"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("step-fp32", 1e-5), ("step-fp16", 2e-3), ("fp32", 1e-5), ("fp16", 2e-3)],
)
def test_float_files_agree(
    packages: Path,
    exported: dict[str, Exported],
    tmp_path: Path,
    name: str,
    tolerance: float,
) -> None:
    model = import_checkpoints([exported["fp32"].path.parent / "lstm.pt"])
    module, card = step_form(model, 1.1) if name.startswith("step") else cycle_form(model)
    inputs = inputs_of(card, normal_strides(1)[:, : card.samples_per_cycle or 1])
    np.savez(tmp_path / "in.npz", *inputs)
    done = run(packages, exported[name].path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "tflite-runtime 2.14.0"
    with np.load(tmp_path / "out.npz") as file:
        answers = [file[key] for key in file.files]
    for answer, expected in zip(answers, run_module(module, *inputs), strict=True):
        np.testing.assert_allclose(answer, expected, atol=tolerance)


@pytest.mark.parametrize("name", ["step-int8", "int8"])
def test_eight_bit_file_is_refused_with_the_reason(
    packages: Path, exported: dict[str, Exported], tmp_path: Path, name: str
) -> None:
    done = run(packages, exported[name].path, tmp_path)
    assert done.returncode == 1
    assert "has 8-bit weights, which tflite-runtime 2.14.0 computes wrongly" in done.stderr
    assert "Traceback" not in done.stderr
