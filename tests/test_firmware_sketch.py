"""The Arduino library on a computer: what no board shows at will, such as a full port."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from edgehip.events import Chunk, Fault, JointAngleSample, LinkFault
from edgehip.messages import Angles, Cue, Description, Message
from edgehip.receiver import Receiver
from edgehip.wire import Frame, FrameDecoder, encode
from edgehip_firmware_bridge import toolchain

PERIOD_US = 10_000
Loop = tuple[int, int, bytes]
"""When a loop runs (us), how many bytes the port takes then, and what the host said."""
Run = Callable[..., list[tuple[int, bytes]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a sketch; return for each loop how long the host is silent (ms), and what was sent."""
    if why := toolchain.missing("gcc"):
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("sketch")
    arduino = toolchain.LIBRARY.parent / "arduino" / "EdgeHip" / "src"
    library, program = folder / "edgehip_wire.o", folder / "sketch"
    toolchain.compile_c("gcc", [arduino / "edgehip_wire.c"], library, [*toolchain.SANITIZE, "-c"])
    cpp = ("-std=c++11", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror", "-Wshadow")
    sources = [toolchain.CHECKS / "sketch.cpp", arduino / "EdgeHip.cpp", library]
    includes = [f"-I{folder}" for folder in (toolchain.CHECKS, arduino)]
    toolchain.run(["gcc", *cpp, *toolchain.SANITIZE, *includes, *sources, "-o", program])

    def run_it(
        loops: Iterable[Loop], *, name: str = "walker", rate_hz: float = 100, begins_us: int = 0
    ) -> list[tuple[int, bytes]]:
        lines = "".join(f"{us} {room} .{said.hex()}\n" for us, room, said in loops)
        told = toolchain.run([program, name, str(rate_hz), str(begins_us)], lines)
        pairs = (line.split(" .") for line in told.splitlines())
        return [(int(silent), bytes.fromhex(taken)) for silent, taken in pairs]

    return run_it


def at(*times_us: int, room: int = 1000, said: bytes = b"") -> list[Loop]:
    return [(us, room, said) for us in times_us]


def events(told: list[tuple[int, bytes]]) -> list[Frame | LinkFault]:
    return FrameDecoder().feed(Chunk(b"".join(sent for _, sent in told), 0))


def messages(told: list[tuple[int, bytes]]) -> list[Message]:
    return [event.message for event in events(told) if isinstance(event, Frame)]


def test_times_and_sequence_go_on_over_the_clocks_wrap(run: Run) -> None:
    begins_us = 2**32 - 5 * PERIOD_US // 2
    told = run(at(*range(begins_us, begins_us + 9 * PERIOD_US, PERIOD_US)), begins_us=begins_us)
    assert told[0][1].startswith(b"\0")
    frames = events(told)
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [f.sequence for f in frames if isinstance(f, Frame)] == list(range(10))
    samples = [f for f in frames if isinstance(f, Frame) and isinstance(f.message, Angles)]
    steps = [(b.device_us - a.device_us) % 2**32 for a, b in pairwise(samples)]
    assert steps == [PERIOD_US] * 8


def test_samples_that_a_busy_loop_left_out_are_counted(run: Run) -> None:
    """Else a stride would be bridged across them, and nobody told."""
    told = run(at(*range(0, 50_000, PERIOD_US), *range(95_000, 150_000, PERIOD_US)))
    found = Receiver(partial=True).feed(Chunk(b"".join(sent for _, sent in told), 0))
    faults = [(e.fault, e.count) for e in found if isinstance(e, LinkFault)]
    assert faults == [(Fault.LOST, 4)]
    lost = [(round(e.time_s, 3), e.samples_lost) for e in found if isinstance(e, JointAngleSample)]
    assert [each for each in lost if each[1]] == [(0.095, 4)]


def test_a_frame_that_the_port_cut_short_spoils_no_other(run: Run) -> None:
    told = run([*at(0, 10_000, 20_000), *at(30_000, room=20), *at(40_000, 50_000)])
    found = events(told)
    assert sum(isinstance(event, LinkFault) for event in found) == 1
    numbers = [event.sequence for event in found if isinstance(event, Frame)]
    assert numbers == [0, 1, 2, 3, 5, 6]


def test_the_hosts_silence_is_broken_by_the_host_alone(run: Run) -> None:
    echo = encode(Angles((0.0,) * 10), 1, 0)
    cue = encode(Cue(0, 1, 0, 0), 1, 0)
    broken = cue[:-2] + b"\x01\0"
    loops = [at(us, said=said) for us, said in ((3_000_000, echo), (3_100_000, broken))]
    told = run([*loops[0], *loops[1], *at(3_200_000, said=cue), *at(3_300_000)])
    assert [silent_ms for silent_ms, _ in told] == [3000, 3100, 0, 100]


@pytest.mark.parametrize("name", ["Exoskelett, links 🚶🚶", "左腿外骨骼传感器一二三", "plain"])
def test_a_long_name_is_cut_after_a_whole_character(run: Run, name: str) -> None:
    told = messages(run(at(0, 1000), name=name))
    (description,) = (message for message in told if isinstance(message, Description))
    whole = encode(Description(100.0, 1, name, "1.0"), 1, 0)
    (expected,) = messages([(0, whole)])
    assert description == expected


def test_a_sketch_may_sample_faster_than_hosts_may_ask_by_default(run: Run) -> None:
    told = messages(run(at(0, 1000), rate_hz=400))
    assert [m.rate_hz for m in told if isinstance(m, Description)] == [400.0]
