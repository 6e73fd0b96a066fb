"""The C library: generated from the one definition, and at one with the Python decoder."""

from itertools import islice
from pathlib import Path

import pytest

from edgehip.messages import LAYOUTS
from edgehip_firmware_bridge import footprint, fuzz, generate, toolchain, walking
from edgehip_firmware_bridge.vectors import VECTORS, pack, read

CASES = read(VECTORS)


@pytest.fixture(params=["gcc", "clang"])
def compiler(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if why := toolchain.missing(name):
        pytest.skip(why)
    return name


@pytest.fixture
def sanitizing(compiler: str, tmp_path: Path) -> str:
    """A compiler whose sanitizers are installed; Debian packs clang's apart."""
    source = tmp_path / "nothing.c"
    source.write_text("int main(void) { return 0; }\n")
    try:
        toolchain.compile_c(compiler, [source], tmp_path / "nothing", toolchain.SANITIZE)
    except toolchain.ToolchainError:
        pytest.skip(f"{compiler}'s sanitizers: apt install {toolchain.PROGRAMS[compiler]}")
    return compiler


def test_generated_parts_are_current() -> None:
    for path, text in generate.generated_files().items():
        assert path.read_text() == text, "run python -m edgehip_firmware_bridge.generate"


def test_the_walk_is_the_synthetic_walkers() -> None:
    for path in walking.FILES:
        assert path.read_text() == walking.table(), "run python -m edgehip_firmware_bridge.walking"


def test_library_compiles_strictly_and_as_cpp_header(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "header.cpp"
    source.write_text('#include "edgehip_wire.h"\nint main() { return EDGEHIP_TYPE_CUE == 0; }\n')
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{toolchain.LIBRARY}"]
    toolchain.run([compiler, "-x", "c++", *flags, "-fsyntax-only", source])
    for level in ("-O0", "-O2", "-Os", "-DEDGEHIP_SMALL_CRC"):
        toolchain.compile_c(
            compiler, [toolchain.LIBRARY / "edgehip_wire.c"], tmp_path / "x.o", [level, "-c"]
        )


def test_conformance_vectors_in_c(sanitizing: str, tmp_path: Path) -> None:
    program = fuzz.build("events", sanitizing, tmp_path)
    layouts = {layout.message.__name__: layout for layout in LAYOUTS}
    answers = fuzz.c_events(program, [bytes.fromhex(case["bytes"]) for case in CASES])
    for case, events in zip(CASES, answers, strict=True):
        expected = [
            event["fault"]
            if "fault" in event
            else pack(
                layouts[event["message"]], event["fields"], event["sequence"], event["device_us"]
            ).hex()
            for event in case["events"]
        ]
        assert events == expected, case["name"]
        if case["name"].startswith("good:"):
            assert events == [case["bytes"]], "encoded in C"


def test_c_and_python_agree_on_random_streams(tmp_path: Path) -> None:
    if why := toolchain.missing("gcc"):
        pytest.skip(why)
    program = fuzz.build("events", "gcc", tmp_path)
    streams = list(islice(fuzz.streams(seed=20), 5000))
    in_c = fuzz.c_events(program, streams)
    assert in_c == [fuzz.python_events(stream) for stream in streams]
    seen = {event for events in in_c for event in events if not event.startswith("0")}
    assert {"bad_type", "bad_version", "bad_length", "bad_value", "bad_crc", "overlong"} <= seen


def test_damaged_frames_are_never_accepted(sanitizing: str, tmp_path: Path) -> None:
    program = fuzz.build("fuzz", sanitizing, tmp_path)
    assert "\n0 wrongly accepted" in toolchain.run([program, "50000", "11"])


def test_an_angle_frame_takes_under_300_instructions(tmp_path: Path) -> None:
    if why := toolchain.missing("arm-none-eabi-gcc", "qemu-system-arm"):
        pytest.skip(why)
    encode, decode = footprint.cortex_m4_instructions(("-O2",), tmp_path)
    assert len(encode) == walking.STRIDE_SAMPLES
    assert sum(encode) / len(encode) < 300
    assert max(decode) < 2000


def test_library_is_small_on_the_smallest_cores(tmp_path: Path) -> None:
    for core, (prefix, _) in footprint.CORES.items():
        if why := toolchain.missing(f"{prefix}-gcc"):
            pytest.skip(why)
        flash, ram = footprint.flash_and_ram(core, ("-DSEND", "-DLISTEN"), tmp_path)
        assert 500 < flash < 4096
        assert 100 < ram < 256


def test_a_missing_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(toolchain.ToolchainError, match="apt install gcc-arm-none-eabi"):
        toolchain.require("arm-none-eabi-gcc")
