"""The benchmarks' own machinery, and what they once found."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import PROGRAMS, Program, run_one
from benchmarks.arm64 import different
from benchmarks.fault_kinds import CASES, OTHER_CASES, unlike
from benchmarks.machine import ROOT, environment
from benchmarks.page import write_page
from benchmarks.report import Cell, Check, Report, Table, text_of
from benchmarks.scale import grown
from benchmarks.timing import distribution, in_turns, late, paced
from edgehip import load_model
from edgehip.card_json import card_from_json, card_to_json
from edgehip.errors import EdgehipError, ModelFileError, RecordingError
from edgehip.events import Chunk
from edgehip.model_card import TensorCard
from edgehip.sinks.recorder import Recorder
from edgehip.sources import open_source
from tests.streams import synthetic_walk


def test_a_distribution_names_calls_that_happened() -> None:
    assert distribution([float(n) for n in range(1, 1001)]) == [501.0, 951.0, 991.0, 1000.0, 1000.0]


def test_calls_in_turns_are_all_counted() -> None:
    calls: list[str] = []
    found = in_turns([lambda: calls.append("a"), lambda: calls.append("b")], 2, in_a_row=3)
    assert [len(durations) for durations in found] == [6, 6]
    assert "".join(calls) == "aaaaabbbbb" * 2


def test_a_call_beyond_the_period_makes_the_next_ones_late_but_takes_no_longer() -> None:
    durations, since_due = paced(lambda: time.sleep(0.03), rate_hz=100.0, duration_s=0.1)
    assert 1 <= len(durations) == len(since_due) <= 4  # of the 10 that were due
    assert late(since_due, 100.0) == len(since_due)
    assert since_due == sorted(since_due)
    assert late([9_999.0, 10_000.0, 10_001.0], 100.0) == 1


def test_growth_ends_between_what_is_sustained_and_what_is_not() -> None:
    def try_it(size: int) -> tuple[list[Cell], bool]:
        return [size, size <= 11], size <= 11

    assert [row[0] for row in grown(try_it, (1, 4, 16, 64), 2)] == [1, 4, 16, 10, 13]
    assert [row[0] for row in grown(try_it, (1, 4), 2)] == [1, 4]
    assert [row[0] for row in grown(try_it, (12,), 9)] == [12, 6, 9, 10, 11]


def test_a_report_says_what_did_not_hold() -> None:
    table = Table("Title", ("what", "ms"), [["one", 0.12345], ["two", 123456.0]], "note")
    text = text_of(Report([table], [Check("claim", False, "found")], ["reason"]))
    assert "0.123" in text
    assert "123456" in text
    assert "NOT HELD: claim: found" in text
    assert "left out: reason" in text


def test_the_page_shows_every_result(tmp_path: Path) -> None:
    result = {
        "program": "latency",
        "question": "How long?",
        "quick": True,
        "command": "python -m benchmarks.latency --quick",
        "took_s": 1.0,
        "environment": environment(),
        "tables": [
            {
                "title": "Times",
                "columns": ["what", "p50", "p95", "p99", "p99.9", "max"],
                "rows": [["a|b", 1.0, 2.0, 3.0, 4.0, 5.0]],
                "note": "microseconds",
            }
        ],
        "checks": [{"claim": "fast", "held": True, "found": "yes", "timing": True}],
        "left_out": [],
    }
    (tmp_path / "latency.json").write_text(json.dumps(result))
    (tmp_path / "soak-one-hour.json").write_text(json.dumps(result))
    write_page(tmp_path, ["latency", "absent", "soak-one-hour"], tmp_path)
    page = (tmp_path / "RESULTS.md").read_text()
    assert "1 of 1 held" in page
    assert "a\\|b | 1 | 2 | 3 | 4 | 5 |" in page
    assert environment()["commit"] in page
    assert "## latency\n" in page
    assert "absent" not in page
    assert page.count("## soak-one-hour\n") == page.count("[soak-one-hour](#soak-one-hour)") == 1
    drawn = re.findall(r"\]\((plots/.*?)\)", page)
    assert len(drawn) == 2
    assert all((tmp_path / name).exists() for name in drawn)
    # Another machine, where one of them is run again: what the others said stays, word for word.
    again = tmp_path / "again"
    again.mkdir()
    (again / "latency.json").write_text(json.dumps(result | {"took_s": 77.0}))
    write_page(again, ["latency", "absent", "soak-one-hour"], tmp_path)
    renewed = (tmp_path / "RESULTS.md").read_text()
    assert "| 77 |" in renewed
    assert renewed.replace("| 77 |", "| 1 |") == page
    assert all((tmp_path / name).exists() for name in drawn)
    write_page(again, ["latency"], tmp_path)  # a program that is no more
    assert "soak-one-hour" not in (tmp_path / "RESULTS.md").read_text()


@pytest.mark.parametrize("case", CASES + OTHER_CASES, ids=lambda case: case.name)
def test_every_fault_leaves_frames_in_the_order_of_time(case: object) -> None:
    walk = unlike(synthetic_walk(4.0, stand_s=0.2))
    plan = case.plan(walk)  # type: ignore[attr-defined]
    assert len(plan.device_s) == len(walk)
    assert plan.deliverable <= len(walk)
    assert all(isinstance(action, bytes | str) for _, action in plan.actions)


def test_a_program_runs_and_writes_its_results(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.garbage", "--quick", "--json", "found.json"]
    done = subprocess.run(
        [*command[:-1], str(tmp_path / "found.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100.0,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["program"] == "garbage"
    assert found["checks"][0]["held"]


def test_a_program_that_falls_over_leaves_its_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run_one(Program("opensim_worker"), True, tmp_path)
    assert "=== opensim_worker ended with exit status 1" in capsys.readouterr().out
    write_page(tmp_path, ["opensim_worker"], tmp_path)
    page = (tmp_path / "RESULTS.md").read_text()
    assert "left out: everything: it ended with exit status 1" in page


def test_every_program_that_is_run_exists() -> None:
    for program in PROGRAMS:
        assert (ROOT / "benchmarks" / f"{program.module}.py").exists()


def test_a_program_is_run_with_its_own_options(tmp_path: Path) -> None:
    walk = Program("soak-a-minute", ("--hours", "0.02"), alone=False, waits=True)
    assert run_one(walk, False, tmp_path)
    found = json.loads((tmp_path / "soak-a-minute.json").read_text())
    assert found["command"] == "python -m benchmarks.soak --hours 0.02"


def test_another_machines_records_may_differ_in_their_last_digit_only() -> None:
    ours = ['{"record": "estimate", "peak": {"max": 0.913}, "side": "l", "latency_ms": 1.0}']
    last_digit = ours[0].replace("0.913", "0.912").replace('"latency_ms": 1.0', '"latency_ms": 9.0')
    assert different(ours, [last_digit]) == ""
    assert "peak.max is 0.95" in different(ours, [ours[0].replace("0.913", "0.95")])
    assert "side is r" in different(ours, [ours[0].replace('"l"', '"r"')])
    assert different(ours, []) == "but 1 here"


# What benchmarks found


def test_a_message_never_acts_on_the_terminal() -> None:
    assert str(EdgehipError("file 'a\nb\x1b[2J'")) == "file 'a?b?[2J'"


def test_a_recording_deleted_meanwhile_is_told(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "walk.rec", {})
    recorder.add(Chunk(b"abc", 1))
    (tmp_path / "walk.rec").unlink()
    trouble = recorder.close()
    assert trouble is not None
    assert "was deleted" in trouble


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    for name in ("endless.onnx", "endless.rec"):
        os.symlink("/dev/zero", tmp_path / name)
    with pytest.raises(ModelFileError, match="not a file"):
        load_model(tmp_path / "endless.onnx")
    with pytest.raises(RecordingError, match="not a file"):
        open_source(f"replay:{tmp_path / 'endless.rec'}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rate_hz": 1e300}, "rate_hz: not a number from 1 to 10000"),
        ({"rate_hz": 1e-300}, "rate_hz: not a number from 1 to 10000"),
        ({"rate_hz": float("nan")}, "rate_hz: not a number from 1 to 10000"),
        ({"inputs": (TensorCard("state.x", (2**20, 2**20)),)}, "state.x has no shape, or one"),
        ({"inputs": (TensorCard("state.x", (9,) * 100_000),)}, "state.x has no shape, or one"),
        ({"inputs": (TensorCard("state.x", (1, 0)),)}, "state.x has no shape, or one"),
    ],
)
def test_a_card_nobody_could_obey_is_refused(change: dict[str, Any], problem: str) -> None:
    card = load_model("hip-sample").card
    changed = replace(
        card, **{k: v if k == "rate_hz" else card.inputs + v for k, v in change.items()}
    )
    with pytest.raises(ModelFileError, match=problem) as caught:
        card_from_json(card_to_json(changed).encode(), "card")
    assert len(str(caught.value)) < 200
