"""Estimates and link changes as records: JSON Lines and CSV, with stable, unit-bearing names.

The fields are documented in ``docs/records.md``; a test holds that page and this file together.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from edgehip.channels import MOMENTS, MUSCLES, SIDES, Side
from edgehip.events import (
    CueChange,
    HipEstimate,
    HipSampleEstimate,
    Hop,
    LinkChange,
    LinkState,
)
from edgehip.peaks import maximum, minimum

DECIMALS: Final = 4
"""Of moments and forces: 0.1 mNm/kg, far below any model's error."""

CYCLE_HOPS: Final = (Hop.QUEUE, Hop.DECODE, Hop.SEGMENT, Hop.ESTIMATE)
"""What an estimate has behind it when its record is written."""

SAMPLE_OUTPUTS: Final = tuple(f"{name}_{side}" for side in SIDES for name in MOMENTS + MUSCLES)
"""What a per-sample record holds unless told otherwise."""

SAMPLE_SPREADS: Final = tuple(
    f"{name}_spread_{side}" for side in SIDES for name in MOMENTS + MUSCLES
)
"""What else it can hold: half-widths of the model's interval, if it states one."""

Curves = Mapping[str, NDArray[np.float32]]


def estimate_record(
    estimate: HipEstimate, link: LinkState, spent_ns: Mapping[Hop, int], curves: bool = True
) -> dict[str, Any]:
    """Return an estimate as a JSON-ready record.

    Parameters
    ----------
    estimate
        What to tell.
    link
        The link's state at this moment.
    spent_ns
        Cost of each hop so far.
    curves
        Whether to include the whole curves besides the peaks.
    """
    mass = estimate.body_mass_kg
    record: dict[str, Any] = {
        "record": "estimate",
        "side": estimate.side,
        "start_s": round(estimate.start_s, 6),
        "end_s": round(estimate.end_s, 6),
        "confirmed_s": round(estimate.confirmed_s, 6),
        "stride_s": round(estimate.stride_s, 6),
        "cadence_spm": round(estimate.cadence_spm, 2),
        "stance_percent": _rounded(estimate.stance_percent, 2),
        "flags": [str(flag) for flag in estimate.flags],
        "out_of_range": list(estimate.out_of_range),
        "out_of_range_score": _rounded(estimate.out_of_range_score, 3),
        "samples_lost": estimate.samples_lost,
        "link": str(link),
        "zero": estimate.zero,
        "body_mass_kg": mass,
        "body_height_m": estimate.body_height_m,
        "moment_peaks_nm_per_kg": {
            name: {"max": _peak(curve, maximum), "min": _peak(curve, minimum)}
            for name, curve in estimate.moments_nm_per_kg.items()
        },
        "force_peaks_n_per_kg": {
            name: {"max": _peak(curve, maximum)} for name, curve in estimate.forces_n_per_kg.items()
        },
    }
    if curves:
        record["moments_nm_per_kg"] = _curves(estimate.moments_nm_per_kg)
        record["forces_n_per_kg"] = _curves(estimate.forces_n_per_kg)
        record["moment_spread_nm_per_kg"] = _curves(estimate.moment_spread_nm_per_kg)
        record["force_spread_n_per_kg"] = _curves(estimate.force_spread_n_per_kg)
        if mass is not None:
            record["moments_nm"] = _curves(estimate.moments_nm_per_kg, mass)
            record["forces_n"] = _curves(estimate.forces_n_per_kg, mass)
    for name in ("sample_moment_rmse_nm_per_kg", "sample_force_rmse_n_per_kg"):
        rmse = getattr(estimate, name)
        if rmse is not None:
            record[name] = round(rmse, DECIMALS)
    record["latency_ms"] = {str(hop): round(spent_ns[hop] / 1e6, 4) for hop in CYCLE_HOPS} | {
        "confirmation": round(1e3 * (estimate.confirmed_s - estimate.end_s), 3)
    }
    return record


def sample_record(
    estimate: HipSampleEstimate, link: LinkState, outputs: Sequence[str]
) -> dict[str, Any]:
    """Return a per-sample estimate as a compact JSON-ready record.

    Parameters
    ----------
    estimate
        What to tell.
    link
        The link's state at this moment.
    outputs
        Some of :data:`SAMPLE_OUTPUTS` and :data:`SAMPLE_SPREADS`.
    """
    values = _by_name(SAMPLE_OUTPUTS, estimate.moments_nm_per_kg, estimate.forces_n_per_kg)
    if estimate.moment_spread_nm_per_kg:
        values |= _by_name(
            SAMPLE_SPREADS, estimate.moment_spread_nm_per_kg, estimate.force_spread_n_per_kg
        )
    record: dict[str, Any] = {
        "record": "sample",
        "time_s": round(estimate.time_s, 6),
        "flags": [str(flag) for flag in estimate.flags],
        "out_of_range_score": _rounded(estimate.out_of_range_score, 3),
        "corrected": list(estimate.own_moments_nm_per_kg),
        "link": str(link),
    }
    for name in outputs:
        unit = "nm_per_kg" if name.startswith(MOMENTS) else "n_per_kg"
        record[f"{name}_{unit}"] = _rounded(values.get(name), DECIMALS)
    return record


