"""All benchmarks, one after the other, and the page that shows their results.

``python -m benchmarks [--quick] [--only NAME ...] [--results DIR]`` runs each program in a process
of its own, keeps what it printed and its JSON in DIR, and writes ``benchmarks/RESULTS.md`` and its
plots from what lies there. ``--quick`` is for continuous integration: it checks everything in
minutes and writes no page unless ``--results`` is given. ``--page`` only writes the page.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import ROOT, environment
from benchmarks.page import write_page

DATA: Final = ROOT.parent / "shared" / "data"
RESULTS: Final = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Program:
    """A benchmark.

    Those on ``recordings`` need them beside the checkout, and keep what they print instead of
    tables; ``heavy`` ones train or convert networks and have no form of seconds.
    """

    name: str
    recordings: bool = False
    heavy: bool = False


PROGRAMS: Final = (
    Program("latency"),
    Program("peers"),
    Program("end_to_end"),
    Program("garbage"),
    Program("cost"),
    Program("faults"),
    Program("slow_consumer"),
    Program("crash"),
    Program("hostile"),
    Program("fuzz"),
    Program("soak"),
    Program("segmentation", recordings=True),
    Program("accuracy", recordings=True, heavy=True),
    Program("quantization", recordings=True, heavy=True),
)
QUICK_LIMIT_S: Final = 120.0
LIMIT_S: Final = 3 * 3600.0


def main() -> None:
    """Run what is asked for; fail if a program did."""
    names = [program.name for program in PROGRAMS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes instead of hours")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--results", type=Path, help=f"default {RESULTS.relative_to(ROOT)}/")
    parser.add_argument("--page", action="store_true", help="write the page from what is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        keep = not arguments.quick or arguments.results is not None
        folder = (arguments.results or RESULTS) if keep else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        failed = []
        for program in PROGRAMS:
            if arguments.page or program.name not in arguments.only:
                continue
            if program.heavy and arguments.quick:
                continue
            if program.recordings and not DATA.is_dir():
                print(f"\n=== {program.name} left out: it needs the recordings in ../shared/data")
                continue
            if not _run(program, arguments.quick, folder):
                failed.append(program.name)
        if keep:
            write_page(folder, [p.name for p in PROGRAMS], ROOT / "benchmarks")
    if failed:
        sys.exit(f"a claim did not hold, or the program failed: {', '.join(failed)}")


def _run(program: Program, quick: bool, folder: Path) -> bool:
    """Run one program, show and keep what it says; return whether all is well."""
    command = [sys.executable, "-m", f"benchmarks.{program.name}"]
    command += ["--quick"] if quick else []
    written = folder / f"{program.name}.json"
    if not program.recordings:
        command += ["--json", str(written)]
    print(f"\n=== {' '.join(['python', *command[1:3]])}", flush=True)
    began_s = time.monotonic()
    said = ""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            said, _ = process.communicate(timeout=QUICK_LIMIT_S if quick else LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            print("took too long and was ended")
    print(said, flush=True)
    if program.recordings and not process.returncode:
        plain = {
            "program": program.name,
            "question": _question(program.name),
            "quick": quick,
            "command": " ".join(["python", *command[1:]]),
            "took_s": round(time.monotonic() - began_s, 1),
            "environment": environment(),
            "printed": said,
        }
        written.write_text(json.dumps(plain, indent=1) + "\n")
    print(f"=== {program.name} took {time.monotonic() - began_s:.0f} s", flush=True)
    return process.returncode == 0


def _question(name: str) -> str:
    """Return the first line of a program's documentation."""
    source = (ROOT / "benchmarks" / f"{name}.py").read_text()
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
