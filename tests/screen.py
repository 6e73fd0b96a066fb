"""A program on a real pseudo-terminal, and what a person sees there."""

import codecs
import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.programs import Watch, edgehip

_CONTROL = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])")


class Screen:
    """What a terminal's cells hold, and how many rows wrapped or scrolled away."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cells: list[list[str]] = []
        self.row = self.column = self.wrapped = self.scrolled = 0
        self._erase()

    def __str__(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self.cells).rstrip("\n")

    def feed(self, text: str) -> str:
        """Do what a program wrote; return the beginning of a control sequence without its end."""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = _CONTROL.match(text, at)
                if match is None:
                    return text[at:]
                self._control(match[1], match[2])
                at = match.end()
            else:
                self._put(text[at])
                at += 1
        return ""

    def _put(self, sign: str) -> None:
        if sign == "\r":
            self.column = 0
        elif sign == "\n":
            self._next_row()
        else:
            assert sign.isprintable(), ascii(sign)
            if self.column == self.columns:
                self.column = 0
                self.wrapped += 1
                self._next_row()
            self.cells[self.row][self.column] = sign
            self.column += 1

    def _next_row(self) -> None:
        if self.row == self.rows - 1:
            self.scrolled += 1
            self.cells = [*self.cells[1:], [" "] * self.columns]
        else:
            self.row += 1

    def _control(self, number: str, name: str) -> None:
        match name, number:
            case "A", _:
                self.row = max(self.row - int(number or 1), 0)
            case "K", "2":
                self.cells[self.row] = [" "] * self.columns
            case "J", "2":
                self._erase()
            case "H", "":
                self.row = self.column = 0
            case ("m", _) | ("h" | "l", "?25"):
                pass
            case _:
                raise AssertionError(f"not known here: ESC [ {number} {name}")

    def _erase(self) -> None:
        self.cells = [[" "] * self.columns for _ in range(self.rows)]


class Shown:
    """``edgehip stream`` on a terminal of a size (0 x 0: of one that does not tell)."""

    def __init__(
        self,
        *options: str,
        columns: int,
        rows: int,
        environment: Mapping[str, str | None] | None = None,
        folder: Path | None = None,
    ) -> None:
        wanted: dict[str, str | None] = {
            **os.environ,
            **{"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
            **dict.fromkeys(("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")),
            **(environment or {}),
        }
        self.screen = Screen(columns or 80, rows or 24)
        self.written = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self._far, near = os.openpty()
        self._set_size(columns, rows)
        self._process = subprocess.Popen(
            edgehip("stream", *options),
            stdin=subprocess.DEVNULL,
            stdout=near,
            stderr=subprocess.PIPE,
            env={name: value for name, value in wanted.items() if value is not None},
            cwd=folder,
        )
        os.close(near)
        self._watch = Watch(self._process)

    def until(self, seen: Callable[[str], bool]) -> None:
        """Wait until a person sees something."""
        while not seen(str(self.screen)):
            assert self._read(), f"the program ended; there is:\n{self.screen}"

    def resize(self, columns: int, rows: int) -> None:
        """Pull at the corner of the window."""
        self.screen = Screen(columns, rows)
        self._set_size(columns, rows)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> str:
        """Wait for the end; return what is on the screen then."""
        while self._read():
            pass
        _, err = self._process.communicate()
        self._watch.stop()
        os.close(self._far)
        assert self._process.returncode == 0, err
        assert b"Traceback" not in err + self.written, err
        return str(self.screen)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> bool:
        try:
            data = os.read(self._far, 65536)
        except OSError:  # the program has closed its end
            return False
        self.written += data
        self._rest = self.screen.feed(self._rest + self._decoder.decode(data))
        return True
