"""Whether this computer slept: the monotonic clock stands still, and what waited looks fresh."""

import time
from typing import Final

from edgehip.link import STALE_AFTER_S

_WITH_SLEEP: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that goes on. Windows' monotonic clock does so itself."""


class SleepWatch:
    """Notices a sleep of the computer (a closed lid) afterwards."""

    def __init__(self) -> None:
        self._told_ns = _slept_ns()

    def slept_s(self) -> float:
        """Return for how long the computer slept since this was last asked; 0 if hardly at all."""
        before_ns, now_ns = self._told_ns, _slept_ns()
        self._told_ns = max(before_ns, now_ns)
        slept_s = (now_ns - before_ns) / 1e9
        return slept_s if slept_s > STALE_AFTER_S else 0.0


def _slept_ns() -> int:
    """Return for how long it slept since it was started; less where this is interrupted."""
    if _WITH_SLEEP is None:
        return 0
    with_sleep_ns = time.clock_gettime_ns(_WITH_SLEEP)
    return with_sleep_ns - time.monotonic_ns()
