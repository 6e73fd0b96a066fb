"""The text line format, for firmware that just prints: ``time,angle1,...,angle10``.

A first line of names is optional: ``time_us``, ``time_ms`` or ``time_s`` and the angles' names, in
any order, other columns ignored. Without it the time is in milliseconds (or what the decoder was
told) and the angles follow :data:`edgehip.channels.ANGLES`. An empty field is an angle not
measured. Lines end in LF or CR LF. There is no checksum and no sequence number, so loss can only
be inferred from time, and a corrupted digit can pass for an angle: prefer frames.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from edgehip.channels import ANGLES
from edgehip.events import Chunk, Fault, LinkFault
from edgehip.messages import Angles, Description
from edgehip.wire import Frame

MAX_LINE: Final = 512
MAX_TIME_US: Final = 2.0**53
"""Up to here (285 years) a float holds every microsecond; a later time is a garbled one."""
TimeUnit = Literal["us", "ms", "s"]
_US_PER: Final[dict[TimeUnit, float]] = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(slots=True)
class LineDecoderState:
    """A half-received line and what the header said.

    ``cut`` is whether the next line may lack its beginning, ``started`` whether there was one.
    """

    pending: bytes = b""
    skipping: bool = False
    started: bool = False
    cut: bool = False
    time_unit: TimeUnit = "ms"
    time_column: int = 0
    columns: tuple[int, ...] = tuple(range(1, 1 + len(ANGLES)))
    """For each of the ten angles its column, or -1 if the device does not send it."""
    width: int = 1 + len(ANGLES)


class LineDecoder:
    """Turns bytes, cut anywhere, into frames (without sequence numbers) and counted faults.

    Parameters
    ----------
    time_unit
        Of the first column when no header says it.
    """

    def __init__(self, time_unit: TimeUnit = "ms") -> None:
        self.time_unit = time_unit
        self.state = LineDecoderState(time_unit=time_unit)

    def feed(self, chunk: Chunk) -> list[Frame | LinkFault]:
        """Return what these bytes complete."""
        state = self.state
        *pieces, rest = chunk.data.split(b"\n")
        found: list[Frame | LinkFault] = []
        for piece in pieces:
            line, state.pending = state.pending + piece, b""
            if state.skipping:
                state.skipping = False
            elif len(line) > MAX_LINE:
                found.append(LinkFault(Fault.OVERLONG, 1, chunk.received_ns))
            elif line := line.strip():
                found += self._line(line, chunk.received_ns)
            state.started, state.cut = True, False
        if not state.skipping:
            state.pending += rest
            if len(state.pending) > MAX_LINE:
                state.pending, state.skipping = b"", True
                found.append(LinkFault(Fault.OVERLONG, 1, chunk.received_ns))
        return found

    def reset(self) -> None:
        """Forget a half-received line: what comes next may begin in the middle of another.

        Such a rest can pass for a whole line, with another time or angle, so it is left out, unless
        it is a header: a device that starts when its port is opened prints that first.

        The header stays: a device that prints it once is still the same after a pulled cable, and
        one that started again prints it again.
        """
        state = self.state
        state.pending, state.skipping, state.started, state.cut = b"", False, False, True

    def _line(self, line: bytes, received_ns: int) -> list[Frame | LinkFault]:
        state = self.state
        fields = [field.strip() for field in line.decode("ascii", "replace").split(",")]
        if any(field in ("time_us", "time_ms", "time_s") for field in fields):
            return [self._header(fields, received_ns)]
        if state.cut:
            return []
        try:
            time_us = float(fields[state.time_column]) * _US_PER[state.time_unit]
            angles = tuple(
                math.nan if column < 0 or not fields[column] else float(fields[column])
                for column in state.columns
            )
            bad = len(fields) != state.width or not 0.0 <= time_us < MAX_TIME_US
            bad |= any(math.isinf(angle) for angle in angles)
        except (ValueError, IndexError):
            bad = True
        if bad:
            # The first bytes after opening a port are usually the tail of a line.
            count = 1 if state.started else 0
            return [LinkFault(Fault.BAD_LINE, count, received_ns)] if count else []
        return [Frame(None, round(time_us), Angles(angles), _WRAPS_AT_US[state.time_unit])]

    def _header(self, fields: list[str], received_ns: int) -> Frame | LinkFault:
        state = self.state
        column_of = {name: column for column, name in enumerate(fields)}
        times = [name for name in ("time_us", "time_ms", "time_s") if name in column_of]
        if len(times) != 1 or len(column_of) != len(fields):
            return LinkFault(Fault.BAD_LINE, 1, received_ns)
        unit = times[0].removeprefix("time_")
        state.time_unit = "us" if unit == "us" else "ms" if unit == "ms" else "s"
        state.time_column = column_of[times[0]]
        state.columns = tuple(column_of.get(name, -1) for name in ANGLES)
        state.width = len(fields)
        measured = sum(1 << i for i, column in enumerate(state.columns) if column >= 0)
        return Frame(None, 0, Description(0.0, measured, "", ""), None)


_WRAPS_AT_US: Final[dict[TimeUnit, int | None]] = {"us": 2**32, "ms": 2**32 * 1000, "s": None}
"""Where ``micros()`` and ``millis()`` of a 32-bit counter begin again."""
