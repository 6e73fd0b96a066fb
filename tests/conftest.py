"""What all tests share."""

import importlib.util
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import edgehip
from tests.programs import Watch

if TYPE_CHECKING:
    from tests.streams import Walk

# Tests run beside each other: an engine's many threads would only wait for another's.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A test never judges how fast this machine is.
settings.register_profile("edgehip", deadline=None)
settings.load_profile("edgehip")

HAS_EXPORT = all(importlib.util.find_spec(name) for name in ("torch", "litert_torch", "onnxscript"))

# The workstation's tests import its packages at the top, as the code they test does.
collect_ignore_glob = [] if HAS_EXPORT else ["test_export_*.py"]


@pytest.fixture(autouse=True)
def _no_program_outlives_its_test() -> Iterator[None]:
    """One that still looks for its device would take the bytes of the next: names come again."""
    yield
    for watch in list(Watch.all):
        watch.end()


@pytest.fixture(scope="module")
def model() -> "edgehip.Model":
    """The bundled model of whole strides."""
    return edgehip.load_model()


@pytest.fixture(scope="module")
def walk() -> "Walk":
    """Eight seconds of level walking, the first of them standing."""
    from tests.streams import synthetic_walk  # NumPy: not before the settings above

    return synthetic_walk(8.0, stand_s=1.0)


def pytest_report_header() -> str:
    """Say what is not tested here, and how to have it tested."""
    if HAS_EXPORT:
        return "edgehip: with the workstation's tests"
    return "edgehip: without the workstation's tests; they need: pip install -e '.[export,test]'"
