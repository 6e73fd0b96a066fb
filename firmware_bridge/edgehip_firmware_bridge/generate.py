"""Writes the generated parts of the C library and of PROTOCOL.md from the messages' layouts.

``python -m edgehip_firmware_bridge.generate`` replaces what stands between the "generated" marks
and copies the library into the Arduino library, which must be whole by itself.
"""

import re
from pathlib import Path
from typing import Final

from edgehip_firmware_bridge import c_library, protocol_text

ROOT: Final = Path(__file__).parents[1]


def fill(text: str, mark: str, part: str) -> str:
    """Return a file's text with what stands between a pair of generated marks replaced."""
    begin, end = (re.search(rf".*generated: {mark}{word}.*\n", text) for word in ("begin", "end"))
    if begin is None or end is None:
        raise ValueError(f"there are no marks 'generated: {mark}begin' and '{mark}end'")
    return text[: begin.end()] + part + text[end.start() :]


def generated_files() -> dict[Path, str]:
    """Return every file with generated parts, as it should be."""
    c, arduino = ROOT / "c", ROOT / "arduino" / "EdgeHip" / "src"
    header = fill((c / "edgehip_wire.h").read_text(), "", c_library.header_part())
    source = fill((c / "edgehip_wire.c").read_text(), "checksum ", c_library.checksum_part())
    source = fill(source, "messages ", c_library.messages_part())
    library = {"edgehip_wire.h": header, "edgehip_wire.c": source}
    protocol = fill((ROOT / "PROTOCOL.md").read_text(), "example ", protocol_text.example_part())
    protocol = fill(protocol, "messages ", protocol_text.messages_part())
    return {folder / name: text for folder in (c, arduino) for name, text in library.items()} | {
        ROOT / "PROTOCOL.md": protocol
    }


if __name__ == "__main__":
    for path, text in generated_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
