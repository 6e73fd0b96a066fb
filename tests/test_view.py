"""The live view: readable, honest about the link, and never in the way."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgehip import Stream, load_model, open_source
from edgehip.channels import MOMENTS
from edgehip.events import HipEstimate, HipSampleEstimate, LinkState
from edgehip.sinks import view
from edgehip.sinks.view import (
    FORCES_SHOWN,
    LiveView,
    ViewState,
    draw,
    forces_shown,
    sparkline,
    to_text,
)


@pytest.fixture(scope="module")
def walked() -> tuple[Stream, ViewState]:
    source = open_source("synthetic:?duration_s=9&speed=max&asymmetry_percent=10")
    stream = Stream(source, load_model(), sample_model=load_model("hip-sample"), body_mass_kg=70.0)
    state = ViewState("synthetic:")
    with stream:
        for event in stream:
            if isinstance(event, HipEstimate):
                state.last[event.side] = event
            elif isinstance(event, HipSampleEstimate):
                state.now = event
    return stream, state


@pytest.mark.parametrize("width", [60, 80, 132, 200])
def test_nothing_is_cut_off_at_any_width(walked: tuple[Stream, ViewState], width: int) -> None:
    stream, state = walked
    text = to_text(draw(state, stream), width)
    assert max(len(line) for line in text.splitlines()) <= width
    for name in MOMENTS:
        assert text.count(name) == 2
    assert "left hip" in text
    assert "right hip" in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (140, 24), (200, 60)])
@pytest.mark.parametrize("with_now", [True, False])
def test_both_hips_are_in_sight_on_any_terminal(
    walked: tuple[Stream, ViewState], width: int, height: int, with_now: bool
) -> None:
    stream, state = walked
    shown = ViewState(state.port, state.last, state.now if with_now else None)
    forces = forces_shown(width, height, with_now=with_now)
    lines = to_text(draw(shown, stream, forces), width).splitlines()
    assert len(lines) < height
    assert forces > 0 or (height, with_now) == (24, True)


def test_it_tells_link_loss_cadence_latency_zero_and_flags(
    walked: tuple[Stream, ViewState],
) -> None:
    stream, state = walked
    text = to_text(draw(state, stream), 132)
    for wanted in (
        "live",
        "loss 0.0 %",
        "cadence 1",
        "latency p50",
        "zero none",
        "no_zero",
        "now ",
    ):
        assert wanted in text


def test_what_is_shown_is_what_was_estimated(walked: tuple[Stream, ViewState]) -> None:
    stream, state = walked
    text = to_text(draw(state, stream), 132)
    for estimate in state.last.values():
        peak = max(curve.max() for curve in estimate.forces_n_per_kg.values())
        assert f"{peak:5.1f}" in text
        assert f"{70.0 * peak:6.0f}" in text


def test_a_stride_is_laid_out_once(
    walked: tuple[Stream, ViewState], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples wait while the view is laid out."""
    stream, state = walked
    curves: list[object] = []

    def count(curve: NDArray[np.float32]) -> str:
        curves.append(curve)
        return sparkline(curve)

    monkeypatch.setattr(view, "sparkline", count)
    fresh = ViewState(state.port, dict(state.last), state.now)
    first, again = (to_text(draw(fresh, stream)) for _ in range(2))
    assert first == again
    assert len(curves) == 2 * (len(MOMENTS) + FORCES_SHOWN)
    fresh.last["l"] = replace(fresh.last["l"], body_mass_kg=99.0)
    assert "N (99 kg)" in to_text(draw(fresh, stream))
    assert len(curves) == 3 * (len(MOMENTS) + FORCES_SHOWN)


def test_before_the_first_stride_it_waits() -> None:
    with Stream(open_source("synthetic:?duration_s=1&speed=max"), load_model()) as stream:
        text = to_text(draw(ViewState("synthetic:"), stream))
    assert text.count("waiting for a stride") == 2
    assert "cadence –" in text


def test_a_silent_link_is_named(walked: tuple[Stream, ViewState]) -> None:
    stream, state = walked
    before, stream.link.state = stream.link.state, LinkState.STALE
    try:
        assert "stale" in to_text(draw(state, stream))
    finally:
        stream.link.state = before


def test_a_curve_keeps_its_shape_in_a_line_of_braille(walked: tuple[Stream, ViewState]) -> None:
    _, state = walked
    line = sparkline(state.last["r"].moments_nm_per_kg["hip_flexion"], 20)
    assert len(line) == 20
    assert len(set(line)) > 4
    assert all(0x2800 <= ord(cell) < 0x2900 for cell in line)


def test_the_view_follows_a_stream_in_its_own_thread(capsys: pytest.CaptureFixture[str]) -> None:
    with Stream(open_source("synthetic:?duration_s=6&speed=max"), load_model()) as stream:
        view = LiveView(stream, "synthetic:")
        for event in stream:
            if event is not None:
                view.show(event)
        view.close()
    assert "left hip" in capsys.readouterr().out


def test_a_curve_that_is_unknown_is_drawn_as_a_flat_line() -> None:
    assert len(set(sparkline(np.full(180, np.nan, np.float32)))) == 1
