"""The machine a benchmark runs on: what it is, who has which core, what a process uses. Linux."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = ROOT.parent / "shared" / "data"
"""Recordings, which only some programs need."""

PACKAGES: Final = ("edgehip", "numpy", "ai-edge-litert", "onnxruntime", "torch", "opensim")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    """Return the machine, versions and commit that results depend on."""
    found = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "cores": str(len(cores())),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _machine() -> str:
    """Return a board's own name, or the processor's."""
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text().strip("\0\n")
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _commit() -> str:
    """Return the commit, with a plus if files differ from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--abbrev=12"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return "unknown"


def cores() -> list[int]:
    """Return the cores this process may use."""
    return sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def only_core(core: int) -> Iterator[None]:
    """Stay on one core, with every process started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def burner(core: int) -> Iterator[None]:
    """Keep a core busy with another process."""
    code = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def neighbour(busy: bool) -> Iterator[None]:
    """Stay on the first core while the last one idles or is kept busy."""
    first, *_, last = [*cores(), cores()[-1]]
    with only_core(first), burner(last) if busy else contextlib.nullcontext():
        yield


def cpu_s(pid: int) -> float:
    """Return the processor time a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Return a process's memory (``VmRSS`` now, ``VmHWM`` at most)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no {field}")
