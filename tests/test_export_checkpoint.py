"""Released checkpoints import safely, load strictly and answer as their authors' networks do."""

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.npz_bombs import HOSTILE
from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.errors import ModelFileError
from edgehip_export.checkpoint import import_checkpoint, import_checkpoints
from edgehip_export.networks import FAMILIES, build
from edgehip_export.split import hold_out
from edgehip_export.trained import load_trained, save_trained
from tests.shared_data import SHARED, needs_shared_data

RELEASED = SHARED / "data" / "gait2hip60"
NAMES = tuple(f"{f}_{t}" for f in ("LSTM", "Transformer", "Mamba") for t in ("JM60", "MF60"))

SCHREIBER_R2 = {
    "Transformer_JM60": 0.738,
    "LSTM_JM60": 0.739,
    "Mamba_JM60": 0.748,
    "Transformer_MF60": 0.736,
    "LSTM_MF60": 0.662,
    "Mamba_MF60": 0.714,
}
"""Measured independently of this code, on the same 48 strides."""


def synthetic(path: Path, family: str = "lstm", target: str = "moments", **changes: Any) -> Path:
    """Write a checkpoint of the released shape with random weights."""
    moments = target == "moments"
    outputs = (
        [f"{name}_r_moment" for name in MOMENTS] if moments else [f"{name}_r" for name in MUSCLES]
    )
    weights = build(family, len(outputs)).state_dict()
    content = {
        "model_type": family,
        # A fresh Transformer's layers are copies of one another; trained ones are not.
        "state_dict": {k: v + 0.02 * torch.randn_like(v) for k, v in weights.items()},
        "mu_x": np.linspace(-5, 30, 10).astype(np.float32),
        "sd_x": np.linspace(5, 20, 10).astype(np.float32),
        "in_cols": list(ANGLES),
        "out_cols": outputs,
        "hparams": {"dropout": 0.1, "d_in": 10, "d_out": len(outputs), "T": 180},
        "global_seed": 2025,
    } | changes
    torch.save(content, path)
    return path


