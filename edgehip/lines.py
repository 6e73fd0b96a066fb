"""The text line format, for firmware that just prints: ``time,angle1,...,angle10``.

A line of names is optional: ``time_us``, ``time_ms`` or ``time_s`` (or ``timestamp_us`` ...) and
the angles' names, in any order, in any case, quoted or not, other columns ignored. Without it the
time is in milliseconds (or what the decoder was told) and the angles follow
:data:`edgehip.channels.ANGLES`. An empty field is an angle not measured. Lines end in LF or CR LF.

A line that names angles but cannot be used, or names everything by words that say nothing to
edgehip, shows that the columns lie otherwise than one would think: left may be right. From there on
no line is used until a header comes that can be. One that names other columns than were read so far
is told (:attr:`edgehip.events.Fault.COLUMNS`): what was read before was something else.

There is no checksum and no sequence number, so loss can only be inferred from time, and a corrupted
digit can pass for an angle: prefer frames.
"""

import codecs
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edgehip.channels import ANGLES
from edgehip.declared import checked
from edgehip.events import Chunk, Fault, LinkFault
from edgehip.messages import Angles, Description
from edgehip.wire import Frame

MAX_LINE: Final = 512
MAX_TIME_US: Final = 2.0**53
"""Up to here (285 years) a float holds every microsecond; a later time is a garbled one."""
TimeUnit = Literal["us", "ms", "s"]
_US_PER: Final[dict[TimeUnit, float]] = {"us": 1.0, "ms": 1e3, "s": 1e6}
_TIMES: Final[dict[str, TimeUnit]] = {
    f"{name}_{unit}": unit for name in ("time", "timestamp") for unit in _US_PER
}
_WORD: Final = re.compile(r"[a-z][ -~]*")
_SHOWN: Final = 60
"""Characters of a header that are quoted to somebody who has to mend it."""
_MEND: Final = "a header has time_us, time_ms or time_s and the angles' names (hip_flexion_r, ...)"


@dataclass(slots=True)
class LineDecoderState:
    """A half-received line, what the header said, and why it cannot be used, if it cannot.

    ``read`` is whether a sample was read by these columns, ``cut`` whether the next line may lack
    its beginning.
    """

    pending: bytes = b""
    skipping: bool = False
    headed: bool = False
    read: bool = False
    unusable: str = ""
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

    Raises
    ------
    ArgumentError
        If it is no unit.
    """

    @checked
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
            state.cut = False
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
        state.pending, state.skipping, state.cut = b"", False, True

    @property
    def unusable_header(self) -> str:
        """Why no line is used any more, if a header that cannot be used is why."""
        return self.state.unusable

    @property
    def assumed_columns(self) -> str:
        """As what lines are read of which no header said it, in words; nothing if one did."""
        if self.state.headed:
            return ""
        columns = ",".join((f"time_{self.state.time_unit}", *ANGLES))
        return (
            f"no header came, so lines are read as {columns}; if they are not, let the device "
            "print a header, every few seconds"
        )

    def _line(self, line: bytes, received_ns: int) -> list[Frame | LinkFault]:
        state = self.state
        line = line.removeprefix(codecs.BOM_UTF8)
        if b'"' in line:
            line = line.replace(b'"', b"")
        fields = [field.strip() for field in line.decode("ascii", "replace").split(",")]
        try:
            time_us = float(fields[state.time_column]) * _US_PER[state.time_unit]
            angles = tuple(
                math.nan if column < 0 or not fields[column] else float(fields[column])
                for column in state.columns
            )
        except (ValueError, IndexError):
            return self._header([field.lower() for field in fields], received_ns)
        if state.cut:
            return []
        bad = len(fields) != state.width or not 0.0 <= time_us < MAX_TIME_US
        if bad or any(math.isinf(angle) for angle in angles) or state.unusable:
            return [LinkFault(Fault.BAD_LINE, 1, received_ns)]
        state.read = True
        return [Frame(None, round(time_us), Angles(angles), _WRAPS_AT_US[state.time_unit])]

    def _header(self, fields: list[str], received_ns: int) -> list[Frame | LinkFault]:
        state = self.state
        if not _is_of_a_header(fields, state.headed):
            return [] if state.cut else [LinkFault(Fault.BAD_LINE, 1, received_ns)]
        why = _unusable(fields)
        if why:
            text = ",".join(fields)
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
            state.unusable = f"the header '{shown}' cannot be used: {why}; {_MEND}"
            return [LinkFault(Fault.BAD_LINE, 1, received_ns)]
        before = state.time_unit, state.time_column, state.columns, state.width
        (time,) = (name for name in fields if name in _TIMES)
        columns = tuple(fields.index(name) if name in fields else -1 for name in ANGLES)
        now = _TIMES[time], fields.index(time), columns, len(fields)
        state.time_unit, state.time_column, state.columns, state.width = now
        measured = sum(1 << i for i, column in enumerate(columns) if column >= 0)
        said: list[Frame | LinkFault] = [Frame(None, 0, Description(0.0, measured, "", ""), None)]
        if state.read and now != before:
            said.insert(0, LinkFault(Fault.COLUMNS, 1, received_ns))
        state.unusable, state.headed, state.read = "", True, state.read and now == before
        return said


def _is_of_a_header(fields: Sequence[str], headed: bool) -> bool:
    """Say whether a line that holds no sample is a header, or what noise or a late start left.

    Angles' names show it, also cut off in front. So do words where there should be numbers, one for
    each; a device that named its columns before may say other things in words.
    """
    if any(name in ANGLES for name in fields):
        return True
    first = fields[0]
    if first.endswith(("_l", "_r")) and any(name.endswith(first) for name in ANGLES):
        return True
    if any(_is_number(field) for field in fields):
        return False
    if any(name in _TIMES for name in fields):
        return True
    in_words = len(fields) == 1 + len(ANGLES) and all(map(_WORD.fullmatch, fields))
    return in_words and not headed


def _unusable(fields: Sequence[str]) -> str:
    """Say why a header cannot be used; nothing if it can."""
    times = [name for name in fields if name in _TIMES]
    twice = next((n for n in ANGLES if fields.count(n) > 1), None)
    if any(_is_number(field) for field in fields):
        return "numbers stand in it"
    if len(times) > 1:
        return f"it names the time more than once ({', '.join(times)})"
    if not times:
        unclear = next((name for name in fields if name.startswith("time")), None)
        return f"'{unclear}' names no unit of time" if unclear else "it names no time"
    if twice is not None:
        return f"it names {twice} twice"
    return "" if any(name in ANGLES for name in fields) else "it names no angle"


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


_WRAPS_AT_US: Final[dict[TimeUnit, int | None]] = {"us": 2**32, "ms": 2**32 * 1000, "s": None}
"""Where ``micros()`` and ``millis()`` of a 32-bit counter begin again."""
