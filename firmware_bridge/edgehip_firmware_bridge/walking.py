"""Writes the stride that the example firmware walks, a table of joint angles in hundredths.

``python -m edgehip_firmware_bridge.walking`` makes it from edgehip's own synthetic walker: steady
walking without variation, right initial contact at the first entry, left half a stride later.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import ANGLES, angles_of
from edgehip.normal_gait import excursion_at, normal_angles_deg
from edgehip_firmware_bridge.generate import ROOT

STRIDE_SAMPLES: Final = 110
SAMPLE_US: Final = 10_000
FILES: Final = (
    ROOT / "firmware" / "walk_table.h",
    ROOT / "arduino" / "EdgeHip" / "examples" / "Walker" / "walk_table.h",
)


def stride_deg() -> NDArray[np.float64]:
    """Return one stride, (110, 10) degrees."""
    stride_s = STRIDE_SAMPLES * SAMPLE_US / 1e6
    percent = 100.0 * np.arange(STRIDE_SAMPLES) / STRIDE_SAMPLES
    excursion = excursion_at(120.0 / stride_s)
    stride = np.empty((STRIDE_SAMPLES, len(ANGLES)))
    stride[:, angles_of("r")] = excursion * normal_angles_deg(percent)
    stride[:, angles_of("l")] = excursion * normal_angles_deg(percent - 50.0)
    return stride


def table() -> str:
    """Return the table as a C header."""
    rows = np.round(100.0 * stride_deg()).astype(int)
    body = "\n".join(f"    {{{', '.join(map(str, row))}}}," for row in rows.tolist())
    return f"""\
/* One stride, from right initial contact to the next: hundredths of a degree, in the order of
 * enum edgehip_angle. Made by edgehip_firmware_bridge.walking; do not edit. */
#ifndef WALK_TABLE_H
#define WALK_TABLE_H

#include <stdint.h>

#ifdef __AVR__
#include <avr/pgmspace.h>
#else
#define PROGMEM
#endif

#define WALK_SAMPLES {STRIDE_SAMPLES}u
#define WALK_SAMPLE_US {SAMPLE_US}u
#define WALK_STRIDE_US {STRIDE_SAMPLES * SAMPLE_US}u

static const int16_t walk_table[WALK_SAMPLES][{len(ANGLES)}] PROGMEM = {{
{body}
}};

#endif
"""


if __name__ == "__main__":
    for path in FILES:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table())
        print(path)
