"""The live view: link, cadence, latency, and both hips side by side, on a terminal of any size."""

import sys
import threading
from dataclasses import dataclass, field
from typing import Final

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from edgehip.channels import SIDES, Side
from edgehip.events import CueChange, HipEstimate, HipSampleEstimate, LinkChange, LinkState
from edgehip.latency import Out
from edgehip.runtime import Stream, StreamEvent
from edgehip.sinks.fitting import GAP, most_important, shortened
from edgehip.sinks.hip_panel import BORDER_ROWS, HIP_WIDTH, Hip, Room
from edgehip.sinks.terminal import Terminal

REFRESH_S: Final = 0.25
DUMB_REFRESH_S: Final = 5.0
"""Where each view goes below the one before."""
PORT_WIDTH: Final = 8
"""With less of its name, a port cannot be told from another."""
ALL_AROUND_ROWS: Final = 11
"""With fewer, there is no more than a line around the hips."""
_STATE_STYLE: Final = {
    LinkState.WAITING: "yellow",
    LinkState.LIVE: "green",
    LinkState.STALE: "yellow",
    LinkState.LOST: "bold red",
}


@dataclass(slots=True)
class View:
    """What there is to see of a stream; draws itself as large as its terminal has room for."""

    port: str
    stream: Stream
    hips: dict[Side, Hip] = field(default_factory=lambda: {side: Hip(side) for side in SIDES})
    now: HipSampleEstimate | None = None
    note: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield rows that fit, and one fewer than the terminal has: the cursor needs one."""
        width, rows = options.max_width, options.size.height - 1
        all_around = rows >= ALL_AROUND_ROWS
        is_live = self.stream.link.state is LinkState.LIVE
        by_cycle = self.stream.pipeline.estimators.by_cycle is not None
        yield self._link(width, ascii_only=options.ascii_only, by_cycle=by_cycle)
        if all_around:
            numbers = self._numbers(width, by_cycle=by_cycle)
            yield _line(numbers, "none" if is_live else "dim")
        inside = rows - (3 if all_around else 1) - BORDER_ROWS
        room = Room(min((width - 1) // 2, HIP_WIDTH), inside, options.ascii_only)
        if room.is_enough:
            yield Columns(
                [
                    hip.panel(self.now, room, by_cycle=by_cycle, is_live=is_live)
                    for hip in self.hips.values()
                ]
            )
        if all_around:
            yield _line(shortened(self.note, width), "dim")

    def show(self, event: StreamEvent) -> None:
        """Take in what an event tells."""
        match event:
            case HipEstimate():
                self.hips[event.side].last = event
            case HipSampleEstimate():
                self.now = event
            case CueChange():
                switched = "on" if event.on else "off"
                self.note = f"cue {event.text}: {switched} {' '.join(event.flags)}"
            case LinkChange():
                self.note = f"link {event.state}: {event.detail}"

    def _link(self, width: int, *, ascii_only: bool, by_cycle: bool) -> Text:
        link, counts = self.stream.link, self.stream.estimate_counts
        state = f"{'*' if ascii_only else '●'} {link.state}"
        loss = f"loss {link.loss_percent:.1f} %"
        strides = f"strides {counts['l']} left, {counts['r']} right" if by_cycle else ""
        spare = width - len(GAP.join((state, loss, strides, "")))
        told = most_important(
            (
                (0, state),
                (3, shortened(self.port, spare) if spare >= PORT_WIDTH else ""),
                (1, loss),
                (4, f"samples {link.samples}"),
                (2, strides),
            ),
            width,
        )
        line = _line(told, "none")
        line.stylize(_STATE_STYLE[link.state], 0, len(state))
        return line

    def _numbers(self, width: int, *, by_cycle: bool) -> str:
        stream = self.stream
        strides = [hip.last.cadence_spm for hip in self.hips.values() if hip.last is not None]
        cadence = f"{sum(strides) / len(strides):.0f} steps/min" if strides else "-"
        latency = stream.meter.byte_in_to_out[Out.ESTIMATE if by_cycle else Out.SAMPLE]
        took = latency.percentiles()
        waiting = stream.pipeline.state.calibration
        return most_important(
            (
                (0, f"cadence {cadence}" if by_cycle else ""),
                (
                    2,
                    f"latency p50 {took.p50_ms:.2f} p99 {took.p99_ms:.2f} max {took.max_ms:.2f} ms"
                    if took
                    else "latency -",
                ),
                (3, f"model {stream.model_names}"),
                (1, f"zero {f'measuring ({waiting.method})' if waiting else stream.pipeline.zero}"),
            ),
            width,
        )


class LiveView:
    """Draws a stream a few times a second, in a thread of its own.

    A slow or stopped terminal delays the drawing, never the loop.
    """

    def __init__(self, stream: Stream, port: str) -> None:
        self.reader_gone = False
        self.trouble: str | None = None
        self._view = View(port, stream)
        self._terminal = Terminal()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgehip view", daemon=True)
        self._thread.start()

    def show(self, event: StreamEvent) -> None:
        """See :class:`edgehip.sinks.output.Output`."""
        self._view.show(event)

    def close(self) -> list[str]:
        """Draw once more and stop."""
        self._closing.set()
        self._thread.join(2.0)
        return []

    def _run(self) -> None:
        try:
            self._draw()
        except BrokenPipeError:
            self.reader_gone = True
        except OSError as error:
            self.trouble = f"standard output: cannot be written: {error.strerror}"
            self.reader_gone = True
        except Exception as error:  # whatever it is, a stream that nobody sees must not go on
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self.trouble = f"the live view: cannot be drawn: {reason}"
            self.reader_gone = True

    def _draw(self) -> None:
        terminal = self._terminal
        goes_back = terminal.is_terminal and not terminal.is_dumb_terminal
        # What is told on a terminal passes above the view. A log gets it whatever is drawn here.
        passes_above = sys.stderr.isatty()
        with Live(
            self._view, console=terminal, auto_refresh=False, redirect_stderr=passes_above
        ) as live:
            while not self._closing.wait(REFRESH_S if goes_back else DUMB_REFRESH_S):
                terminal.follow_size()
                if not goes_back:
                    terminal.print(self._view)
                else:
                    live.refresh()
            terminal.follow_size()


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="crop")
