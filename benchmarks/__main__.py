"""All benchmarks, and the page that shows their results.

``python -m benchmarks [--quick] [--only NAME ...] [--results DIR]`` runs each program in a process
of its own, keeps its JSON in DIR, and writes ``benchmarks/RESULTS.md`` and its plots from what lies
there; what the page says of programs that were not run stays. Programs that time single calls run
first, one after the other; the rest then share the cores, while a walk at true pace, which hardly
needs one, lasts its hour. One that fails does not stop the others. ``--quick`` is for continuous
integration: it checks everything in minutes and writes no page unless ``--results`` is given.
``--page`` only writes the page.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import DATA, ROOT, cores, environment
from benchmarks.page import write_page

RESULTS: Final = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Program:
    """A benchmark: the module that its name begins with, called with ``options``.

    Those with ``recordings`` need them beside the checkout. ``alone`` ones share the cores only
    with those of which ``waits`` says that they sleep nearly all the time; ``exact`` ones, which
    time single calls, with none at all.
    ``slow`` says why there is no form of seconds; ``plain`` ones print text rather than tables.
    """

    name: str
    options: tuple[str, ...] = ()
    alone: bool = True
    exact: bool = False
    waits: bool = False
    recordings: bool = False
    slow: str = ""
    plain: bool = False

    @property
    def module(self) -> str:
        """The module's name in this package."""
        return self.name.partition("-")[0]


PROGRAMS: Final = (
    Program("latency", exact=True),
    Program("peers", exact=True),
    Program("end_to_end", exact=True),
    Program("garbage", exact=True),
    Program("cost", exact=True),
    Program("scale", exact=True),
    Program("faults"),
    Program("slow_consumer"),
    Program("crash"),
    Program("quantization", recordings=True),
    Program("segmentation", recordings=True, plain=True),
    # Longest first: none is left to run on while other cores have nothing to do.
    Program("accuracy", alone=False, recordings=True, slow="it trains networks"),
    Program("look_ahead", alone=False, recordings=True, slow="it trains networks"),
    Program("soak", alone=False),
    Program(
        "soak-one-hour",
        ("--hours", "1", "--pace"),
        alone=False,
        waits=True,
        slow="it walks for an hour",
    ),
    Program("arm64", alone=False, slow="it installs another system", plain=True),
    Program("fuzz", alone=False),
    Program("hostile", alone=False),
)
QUICK_LIMIT_S: Final = 120.0
LIMIT_S: Final = 3 * 3600.0
_PRINTING: Final = threading.Lock()


def main() -> None:
    """Run what is asked for; fail if a program did."""
    names = [program.name for program in PROGRAMS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="minutes instead of hours")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--results", type=Path, help=f"default {RESULTS.relative_to(ROOT)}/")
    parser.add_argument("--page", action="store_true", help="write the page from what is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        keep = not arguments.quick or arguments.results is not None
        folder = (arguments.results or RESULTS) if keep else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [] if arguments.page else _chosen(arguments.only, arguments.quick)
        failed = _run_all(chosen, arguments.quick, folder)
        if keep:
            write_page(folder, names, ROOT / "benchmarks")
            print(f"\nwritten: {ROOT / 'benchmarks' / 'RESULTS.md'}")
    if failed:
        sys.exit(f"a claim did not hold, or the program failed: {', '.join(failed)}")


def _chosen(names: list[str], quick: bool) -> list[Program]:
    """Return what can be run here, and say why the rest cannot."""
    chosen = []
    for program in PROGRAMS:
        if program.name not in names:
            continue
        if program.slow and quick:
            print(f"=== {program.name} left out: {program.slow}, and has no form of seconds")
        elif program.recordings and not DATA.is_dir():
            print(f"=== {program.name} left out: it needs the recordings in ../shared/data")
        else:
            chosen.append(program)
    return chosen


def _run_all(programs: list[Program], quick: bool, folder: Path) -> list[str]:
    """Run programs, the exact and the lonely ones first; return the names of failed ones."""
    held: dict[str, bool] = {}

    def in_turn(some: list[Program]) -> None:
        held.update({program.name: run_one(program, quick, folder) for program in some})

    in_turn([program for program in programs if program.exact])
    with ThreadPoolExecutor(len(cores())) as busy, ThreadPoolExecutor() as waiting:

        def begin(some: list[Program], pool: ThreadPoolExecutor) -> dict[str, Future[bool]]:
            return {one.name: pool.submit(run_one, one, quick, folder) for one in some}

        running = begin([one for one in programs if one.waits], waiting)
        in_turn([one for one in programs if one.alone and not one.exact])
        running |= begin([one for one in programs if not (one.alone or one.waits)], busy)
    held |= {name: ended.result() for name, ended in running.items()}
    return [name for name, is_well in held.items() if not is_well]


def run_one(program: Program, quick: bool, folder: Path) -> bool:
    """Run one program, show and keep what it says; return whether all is well."""
    command = [sys.executable, "-m", f"benchmarks.{program.module}", *program.options]
    command += ["--quick"] if quick else []
    written = folder / f"{program.name}.json"
    if not program.plain:
        command += ["--json", str(written)]
    written.unlink(missing_ok=True)  # what is there is of another run
    _say(f"=== {time.strftime('%H:%M:%S')} {program.name} begins")
    began_s = time.monotonic()
    said = ""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        try:
            said, _ = process.communicate(timeout=QUICK_LIMIT_S if quick else LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            said += "\ntook too long and was ended"
    took_s = time.monotonic() - began_s
    well = "well" if process.returncode == 0 else f"with exit status {process.returncode}"
    if not written.exists():  # it prints text, or came to no result
        found = {
            "program": program.name,
            "question": _question(program.module),
            "quick": quick,
            "command": " ".join(["python", *command[1:]]),
            "took_s": round(took_s, 1),
            "environment": environment(),
            "printed": said,
            "left_out": [] if well == "well" else [f"everything: it ended {well}"],
        }
        written.write_text(json.dumps(found, indent=1) + "\n")
    _say(f"{said.strip()}\n=== {program.name} ended {well} after {took_s:.0f} s\n")
    return process.returncode == 0


def _say(text: str) -> None:
    with _PRINTING:
        print(text, flush=True)


def _question(module: str) -> str:
    """Return the first line of a program's documentation."""
    source = (ROOT / "benchmarks" / f"{module}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
