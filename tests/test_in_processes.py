"""Work spread over cores."""

import subprocess
import sys

import pytest

IN_ORDER = """
import os
from edgehip_export.in_processes import in_processes
factor = 3
work = lambda item: (factor * item, os.getpid())
results, processes = zip(*in_processes(work, [4, 2, 9, 1], {at_once}))
assert results == (12, 6, 27, 3), results
assert (os.getpid() in processes) == ({at_once} == 1)
"""

FAILING = """
from edgehip_export.in_processes import in_processes
list(in_processes(lambda item: 1 // item, [1, 0], 2))
"""


def python(code: str) -> "subprocess.CompletedProcess[str]":
    """Run code by itself: what other tests imported may have threads, which forking forbids."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("at_once", [1, 2])
def test_results_come_in_order_whatever_the_function(at_once: int) -> None:
    done = python(IN_ORDER.format(at_once=at_once))
    assert done.returncode == 0, done.stderr


def test_a_failure_in_a_process_arrives() -> None:
    assert "ZeroDivisionError" in python(FAILING).stderr
