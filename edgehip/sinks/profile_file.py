"""A profile written beside a live loop: a busy disk takes seconds for it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgehip.errors import ProfileError
from edgehip.profiles import save_profile
from edgehip.zero import Profile

CLOSE_WITHIN_S: Final = 5.0


class ProfileFile:
    """Writes the profile it is handed, or removes it again, in threads of its own.

    Parameters
    ----------
    path
        Where to; nothing is there yet.
    on_trouble
        Called in such a thread with a line that says why it could not be written or removed.
    measured_at
        When what it is measured from was recorded; empty of what is measured now.
    """

    def __init__(
        self, path: Path, on_trouble: Callable[[str], None], measured_at: str = ""
    ) -> None:
        self.path = path
        self._measured_at = measured_at
        self._on_trouble = on_trouble
        self._trouble: str | None = None
        self._last: threading.Thread | None = None

    def put(self, profile: Profile) -> None:
        """Begin to write a profile that was just measured."""
        profile = replace(profile, measured_at=self._measured_at)
        self._begin(lambda: save_profile(profile, self.path))

    def withdraw(self) -> None:
        """Begin to remove what was written, if anything was: it is no zero of anybody."""
        if self._last is not None:
            self._begin(self._remove)

    def close(self) -> str | None:
        """Wait for what was begun; return what is wrong, if anything is."""
        if self._last is None:
            return None
        self._last.join(CLOSE_WITHIN_S)
        return f"{self.path}: not written yet" if self._last.is_alive() else self._trouble

    def _begin(self, act: Callable[[], None]) -> None:
        self._last = threading.Thread(
            target=self._do, args=(act, self._last), name="edgehip profile", daemon=True
        )
        self._last.start()

    def _do(self, act: Callable[[], None], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()  # what was begun later holds
        try:
            act()
        except ProfileError as error:
            self._trouble = str(error)
            self._on_trouble(self._trouble)
        else:
            self._trouble = None

    def _remove(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise ProfileError(
                f"{self.path}: was measured of other angles, and cannot be removed: "
                f"{error.strerror}; delete it"
            ) from error
