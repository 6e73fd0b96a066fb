"""The generated parts of the C library, from :data:`edgehip.messages.LAYOUTS`."""

import re
import textwrap
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from edgehip.channels import ANGLES, MOMENTS, MUSCLES
from edgehip.events import DISTRUST
from edgehip.messages import ESTIMATE_FLAGS, LAYOUTS, UNKNOWN, Field, Kind, Layout
from edgehip.wire import CHECKSUM, HEADER, MAX_FRAME, VERSION

C_TYPES: Final[dict[Kind, str]] = {
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "i16": "int16_t",
    "text": "char",
}
OVERHEAD: Final = HEADER.size + CHECKSUM.size


def plain(doc: str) -> str:
    """Return a docstring without its markup."""
    return re.sub(":[a-z]+:`([^`]*)`|``([^`]*)``", r"\1\2", doc)


def snake(name: str) -> str:
    """Return ``CycleEstimate`` as ``cycle_estimate``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _name(layout: Layout) -> str:
    return snake(layout.message.__name__)


def raw_name(field: Field) -> str:
    """Return a field's name with what its raw number counts: ``angles_deg_x100``."""
    return field.name if field.scale is None else f"{field.name}_x{round(1 / field.scale)}"


def _summary(layout: Layout) -> str:
    return " ".join(plain(layout.message.__doc__ or "").split("\n\n")[0].split())


def _comment(text: str) -> str:
    return textwrap.fill(f"/* {text} */", 98, subsequent_indent=" * ")


def _enumeration(name: str, prefix: str, members: Iterable[tuple[str, str]], why: str) -> str:
    rows = ",\n".join(f"    EDGEHIP_{prefix}_{m.upper()} = {value}" for m, value in members)
    return f"{_comment(why)}\nenum edgehip_{name} {{\n{rows}\n}};\n"


def _distrust() -> str:
    names = (f"EDGEHIP_FLAG_{name.upper()}" for name in ESTIMATE_FLAGS if name in DISTRUST)
    why = (
        "Switch nothing on by an estimate with one of these flags, as edgehip's cues do not. The "
        "others are advice: no_zero is always there until the person's zero is measured."
    )
    alternatives = " | ".join(names)
    folded = textwrap.fill(alternatives, 92).replace("\n", " \\\n     ")
    return f"{_comment(why)}\n#define EDGEHIP_DISTRUST \\\n    ({folded})\n"


def _structure(layout: Layout) -> Iterator[str]:
    name = _name(layout)
    yield _comment(_summary(layout))
    yield f"#define EDGEHIP_{name.upper()}_FRAME {layout.struct.size + OVERHEAD + 2}u"
    parameters = "uint8_t *frame, uint32_t sequence, uint32_t device_us"
    if not layout.fields:
        yield f"size_t edgehip_encode_{name}({parameters});"
        return
    yield f"struct edgehip_{name} {{"
    for field in layout.fields:
        size = field.count + 1 if field.kind == "text" else field.count
        count = f"[{size}]" if size > 1 else ""
        yield f"    {C_TYPES[field.kind]} {raw_name(field)}{count};"
    yield "};"
    yield f"size_t edgehip_encode_{name}({parameters},"
    yield f"    const struct edgehip_{name} *message);"
    yield f"bool edgehip_read_{name}(const struct edgehip_decoder *decoder,"
    yield f"    struct edgehip_{name} *message);"


def header_part() -> str:
    """Return the generated part of ``edgehip_wire.h``."""
    numbered = "their place in the arrays below"
    parts = [
        f"#define EDGEHIP_VERSION {VERSION}u\n"
        "/* The longest frame, delimiter included, and the longest payload of a known message. */\n"
        f"#define EDGEHIP_MAX_FRAME {MAX_FRAME}u\n"
        f"#define EDGEHIP_MAX_KNOWN_PAYLOAD {max(x.struct.size for x in LAYOUTS) + OVERHEAD}u\n",
        _enumeration(
            "type",
            "TYPE",
            ((_name(x), f"0x{x.type_id:02X}") for x in LAYOUTS),
            "Types of message; from 0x80 on they go from the host to the device.",
        ),
        _enumeration(
            "angle",
            "ANGLE",
            ((name, str(i)) for i, name in enumerate(ANGLES)),
            f"Joint angles (OpenSim's names and signs): {numbered}, and bits of channels.",
        ),
        _enumeration(
            "moment",
            "MOMENT",
            ((name, str(i)) for i, name in enumerate(MOMENTS)),
            f"Hip moments: {numbered}.",
        ),
        _enumeration(
            "muscle",
            "MUSCLE",
            ((name, str(i)) for i, name in enumerate(MUSCLES)),
            f"Hip muscles: {numbered}.",
        ),
        _enumeration(
            "flag",
            "FLAG",
            ((name, f"1 << {i}") for i, name in enumerate(ESTIMATE_FLAGS)),
            "Why an estimate may be wrong: bits of flags.",
        ),
        _distrust(),
        _comment(
            'Raw measurements (names that end in _x...) that say "not known". Ask before '
            "comparing: unsigned ones lie above every limit, signed ones below."
        )
        + "\n"
        + "".join(
            f"#define EDGEHIP_UNKNOWN_{kind.upper()} "
            f"{'(-32767 - 1)' if value < 0 else f'{value}u'}\n"
            for kind, value in UNKNOWN.items()
        ),
        "struct edgehip_decoder;\n",
        _comment(
            "edgehip_encode_...() writes a frame of EDGEHIP_..._FRAME bytes and returns how many "
            "that are. edgehip_read_...() reads the frame just received; false if it is of another "
            "type, or if a text in it is not UTF-8 without control characters."
        )
        + "\n",
        *("\n".join(_structure(layout)) + "\n" for layout in LAYOUTS),
    ]
    return "\n".join(parts)


