"""A model file's first run, in a process of its own.

An inference engine does what a graph says: a small file can make it fill the memory, or run for
ever, before it returns. So a file from elsewhere is loaded and run once where that does no harm.
This does not show what a graph does that waits for a certain input.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from edgehip.backends import load_engine
from edgehip.errors import ModelFileError, ModelInputError
from edgehip.model_file import model_in

MEMORY_MIB: Final = 384
"""What the process may allocate; the bundled models need a tenth of it."""
CPU_S: Final = 10
"""Processor time for the engine's start, the file and one call: much for the smallest computers."""
WAIT_S: Final = 60.0
"""How long the process is waited for, whatever it does meanwhile."""
_REFUSED: Final = 3
_ADVICE: Final = "it is broken or made to do harm: export it again, or use another"
_CODE: Final = "import sys; sys.path[:] = sys.argv[3:]; from edgehip.trial import main; main()"
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def try_out(path: str | Path, content: bytes, cpu_s: int = CPU_S) -> None:
    """Load a model file and run it once on zeros, in a process with bounded memory and time.

    ``content`` is what was read of it, and no other is tried; ``cpu_s`` is how much processor time
    it may take.

    On systems without such bounds only a crash or a long wait is noticed.

    Raises
    ------
    ModelFileError
        If the file is refused, the process did not survive it, or there can be none.
    """
    # It finds the modules this process found, and none in the working directory.
    command = [sys.executable or "", "-c", _CODE, str(path), str(cpu_s), *sys.path]
    try:
        done = subprocess.run(
            command,
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD,
            timeout=WAIT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(f"{path}: its first run does not end: {_ADVICE}") from error
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be tried out, as no other Python can be started ({error.strerror}); "
            "load it as trusted if it is"
        ) from error
    if done.returncode == _REFUSED:
        raise ModelFileError(done.stdout.decode(errors="replace"))
    if done.returncode == -getattr(signal, "SIGXCPU", 0) != 0:  # not every system has it
        raise ModelFileError(f"{path}: its first run takes more than {cpu_s} s: {_ADVICE}")
    if done.returncode:
        raise ModelFileError(
            f"{path}: the engine does not survive it (exit status {done.returncode}): {_ADVICE}"
        )


def main() -> None:
    """Be that process; its first arguments are the path and its seconds, its input the content."""
    path = sys.argv[1]
    _bound(int(sys.argv[2]))
    try:
        content = sys.stdin.buffer.read()
        card, format = model_in(content, path)
        engine = load_engine(content, format, card, path)
        engine.run(*(np.zeros(tensor.shape, np.float32) for tensor in card.inputs))
    except ModelFileError as error:
        reason = str(error)
    except ModelInputError as error:
        reason = f"{path}: its first run fails: {error}"
    except MemoryError:
        reason = f"{path}: its first run takes more than {MEMORY_MIB} MiB: {_ADVICE}"
    else:
        return
    sys.stdout.buffer.write(reason.encode(errors="replace"))
    sys.stdout.flush()
    sys.exit(_REFUSED)


def _bound(cpu_s: int) -> None:
    """Let this process have so much memory and time, and leave no image of its memory."""
    try:
        import resource
    except ImportError:
        return
    ends_s = round(time.process_time()) + cpu_s
    for which, soft, hard in (
        (resource.RLIMIT_DATA, MEMORY_MIB << 20, MEMORY_MIB << 20),
        (resource.RLIMIT_CPU, ends_s, ends_s + 1),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, before = resource.getrlimit(which)
        if before == resource.RLIM_INFINITY or hard < before:
            resource.setrlimit(which, (soft, hard))
