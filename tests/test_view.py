"""The live view: readable on any terminal, honest about the link, and never in the way."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from edgehip import Stream, load_model, open_source
from edgehip.channels import MOMENTS, SIDES
from edgehip.events import Flag, HipEstimate, LinkState
from edgehip.sinks import hip_rows
from edgehip.sinks import view as view_module
from edgehip.sinks.hip_rows import FORCES_SHOWN
from edgehip.sinks.recorder import Recorder
from edgehip.sinks.sparkline import sparkline
from edgehip.sinks.view import LiveView, View
from tests.programs import until
from tests.screen import Shown

SIZES = [(80, 24), (100, 30), (130, 24), (60, 20), (40, 10), (200, 60), (36, 6), (20, 5), (1, 1)]
SHORT = [name.removeprefix("hip_") for name in MOMENTS]
WALK = ("--port", "synthetic:?duration_s=9&speed=max", "--body-mass", "72")
BOTH = (*WALK, "--estimates", "cycle,sample")


@pytest.fixture(scope="module")
def walked() -> View:
    source = open_source("synthetic:?duration_s=9&speed=max&asymmetry_percent=10")
    stream = Stream(source, load_model(), sample_model=load_model("hip-sample"), body_mass_kg=70.0)
    return _watched(stream)


def _watched(stream: Stream) -> View:
    view = View("synthetic:", stream)
    with stream:
        for event in stream:
            if event is not None:
                view.show(event)
    return view


def _another(view: View) -> View:
    """Return a view of the same, to be changed."""
    other = View(view.port, view.stream, now=view.now)
    for side, hip in view.hips.items():
        other.hips[side].last = hip.last
    return other


def _text(view: View, width: int = 132, height: int = 24, encoding: str = "utf-8") -> str:
    written = io.BytesIO()
    file = io.TextIOWrapper(written, encoding, newline="\n")
    Console(file=file, width=width, height=height, color_system=None).print(view)
    file.flush()
    return written.getvalue().decode(encoding)


def _estimates(view: View) -> list[HipEstimate]:
    return [hip.last for hip in view.hips.values() if hip.last is not None]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits_any_terminal(walked: View, width: int, height: int, encoding: str) -> None:
    view = _another(walked)
    view.port = "replay:/home/pi/recordings/a-walk-with-a-long-name.rec?speed=1"
    view.note = "cue glmed_r > 12 N/kg, hysteresis=1, refractory_s=0.5: off " + "link_down " * 9
    for hip in view.hips.values():
        assert hip.last is not None
        hip.last = replace(hip.last, flags=tuple(Flag), out_of_range=("hip_rotation_r",) * 4)
    for now in (None, replace(walked.now, flags=tuple(Flag)) if walked.now else None):
        view.now = now
        lines = _text(view, width, height, encoding).splitlines()
        assert len(lines) <= max(height - 1, 1)
        assert max(len(line) for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 20), (130, 24), (40, 10)])
def test_both_hips_moments_and_greatest_forces_are_in_sight_with_their_flags(
    walked: View, width: int, height: int
) -> None:
    text = _text(walked, width, height)
    for wanted in ("left hip", "right hip", *SHORT, "iliopsoas", "recfem", "no_zero"):
        assert wanted in text
    for estimate in _estimates(walked):
        forces = sorted(float(curve.max()) for curve in estimate.forces_n_per_kg.values())
        for force in forces[-3:]:
            assert f"{force:5.1f}" in text
        for curve in estimate.moments_nm_per_kg.values():
            assert f"{curve[np.argmax(np.abs(curve))]:+.2f}" in text


def test_what_forbids_acting_is_the_last_flag_to_be_left_out(walked: View) -> None:
    view = _another(walked)
    for hip in view.hips.values():
        assert hip.last is not None
        flags = (Flag.NO_ZERO, Flag.NO_FOOT_OFF, Flag.SAMPLES_LOST, Flag.OUT_OF_RANGE)
        hip.last = replace(hip.last, flags=flags, out_of_range=("hip_rotation_r",))
    assert _text(view, 80).count(" out_of_range, no_zero, +3 ") == 2


def test_it_tells_link_loss_cadence_latency_zero_and_flags(walked: View) -> None:
    for width in (80, 132):
        text = _text(walked, width)
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


def test_what_is_shown_is_what_was_estimated(walked: View) -> None:
    for width in (80, 132):
        text = _text(walked, width)
        for estimate in _estimates(walked):
            peak = max(curve.max() for curve in estimate.forces_n_per_kg.values())
            assert f"{peak:5.1f}" in text
            assert f"{70.0 * peak:6.0f}" in text


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_a_number_that_no_hip_has_is_not_cut_off(walked: View, width: int) -> None:
    view = _another(walked)
    for hip in view.hips.values():
        assert hip.last is not None
        moments = dict.fromkeys(MOMENTS, np.array([1234.0, -98765.0], np.float32))
        forces = {"glmed": np.array([4321.5, 0.0], np.float32)}
        hip.last = replace(hip.last, moments_nm_per_kg=moments, forces_n_per_kg=forces)
    lines = _text(view, width).splitlines()
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert text.count("#####") >= 2 * len(MOMENTS)
    assert text.count(" 4322") >= 2
    assert text.count("+1234") == (0 if width == 40 else 2 * len(MOMENTS))


def test_a_stride_is_laid_out_once(walked: View, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples wait while the view is laid out."""
    curves: list[object] = []

    def count(curve: NDArray[np.float32], cells: int, ascii_only: bool) -> str:
        curves.append(curve)
        return sparkline(curve, cells, ascii_only)

    monkeypatch.setattr(hip_rows, "sparkline", count)
    fresh = _another(walked)
    first, again = (_text(fresh) for _ in range(2))
    assert first == again
    assert len(curves) == 2 * (len(MOMENTS) + FORCES_SHOWN)
    left = fresh.hips["l"]
    assert left.last is not None
    left.last = replace(left.last, body_mass_kg=99.0)
    assert "N (99 kg)" in _text(fresh)
    assert len(curves) == 3 * (len(MOMENTS) + FORCES_SHOWN)


