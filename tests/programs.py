"""Programs in processes of their own, and waiting for them: for a minute, never for ever."""

import contextlib
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

PATIENCE_S = 60.0
"""Longer than a busy machine takes for anything waited for here, shorter than a test may take."""
_LEAVE_S = 5.0
"""How long a program may take to end when it is told to, before it is killed."""

Found = TypeVar("Found")


def until(happened: Callable[[], Found], what: str) -> Found:
    """Wait until a call returns something true, and return that; say what never came."""
    ends_s = time.monotonic() + PATIENCE_S
    while not (found := happened()):
        assert time.monotonic() < ends_s, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.01)
    return found


def edgehip(*arguments: str, constants: Mapping[str, float] | None = None) -> list[str]:
    """Return the command that runs edgehip, with other values for some of its constants.

    So a test need not sit through the seconds that a person is given.
    """
    if constants is None:
        return [sys.executable, "-m", "edgehip", *arguments]
    lines = ["import importlib", "from edgehip.cli import main"]
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        lines += [f"assert hasattr(importlib.import_module({module!r}), {constant!r})"]
        lines += [f"importlib.import_module({module!r}).{constant} = {value!r}"]
    return [sys.executable, "-c", "\n".join([*lines, "main()"]), *arguments]


def finished(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run edgehip to its end, whatever that is; what it printed is text."""
    command = edgehip(*arguments)
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, cwd=cwd, check=False
    )


class Child(subprocess.Popen[Any]):
    """A program of which a test reads what it redirected."""

    stdout: IO[Any]
    stderr: IO[Any]


class Watch:
    """Ends a program that takes more than its time, so that whoever reads from it comes to an end.

    Attributes
    ----------
    is_overdue
        Set if that happened.
    """

    all: ClassVar[set["Watch"]] = set()
    """Those of programs that may still run."""

    def __init__(self, process: subprocess.Popen[Any]) -> None:
        self.all.add(self)
        self.is_overdue = threading.Event()
        self._process = process
        self._timer = threading.Timer(PATIENCE_S, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Let the program run on, or rest if it has ended."""
        self._timer.cancel()
        self.all.discard(self)

    def end(self) -> None:
        """End the program at once, if it still runs."""
        self.stop()
        end(self._process)

    def _end(self) -> None:
        self.is_overdue.set()
        end(self._process)


def end(process: subprocess.Popen[Any]) -> None:
    """End a program, by force if it does not go by itself (it may have one of its own to end)."""
    process.terminate()
    try:
        process.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def until_at_rest(process: subprocess.Popen[Any], given: Callable[[], int] = lambda: 0) -> None:
    """Wait until a program has dealt with all there was, and only waits for more.

    ``given`` tells how much the program has not even taken yet.
    """
    quiet = 0

    def rests() -> bool:
        nonlocal quiet
        quiet = quiet + 1 if not given() and _only_waits(process.pid) else 0
        return quiet == 3  # its threads are not looked at in the same moment

    until(rests, "the program has dealt with all it was given")


def _only_waits(pid: int) -> bool:
    """Return whether no thread of a process runs, or would if another program let it."""
    try:
        stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # a thread that has just ended
        return False
    return all(stat.rpartition(")")[2].split()[0] in "SZ" for stat in stats)


@contextlib.contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[Child]:
    """Run a program that ends within the block, or is ended: by a failure there, or a minute's end.

    ``subprocess.Popen`` alone would wait for it, and a test that fails never come to its end.
    """
    process = Child(command, **options)
    watch = Watch(process)
    try:
        with process:
            try:
                yield process
            except BaseException:
                end(process)
                raise
    except Exception as error:
        if watch.is_overdue.is_set():
            raise AssertionError(_overdue(command)) from error
        raise
    finally:
        watch.stop()
    assert not watch.is_overdue.is_set(), _overdue(command)


def _overdue(command: Sequence[str]) -> str:
    return f"not at its end within {PATIENCE_S:.0f} s: {shlex.join(map(str, command))[:300]}"
