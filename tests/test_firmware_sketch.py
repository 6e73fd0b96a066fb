"""The Arduino library on a computer: what no board shows at will, such as a full port."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from edgehip.events import Chunk, Fault, JointAngleSample, LinkFault
from edgehip.messages import Angles, Cue, Describe, Description, Message
from edgehip.receiver import Receiver
from edgehip.wire import Frame, FrameDecoder, encode
from edgehip_firmware_bridge import toolchain

PERIOD_US = 10_000
SKETCH = """
#include <EdgeHip.h>
#include <stdlib.h>
#include <string.h>

extern char **arguments;
static char name[64];
EdgeHip hip(Serial, name, "1.0");

void setup() {
  strcpy(name, arguments[0]);
  hip.begin((float)atof(arguments[1]));
  if (strcmp(arguments[3], "drops") == 0) {
    hip.dropWhenFull();
  }
}

void loop() {
  if (hip.sampleDue() && millis() >= strtoul(arguments[2], NULL, 10)) {
    hip.setAngle(EDGEHIP_ANGLE_HIP_FLEXION_R, 1.5f);
    hip.setAngle((edgehip_angle)10, 1.5f); // there is none: a loop's end that is one too far
    hip.send();
  }
}
"""
ARDUINO = toolchain.LIBRARY.parent / "arduino" / "EdgeHip"
Loop = tuple[int, int, bytes]
"""When a loop runs (us), how many bytes the port takes then, and what the host said."""
Run = Callable[..., list["Told"]]


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to see after a loop."""

    silent_ms: int
    led: bool
    dropped: int
    sent: bytes


