"""A model file from elsewhere is first run where it can do no harm."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.hostile import graphs
from edgehip.errors import ModelFileError
from edgehip.model import bundled_files, bundled_models, load_model
from edgehip.model_file import read_model, write_model
from edgehip.trial import try_out
from tests.programs import PATIENCE_S, edgehip

SOUND = bundled_files("hip-cycle")["tflite"]
CARD, CONTENT, _ = read_model(SOUND)
GRAPHS = dict(graphs(CARD, CONTENT, quick=True))
ENDLESS = "TFLite graph with a loop that never ends"
FILLING = "TFLite graph that broadcasts to 7 GB"


def written(folder: Path, what: str) -> Path:
    path = folder / f"graph.{what.partition(' ')[0].lower()}"
    write_model(path, GRAPHS[what], CARD)
    return path


@pytest.mark.parametrize("what", GRAPHS)
def test_a_graph_made_to_break_an_engine_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    path = written(tmp_path, what)
    with pytest.raises(ModelFileError) as caught:
        try_out(path, path.read_bytes(), cpu_s=2)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    if what == ENDLESS:
        assert "its first run takes more than 2 s" in str(caught.value)


def test_a_sound_model_from_elsewhere_is_loaded(tmp_path: Path) -> None:
    for bundled in bundled_models():
        path = tmp_path / bundled.name
        path.write_bytes(bundled.read_bytes())
        assert load_model(path, trusted=False).card == load_model(bundled).card


def test_what_is_loaded_is_what_was_tried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the file becomes another meanwhile."""
    if FILLING not in GRAPHS:
        pytest.skip("ai-edge-litert is not installed")
    path, python = written(tmp_path, FILLING), tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncp "{SOUND}" "{path}"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ModelFileError, match=r"refuses the graph|its first run"):
        load_model(path, trusted=False)
    assert path.read_bytes() == SOUND.read_bytes()


@pytest.mark.parametrize(
    "command", [["models"], ["stream", "--port", "synthetic:?duration_s=1&speed=max", "--model"]]
)
def test_the_command_tries_out_what_it_is_given(command: list[str], tmp_path: Path) -> None:
    if FILLING not in GRAPHS:
        pytest.skip("ai-edge-litert is not installed")
    done = subprocess.run(
        edgehip(*command, str(written(tmp_path, FILLING))),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("edgehip: ")
    assert done.stderr.count("\n") == 1


def test_an_engine_that_falls_over_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falls_over = tmp_path / "python"
    falls_over.write_text("#!/bin/sh\nkill -SEGV $$\n")
    falls_over.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(falls_over))
    with pytest.raises(ModelFileError, match=r"does not survive it \(exit status -11\)"):
        try_out(SOUND, CONTENT)


def test_no_module_of_the_working_directory_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    try_out(SOUND, CONTENT)


@pytest.mark.parametrize("python", [None, "", "/nowhere/python"])
def test_where_no_other_python_can_be_started_that_is_said(
    python: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a program that holds its own Python."""
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(ModelFileError, match="no other Python can be started"):
        try_out(SOUND, CONTENT)
