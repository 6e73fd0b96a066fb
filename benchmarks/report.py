"""What a benchmark says: tables and checked claims, as text, as JSON and as Markdown."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import environment

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; ``note`` says what a reader must know to judge them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A claim, whether it held in this run, and what was found.

    ``timing`` says that it depends on the machine and on what else runs there: such a claim is
    reported, but a program does not fail for it.
    """

    claim: str
    held: bool
    found: str
    timing: bool = False


@dataclass(slots=True)
class Report:
    """Everything one program found out."""

    tables: list[Table] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Take over what another report says."""
        self.tables += other.tables
        self.checks += other.checks
        self.left_out += other.left_out


def text_of(report: Report) -> str:
    """Return a report for a terminal."""
    lines = []
    for table in report.tables:
        cells = [list(map(str, table.columns)), *([shown(c) for c in row] for row in table.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += ["", table.title]
        for row in cells:
            first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            rest = [cell.strip().rjust(w) for cell, w in zip(rest, widths[1:], strict=True)]
            lines.append("  ".join(["", first, *rest]).rstrip())
        if table.note:
            lines.append(f"  ({table.note})")
    lines += ["", *(f"left out: {reason}" for reason in report.left_out)]
    lines += [f"{verdict(c.held)}: {c.claim}: {c.found}" for c in report.checks]
    return "\n".join(lines).strip()


def shown(cell: Cell) -> str:
    """Return a cell as text: numbers with three significant digits, thousands in full."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 1000 else f"{cell:.3g}"
    return str(cell)


def verdict(held: bool) -> str:
    """Return a claim's outcome in a word."""
    return "held" if held else "NOT HELD"


def _command(name: str, given: Sequence[str]) -> str:
    """Return how the program was called, but for where its JSON goes."""
    words = list(given)
    if "--json" in words:
        at = words.index("--json")
        del words[at : at + 2]
    return " ".join([f"python -m benchmarks.{name}", *words])


def run_program(
    module: str,
    measure: Callable[[argparse.Namespace], Report],
    *,
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """Be a benchmark's command line: measure, print, write JSON, fail if a claim did not hold.

    Parameters
    ----------
    module
        The program's module, whose first line of documentation is its question.
    measure
        Takes the options: ``quick`` and what ``options`` adds.
    """
    program = sys.modules[module]
    name = Path(program.__file__ or module).stem
    question = (program.__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=question)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here as well")
    options(parser)
    arguments = parser.parse_args()
    # In the background a shell has Ctrl-C ignored, and what a program starts inherits that; here,
    # streams are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(question)
    began_s = time.monotonic()
    report = measure(arguments)
    if arguments.json:
        plain: dict[str, Any] = {
            "program": name,
            "question": question,
            "quick": arguments.quick,
            "command": _command(name, sys.argv[1:]),
            "took_s": round(time.monotonic() - began_s, 1),
            "environment": environment(),
        }
        arguments.json.write_text(json.dumps(plain | asdict(report), indent=1) + "\n")
    print(text_of(report))
    sys.exit(any(not check.held and not check.timing for check in report.checks))
