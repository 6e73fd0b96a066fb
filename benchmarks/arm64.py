"""Whether the wheel works on 64-bit ARM: under emulation, so this says nothing of its speed.

``python -m benchmarks.arm64`` runs ``benchmarks/arm64.sh``: the wheel with its aarch64 packages in
an emulated Debian, the core of the test suite, and a stream.
"""

import argparse
import shutil
import subprocess
import sys

from benchmarks.machine import ROOT

NEEDED = ("mmdebstrap", "qemu-aarch64-static")
LAST_LINES = 25


def main() -> None:
    """Run it, and tell how it ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arm64", description=__doc__)
    parser.parse_args()
    if missing := [tool for tool in NEEDED if shutil.which(tool) is None]:
        print(f"left out: this machine has no {' and no '.join(missing)}")
        return
    done = subprocess.run(
        [ROOT / "benchmarks" / "arm64.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines = done.stdout.decode(errors="replace").splitlines()
    # What the stream wrote is for programs; the rest is for people.
    print("\n".join([line for line in lines if not line.startswith("{")][-LAST_LINES:]))
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
