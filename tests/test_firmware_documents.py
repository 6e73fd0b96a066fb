"""What the firmware's documents show is what there is."""

import re
from pathlib import Path

import pytest

from edgehip.channels import ANGLES
from edgehip.events import Chunk
from edgehip.lines import LineDecoder
from edgehip.messages import LAYOUTS, Angles, Cue, CycleEstimate
from edgehip.wire import Frame, FrameDecoder, encode
from edgehip_firmware_bridge import toolchain
from edgehip_firmware_bridge.c_library import OVERHEAD
from edgehip_firmware_bridge.generate import ROOT

README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "PROTOCOL.md").read_text()


def block(text: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_c_quick_start_is_lit_while_the_cue_is_told(tmp_path: Path) -> None:
    if why := toolchain.missing("gcc"):
        pytest.skip(why)
    source = tmp_path / "read_me.c"
    source.write_text(block(README, "c"))
    board = [toolchain.CHECKS / "quick_start.c", toolchain.LIBRARY / "edgehip_wire.c"]
    program = tmp_path / "quick_start"
    toolchain.compile_c("gcc", [source, *board], program, toolchain.SANITIZE)
    assert toolchain.run([program]).split() == ["1", "1", "0"]


def test_the_arduino_quick_start_is_the_minimal_example() -> None:
    example = ROOT / "arduino" / "EdgeHip" / "examples" / "Minimal" / "Minimal.ino"
    assert block(README, "cpp") == example.read_text()


def test_the_baud_table_is_arithmetic() -> None:
    bits = 10 * len(encode(Angles((0.0,) * len(ANGLES)), 1, 1))
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) ms \| (\d+) % \| (\d+) Hz \|$", README, re.MULTILINE)
    assert len(rows) == 4
    for baud, wire_ms, share, rate_hz in rows:
        assert float(wire_ms) == round(1e3 * bits / int(baud), 1)
        assert int(share) == round(100 * 100 * bits / int(baud))
        assert int(rate_hz) == int(baud) // bits
    ms = {x.message: 10e3 * (x.struct.size + OVERHEAD + 2) / 115200 for x in LAYOUTS}
    assert f"{ms[CycleEstimate]:.1f} ms for a stride's estimate" in README
    assert f"{ms[Cue]:.1f} ms for a cue" in README
    assert f"64 bytes is full after {10e3 * 64 / 115200:.1f} ms" in README


def test_the_worked_example_is_a_frame() -> None:
    example = PROTOCOL[PROTOCOL.index("## A worked example") : PROTOCOL.index("## Messages")]
    frame = bytes.fromhex(example.split("```")[3])
    (event,) = FrameDecoder().feed(Chunk(frame, 0))
    assert isinstance(event, Frame)
    assert isinstance(event.message, Angles)
    assert (event.sequence, event.device_us) == (7, 70_000)
    assert event.message.angles_deg[:3] == (31.25, -4.5, 0.0)


def test_the_text_lines_are_read_as_described() -> None:
    lines = PROTOCOL[PROTOCOL.index("## Text lines") :].split("```")[1].strip() + "\n"
    header, first, second = LineDecoder().feed(Chunk(lines.encode(), 0))
    assert isinstance(header, Frame)
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert (first.device_us, second.device_us) == (10_000, 20_000)
    assert isinstance(first.message, Angles)
    angles = dict(zip(ANGLES, first.message.angles_deg, strict=True))
    assert (angles["knee_angle_r"], angles["hip_flexion_r"]) == (5.31, 22.4)


@pytest.mark.parametrize("path", ["README.md", "PROTOCOL.md"])
def test_links_lead_somewhere(path: str) -> None:
    text = (ROOT / path).read_text()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)#]+)\)", prose):
        assert (ROOT / link).exists(), link
    for module in re.findall(r"python -m edgehip_firmware_bridge\.(\w+)", text):
        assert (ROOT / "edgehip_firmware_bridge" / f"{module}.py").exists(), module
