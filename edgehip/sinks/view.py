"""The live view: link, cadence, both hips' last stride as curves and peaks, latency."""

import io
import threading
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from edgehip.channels import MOMENTS, SIDES, Side
from edgehip.estimators.cycle import maximum, minimum
from edgehip.events import CueChange, HipEstimate, HipSampleEstimate, LinkChange, LinkState
from edgehip.latency import Out, Percentiles
from edgehip.runtime import Stream, StreamEvent

REFRESH_S: Final = 0.25
CURVE_CELLS: Final = 22
FORCES_SHOWN: Final = 6
HIP_WIDTH: Final = 64
HIP_ROWS: Final = 7
"""Of a hip without its muscles and without what is estimated right now."""
OTHER_ROWS: Final = 5
"""Header (which may wrap), note, and where the cursor stays."""
_STATE_STYLE: Final = {
    LinkState.WAITING: "yellow",
    LinkState.LIVE: "green",
    LinkState.STALE: "yellow",
    LinkState.LOST: "bold red",
}
_SIDE_NAME: Final[dict[Side, str]] = {"l": "left hip", "r": "right hip"}


class Drawn:
    """Something that stays as it is until the next stride, laid out once.

    Layout is most of what a refresh costs, and samples wait for it.
    """

    def __init__(self, what: RenderableType) -> None:
        self._what = what
        self._lines: list[list[Segment]] = []
        self._width = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what rich has made of it."""
        if self._width != options.max_width:
            self._lines = console.render_lines(self._what, options)
            self._width = options.max_width
        for line in self._lines:
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Take all the width there is, so that nothing has to be measured."""
        return Measurement(options.max_width, options.max_width)


@dataclass(slots=True)
class ViewState:
    """What the view shows besides the stream's own counters."""

    port: str
    last: dict[Side, HipEstimate] = field(default_factory=dict)
    now: HipSampleEstimate | None = None
    note: str = ""
    drawn: dict[Side, tuple[HipEstimate, int, Drawn]] = field(default_factory=dict)
    """Each hip's curves as they were last drawn, of which estimate and with how many muscles."""


class LiveView:
    """Draws a stream a few times a second, in a thread of its own.

    A slow or stopped terminal delays the drawing, never the loop.
    """

    reader_gone = False
    trouble = None

    def __init__(self, stream: Stream, port: str, console: Console | None = None) -> None:
        self._stream = stream
        self._state = ViewState(port)
        self._live = Live(draw(self._state, stream), console=console, auto_refresh=False)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgehip view", daemon=True)
        self._thread.start()

    def show(self, event: StreamEvent) -> None:
        """See :class:`edgehip.sinks.output.Output`."""
        match event:
            case HipEstimate():
                self._state.last[event.side] = event
            case HipSampleEstimate():
                self._state.now = event
            case CueChange():
                switched = "on" if event.on else "off"
                self._state.note = f"cue {event.text}: {switched} {' '.join(event.flags)}"
            case LinkChange():
                self._state.note = f"link {event.state}: {event.detail}"

    def close(self) -> list[str]:
        """Draw once more and stop."""
        self._closing.set()
        self._thread.join(2.0)
        return []

    def _run(self) -> None:
        with self._live:
            while True:
                closing = self._closing.wait(REFRESH_S)
                shown = forces_shown(*self._live.console.size, with_now=self._state.now is not None)
                self._live.update(draw(self._state, self._stream, shown), refresh=True)
                if closing:
                    return


def forces_shown(width: int, height: int, *, with_now: bool) -> int:
    """Return for how many muscles a terminal has room, with both hips in sight."""
    side_by_side = width > 2 * HIP_WIDTH
    rows = (height - OTHER_ROWS) // (1 if side_by_side else 2) - HIP_ROWS - (2 if with_now else 0)
    return min(max(rows, 0), FORCES_SHOWN)


def draw(state: ViewState, stream: Stream, forces: int = FORCES_SHOWN) -> RenderableType:
    """Return the whole view, with so many muscles, as something rich can print."""
    hips = [_hip(side, state, forces) for side in SIDES]
    return Group(_header(state, stream), Columns(hips), Text(state.note, style="dim"))


def _header(state: ViewState, stream: Stream) -> RenderableType:
    link = stream.link
    table = Table.grid(padding=(0, 2))
    counts = stream.estimate_counts
    latency = stream.meter.byte_in_to_out[Out.ESTIMATE].percentiles()
    first = Text.assemble(
        (f"● {link.state}", _STATE_STYLE[link.state]),
        f"  {state.port}  loss {link.loss_percent:.1f} %",
        f"  samples {link.samples}  strides {counts['l']} left, {counts['r']} right",
    )
    table.add_row(first)
    table.add_row(
        Text(
            f"{_cadence(state)}  {_latency(latency)}  "
            f"model {stream.model_names}  zero {_zero(stream)}",
            style="" if link.state is LinkState.LIVE else "dim",
        )
    )
    return table


