"""Standard output: a live view on a terminal, JSON Lines or CSV into a pipe."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from edgehip.events import CueChange, HipEstimate, HipSampleEstimate, LinkChange
from edgehip.runtime import Stream, StreamEvent
from edgehip.sinks.outbox import Outbox, write_whole
from edgehip.sinks.records import (
    CSV_COLUMNS,
    csv_header,
    cue_record,
    estimate_record,
    link_record,
    sample_record,
    sample_to_csv_line,
    to_csv_line,
    to_json_line,
)

CAPACITY: Final = 256
"""Records that may wait for a slow reader: two minutes of strides, or 2.5 s of samples."""

OutputKind = Literal["auto", "view", "jsonl", "csv"]


class Output(Protocol):
    """Where a person or a program sees estimates."""

    def show(self, event: StreamEvent) -> None:
        """Show an event, if it is one a reader wants to see."""
        ...

    @property
    def reader_gone(self) -> bool:
        """Whether nothing can be shown any more."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why not, unless the reader simply left."""
        ...

    def close(self) -> list[str]:
        """Finish; return what there is to tell of it."""
        ...


class RecordOutput:
    """Writes records to standard output; never delays a live loop.

    Parameters
    ----------
    kind
        ``jsonl`` (estimates and link changes) or ``csv`` (estimates).
    stream
        Whose estimates these are. If it is not live, a slow reader is waited for; if it is, the
        oldest waiting estimates are dropped and counted, and of cues and the link all but the last.
    curves
        Whether JSON records carry whole curves.
    outputs
        What per-sample records hold (see :data:`edgehip.sinks.records.SAMPLE_OUTPUTS`).
    """

    def __init__(
        self,
        kind: Literal["jsonl", "csv"],
        stream: Stream,
        *,
        curves: bool,
        outputs: Sequence[str],
    ) -> None:
        self._is_csv = kind == "csv"
        self._stream = stream
        self._curves = curves
        self._outputs = outputs
        self._headed = False
        descriptor = sys.stdout.fileno()
        self._outbox: Outbox[bytes] = Outbox(
            "output",
            lambda line: write_whole(descriptor, line),
            capacity=CAPACITY,
            waits=lambda: not (stream.source.live or stream.stopped),
        )

    def show(self, event: StreamEvent) -> None:
        """See :class:`Output`; CSV has a place for estimates alone."""
        meter, link = self._stream.meter, self._stream.link.state
        match event:
            case HipEstimate():
                record = estimate_record(event, link, meter.spent_ns, self._curves)
                self._put(record, CSV_COLUMNS, to_csv_line)
            case HipSampleEstimate():
                record = sample_record(event, link, self._outputs)
                self._put(record, tuple(record), sample_to_csv_line)
            case CueChange() if not self._is_csv:
                line = to_json_line(cue_record(event))
                self._outbox.put(line, meter.received_ns, state_of=f"cue {event.cue}")
            case LinkChange() if not self._is_csv:
                self._outbox.put(to_json_line(link_record(event)), state_of="link")

    def _put(
        self,
        record: dict[str, Any],
        columns: Sequence[str],
        to_row: Callable[[Mapping[str, Any]], bytes],
    ) -> None:
        if self._is_csv and not self._headed:
            self._outbox.put(csv_header(columns), state_of="columns")
            self._headed = True
        line = to_row(record) if self._is_csv else to_json_line(record)
        self._outbox.put(line, self._stream.meter.received_ns)

    @property
    def reader_gone(self) -> bool:
        """See :class:`Output`."""
        return self._outbox.error is not None

    @property
    def trouble(self) -> str | None:
        """See :class:`Output`."""
        error = self._outbox.error
        if error is None or isinstance(error, BrokenPipeError):
            return None
        return f"standard output: cannot be written: {error.strerror}"

    def close(self) -> list[str]:
        """See :class:`Output`."""
        self._outbox.close()
        told = []
        if written := self._outbox.written.percentiles():
            told.append(
                f"output     byte in to record written: p50 {written.p50_ms:.3f}, "
                f"p95 {written.p95_ms:.3f}, p99 {written.p99_ms:.3f}, max {written.max_ms:.3f} ms"
            )
        if self._outbox.dropped:
            why = "the reader was slow" if self._outbox.error is None else "nobody could read them"
            told.append(f"output     {self._outbox.dropped} records dropped: {why}")
        return told


def open_output(
    kind: OutputKind, stream: Stream, port: str, *, curves: bool, outputs: Sequence[str]
) -> Output:
    """Return the output a kind stands for (``auto``: a view on a terminal, else JSON Lines)."""
    if kind == "auto":
        kind = "view" if sys.stdout.isatty() else "jsonl"
    if kind == "view":
        from edgehip.sinks.view import LiveView

        return LiveView(stream, port)
    return RecordOutput(kind, stream, curves=curves, outputs=outputs)