def _by_name(
    names: Sequence[str],
    moments: Mapping[Side, NDArray[np.float32]],
    forces: Mapping[Side, NDArray[np.float32]],
) -> dict[str, float]:
    """Return both hips' moments and forces (or their spreads) by the names of their fields."""
    parts = [part[side] for side in SIDES for part in (moments, forces)]
    return dict(zip(names, np.concatenate(parts).tolist(), strict=True))


def cue_record(change: CueChange) -> dict[str, Any]:
    """Return a cue that was switched as a JSON-ready record."""
    return {
        "record": "cue",
        "cue": change.cue,
        "text": change.text,
        "on": change.on,
        "time_s": round(change.time_s, 6),
        "value": _rounded(change.value, DECIMALS),
        "flags": [str(flag) for flag in change.flags],
    }


def link_record(change: LinkChange) -> dict[str, Any]:
    """Return a change of the link's state as a JSON-ready record."""
    return {"record": "link", "link": str(change.state), "detail": change.detail}


def to_json_line(record: Mapping[str, Any]) -> bytes:
    """Return a record as one line of JSON; what is not a number is null.

    A record with curves holds some ten thousand numbers, and is written between two samples of a
    live stream: the standard library's encoder would take longer than all the rest.
    """
    return orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)


CSV_COLUMNS: Final = (
    "side",
    "start_s",
    "end_s",
    "confirmed_s",
    "stride_s",
    "cadence_spm",
    "stance_percent",
    "flags",
    "out_of_range",
    "out_of_range_score",
    "samples_lost",
    "link",
    "zero",
    "body_mass_kg",
    "body_height_m",
    *(
        f"{name}_{end}_{unit}"
        for name in MOMENTS
        for end in ("max", "min")
        for unit in ("nm_per_kg", "percent")
    ),
    *(f"{name}_max_{unit}" for name in MUSCLES for unit in ("n_per_kg", "percent")),
    *(f"{hop}_ms" for hop in CYCLE_HOPS),
    "confirmation_ms",
)
"""One row per estimate: peaks, not curves. Lists are joined by spaces; what is unknown is empty."""


def csv_header(columns: Sequence[str] = CSV_COLUMNS) -> bytes:
    """Return the CSV's first line."""
    return _csv_line(columns)


def sample_to_csv_line(record: Mapping[str, Any]) -> bytes:
    """Return a per-sample record as one line of CSV; its header is the record's own names."""
    return _csv_line(record.values())


def to_csv_line(record: Mapping[str, Any]) -> bytes:
    """Return an estimate's record as one line of CSV."""
    row = dict(record)
    for group, unit in (
        ("moment_peaks_nm_per_kg", "nm_per_kg"),
        ("force_peaks_n_per_kg", "n_per_kg"),
    ):
        for name, ends in record[group].items():
            for end, peak in ends.items():
                row[f"{name}_{end}_{unit}"] = peak["value"]
                row[f"{name}_{end}_percent"] = peak["gait_cycle_percent"]
    row |= {f"{hop}_ms": value for hop, value in record["latency_ms"].items()}
    return _csv_line(row.get(column) for column in CSV_COLUMNS)


def _csv_line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    told = (" ".join(cell) if isinstance(cell, list) else cell for cell in cells)
    csv.writer(text, lineterminator="\n").writerow(told)
    return text.getvalue().encode()


def _curves(curves: Curves, factor: float = 1.0) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.round(curve.astype(np.float64) * factor, DECIMALS)
        for name, curve in curves.items()
    }


def _peak(curve: NDArray[np.float32], extremum: Any) -> dict[str, float | None]:
    peak = extremum(curve)
    return {
        "value": _rounded(peak.value, DECIMALS),
        "gait_cycle_percent": round(peak.gait_cycle_percent, 1),
    }


def _rounded(number: float | None, decimals: int) -> float | None:
    """Round; what is not a number is null, which JSON has and NaN it has not."""
    if number is None or not math.isfinite(number):
        return None
    return round(number, decimals)
