"""The page of results, and its plots, from the programs' JSON. Never edited by hand.

What a program said before stays on the page until it is run again: results of hours outlive the
machine they were measured on.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.report import shown, verdict

TITLE: Final = """# Results

Written by `python -m benchmarks`; never edited by hand. Each section is one program's answer; run
it by itself with the command above its tables. Timings depend on the machine and on what else ran
there (`load` is its load average when the program ended): ratios within one table say more.
"""
COLUMNS: Final = ("program", "question", "claims", "form", "took (s)")


def write_page(results: Path, order: Sequence[str], folder: Path) -> None:
    """Write ``RESULTS.md`` and ``plots/`` into a folder, from ``results/NAME.json``.

    Of the programs in ``order`` that have none there, what the folder's page said is kept.
    """
    page, plots = folder / "RESULTS.md", folder / "plots"
    plots.mkdir(exist_ok=True)
    rows, sections = _kept(page.read_text() if page.exists() else "", order)
    for name in order:
        try:
            found = json.loads((results / f"{name}.json").read_text())
        except FileNotFoundError:
            continue
        for old in plots.glob(f"{name}-[0-9]*.png"):
            old.unlink()
        rows[name], sections[name] = _row(name, found), _section(name, found, plots)
    known = [name for name in order if name in sections]
    overview = _markdown(COLUMNS, []) + "\n".join(rows[name] for name in known) + "\n"
    page.write_text("\n".join([TITLE, overview, *(sections[name] for name in known)]))


def _kept(page: str, order: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the overview's row and the section of each program on a page."""
    names = "|".join(map(re.escape, order))
    rows = {row[1]: row[0] for row in re.finditer(rf"^\| \[({names})\]\(.*$", page, re.MULTILINE)}
    _, *parts = re.split(rf"^## ({names})$", page, flags=re.MULTILINE)
    sections = {
        name: f"## {name}{text.rstrip()}\n" for name, text in zip(*[iter(parts)] * 2, strict=True)
    }
    return rows, {name: section for name, section in sections.items() if name in rows}


def _row(title: str, result: dict[str, Any]) -> str:
    checks = result.get("checks", [])
    held = sum(check["held"] for check in checks)
    claims = f"{held} of {len(checks)} held" if checks else ""
    form = "quick" if result["quick"] else "full"
    return _line(
        (f"[{title}](#{title})", result["question"], claims, form, f"{result['took_s']:.0f}")
    )


def _section(title: str, result: dict[str, Any], plots: Path) -> str:
    where = ", ".join(f"{key} {value}" for key, value in result["environment"].items())
    parts = [f"## {title}\n", f"{result['question']}\n", f"```sh\n{result['command']}\n```\n"]
    parts.append(f"{where}\n")
    for number, table in enumerate(result.get("tables", []), 1):
        parts += [f"### {table['title']}\n", _markdown(table["columns"], table["rows"])]
        if table["note"]:
            parts.append(f"{table['note'][0].upper()}{table['note'][1:]}.\n")
        if "p99.9" in table["columns"] and _draw(table, plots / f"{title}-{number}.png"):
            parts.append(f"![{table['title']}](plots/{title}-{number}.png)\n")
    if "printed" in result:
        parts.append(f"```\n{result['printed'].strip()}\n```\n")
    for check in result.get("checks", []):
        parts.append(f"- {verdict(check['held'])}: {check['claim']}: {check['found']}")
    parts += [f"- left out: {reason}" for reason in result.get("left_out", [])]
    return "\n".join(parts).rstrip() + "\n"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return "".join(f"{_line(cells)}\n" for cells in (columns, ["---"] * len(columns), *rows))


def _line(cells: Sequence[Any]) -> str:
    written = [shown(cell).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(written)} |"


def _draw(table: dict[str, Any], path: Path) -> bool:
    """Draw distributions as bars from p50 to p99.9; return whether that is possible here."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(9, 1.3 + 0.25 * len(table["rows"])), layout="constrained")
    _panel(figure.subplots(), table)
    figure.legend(fontsize=7, ncols=4, loc="outside lower right", frameon=False)
    figure.savefig(path, dpi=110)
    return True


def _panel(panel: Any, table: dict[str, Any]) -> None:
    first = table["columns"].index("p50")
    labels = [", ".join(c for c in row[:first] if isinstance(c, str)) for row in table["rows"]]
    for place, row in enumerate(table["rows"]):
        p50, _, p99, p999, most = row[first : first + 5]
        names = ("p50", "p99", "to p99.9", "max") if not place else (None,) * 4
        panel.plot([p50], [place], "o", color="tab:blue", label=names[0])
        panel.plot([p99], [place], "|", color="tab:blue", markersize=12, label=names[1])
        bar = [p50, p999], [place, place]
        panel.plot(*bar, color="tab:blue", linewidth=6, alpha=0.35, label=names[2])
        panel.plot([most], [place], "x", color="tab:red", label=names[3])
    panel.set_yticks(range(len(labels)), labels, fontsize=7)
    panel.set_ylim(len(labels) - 0.4, -0.6)  # the first above, and no mark at the frame
    panel.set_xscale("log")
    panel.set_xlabel(table["note"].partition(",")[0].partition(";")[0], fontsize=7)
    panel.set_title(table["title"], fontsize=9, loc="left")
    panel.grid(axis="x", which="both", alpha=0.2)
