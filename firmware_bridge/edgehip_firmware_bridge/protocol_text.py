"""The generated parts of PROTOCOL.md, from :data:`edgehip.messages.LAYOUTS`."""

import inspect
import math
import struct
from collections.abc import Iterator
from typing import Final

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.events import DISTRUST
from edgehip.messages import ESTIMATE_FLAGS, LAYOUTS, Angles, Field, Layout
from edgehip.wire import CHECKSUM, HEADER, cobs_decode, encode
from edgehip_firmware_bridge.c_library import OVERHEAD, plain

ORDERS: Final = {"ANGLES": ANGLES, "MOMENTS": MOMENTS, "MUSCLES": MUSCLES}
BITS: Final = {
    "channels": "bit i is set for the i-th of ANGLES, from 0",
    "flags": "see [flags](#flags)",
    "side": "0 left, 1 right",
}


def _offsets(layout: Layout) -> Iterator[tuple[int, Field]]:
    at = HEADER.size
    for field in layout.fields:
        yield at, field
        at += struct.calcsize("<" + field.format)


def _meaning(field: Field) -> str:
    if field.name in BITS:
        return BITS[field.name]
    if field.kind == "text" or field.count == 1:
        return ""
    return f"in the order of {next(n for n, names in ORDERS.items() if len(names) == field.count)}"


def messages_part() -> str:
    """Return the tables of messages in ``PROTOCOL.md``."""
    parts = [
        f"{name} are, in this order: {', '.join(f'`{each}`' for each in names)}."
        for name, names in ORDERS.items()
    ]
    parts.append(_flags())
    for layout in LAYOUTS:
        doc = inspect.getdoc(layout.message) or ""
        size = layout.struct.size + OVERHEAD + 2
        lines = [f"### 0x{layout.type_id:02X} {layout.message.__name__}\n", f"{plain(doc)}\n"]
        lines += [f"A frame of {size} bytes.\n"]
        if layout.fields:
            lines += ["| at | field | type | step | |", "|---|---|---|---|---|"]
        for at, field in _offsets(layout):
            count = f"{field.count} × " if field.count > 1 and field.kind != "text" else ""
            kind = f"text, {field.count} bytes" if field.kind == "text" else f"{count}{field.kind}"
            step = "" if field.scale is None else f"{field.scale:g}"
            lines += [f"| {at} | {field.name} | {kind} | {step} | {_meaning(field)} |"]
        parts.append("\n".join(lines).rstrip())
    return "\n\n".join(parts) + "\n"


def _flags() -> str:
    rows = "\n".join(
        f"| {i} | {name} | {'is not to be acted upon' if name in DISTRUST else 'could be better'} |"
        for i, name in enumerate(ESTIMATE_FLAGS)
    )
    return (
        "### Flags\n\n"
        "What they mean is told in [records.md](../docs/records.md#flags). edgehip's cues, and the "
        "example\nfirmware, switch nothing on by an estimate that is not to be acted upon "
        "(`EDGEHIP_DISTRUST` in C). The\nother flags are advice: `no_zero` is always there until "
        "the person's zero is measured, and\nuntil then the level of a curve is less certain than "
        f"its shape.\n\n| bit | flag | an estimate with it |\n|---|---|---|\n{rows}"
    )


def example_part() -> str:
    """Return the worked example in ``PROTOCOL.md``."""
    angles = Angles((31.25, -4.5, 0.0, -12.34, 2.56, 7.01, 5.0, -8.88, math.nan, 14.02))
    frame = encode(angles, 7, 70_000)
    payload = cobs_decode(frame[:-1])
    assert payload is not None
    layout = LAYOUTS[0]
    raw = layout.struct.unpack_from(payload, HEADER.size)
    said = ", ".join("not measured" if math.isnan(a) else f"{a:g}°" for a in angles.angles_deg)
    fields = payload[HEADER.size : -CHECKSUM.size]
    rows = [
        ("version, type", payload[:2]),
        ("sequence 7", payload[2:6]),
        ("device_us 70000", payload[6:10]),
        (f"angles {raw[0]}, {raw[1]}, ...", fields[:10]),
        (f"  ... {raw[-2]}, {raw[-1]}", fields[10:]),
        ("checksum", payload[-4:]),
    ]
    payload_rows = "\n".join(f"{name:24}{part.hex(' ')}" for name, part in rows)
    stuffed = "\n".join(frame[i : i + 18].hex(" ") for i in range(0, len(frame), 18))
    return (
        f"Frame 7 of a device: {said}; measured 70 ms after its clock began. The payload:\n\n"
        f"```\n{payload_rows}\n```\n\n"
        f"Stuffed, and with its delimiter, these are the {len(frame)} bytes to send:\n\n"
        f"```\n{stuffed}\n```\n"
    )