class Bomb:
    """Unpickling it would make a folder."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@needs_shared_data
@pytest.mark.parametrize("name", NAMES)
def test_released_checkpoint_answers_as_published(name: str) -> None:
    trained = import_checkpoint(RELEASED / f"{name}.pt")
    strides = np.load(SHARED / "data" / "walking" / "strides_180.npz")
    schreiber = strides["dataset"] == "schreiber"
    key = "Y_moment" if trained.target == "moments" else "Y_force"
    reference = strides[key][schreiber]
    with torch.no_grad():
        answer = trained.module()(torch.from_numpy(strides["X"][schreiber])).numpy()
    r2 = 1 - ((answer - reference) ** 2).sum() / ((reference - reference.mean()) ** 2).sum()
    assert round(float(r2), 3) == SCHREIBER_R2[name]


@needs_shared_data
def test_released_checkpoints_hold_out_the_published_subjects() -> None:
    trained = import_checkpoint(RELEASED / "LSTM_JM60.pt")
    sixty = [f"H{number:02d}" for number in range(1, 61)]
    assert trained.provenance["test_subjects"] == list(hold_out(sixty))


def test_all_but_the_tested_trained_a_checkpoint(tmp_path: Path) -> None:
    sixty = [f"H{number:02d}" for number in range(1, 61)]
    tested = list(hold_out(sixty))
    trained = import_checkpoint(synthetic(tmp_path / "a.pt", test_subjects=tested))
    own = trained.provenance["training_subjects"]
    assert own == [person for person in sixty if person not in tested]


@pytest.mark.parametrize("family", FAMILIES)
def test_import_keeps_the_function(tmp_path: Path, family: str) -> None:
    path = synthetic(tmp_path / "a.pt", family)
    content = torch.load(path, weights_only=False)
    network = build(family, 3)
    network.load_state_dict(content["state_dict"])
    x = torch.randn(1, 20, 10) * 20
    z = (x - torch.from_numpy(content["mu_x"])) / torch.from_numpy(content["sd_x"])
    with torch.no_grad():
        torch.testing.assert_close(
            import_checkpoint(path).module()(x), network.eval()(z), rtol=1e-4, atol=1e-5
        )


def test_two_checkpoints_make_one_model_that_survives_the_disk(tmp_path: Path) -> None:
    forces = synthetic(tmp_path / "f.pt", "mamba", "forces")
    moments = synthetic(tmp_path / "m.pt", "mamba", "moments")
    model = import_checkpoints([forces, moments])
    assert [n.target for n in model.networks] == ["moments", "forces"]
    save_trained(tmp_path / "both.pt", model)
    again = load_trained(tmp_path / "both.pt")
    assert again.name == model.name == "gait2hip60-mamba"
    assert again.networks[1].provenance == model.networks[1].provenance
    x = torch.randn(1, 12, 10) * 20
    with torch.no_grad():
        for before, after in zip(model.networks, again.networks, strict=True):
            torch.testing.assert_close(before.module()(x), after.module()(x), rtol=0, atol=0)


def test_two_of_a_kind_are_refused(tmp_path: Path) -> None:
    paths = [synthetic(tmp_path / name) for name in ("a.pt", "b.pt")]
    with pytest.raises(ModelFileError, match="2 networks are for moments"):
        import_checkpoints(paths)


def test_networks_that_scale_otherwise_are_others(tmp_path: Path) -> None:
    one = import_checkpoint(synthetic(tmp_path / "a.pt"))
    assert replace(one).weights_sha256() == one.weights_sha256()
    for name in ("angle_mean_deg", "angle_sd_deg", "target_mean", "target_sd"):
        other = replace(one, **{name: getattr(one, name) + 1})
        assert other.weights_sha256() != one.weights_sha256()


@pytest.mark.parametrize("load", [import_checkpoint, load_trained])
def test_pickle_bomb_does_not_go_off(tmp_path: Path, load: Any) -> None:
    crater = tmp_path / "crater"
    zipped, bare = tmp_path / "zipped.pt", tmp_path / "bare.pt"
    synthetic(zipped, surprise=Bomb(crater))
    bare.write_bytes(pickle.dumps(Bomb(crater)))
    for bomb in (zipped, bare):
        with pytest.raises(ModelFileError) as caught:
            load(bomb)
        assert not crater.exists()
        assert "\n" not in str(caught.value)
        assert str(bomb) in str(caught.value)
    with pytest.raises(ModelFileError, match=r"would run code on loading \(posix\.mkdir\)"):
        load(zipped)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_cols": list(ANGLES[::-1])}, "its inputs are ankle_angle_l"),
        ({"out_cols": ["hip_flexion_r_moment"]}, "its outputs are hip_flexion_r_moment"),
        ({"model_type": "mamba"}, "not those of a mamba"),
        ({"model_type": "tcn"}, "no network is called 'tcn'"),
        ({"hparams": {"hidden": 64}}, "not those of a lstm"),
        ({"hparams": {"width": 64}}, "not those of a lstm"),
        ({"mu_x": np.zeros(9, np.float32)}, "is not a released Gait2Hip-60"),
        ({"mu_x": np.full(10, np.nan, np.float32)}, r"angle_mean_deg must be \(10,\) finite"),
        ({"sd_x": np.zeros(10, np.float32)}, "angle_sd_deg must be above zero"),
        ({"mu_x": None}, "angle_mean_deg must be"),
        ({"state_dict": 3}, "is not a released Gait2Hip-60"),
    ],
)
def test_garbled_checkpoint_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = synthetic(tmp_path / "odd.pt", **changes)
    with pytest.raises(ModelFileError, match=message) as caught:
        import_checkpoint(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("load", [import_checkpoint, load_trained])
def test_other_files_are_refused(tmp_path: Path, load: Any) -> None:
    text = tmp_path / "notes.pt"
    text.write_text("not a model\n")
    cut = tmp_path / "cut.pt"
    cut.write_bytes(synthetic(tmp_path / "whole.pt").read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="no such file"):
        load(tmp_path / "absent.pt")
    for path in (text, cut):
        with pytest.raises(ModelFileError, match="is not a PyTorch checkpoint, or is damaged"):
            load(path)


def test_released_checkpoint_is_no_trained_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="becomes one with 'edgehip import'"):
        load_trained(synthetic(tmp_path / "a.pt"))


def test_a_compressed_checkpoint_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    HOSTILE["1 GiB of zeros"](path)
    with pytest.raises(ModelFileError, match="it may unpack to any size"):
        import_checkpoint(path)