def test_before_the_first_stride_it_waits() -> None:
    with Stream(open_source("synthetic:?duration_s=1&speed=max"), load_model()) as stream:
        text = _text(View("synthetic:", stream))
    assert text.count("waiting for a stride") == 2
    assert "cadence -" in text


def test_without_strides_forces_are_those_of_right_now() -> None:
    source = open_source("synthetic:?duration_s=4&speed=max")
    view = _watched(Stream(source, None, sample_model=load_model("hip-sample")))
    text = _text(view, 80)
    assert view.now is not None
    for forces in view.now.forces_n_per_kg.values():
        assert f"{forces.max():5.1f}" in text
    assert "stride" not in text
    assert "no_zero" in text


@pytest.mark.parametrize("state", [LinkState.STALE, LinkState.LOST])
def test_a_silent_link_is_named_and_nothing_is_said_of_now(walked: View, state: LinkState) -> None:
    link = walked.stream.link
    before, link.state = link.state, state
    try:
        text = _text(walked)
        assert state in text
        assert text.count("now  -  ") == 2
    finally:
        link.state = before


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_curve_keeps_its_shape_in_a_line(walked: View, ascii_only: bool) -> None:
    estimate = walked.hips["r"].last
    assert estimate is not None
    line = sparkline(estimate.moments_nm_per_kg["hip_flexion"], 20, ascii_only)
    assert len(line) == 20
    assert len(set(line)) >= 4
    assert all(cell in "_.-'" if ascii_only else 0x2800 <= ord(cell) < 0x2900 for cell in line)


