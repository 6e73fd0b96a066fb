"""What comes out of the pipe: documented, complete, readable by any JSON and CSV reader."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehip import Stream, load_model, open_source
from edgehip.channels import MOMENTS, MUSCLES
from edgehip.events import DISTRUST, Fault, Flag, HipEstimate, HipSampleEstimate, Hop, LinkState
from edgehip.sinks.records import (
    CSV_COLUMNS,
    csv_header,
    estimate_record,
    sample_record,
    to_csv_line,
    to_json_line,
)

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "records.md").read_text()
SPENT = dict.fromkeys(Hop, 1_500_000)


@pytest.fixture(scope="module")
def estimate() -> HipEstimate:
    source = open_source("synthetic:?duration_s=6&speed=max")
    with Stream(source, load_model(), body_mass_kg=70.0, body_height_m=1.8) as stream:
        return list(stream.estimates())[-1]


def record(estimate: HipEstimate, **options: Any) -> dict[str, Any]:
    line = to_json_line(estimate_record(estimate, LinkState.LIVE, SPENT, **options))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    plain: dict[str, Any] = json.loads(line)
    return plain


def test_every_field_flag_and_hop_is_documented(estimate: HipEstimate) -> None:
    told = record(estimate)
    for name in [*told, *Flag, *told["latency_ms"], *LinkState]:
        assert f"`{name}`" in PAGE, name


def test_the_flags_that_forbid_acting_are_told() -> None:
    (sentence,) = (part for part in PAGE.split("\n\n") if "forbid acting" in part)
    head = sentence.partition("forbid acting")[0]
    assert {flag for flag in Flag if f"`{flag}`" in head} == DISTRUST


def test_newtons_are_newtons_per_kg_times_mass(estimate: HipEstimate) -> None:
    told = record(estimate)
    for per_kg, whole in (("forces_n_per_kg", "forces_n"), ("moments_nm_per_kg", "moments_nm")):
        assert set(told[per_kg]) == set(told[whole])
        for name, curve in told[per_kg].items():
            assert len(curve) == 180
            assert np.allclose(np.array(curve) * 70.0, told[whole][name], atol=0.01)


def test_peaks_are_points_of_the_curves(estimate: HipEstimate) -> None:
    told = record(estimate)
    assert tuple(told["moments_nm_per_kg"]) == MOMENTS
    assert tuple(told["forces_n_per_kg"]) == MUSCLES
    for name, peaks in told["moment_peaks_nm_per_kg"].items():
        curve = told["moments_nm_per_kg"][name]
        assert peaks["max"]["value"] == max(curve)
        assert peaks["min"]["value"] == min(curve)
        at = round(peaks["max"]["gait_cycle_percent"] * 179 / 100)
        assert curve[at] == peaks["max"]["value"]


def test_curves_can_be_left_out(estimate: HipEstimate) -> None:
    assert "forces_n_per_kg" not in record(estimate, curves=False)


def test_what_is_not_a_number_is_null(estimate: HipEstimate) -> None:
    flexion = estimate.moments_nm_per_kg["hip_flexion"].copy()
    flexion[7] = math.nan
    moments = {**estimate.moments_nm_per_kg, "hip_flexion": flexion}
    told = record(replace(estimate, moments_nm_per_kg=moments))
    assert told["moments_nm_per_kg"]["hip_flexion"][7] is None


def test_csv_has_a_cell_for_every_column(estimate: HipEstimate) -> None:
    plain = estimate_record(estimate, LinkState.LIVE, SPENT)
    text = (csv_header() + to_csv_line(plain)).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert tuple(row) == CSV_COLUMNS
    empty = {name for name, cell in row.items() if cell == ""}
    assert empty <= {"flags", "out_of_range", "stance_percent"}
    assert row["flags"].split() == plain["flags"]
    peak = plain["force_peaks_n_per_kg"]["glmed"]["max"]
    assert float(row["glmed_max_n_per_kg"]) == peak["value"]
    assert float(row["queue_ms"]) == 1.5


def test_every_fault_the_summary_can_count_is_explained() -> None:
    _, _, table = PAGE.partition("## Faults")
    assert set(re.findall(r"`([a-z_]+)`", table)) == {str(fault) for fault in Fault}


def test_a_samples_record_is_documented_and_names_the_corrected_sides() -> None:
    moments, forces = np.zeros(3, np.float32), np.zeros(14, np.float32)
    sample = HipSampleEstimate(
        1.0,
        {"l": moments, "r": moments},
        {"l": forces, "r": forces},
        *("none", (), (), 0),
        own_moments_nm_per_kg={"r": moments},
        own_forces_n_per_kg={"r": forces},
    )
    record = sample_record(sample, LinkState.LIVE, ())
    assert record["corrected"] == ["r"]
    assert all(f"`{name}`" in PAGE for name in record)