def _cadence(state: ViewState) -> str:
    strides = [estimate.cadence_spm for estimate in list(state.last.values())]
    return f"cadence {sum(strides) / len(strides):.0f} steps/min" if strides else "cadence –"


def _latency(latency: Percentiles | None) -> str:
    if latency is None:
        return "latency –"
    return f"latency p50 {latency.p50_ms:.2f} p99 {latency.p99_ms:.2f} max {latency.max_ms:.2f} ms"


def _zero(stream: Stream) -> str:
    waiting = stream.pipeline.state.calibration
    return f"measuring ({waiting.method})" if waiting else stream.pipeline.zero


def _hip(side: Side, state: ViewState, forces_shown: int) -> Panel:
    estimate, current = state.last.get(side), _now(side, state.now)
    if estimate is None:
        waiting = Text("waiting for a stride", style="dim")
        return Panel(Group(waiting, *current), title=_SIDE_NAME[side], width=HIP_WIDTH)
    drawn = state.drawn.get(side)
    if drawn is None or drawn[0] is not estimate or drawn[1] != forces_shown:
        drawn = estimate, forces_shown, Drawn(_curves(estimate, forces_shown))
        state.drawn[side] = drawn
    flags = ", ".join([*estimate.flags, *estimate.out_of_range])
    subtitle = f"[yellow]{flags}[/yellow]" if flags else None
    stance = estimate.stance_percent
    title = (
        f"{_SIDE_NAME[side]}  {estimate.stride_s:.2f} s"
        f"{'' if stance is None else f', stance {stance:.0f} %'}"
    )
    return Panel(Group(drawn[2], *current), title=title, subtitle=subtitle, width=HIP_WIDTH)


def _curves(estimate: HipEstimate, forces_shown: int) -> RenderableType:
    """Return a stride's moments and strongest muscles, each as a curve with its peaks."""
    table = Table.grid(padding=(0, 1))
    table.add_row(*(Text(head, style="dim") for head in ("Nm/kg", "", "max at %", "min at %")))
    for name in MOMENTS:
        curve = estimate.moments_nm_per_kg.get(name)
        if curve is not None:
            high, low = maximum(curve), minimum(curve)
            table.add_row(
                name,
                Text(sparkline(curve), style="cyan"),
                f"{high.value:+.2f} {high.gait_cycle_percent:3.0f}",
                f"{low.value:+.2f} {low.gait_cycle_percent:3.0f}",
            )
    forces = estimate.forces_n_per_kg
    strongest = sorted(forces, key=lambda name: -float(np.max(forces[name])))[:forces_shown]
    mass_kg = estimate.body_mass_kg
    if strongest:
        in_newton = "" if mass_kg is None else f"N ({mass_kg:g} kg)"
        table.add_row(Text("N/kg", style="dim"), "", "", Text(in_newton, style="dim"))
    for name in strongest:
        peak = maximum(forces[name])
        table.add_row(
            name,
            Text(sparkline(forces[name]), style="magenta"),
            f"{peak.value:5.1f} {peak.gait_cycle_percent:3.0f}",
            "" if mass_kg is None else f"{peak.value * mass_kg:6.0f}",
        )
    return table


def _now(side: Side, now: HipSampleEstimate | None) -> list[Text]:
    if now is None:
        return []
    moments = zip(MOMENTS, now.moments_nm_per_kg[side].tolist(), strict=True)
    told = "  ".join(f"{name.removeprefix('hip_')} {value:+.2f}" for name, value in moments)
    flags = "".join(f"  {flag}" for flag in now.flags)
    return [Text.assemble(("now  ", "dim"), told, (flags, "yellow"))]


def sparkline(curve: NDArray[np.float32], cells: int = CURVE_CELLS) -> str:
    """Return a curve as braille: two points wide and four high in a cell."""
    points = np.interp(
        np.linspace(0, len(curve) - 1, 2 * cells), np.arange(len(curve)), curve.astype(float)
    )
    points = np.nan_to_num(points)  # a line at zero is no curve; the records say that it is unknown
    span = float(points.max() - points.min()) or 1.0
    levels = np.round(3 * (points - points.min()) / span).astype(int)
    left, right = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
    return "".join(
        chr(0x2800 + left[a] + right[b]) for a, b in zip(levels[::2], levels[1::2], strict=True)
    )


def to_text(view: RenderableType, width: int = 132) -> str:
    """Return a view as plain text (for documents and tests)."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return capture.get()
