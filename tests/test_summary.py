"""What a person is told at the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgehip import Stream, load_model, open_source
from edgehip.runtime import Summary
from edgehip.sinks.summary import summary_lines
from tests.listed_source import ListedSource
from tests.sample_model import leaky_model
from tests.streams import synthetic_walk


@pytest.fixture(scope="module")
def accelerated() -> Summary:
    chunks = synthetic_walk(16.0).chunks()
    items = [replace(chunk, received_ns=chunk.received_ns // 20) for chunk in chunks]
    with Stream(ListedSource(items), None, sample_model=leaky_model()) as stream:
        list(stream)
        return stream.summary()


def test_a_walk_without_a_stride_gets_a_hint(accelerated: Summary) -> None:
    def hints(**changed: Any) -> list[str]:
        told = summary_lines(replace(accelerated, estimates={"l": 0, "r": 0}, **changed))
        return [line for line in told if line.startswith("hint")]

    (hint,) = hints(by_cycle=True)
    assert "slower than 46 steps/min" in hint
    (hint,) = hints(by_cycle=True, broken_cycles=9)
    assert "15 samples a second are too few" in hint
    assert not hints(by_cycle=False)
    (hint,) = hints(by_cycle=True, broken_cycles=9, seconds=2.0)
    assert "15 samples a second are too few" in hint
    assert not hints(by_cycle=True, seconds=3.0)
    (hint,) = hints(by_cycle=False, in_radians=True)
    assert "must be in degrees" in hint


def test_times_in_another_unit_are_told_where_no_clock_shows_it(tmp_path: Path) -> None:
    """Of a file every pace is as good: seconds that are read as milliseconds make no stride."""
    lines = (f"{i / 100:.2f}" + ",0" * 10 for i in range(800))
    (tmp_path / "walk.csv").write_text("\n".join(lines) + "\n")
    source = open_source(f"replay:{tmp_path / 'walk.csv'}?speed=max")
    with Stream(source, None, sample_model=leaky_model(), format="lines") as stream:
        list(stream)
        (hint,) = (one for one in summary_lines(stream.summary()) if one.startswith("hint"))
    assert "800 samples took 0.00799 s" in hint
    assert "--time-unit" in hint


@pytest.mark.parametrize("rate_hz", [10, 15])
def test_a_short_run_at_too_low_a_rate_says_so(rate_hz: float) -> None:
    source = open_source(f"synthetic:?speed=max&duration_s=10&rate_hz={rate_hz}")
    with Stream(source, load_model()) as stream:
        list(stream)
        (hint,) = (one for one in summary_lines(stream.summary()) if one.startswith("hint"))
    assert "15 samples a second are too few" in hint


def clock(summary: Summary) -> str:
    (line,) = (line for line in summary_lines(summary) if line.startswith("clock"))
    return line.removeprefix("clock").strip()


def test_a_walk_faster_than_life_is_no_clock_that_drifts(accelerated: Summary) -> None:
    assert clock(accelerated).startswith("20 times as fast as this computer's")


def test_a_devices_drift_is_told_once_it_is_known(accelerated: Summary) -> None:
    known = replace(accelerated, clock_drift_ppm=-41.7, clock_uncertainty_ms=0.3)
    assert clock(known) == "drift -42 ppm, mapped within 0.30 ms"
    assert clock(replace(known, clock_drift_ppm=0.0)) == "mapped within 0.30 ms"
