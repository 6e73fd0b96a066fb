"""Standard output as a terminal: its size, its signs, and whether its cursor can go back."""

import os
import shutil

from rich.console import Console


class Terminal(Console):
    """A console that counts on no more than its terminal says it has."""

    def __init__(self) -> None:
        self._type = os.environ.get("TERM", "" if os.name == "posix" else "windows").lower()
        super().__init__()
        self.size = self._told = shutil.get_terminal_size()

    def follow_size(self) -> None:
        """Take the size the terminal has now; if that is new, what it shows is no longer in place.

        A serial line tells none, and is taken for 80 x 24.
        """
        told = shutil.get_terminal_size()
        if told != self._told:
            self.size = self._told = told
            self.clear()

    def on_broken_pipe(self) -> None:
        """Tell whoever draws that nobody reads any more: rich would end the thread in silence."""
        raise BrokenPipeError

    @property
    def encoding(self) -> str:
        """ASCII also where there is more, but no braille: the Linux text console, a serial one."""
        has_more = not self._type.startswith(("linux", "vt")) and not self.is_dumb_terminal
        return super().encoding if has_more else "ascii"

    @property
    def is_dumb_terminal(self) -> bool:
        """Whether it only goes on to the next line, as one without a name may."""
        return self.is_terminal and self._type in ("", "dumb", "unknown")
