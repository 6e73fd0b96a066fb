"""A serial port offered over the network: plainly, or as RFC 2217 by pySerial's own server side."""

import contextlib
import socket
import threading
from collections.abc import Iterable
from typing import Any

import serial
from serial import rfc2217

PortManager: Any = rfc2217.PortManager  # its types ask for two serial ports


class _Terminal(serial.Serial):
    """A pseudo-terminal, which lacks the modem lines that RFC 2217 also speaks of."""

    cts = dsr = cd = property(lambda self: True)
    ri = property(lambda self: False)

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


class PortServer:
    """Serves one client at a time, until it goes away.

    Parameters
    ----------
    terminal
        The serial port's name.
    scheme
        ``rfc2217`` or ``socket``.
    port
        Where to listen; 0 for anywhere.
    """

    def __init__(self, terminal: str, scheme: str, port: int = 0) -> None:
        self._serial = _Terminal(terminal, timeout=0.02)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._speaks_telnet = scheme == "rfc2217"
        self._client: socket.socket | None = None
        self._lock = threading.Lock()
        self._gone = threading.Event()
        self._threads = [threading.Thread(target=self._serve), threading.Thread(target=self._send)]
        self._manager: Any = None
        for thread in self._threads:
            thread.start()

    def write(self, data: bytes) -> None:
        """Send to the client (called by pySerial's side of the negotiation)."""
        client = self._client
        if client is not None:
            with self._lock, contextlib.suppress(OSError):
                client.sendall(data)

    def go_away(self) -> None:
        """Hang up and listen no more."""
        self._gone.set()
        for end in (self._listener, self._client):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        for thread in self._threads:
            thread.join()
        self._serial.close()

    def _serve(self) -> None:
        while not self._gone.is_set():
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                self._client = client
                if self._speaks_telnet:
                    self._manager = PortManager(self._serial, self)
                while data := client.recv(1024):
                    received: Iterable[bytes] = [data]
                    if self._manager is not None:
                        received = self._manager.filter(data)
                    self._serial.write(b"".join(received))

    def _send(self) -> None:
        while not self._gone.is_set():
            data = self._serial.read(1)
            data += self._serial.read(self._serial.in_waiting)
            if data:
                manager = self._manager
                self.write(b"".join(manager.escape(data)) if manager is not None else data)
