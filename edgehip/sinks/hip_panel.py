"""One hip in the live view: its last stride, or what is estimated right now, in a border."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from edgehip.channels import MUSCLES, Side
from edgehip.events import HipEstimate, HipSampleEstimate
from edgehip.sinks.fitting import as_many, first_that_fits
from edgehip.sinks.hip_rows import sample_row, sample_rows, stride_rows, worst_first

HIP_WIDTH: Final = 64
BORDER_ROWS: Final = 2
LEAST_WIDTH: Final = 15
"""Of a name and a number."""
ROW_WIDTH: Final = 21
"""Of three numbers and what they are."""
ROW_ROWS: Final = 5
"""With fewer, forces need them more."""
_SIDE_NAME: Final[dict[Side, str]] = {"l": "left hip", "r": "right hip"}


@dataclass(frozen=True, slots=True)
class Room:
    """So many rows inside a border, which is so wide, in these signs."""

    width: int
    rows: int
    ascii_only: bool

    @property
    def padding(self) -> int:
        """Blanks inside the border, where they take no room from a curve."""
        return 1 if self.width == HIP_WIDTH else 0

    @property
    def inside(self) -> int:
        """How wide a row can be."""
        return self.width - 2 - 2 * self.padding

    @property
    def is_enough(self) -> bool:
        """Whether anything can be read there."""
        return self.rows > 0 and self.inside >= LEAST_WIDTH


class Drawn:
    """Something that stays as it is until the next stride, laid out once.

    Layout is most of what a refresh costs, and samples wait for it.
    """

    def __init__(self, what: RenderableType) -> None:
        self._what = what
        self._lines: list[list[Segment]] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what rich has made of it."""
        if self._lines is None:
            self._lines = console.render_lines(self._what, options)
        for line in self._lines:
            yield from line
            yield Segment.line()


@dataclass(slots=True)
class Hip:
    """What is known of one hip, and how its last stride was drawn."""

    side: Side
    last: HipEstimate | None = None
    _drawn: tuple[HipEstimate, Room, int, Drawn] | None = None
    _greatest: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(len(MUSCLES), np.float32)
    )

    def panel(
        self, now: HipSampleEstimate | None, room: Room, *, by_cycle: bool, is_live: bool
    ) -> Panel:
        """Return what there is room for. What was estimated last is not what is now: it is dim."""
        estimate, side = self.last, self.side
        name = _SIDE_NAME[side]
        titles = [name]
        flags: list[str] = []
        rows: list[RenderableType] = []
        if estimate is not None:
            flags = [*worst_first(estimate.flags), *estimate.out_of_range]
            stride, stance = f"{name}  {estimate.stride_s:.2f} s", estimate.stance_percent
            titles = [stride, name]
            if stance is not None:
                titles = [f"{stride}, stance {stance:.0f} %", *titles]
            with_row = now is not None and room.inside >= ROW_WIDTH and room.rows >= ROW_ROWS
            rows.append(self._stride(estimate, room, room.rows - with_row))
            if now is not None and with_row:
                rows.append(sample_row(side, now if is_live else None, room.inside))
        elif now is not None and is_live:
            flags = [*worst_first(now.flags), *now.out_of_range]
            self._greatest = np.fmax(self._greatest, now.forces_n_per_kg[side])
            rows += sample_rows(side, now, self._greatest, room.inside, room.rows)
        else:
            waited_for = "stride" if by_cycle else "sample"
            rows.append(Text(f"waiting for a {waited_for}", "dim", no_wrap=True, overflow="crop"))
        subtitle = as_many(flags, room.width - 6, ", ")
        return Panel(
            Group(*rows),
            title=Text(first_that_fits(titles, room.width - 6)),
            subtitle=Text(subtitle, "yellow") if subtitle else None,
            style="none" if is_live else "dim",
            width=room.width,
            padding=(0, room.padding),
        )

    def _stride(self, estimate: HipEstimate, room: Room, rows: int) -> Drawn:
        drawn = self._drawn
        if drawn is None or drawn[0] is not estimate or drawn[1:3] != (room, rows):
            table = stride_rows(estimate, room.inside, rows, ascii_only=room.ascii_only)
            self._drawn = drawn = estimate, room, rows, Drawn(Group(*table))
        return drawn[3]
