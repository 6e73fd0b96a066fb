"""Whether the wheel works on 64-bit ARM: under emulation, so this says nothing of its speed.

``python -m benchmarks.arm64`` runs ``benchmarks/arm64.sh``: the wheel with its aarch64 packages in
an emulated Debian, the core of the test suite, and a stream, whose estimates must be those that
this machine gives.
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.machine import ROOT

NEEDED = ("mmdebstrap", "qemu-aarch64-static")
HERE = ["-m", "edgehip", "stream", "--port", "synthetic:?duration_s=10&speed=max", "--no-curves"]
WITHIN = 0.002
"""Records are rounded; their last digit may differ."""


def main() -> None:
    """Run it, and tell how it ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arm64", description=__doc__)
    parser.parse_args()
    if missing := [tool for tool in NEEDED if shutil.which(tool) is None]:
        print(f"left out: this machine has no {' and no '.join(missing)}")
        return
    # Its messages are for who looks on; what it found is on its standard output.
    done = subprocess.run([ROOT / "benchmarks" / "arm64.sh"], stdout=subprocess.PIPE)
    lines = done.stdout.decode(errors="replace").splitlines()
    print("\n".join(line for line in lines if not line.startswith("{")))
    if done.returncode:
        sys.exit(done.returncode)
    here = subprocess.run(
        [sys.executable, *HERE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    ours = [line for line in here.stdout.decode().splitlines() if line.startswith("{")]
    theirs = [line for line in lines if line.startswith("{")]
    found = different(ours, theirs)
    print(f"{len(theirs)} records of a stream, {found or 'the same on both'}")
    sys.exit(bool(found) or not theirs)


def different(ours: list[str], theirs: list[str]) -> str:
    """Say where records differ that should not, if anywhere."""
    if len(ours) != len(theirs):
        return f"but {len(ours)} here"
    for one, other in zip(ours, theirs, strict=True):
        first, second = dict(_flat(json.loads(one))), dict(_flat(json.loads(other)))
        for key in first | second:
            value, again = first.get(key), second.get(key)
            if isinstance(value, float) and isinstance(again, float):
                same = math.isclose(value, again, rel_tol=WITHIN, abs_tol=WITHIN)
            else:
                same = value == again
            if not same:
                return f"but {key} is {again} there and {value} here"
    return ""


def _flat(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value of a record under its whole name."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not name.startswith("latency"):
                yield from _flat(inner, f"{key}.{name}".lstrip("."))
    else:
        yield key, value


if __name__ == "__main__":
    main()
