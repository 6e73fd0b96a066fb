"""A device behind a network: the program itself, over plain TCP and over RFC 2217."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from edgehip.errors import SourceError
from edgehip.sources import open_source
from edgehip.sources.network import Rfc2217Port
from tests.port_server import PortServer
from tests.programs import until
from tests.pty_device import PtyDevice
from tests.streams import synthetic_walk
from tests.test_stream_port import Program, steady

SCHEMES = ("rfc2217", "socket")
# pySerial's client names and daemonizes its thread in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:set.* is deprecated:DeprecationWarning")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[PtyDevice]:
    device = PtyDevice(tmp_path)
    yield device
    device.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_may_go_away_and_come_back(scheme: str, device: PtyDevice) -> None:
    walk = synthetic_walk(9.0, stand_s=0.5)
    timed = list(zip(walk.time_s.tolist(), walk.frames(), strict=True))
    server = PortServer(str(device.port), scheme)
    program = Program(device, port=server.url)
    device.play(timed[:300], speed=8)
    device.wait_until_taken(program.process)
    program.until_link("live", "stale")  # before the server goes
    device.read()
    server.go_away()
    server = PortServer(str(device.port), scheme, server.port)
    device.wait_for_greeting(program.process)
    device.play([(t - 4.0, frame) for t, frame in timed[400:]], speed=8)
    records, err = program.finish()
    server.go_away()
    links = [r for r in records if r["record"] == "link"]
    # A busy machine may let the walk itself pause long enough to be stale.
    states = [state for state, _ in itertools.groupby(steady(links))]
    assert states == ["live", "lost", "live"]
    before_lost, _ = next(pair for pair in itertools.pairwise(links) if pair[1]["link"] == "lost")
    assert before_lost["link"] == "stale"
    assert f"samples    {len(walk) - 100}; frames lost 100 " in err
    assert {r["side"] for r in records if r.get("start_s", 0.0) > 4.0} == {"l", "r"}


def test_what_came_before_the_server_hung_up_is_given(device: PtyDevice) -> None:
    server = PortServer(str(device.port), "rfc2217")
    port = Rfc2217Port(server.url, timeout=0.05)
    sent = bytes(range(256)) * 2  # with every byte that telnet has a meaning for
    device.write(sent)
    until(lambda: port.in_waiting == len(sent), "all that was sent")
    server.go_away()
    time.sleep(0.1)
    assert port.read(len(sent) + 10) == sent
    with pytest.raises(serial.SerialException, match="hung up"):
        port.read()
    port.close()


def test_the_system_watches_a_silent_server(device: PtyDevice) -> None:
    """One that lost its power never says so; unasked, it would be waited for for ever."""
    server = PortServer(str(device.port), "socket")
    source = open_source(server.url)

    def is_watched() -> bool:
        connections = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines())
        (ours,) = (row for row in connections if row[2:4] == [f"0100007F:{server.port:04X}", "01"])
        return ours[5].startswith("02:")

    # Until the last bytes written are acknowledged, another timer runs.
    until(is_watched, "the keepalive timer runs")
    source.close()
    server.go_away()


def test_a_server_that_does_not_speak_rfc_2217_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def babble() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(b"\xff\xf0")  # to telnet, the end of something that never began
            while client.recv(1024):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(SourceError, match=r"does not speak RFC 2217.* try socket://"):
            open_source(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}?timeout=0.2")
        thread.join()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("place", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999"])
def test_an_address_without_a_port_is_told(scheme: str, place: str) -> None:
    with pytest.raises(SourceError, match=f"written {scheme}://HOST:PORT"):
        open_source(f"{scheme}://{place}")
