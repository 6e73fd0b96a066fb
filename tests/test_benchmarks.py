"""The benchmarks' own machinery, and what they once found."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from benchmarks.__main__ import PROGRAMS, Program, run_one
from benchmarks.accuracy_claims import (
    ANOTHER_WALK,
    EVERYBODY,
    GOALS,
    LABORATORY,
    MEASURED,
    OFFSETS,
    PEER,
    TOLD,
    Row,
    adapted_better,
    better_than_peer,
    children_served,
    goals_reached,
    loss_rows,
    robust,
)
from benchmarks.arm64 import different
from benchmarks.corrected import repeating, varying
from benchmarks.fault_kinds import CASES, OTHER_CASES, unlike
from benchmarks.machine import ROOT, environment
from benchmarks.page import write_page
from benchmarks.report import Cell, Check, Report, Table, text_of
from benchmarks.scale import grown
from benchmarks.timing import distribution, in_turns, late, paced
from benchmarks.varying import (
    STRIDES,
    TREADMILL,
    Run,
    Varied,
    in_places,
    load_runs,
    told,
    walks,
)
from edgehip import load_model
from edgehip.card_json import card_from_json, card_to_json
from edgehip.errors import EdgehipError, ModelFileError, RecordingError
from edgehip.estimators.correction import GAIN
from edgehip.events import Chunk
from edgehip.model_card import TensorCard
from edgehip.sinks.recorder import Recorder
from edgehip.sources import open_source
from edgehip_export.default_workshop import Models
from edgehip_export.strides import POINTS, close_cycles
from tests.made_up_strides import made_up
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


def accuracy_rows(cycle: float, peer: float, cycle_loss: float, peer_loss: float) -> list[Row]:
    """Return the rows of everybody, without forces."""
    return [
        {
            "level": LABORATORY,
            "of": EVERYBODY,
            "model": model,
            "angles": angles,
            "moments_r2": r2,
            "forces_r2": None,
        }
        for model, measured, loss in (
            ("hip-cycle", cycle, cycle_loss),
            ("released mean", peer, peer_loss),
        )
        for angles, r2 in ((MEASURED, measured), (OFFSETS, measured - loss))
    ]


@pytest.mark.parametrize(
    ("figures", "is_better", "is_robust"),
    [
        ((0.9, 0.8, 0.01, 0.04), True, True),
        ((0.9, 0.8, 0.02, 0.04), True, False),
        ((0.7, 0.8, 0.01, 0.04), False, True),
        ((0.9, 0.8, -0.01, 0.04), True, True),
        ((0.9, 0.8, 0.01, -0.04), True, False),
        ((0.9, 0.8, -0.01, -0.04), True, True),
    ],
)
def test_what_is_claimed_of_accuracy_is_checked(
    figures: tuple[float, float, float, float], is_better: bool, is_robust: bool
) -> None:
    rows = accuracy_rows(*figures)
    assert better_than_peer(rows, ["hip-cycle"]).held is is_better
    assert robust(loss_rows(rows, ["hip-cycle"])).held is is_robust


@pytest.mark.parametrize(
    ("worse", "holds"),
    [
        ({}, True),
        *(
            ({name: value}, False)
            for name, value in (("moments_r2", 0.91), ("moments_rmse", 0.12), ("forces_r2", 0.86))
        ),
    ],
)
def test_goals_are_reached_by_every_figure(worse: Row, holds: bool) -> None:
    good = {"moments_r2": 0.94, "moments_rmse": 0.11, "forces_r2": 0.9}
    rows: list[Row] = [
        {"level": LABORATORY, "of": lab, "model": "hip-sample", "angles": MEASURED, **good, **worse}
        for lab, _ in GOALS
    ]
    assert goals_reached(rows, "hip-sample").held is holds


@pytest.mark.parametrize(("told", "holds"), [(0.8, True), (0.75, False), (0.72, False)])
def test_children_are_to_be_served_better_told_than_untold_and_by_others(
    told: float, holds: bool
) -> None:
    served = {("hip-cycle", TOLD): told, ("hip-sample", TOLD): 0.9}
    others = {("hip-cycle", MEASURED): 0.73, ("hip-sample", MEASURED): 0.7, (PEER, MEASURED): 0.75}
    rows: list[Row] = [
        {"model": model, "height": height, "moments_r2": r2}
        for (model, height), r2 in (served | others).items()
    ]
    assert children_served(rows).held is holds


@pytest.mark.parametrize(("forces", "holds"), [(0.9, True), (0.79, False), (None, True)])
def test_a_labelled_stride_is_to_help_wherever_it_is_of_another_walk(
    forces: float | None, holds: bool
) -> None:
    rows: list[Row] = [
        {
            "of": "there",
            "adapted by": by,
            "moments_r2_before": 0.8,
            "moments_r2": r2,
            "forces_r2_before": None if forces is None else 0.8,
            "forces_r2": forces,
        }
        for by, r2 in ((ANOTHER_WALK, 0.9), ("one other stride", 0.7))
    ]
    assert adapted_better(rows).held is holds


def test_what_wrong_zeros_cost_is_judged_of_moments_and_forces_over_everybody() -> None:
    moments = accuracy_rows(0.9, 0.8, 0.01, 0.04)
    forces = accuracy_rows(0.9, 0.8, 0.02, 0.04)
    rows = [m | {"forces_r2": f["moments_r2"]} for m, f in zip(moments, forces, strict=True)]
    assert not robust(loss_rows(rows, ["hip-cycle"])).held
    one_laboratory = [row | {"of": "there"} for row in rows]
    assert robust(loss_rows(one_laboratory + moments, ["hip-cycle"])).held


def test_a_stride_that_repeats_is_judged_with_its_correction_all_there() -> None:
    strides = made_up({"a": 1}, each=1)
    samples = np.zeros((1, POINTS, 17), np.float32)
    told = repeating(strides, samples + 1.0, samples, samples + 2.0)
    np.testing.assert_allclose(told, GAIN, atol=1e-6)


def test_a_walk_that_varies_differs_from_stride_to_stride_as_a_run_does() -> None:
    strides = made_up({"a": 2}, each=1)
    random = np.random.default_rng(0)
    curves = random.normal(size=(STRIDES, POINTS, 10)).astype(np.float32)
    run = Run(curves, random.uniform(1.0, 1.2, STRIDES).astype(np.float32))
    walked = walks(strides, [run], 0)
    own = close_cycles(strides.angles_deg)
    np.testing.assert_array_equal(walked.angles_deg[:, -1], own)
    wanted_s = strides.stride_s[:, None] * run.stride_s / run.stride_s[-1]
    np.testing.assert_allclose(walked.stride_s, wanted_s, rtol=1e-6)
    # Nobody jumps between strides, and only what prevents that is added.
    starts, ends = walked.angles_deg[:, 1:, 0], walked.angles_deg[:, :-1, -1]
    np.testing.assert_allclose(starts, ends, atol=1e-4)
    added = walked.angles_deg - own[:, None] - (curves - curves[-1])
    np.testing.assert_allclose(np.diff(added, n=2, axis=2), 0.0, atol=1e-4)
    np.testing.assert_allclose(added[:, :, 0], 0.0, atol=1e-4)


def test_what_is_said_of_walks_that_vary_is_said_of_the_right_strides() -> None:
    """By models that say how large an angle is; the folds' walks come back in their order."""
    strides = made_up({"a": 3}, each=1)
    curves = np.random.default_rng(0).normal(size=(9, POINTS, 10)).cumsum(1).astype(np.float32)
    walked = walks(strides, [Run(curves, np.linspace(1.0, 1.3, 9, dtype=np.float32))], 0)

    def said(angles_deg: torch.Tensor, stride_s: torch.Tensor | None = None) -> torch.Tensor:
        return angles_deg[..., :1].expand(*angles_deg.shape[:-1], 17)

    models = cast(Models, SimpleNamespace(ensemble=said, network=said))
    masks = [np.array([False, True, False]), np.array([True, False, True])]
    varied = in_places(masks, [told(models, walked.take(mask)) for mask in masks])
    np.testing.assert_array_equal(varied.stride_s, walked.stride_s)
    wanted = walked.angles_deg[..., :1].repeat(3, axis=-1)
    np.testing.assert_array_equal(varied.cycles[..., :3], wanted)
    # Between samples an answer is drawn straight.
    missed = np.abs(varied.samples[..., :3] - wanted)
    assert np.median(missed) < 0.1 * wanted.std()
    assert missed[..., 40:140, :].max() < 0.5 * wanted.std()


