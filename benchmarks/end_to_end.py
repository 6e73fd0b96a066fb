"""How long it takes from the last byte a device writes to the record a program can read.

``python -m benchmarks.end_to_end [--quick] [--json FILE] [--sample-model FILE]`` runs the real
``edgehip stream`` on a pseudo-terminal, writes a walker's frames to it at a true 100 Hz and reads
the records from its pipe. A sample's record is timed from the end of that sample's frame, a
stride's from the end of the frame that made the stride certain.
"""

import argparse
import json
from collections.abc import Sequence

from benchmarks.device import sample_model_option, streaming, timed, voices_with
from benchmarks.machine import cores, neighbour
from benchmarks.report import Cell, Check, Report, Table, run_program
from benchmarks.timing import COLUMNS, distribution
from tests.streams import Walk, synthetic_walk

KINDS = {"estimate": "confirmed_s", "sample": "time_s"}
"""Records that are timed, and where each says which sample brought it about."""
PERIOD_MS = 10.0


def measure(arguments: argparse.Namespace) -> Report:
    """Time records beside an idle and a busy core."""
    report = Report()
    chosen = voices_with(arguments.sample_model)["cycle,sample"]
    walk = synthetic_walk(8.0 if arguments.quick else 60.0, stand_s=0.5, noise_deg=0.2)
    rows: list[list[Cell]] = []
    for busy in (False, True):
        if busy and len(cores()) < 2:
            report.left_out.append("the other core busy: there is one core only")
            continue
        with neighbour(busy):
            found, said = _latencies_ms(walk, chosen)
        for kind, latencies_ms in found.items():
            if latencies_ms:
                late = sum(ms > PERIOD_MS for ms in latencies_ms)
                row = [kind, "busy" if busy else "idle", len(latencies_ms)]
                rows.append([*row, *distribution(latencies_ms), late])
        report.checks.append(_complete(walk, found, said, busy))
    columns = ("record", "other core", "records", *COLUMNS, "over 10 ms")
    note = "milliseconds, from the last byte written to the terminal to the record read"
    report.tables.append(Table("Through a terminal, at a true 100 Hz", columns, rows, note))
    return report


def _latencies_ms(walk: Walk, chosen: Sequence[str]) -> tuple[dict[str, list[float]], str]:
    """Return how long each record took, by kind, and what the program said at its end."""
    written_ns: list[int] = []
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    number_of = {round(t, 6): i for i, t in enumerate(walk.time_s.tolist())}

    def on_line(line: bytes, read_ns: int) -> None:
        record = json.loads(line)
        if record["record"] in KINDS:
            number = number_of[round(record[KINDS[record["record"]]], 6)]
            found[record["record"]].append((read_ns - written_ns[number]) / 1e6)

    with streaming(*chosen, "--output", "jsonl") as program:
        program.play(timed(walk), written_ns.append, on_line)
        return found, program.finish()


def _complete(walk: Walk, found: dict[str, list[float]], said: str, busy: bool) -> Check:
    """Check that nothing was lost on the way."""
    claim = f"other core {'busy' if busy else 'idle'}: every sample taken, every record read"
    held = f"samples    {len(walk)}; frames lost 0 " in said and bool(found["estimate"])
    held &= len(found["sample"]) == len(walk)
    counts = ", ".join(f"{len(ms)} {kind} records" for kind, ms in found.items())
    return Check(claim, held, f"{len(walk)} frames, {counts}")


if __name__ == "__main__":
    run_program(__name__, measure, options=sample_model_option)
