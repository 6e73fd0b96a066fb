"""Standard output: a live view on a terminal, JSON Lines or CSV into a pipe."""

import os
import sys
from typing import Final, Literal, Protocol

from edgehip.events import HipEstimate, LinkChange
from edgehip.runtime import Stream
from edgehip.sinks.outbox import Outbox
from edgehip.sinks.records import (
    csv_header,
    estimate_record,
    link_record,
    to_csv_line,
    to_json_line,
)

CAPACITY: Final = 256
"""Records that may wait for a slow reader (two minutes of strides)."""

OutputKind = Literal["auto", "view", "jsonl", "csv"]


class Output(Protocol):
    """Where a person or a program sees estimates."""

    def estimate(self, estimate: HipEstimate) -> None:
        """Show an estimate."""
        ...

    def link(self, change: LinkChange) -> None:
        """Show a change of the link."""
        ...

    @property
    def reader_gone(self) -> bool:
        """Whether nobody reads any more."""
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
        oldest waiting records are dropped and counted.
    curves
        Whether JSON records carry whole curves.
    """

    def __init__(self, kind: Literal["jsonl", "csv"], stream: Stream, *, curves: bool) -> None:
        self._kind = kind
        self._stream = stream
        self._curves = curves
        self._outbox = Outbox(
            "output", _write_stdout, capacity=CAPACITY, lossless=not stream.source.live
        )
        if kind == "csv":
            self._outbox.put(csv_header())

    def estimate(self, estimate: HipEstimate) -> None:
        """See :class:`Output`."""
        meter, link = self._stream.meter, self._stream.link
        record = estimate_record(estimate, link.state, meter.spent_ns, self._curves)
        line = to_json_line(record) if self._kind == "jsonl" else to_csv_line(record)
        self._outbox.put(line, meter.received_ns)

    def link(self, change: LinkChange) -> None:
        """See :class:`Output`; CSV has no place for a link change."""
        if self._kind == "jsonl":
            self._outbox.put(to_json_line(link_record(change)))

    @property
    def reader_gone(self) -> bool:
        """See :class:`Output`."""
        return self._outbox.error is not None

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
            told.append(f"output     {self._outbox.dropped} records dropped: the reader was slow")
        return told


def open_output(kind: OutputKind, stream: Stream, port: str, curves: bool) -> Output:
    """Return the output a kind stands for (``auto``: a view on a terminal, else JSON Lines)."""
    if kind == "auto":
        kind = "view" if sys.stdout.isatty() else "jsonl"
    if kind == "view":
        from edgehip.sinks.view import LiveView

        return LiveView(stream, port)
    return RecordOutput(kind, stream, curves=curves)


def _write_stdout(line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(sys.stdout.fileno(), rest) :]
