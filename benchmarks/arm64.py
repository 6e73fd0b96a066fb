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
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