def checksum_part() -> str:
    """Return the CRC tables of ``edgehip_wire.c``."""
    small, large = ([_table_entry(i, bits) for i in range(1 << bits)] for bits in (4, 8))
    return (
        "static const uint32_t crc_table[] FLASH = {\n"
        f"#ifdef EDGEHIP_SMALL_CRC\n{_words(small)}\n#else\n{_words(large)}\n#endif\n}};\n"
    )


def _table_entry(index: int, bits: int) -> int:
    # zlib's CRC of one byte is the table's entry XORed with constants, which CRC(0) holds too.
    byte = index << (8 - bits)
    return zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") if bits == 8 else _table_entry(byte, 8)


def _words(numbers: list[int]) -> str:
    rows = (numbers[i : i + 8] for i in range(0, len(numbers), 8))
    return "\n".join("    " + " ".join(f"0x{n:08X}u," for n in row) for row in rows)


def _pointer(field: Field) -> str:
    return f"{'' if field.count > 1 else '&'}message->{raw_name(field)}"


def _encoder(layout: Layout) -> Iterator[str]:
    name = _name(layout)
    parameters = "uint8_t *frame, uint32_t sequence, uint32_t device_us"
    put = f"put_header(frame, EDGEHIP_TYPE_{name.upper()}, sequence, device_us)"
    if not layout.fields:
        yield f"size_t edgehip_encode_{name}({parameters})"
        yield f"{{\n    return seal(frame, {put});\n}}"
        return
    yield f"size_t edgehip_encode_{name}({parameters},"
    yield f"    const struct edgehip_{name} *message)"
    yield f"{{\n    uint8_t *at = {put};"
    for field in layout.fields:
        suffix = "text" if field.kind == "text" else f"{field.kind}s"
        yield f"    at = put_{suffix}(at, {_pointer(field)}, {field.count});"
    yield "    return seal(frame, at);\n}"


def _reader(layout: Layout) -> Iterator[str]:
    name = _name(layout)
    yield f"bool edgehip_read_{name}(const struct edgehip_decoder *decoder,"
    yield f"    struct edgehip_{name} *message)"
    yield "{\n    const uint8_t *at = decoder->payload + HEADER_SIZE;"
    yield f"    if (decoder->type != EDGEHIP_TYPE_{name.upper()}) {{\n        return false;\n    }}"
    for field in layout.fields:
        arguments = f"at, {_pointer(field)}, {field.count}"
        if field.kind == "text":
            yield f"    if (!get_text({arguments})) {{\n        return false;\n    }}"
            yield f"    at += {field.count};"
        else:
            yield f"    at = get_{field.kind}s({arguments});"
    yield "    return true;\n}"


def messages_part() -> str:
    """Return the sizes, encoders and readers of ``edgehip_wire.c``."""
    sizes = "\n".join(
        f"    case EDGEHIP_TYPE_{_name(x).upper()}:\n        return {x.struct.size};"
        for x in LAYOUTS
    )
    parts = [
        "#define NO_SUCH_TYPE 0xFFu\n\n"
        "static uint8_t fields_size(uint8_t type)\n"
        f"{{\n    switch (type) {{\n{sizes}\n    default:\n        return NO_SUCH_TYPE;\n    }}\n}}"
    ]
    for layout in LAYOUTS:
        parts.append("\n".join(_encoder(layout)))
        if layout.fields:
            parts.append("\n".join(_reader(layout)))
    return "\n\n".join(parts) + "\n"
