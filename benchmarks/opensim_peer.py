"""OpenSim's static optimization as a peer, in a process of its own.

It needs ``pip install opensim==4.6`` (x86-64) and a model of the legs with their muscles: ``pip
install --no-deps nimblephysics`` brings that of Rajagopal et al. (IEEE Trans Biomed Eng 63:2068,
2016), and ``EDGEHIP_OSIM`` may name another with the same coordinates. ``EDGEHIP_OPENSIM_PYTHON``
may name the Python of another environment that has both.
"""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.machine import ROOT
from edgehip.channels import ANGLES, SIDES
from edgehip.events import FootOff, InitialContact
from edgehip.walker import Walker, WalkerParameters

RATE_HZ: Final = 100.0
FIRST_S: Final = 2.0
"""Steps are full by then."""
LAST_S: Final = 4.0


class OpenSim:
    """A worker that waits for the next frame.

    Attributes
    ----------
    problem
        What it solves, in words.
    """

    def __init__(self, process: "subprocess.Popen[str]", described: dict[str, Any]) -> None:
        self._process = process
        self.problem = (
            f"OpenSim {described['opensim']}, {described['muscles']} muscles of "
            f"{described['model']}"
        )

    def frame(self) -> float:
        """Optimize the next frame of the walk; return the seconds it took, without the pipe.

        Raises
        ------
        ChildProcessError
            If the worker has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (BrokenPipeError, ValueError) as error:
            raise ChildProcessError("its process ended unasked") from error


@contextmanager
def opensim() -> Iterator[OpenSim]:
    """Have a worker.

    Raises
    ------
    ImportError
        If OpenSim or a model is not installed.
    """
    python = os.environ.get("EDGEHIP_OPENSIM_PYTHON", sys.executable)
    given = [os.environ["EDGEHIP_OSIM"]] if "EDGEHIP_OSIM" in os.environ else []
    with TemporaryDirectory() as folder:
        walk = Path(folder) / "walk.json"
        walk.write_text(json.dumps(_walk()))
        process = subprocess.Popen(
            [python, str(ROOT / "benchmarks" / "opensim_worker.py"), str(walk), *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            assert process.stdout is not None
            described = process.stdout.readline()
            if not described.startswith("{"):
                _, said = process.communicate()
                raise ImportError((said.strip().splitlines() or ["it ended without a word"])[-1])
            yield OpenSim(process, json.loads(described))
        finally:
            process.kill()
            process.communicate()


def _walk() -> dict[str, Any]:
    """Return two seconds of steady walking: angles, and how much of each stance is over."""
    walker = Walker(WalkerParameters(rate_hz=RATE_HZ, stand_s=0.0))
    seen = list(itertools.islice(walker, round((LAST_S + 2) * RATE_HZ)))
    events = [event for sample in seen for event in sample.events]
    wanted = [sample for sample in seen if FIRST_S <= sample.time_s < LAST_S]
    stance = {}
    for side in SIDES:
        on_s = [e.time_s for e in events if isinstance(e, InitialContact) and e.side == side]
        off_s = [e.time_s for e in events if isinstance(e, FootOff) and e.side == side]
        spans = [(t, min(end for end in off_s if end > t)) for t in on_s if t < max(off_s)]
        stance[side] = [
            next(((s.time_s - a) / (b - a) for a, b in spans if a <= s.time_s < b), -1.0)
            for s in wanted
        ]
    return {
        "rate_hz": RATE_HZ,
        "names": ANGLES,
        "angles_deg": [sample.angles_deg for sample in wanted],
        "stance": stance,
    }