def build(sketch: Path, program: Path) -> Path:
    if why := toolchain.missing("gcc"):
        pytest.skip(why)
    source, library = ARDUINO / "src", program.with_suffix(".o")
    toolchain.compile_c("gcc", [source / "edgehip_wire.c"], library, [*toolchain.SANITIZE, "-c"])
    cpp = ("-std=c++11", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror", "-Wshadow")
    includes = [f"-I{folder}" for folder in (toolchain.CHECKS, source)]
    sources = (sketch, source / "EdgeHip.cpp", toolchain.CHECKS / "board.cpp")
    flags = (*cpp, *toolchain.SANITIZE, *includes, "-x", "c++")
    toolchain.run(["gcc", *flags, *sources, "-x", "none", library, "-o", program])
    return program


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_class_compiles_as_strictly_as_a_firmware_may_want(compiler: str) -> None:
    if why := toolchain.missing(compiler):
        pytest.skip(why)
    strict = ("-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion", "-pedantic")
    includes = [f"-I{folder}" for folder in (toolchain.CHECKS, ARDUINO / "src")]
    source = ARDUINO / "src" / "EdgeHip.cpp"
    for standard in ("-std=c++11", "-std=c++20"):
        toolchain.run([compiler, standard, *strict, *includes, "-fsyntax-only", source])


def play(program: Path, loops: Iterable[Loop], *given: str) -> list[Told]:
    """Run a sketch on these loops; return what there is to see after each."""
    lines = "".join(f"{us} {room} .{said.hex()}\n" for us, room, said in loops)
    told = (line.split() for line in toolchain.run([program, *given], lines).splitlines())
    return [
        Told(int(ms), led == "1", int(dropped), bytes.fromhex(sent[1:]))
        for ms, led, dropped, sent in told
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a sketch with a name, a rate and a sensor that is ready later; return what it told."""
    folder = tmp_path_factory.mktemp("sketch")
    (folder / "sketch.ino").write_text(SKETCH)
    program = build(folder / "sketch.ino", folder / "sketch")

    def run_it(
        loops: Iterable[Loop],
        *,
        name: str = "walker",
        rate_hz: float = 100.0,
        ready_ms: int = 0,
        when_full: str = "waits",
    ) -> list[Told]:
        return play(program, loops, name, str(rate_hz), str(ready_ms), when_full)

    return run_it


def at(*times_us: int, room: int = 1000, said: bytes = b"") -> list[Loop]:
    return [(us, room, said) for us in times_us]


def received(told: Iterable[Told]) -> Chunk:
    return Chunk(b"".join(each.sent for each in told), 0)


def messages(chunk: Chunk) -> list[Message]:
    return [event.message for event in FrameDecoder().feed(chunk) if isinstance(event, Frame)]


def test_times_and_sequence_go_on_over_the_clocks_wrap(run: Run) -> None:
    begins_us = 2**32 - 5 * PERIOD_US // 2
    told = run(at(*range(begins_us, begins_us + 9 * PERIOD_US, PERIOD_US)))
    assert told[0].sent.startswith(b"\0")
    frames = FrameDecoder().feed(received(told))
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [f.sequence for f in frames if isinstance(f, Frame)] == list(range(10))
    samples = [f for f in frames if isinstance(f, Frame) and isinstance(f.message, Angles)]
    steps = [(b.device_us - a.device_us) % 2**32 for a, b in pairwise(samples)]
    assert steps == [PERIOD_US] * 8


def test_samples_that_a_busy_loop_left_out_are_counted(run: Run) -> None:
    """Else a stride would be bridged across them, and nobody told."""
    told = run(at(*range(0, 50_000, PERIOD_US), *range(95_000, 150_000, PERIOD_US)))
    found = Receiver(partial=True).feed(received(told))
    faults = [(e.fault, e.count) for e in found if isinstance(e, LinkFault)]
    assert faults == [(Fault.LOST, 4)]
    lost = [(round(e.time_s, 3), e.samples_lost) for e in found if isinstance(e, JointAngleSample)]
    assert [each for each in lost if each[1]] == [(0.095, 4)]


def test_a_device_describes_itself_once_it_knows_what_it_measures(run: Run) -> None:
    """Its sensor begins late, and its loop is busy before: a host would take it for useless."""
    told = run(at(0, 10_000, 95_000, 100_000, 200_000, 210_000), ready_ms=150)
    kinds = [type(message) for message in messages(received(told))]
    assert kinds == [Angles, Description, Angles]
    (description,) = (m for m in messages(received(told)) if isinstance(m, Description))
    assert description.channel_names == ("hip_flexion_r",)


def test_a_frame_that_the_port_cut_short_spoils_no_other(run: Run) -> None:
    told = run([*at(0, 10_000, 20_000), *at(30_000, room=20), *at(40_000, 50_000)])
    found = FrameDecoder().feed(received(told))
    assert sum(isinstance(event, LinkFault) for event in found) == 1
    numbers = [event.sequence for event in found if isinstance(event, Frame)]
    assert numbers == [0, 1, 2, 3, 5, 6]


def test_a_sample_for_which_the_port_has_no_room_is_dropped_and_counted(run: Run) -> None:
    full = [loop for us in (30_000, 40_000, 50_000) for loop in at(us, room=36)]
    told = run([*at(0, 10_000, 20_000), *full, *at(60_000, 70_000)], when_full="drops")
    assert [each.dropped for each in told] == [0, 0, 0, 1, 2, 3, 3, 3]
    assert [each.sent for each in told[3:6]] == [b"", b"", b""]
    samples, faults = [], []
    for event in Receiver(partial=True).feed(received(told)):
        if isinstance(event, LinkFault):
            faults.append((event.fault, event.count))
        elif isinstance(event, JointAngleSample):
            samples.append(round(event.time_s, 3))
    assert faults == [(Fault.LOST, 3)]
    assert samples == [0.0, 0.01, 0.02, 0.06, 0.07]


def test_a_description_waits_until_the_port_has_room(run: Run) -> None:
    asked = at(20_000, said=encode(Describe(), 1, 0))
    cramped = [(us, 62, said) for us, _, said in (*asked, *at(30_000, 40_000))]
    told = run([*at(0, 10_000), *cramped, *at(50_000, 60_000)], when_full="drops")
    kinds = [[type(message) for message in messages(received([each]))] for each in told]
    assert kinds == [
        [Angles],
        [Description, Angles],
        *[[Angles]] * 3,
        [Description, Angles],
        [Angles],
    ]
    assert told[-1].dropped == 0


def test_a_port_that_never_tells_of_room_gets_every_frame(run: Run) -> None:
    told = run([*at(0, 10_000, 20_000, room=62), *at(30_000, room=20)], when_full="drops")
    # The second sample has no room after the description: it is cut, and the third begins anew.
    assert [len(each.sent) for each in told] == [37, 62, 37, 20]
    assert told[-1].dropped == 0


def test_the_hosts_silence_is_broken_by_the_host_alone(run: Run) -> None:
    echo = encode(Angles((0.0,) * 10), 1, 0)
    cue = encode(Cue(0, 1, 0, 0), 1, 0)
    broken = cue[:-2] + b"\x01\0"
    loops = [at(us, said=said) for us, said in ((3_000_000, echo), (3_100_000, broken))]
    told = run([*loops[0], *loops[1], *at(3_200_000, said=cue), *at(3_300_000)])
    assert [each.silent_ms for each in told] == [3000, 3100, 0, 100]


@pytest.mark.parametrize("name", ["Exoskelett, links 🚶🚶", "左腿外骨骼传感器一二三", "plain"])
def test_a_long_name_is_cut_after_a_whole_character(run: Run, name: str) -> None:
    told = messages(received(run(at(0, 1000), name=name)))
    (description,) = (message for message in told if isinstance(message, Description))
    whole = encode(Description(100.0, 1, name, "1.0"), 1, 0)
    (expected,) = messages(Chunk(whole, 0))
    assert description == expected


def test_a_sketch_may_sample_faster_than_hosts_may_ask_by_default(run: Run) -> None:
    told = messages(received(run(at(0, 1000), rate_hz=400)))
    assert [m.rate_hz for m in told if isinstance(m, Description)] == [400.0]


def test_the_smallest_sketch_is_lit_by_the_first_cue_alone_and_not_for_ever(tmp_path: Path) -> None:
    program = build(ARDUINO / "examples" / "Minimal" / "Minimal.ino", tmp_path / "minimal")
    on, other = (encode(Cue(number, 1 - number, 0, 0), number, 0) for number in (0, 1))
    loops = [*at(0), *at(10_000, said=on), *at(20_000, said=other), *at(1_900_000, said=other)]
    led = [each.led for each in play(program, [*loops, *at(2_100_000)])]
    assert led == [False, True, True, True, False]
