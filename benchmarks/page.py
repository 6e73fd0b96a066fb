"""The page of results, and its plots, from the programs' JSON. Never edited by hand."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.report import shown, verdict

TITLE: Final = """# Results

Written by `python -m benchmarks`; never edited by hand. Each section is one program's answer; run
it by itself with the command above its tables. Timings depend on the machine and on what else ran
there (`load` is its load average when the program ended): ratios within one table say more.
"""


def write_page(results: Path, order: Sequence[str], folder: Path) -> None:
    """Write ``RESULTS.md`` and ``plots/`` into a folder, from ``results/NAME.json``."""
    found = {}
    for name in order:
        with contextlib.suppress(FileNotFoundError):
            found[name] = json.loads((results / f"{name}.json").read_text())
    plots = folder / "plots"
    plots.mkdir(exist_ok=True)
    for old in plots.glob("*.png"):
        old.unlink()
    parts = [TITLE, _overview(found)]
    parts += [_section(title, result, plots) for title, result in found.items()]
    (folder / "RESULTS.md").write_text("\n".join(parts))


def _overview(found: dict[str, dict[str, Any]]) -> str:
    rows = []
    for title, result in found.items():
        checks = result.get("checks", [])
        held = sum(check["held"] for check in checks)
        claims = f"{held} of {len(checks)} held" if checks else ""
        form = "quick" if result["quick"] else "full"
        took_s = f"{result['took_s']:.0f}"
        rows.append([f"[{title}](#{title})", result["question"], claims, form, took_s])
    return _markdown(("program", "question", "claims", "form", "took (s)"), rows)


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
    return "\n".join(parts) + "\n"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[shown(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


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
