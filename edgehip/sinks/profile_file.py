"""A profile written beside a live loop: a busy disk takes seconds for it."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgehip.errors import ProfileError
from edgehip.profiles import save_profile
from edgehip.zero import Profile

CLOSE_WITHIN_S: Final = 5.0


class ProfileFile:
    """Writes the profile it is handed, in a thread of its own.

    Parameters
    ----------
    path
        Where to.
    on_trouble
        Called in that thread with a line that says why it could not be written.
    """

    def __init__(self, path: Path, on_trouble: Callable[[str], None]) -> None:
        self.path = path
        self._on_trouble = on_trouble
        self._trouble: str | None = None
        self._writing: threading.Thread | None = None

    def put(self, profile: Profile) -> None:
        """Begin to write a profile, as measured now."""
        self._writing = threading.Thread(
            target=self._write, args=(profile,), name="edgehip profile", daemon=True
        )
        self._writing.start()

    def close(self) -> str | None:
        """Wait for what was begun; return what is wrong, if anything is."""
        if self._writing is None:
            return None
        self._writing.join(CLOSE_WITHIN_S)
        return f"{self.path}: not written yet" if self._writing.is_alive() else self._trouble

    def _write(self, profile: Profile) -> None:
        try:
            save_profile(profile, self.path)
        except ProfileError as error:
            self._trouble = str(error)
            self._on_trouble(self._trouble)
