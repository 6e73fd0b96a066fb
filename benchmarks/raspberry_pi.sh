#!/usr/bin/env bash
# Measure edgehip on this Raspberry Pi (or any 64-bit Linux board) and pack the results to send.
#
#   benchmarks/raspberry_pi.sh [--quick]
#
# It needs Python 3.11 or newer with python3-venv, this checkout, the network for the packages, and
# half an hour in which the board does nothing else (--quick: five minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(getconf LONG_BIT)" != 64 ]; then
    echo "edgehip needs a 64-bit system: LiteRT, which it runs on, has no 32-bit packages. Install the" \
        "64-bit Raspberry Pi OS (any Pi 3 or newer runs it)." >&2
    exit 1
fi
results="edgehip-$(uname -n)-$(date +%Y%m%d-%H%M%S)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet '.[test]'
mkdir "$results"
{
    tr -d '\0' </proc/device-tree/model 2>/dev/null && echo
    uname -a
    command -v vcgencmd >/dev/null && vcgencmd measure_temp && vcgencmd get_throttled
    cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null
} >"$results/board.txt" || true
programs=(latency peers end_to_end garbage cost scale slow_consumer faults crash)
"$work/venv/bin/python" -m benchmarks "$@" --only "${programs[@]}" --results "$results" \
    2>&1 | tee "$results/printed.txt" || true
if command -v vcgencmd >/dev/null; then
    # Bits 16 to 19 tell of low voltage and heat since the start: then the figures are too slow.
    vcgencmd measure_temp >>"$results/board.txt"
    vcgencmd get_throttled >>"$results/board.txt"
fi
tar czf "$results.tar.gz" "$results"
echo "written: $results.tar.gz"
