"""What a port behind a network needs beside what pySerial does: RFC 2217, a sense of silence."""

import contextlib
import queue
import socket
from typing import Any, Final
from urllib.parse import urlsplit

from serial import SerialException, rfc2217

from edgehip.errors import SourceError

SCHEMES: Final = ("rfc2217", "socket")
SILENT_S: Final = 5
"""A peer that acknowledges nothing for so long is gone, with its power or its network."""


class Rfc2217Port(rfc2217.Serial):
    """pySerial's client, made to end well when its server does.

    Left to itself it throws away what was received when the server hangs up, and its thread prints
    a traceback on an answer it cannot send or a telnet command that is none. It knows no write
    timeout.
    """

    _read_buffer: queue.Queue[bytes | None]

    def read(self, size: int = 1) -> bytes:
        """Return up to so many bytes, or none if none came in time.

        Raises
        ------
        serial.SerialException
            If the server is gone and everything it sent was returned.
        """
        data = b""
        with contextlib.suppress(queue.Empty):
            while len(data) < size:
                byte = self._read_buffer.get(not data, self.timeout)
                if byte is None:
                    self._read_buffer.put(None)  # for the next call
                    if not data:
                        raise SerialException("the server hung up")
                    break
                data += byte
        return data

    def _telnet_read_loop(self) -> None:
        try:
            super()._telnet_read_loop()  # type: ignore[misc]
        except Exception:  # a server that talks nonsense is one that hung up: the reader says so
            self._read_buffer.put(None)


def check_address(url: str) -> None:
    """Refuse an address pySerial would stumble over.

    Raises
    ------
    SourceError
        If host or port are missing or cannot be.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        return
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname or not port:
        raise SourceError(f"{url}: an address is written {parts.scheme}://HOST:PORT")


def notice_silence(port: Any) -> None:
    """Have the system end a connection whose peer vanished, and send what is written at once.

    A peer that loses its power or its network says nothing; a connection that only reads would
    wait for it for ever.
    """
    connection = getattr(port, "_socket", None)
    if not isinstance(connection, socket.socket):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {
        "TCP_KEEPIDLE": SILENT_S - 3,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": SILENT_S * 1000,
    }.items():
        if hasattr(socket, name):  # not every system has them all
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
