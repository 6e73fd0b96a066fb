"""The house's own rules: what is pure stays pure, what is public is pinned, words are kept."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edgehip
from edgehip.channels import ANGLES, MIRROR, MUSCLES, SIDES, angles_of, opposite
from tests.programs import PATIENCE_S

ROOT = Path(edgehip.__file__).parent
PURE = (
    "body",
    "calibration",
    "card_checks",
    "card_json",
    "channels",
    "cues",
    "cycles",
    "declared",
    "device_clock",
    "diagnosis",
    "errors",
    "estimators/agreement",
    "estimators/correction",
    "estimators/cycle",
    "estimators/hip",
    "estimators/sample",
    "estimators/unit_watch",
    "estimators/walk_watch",
    "events",
    "flags",
    "intake",
    "gait_curve",
    "given",
    "latency",
    "leap",
    "line_order",
    "lines",
    "link",
    "merge",
    "messages",
    "model_card",
    "model_report",
    "normal_gait",
    "pace",
    "peaks",
    "pipeline",
    "posture",
    "receiver",
    "segmentation",
    "sequence",
    "snapshot",
    "timebase",
    "typed_fields",
    "walker",
    "wire",
    "zero",
)
IO = {"os", "io", "time", "datetime", "threading", "asyncio", "socket", "serial", "queue", "random"}


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_do_no_io_read_no_clock_and_start_no_thread(room: str) -> None:
    tree = ast.parse((ROOT / f"{room}.py").read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not {name.split(".")[0] for name in imported} & IO
    for name in imported:
        if name.startswith("edgehip."):
            path = name.removeprefix("edgehip.").replace(".", "/")
            assert path in PURE or path in ("model", "backends"), name
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}


def test_the_runtime_never_imports_the_workstation_side() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text()
        if path.name == "group.py":
            continue  # it reaches the workstation's commands by name, when they are called
        assert "edgehip_export" not in text, path
        assert "import torch" not in text, path


def test_streaming_needs_no_heavy_package() -> None:
    """What the command imports to stream from a walker to a pipe."""
    code = (
        "import sys\n"
        "from edgehip import Stream, load_model, open_source\n"
        "import edgehip.commands.stream\n"
        "source = open_source('synthetic:?duration_s=1&speed=max')\n"
        "list(Stream(source, load_model()))\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "onnx", "onnxruntime", "numba", "scipy", "bleak", "rich"}
    assert "ai_edge_litert" in loaded


def test_the_public_names_are_these() -> None:
    assert edgehip.__all__ == [
        "ANGLES",
        "DISTRUST",
        "MOMENTS",
        "MUSCLES",
        "BrokenCycle",
        "Chunk",
        "Cue",
        "CueChange",
        "EdgehipError",
        "Event",
        "Fault",
        "Flag",
        "FootOff",
        "HipEstimate",
        "HipSampleEstimate",
        "InitialContact",
        "JointAngleSample",
        "LinkChange",
        "LinkFault",
        "LinkState",
        "Model",
        "Pipeline",
        "Profile",
        "Source",
        "Stream",
        "StreamEvent",
        "__version__",
        "load_model",
        "load_profile",
        "open_source",
        "parse_cue",
        "save_profile",
        "snapshot",
    ]
    assert all(hasattr(edgehip, name) for name in edgehip.__all__)
    assert set(edgehip.__all__) <= set(dir(edgehip))
    assert not hasattr(edgehip, "Streem")


@pytest.mark.parametrize(
    ("module", "needed"), [("edgehip", set()), ("edgehip.cli", {"edgehip.interrupts"})]
)
def test_nothing_is_loaded_before_it_is_wanted(module: str, needed: set[str]) -> None:
    code = (
        f"import sys; before = {{*sys.modules}}; import {module}; print(*{{*sys.modules}} - before)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    # Not even of Python's own: until the command line runs, Ctrl-C would show where that was.
    assert {*done.stdout.split()} == {"edgehip", module, *needed}


def test_mirroring_exchanges_the_legs_and_nothing_else() -> None:
    assert len(ANGLES) == 10
    assert len(MUSCLES) == 14
    for index, mirrored in enumerate(MIRROR):
        assert MIRROR[mirrored] == index
        assert ANGLES[index][:-2] == ANGLES[mirrored][:-2]
        assert ANGLES[index][-1] == opposite(ANGLES[mirrored][-1])  # type: ignore[arg-type]
    for side in SIDES:
        assert [ANGLES[i] for i in angles_of(side)] == [
            f"{joint}_{side}"
            for joint in (
                "hip_flexion",
                "hip_adduction",
                "hip_rotation",
                "knee_angle",
                "ankle_angle",
            )
        ]


def test_every_public_name_can_be_had() -> None:
    rooms = {name for names in edgehip._ROOMS.values() for name in names}
    assert set(edgehip.__all__) == rooms | {"__version__"}
    for name in edgehip.__all__:
        assert getattr(edgehip, name) is not None