def test_after_strides_that_vary_the_correction_is_the_mean_of_what_they_taught() -> None:
    random = np.random.default_rng(0)
    level = random.uniform(1.0, 2.0, (2, STRIDES, 1, 1)).astype(np.float32)
    samples = np.zeros((2, STRIDES, POINTS, 17), np.float32)
    stride_s = np.full((2, STRIDES), 1.1, np.float32)
    corrected = varying(Varied(stride_s, samples + level, samples), samples[:, 0] + 5.0)
    # The first stride shows the pace alone, and the last is the one that is judged.
    taught = GAIN * level[:, 1:-1].mean(axis=1)
    np.testing.assert_allclose(corrected[:, 30:], np.broadcast_to(taught, (2, 150, 17)), rtol=1e-4)


def test_strides_in_which_a_sensor_jumped_are_lent_to_nobody(tmp_path: Path) -> None:
    time_s = np.arange(0.0, 30.0, 0.01)
    angles = 10.0 * np.sin(2.0 * np.pi * time_s)[:, None].repeat(10, axis=1)
    angles[1505] += 40.0
    contacts_s = np.arange(0.5, 29.5)
    for path in (tmp_path / "imu_walking" / "A_Baseline.npz", tmp_path / TREADMILL):
        path.parent.mkdir()
        np.savez(path, t=time_s, angles_deg=angles, HS_r=contacts_s, HS_l=contacts_s)
    runs = load_runs(tmp_path)
    assert [len(run.stride_s) for run in runs] == [11, 12] * 4
    assert max(np.abs(np.diff(run.angles_deg, axis=1)).max() for run in runs) < 1.0


@pytest.mark.parametrize(("loss", "holds"), [(0.09, True), (0.11, False)])
def test_wrong_zeros_are_judged_beside_a_peer_that_has_right_ones(loss: float, holds: bool) -> None:
    check = better_than_peer(accuracy_rows(0.9, 0.8, loss, 0.4), ["hip-cycle"], OFFSETS)
    assert check.held is holds


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