def test_a_curve_that_is_unknown_is_drawn_as_a_flat_line() -> None:
    assert len(set(sparkline(np.full(180, np.nan, np.float32), 22))) == 1


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, np.finfo(np.float32).max])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_what_no_hip_can_be_is_shown_all_the_same(
    walked: View, value: float, encoding: str
) -> None:
    """A model whose outputs run away is seen doing so."""
    view = _another(walked)
    for hip, places in zip(view.hips.values(), (slice(None), slice(20, 40)), strict=True):
        assert hip.last is not None
        moments, forces = dict(hip.last.moments_nm_per_kg), dict(hip.last.forces_n_per_kg)
        for curves in (moments, forces):
            for name, curve in curves.items():
                curves[name] = curve.copy()
                curves[name][places] = value
        hip.last = replace(hip.last, moments_nm_per_kg=moments, forces_n_per_kg=forces)
    assert walked.now is not None
    everywhere = {side: np.full(3, value, np.float32) for side in SIDES}
    view.now = replace(walked.now, moments_nm_per_kg=everywhere)
    text = _text(view, 132, encoding=encoding)
    told = "####" if np.isfinite(value) else f"{value:+.2f}"
    assert text.count(told) >= 2 * len(MOMENTS)


def test_a_view_that_cannot_be_drawn_ends_the_stream_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise IndexError("no such\nrow")

    monkeypatch.setattr(view_module, "DUMB_REFRESH_S", 0.01)
    monkeypatch.setattr(View, "__rich_console__", fail)
    source = open_source("synthetic:")
    with Stream(source, load_model()) as stream:
        shown = LiveView(stream, "synthetic:")
        until(lambda: shown.reader_gone, "the view ends")
        shown.close()
    assert shown.trouble == "the live view: cannot be drawn: IndexError: no such row"


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (130, 24), (40, 10), (8, 2), (0, 0)])
def test_on_a_terminal_it_neither_wraps_nor_scrolls(columns: int, rows: int) -> None:
    shown = Shown(*BOTH, columns=columns, rows=rows)
    text = shown.finish()
    assert (shown.screen.wrapped, shown.screen.scrolled) == (0, 0)
    if (columns, rows) != (8, 2):
        for wanted in ("● live", "left hip", "right hip", *SHORT, "iliopsoas", "no_zero"):
            assert wanted in text


def test_it_follows_the_size_of_its_window() -> None:
    shown = Shown("--port", "synthetic:?stand_s=0.5", columns=130, rows=24)
    shown.until(lambda text: "iliopsoas" in text)
    for columns, rows in ((60, 20), (80, 24)):
        shown.resize(columns, rows)
        shown.until(lambda text: text.count("left hip") == text.count("right hip") == 1)
    shown.interrupt()
    text = shown.finish()
    assert text.count("left hip") == text.count("live: samples are coming") == 1
    assert text.startswith("● live")


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": None, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"TERM": "linux"},
        {"TERM": "vt220"},
    ],
)
def test_a_terminal_without_the_signs_gets_ascii(environment: dict[str, str | None]) -> None:
    shown = Shown(*BOTH, columns=80, rows=24, environment=environment)
    text = shown.finish()
    assert shown.written.isascii()
    assert (shown.screen.wrapped, shown.screen.scrolled) == (0, 0)
    for wanted in ("* live", "+--- ", "left hip", "right hip", *SHORT, "iliopsoas", "no_zero"):
        assert wanted in text
    assert "?" not in text.replace("synthetic:?", "")


@pytest.mark.parametrize("name", ["dumb", None])
def test_a_terminal_that_only_goes_on_gets_one_view_below_the_other(name: str | None) -> None:
    shown = Shown(*BOTH, columns=80, rows=24, environment={"TERM": name})
    text = shown.finish()
    assert shown.written.isascii()
    assert b"\x1b" not in shown.written
    for wanted in ("* live", "left hip", "right hip", *SHORT, "iliopsoas", "no_zero"):
        assert wanted in text


def test_a_name_it_cannot_spell_is_shown_with_question_marks(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "gänge.rec", {"port": "synthetic:"})
    with Stream(open_source("synthetic:?duration_s=4&speed=max"), load_model()) as stream:
        stream.recorder = recorder.add
        for _ in stream:
            pass
    assert recorder.close() is None
    shown = Shown(
        *("--port", "replay:gänge.rec?speed=max"),
        columns=80,
        rows=24,
        environment={"PYTHONIOENCODING": "ascii"},
        folder=tmp_path,
    )
    assert "replay:g?nge.rec" in shown.finish()
