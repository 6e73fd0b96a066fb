#!/usr/bin/env bash
# Install edgehip's wheel with its aarch64 packages beside an extracted arm64 Debian, and run the
# core of the test suite there under qemu-user. Correctness only: emulated times say nothing of a
# Raspberry Pi. Needs mmdebstrap, qemu-user-static and Python 3.11 on an x86-64 Debian.
#
#   benchmarks/arm64.sh [FOLDER]     # what was fetched stays in FOLDER for the next time
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mkdir -p "${1:-build/arm64}" && cd "${1:-build/arm64}" && pwd)
root=$folder/debian site=$folder/site
# An emulated Python cannot start another one: these tests start none.
core="tests/test_wire.py tests/test_timebase.py tests/test_receiver.py tests/test_lines.py
    tests/test_columns.py tests/test_sequence.py tests/test_merge.py tests/test_recording.py
    tests/test_segmentation.py tests/test_cycles.py tests/test_gait_curve.py
    tests/test_model_card.py tests/test_model_file.py tests/test_profiles.py
    tests/test_personal_zero.py tests/test_pipeline.py tests/test_lost_samples.py
    tests/test_unusable_samples.py tests/test_snapshot.py tests/test_stream_ends.py
    tests/test_refusals.py tests/test_sample_estimates.py tests/test_correction.py
    tests/test_cues.py tests/test_records.py tests/test_summary.py tests/test_synthetic_source.py
    tests/test_walker.py"

if [ ! -x "$root/usr/bin/python3.11" ]; then
    mmdebstrap --quiet --variant=extract --architectures=arm64 \
        --include=python3,libstdc++6,ca-certificates bookworm "$root"
    rm -rf "$root/dev"
    # Without a processor to look up, both inference engines end at once.
    mkdir -p "$root/proc" "$root/sys/devices/system/cpu"
    for core_number in 0 1; do
        printf 'processor\t: %s\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n' \
            "$core_number"
    done >"$root/proc/cpuinfo"
    echo 0-1 | tee "$root/sys/devices/system/cpu/possible" \
        >"$root/sys/devices/system/cpu/present"
fi
python3 -m pip wheel --quiet --no-deps --wheel-dir "$folder/wheel" .
rm -rf "$site"
python3 -m pip install --quiet --target "$site" --only-binary=:all: --python-version 3.11 \
    --implementation cp --abi cp311 --abi abi3 --abi none --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 \
    --platform manylinux_2_17_aarch64 --platform any \
    "$(ls -t "$folder"/wheel/edgehip-*.whl | head -1)" onnxruntime pytest pytest-timeout hypothesis
# The tests as they are, against the wheel as it is: the checkout's own packages stay out of reach.
rm -rf "$folder/run"
mkdir "$folder/run"
cp -r tests benchmarks docs "$folder/run/"
rm -rf "$folder/run/benchmarks/results"
if [ -d ../shared/data ]; then
    ln -sfn "$(cd ../shared && pwd)" "$folder/shared"
fi
cp -r firmware_bridge/vectors "$site/"
cd "$folder/run"
emulated() {
    env -i HOME="$folder" PATH=/usr/bin PYTHONPATH="$site" PYTHONDONTWRITEBYTECODE=1 \
        qemu-aarch64-static -cpu cortex-a72 -L "$root" "$root/usr/bin/python3.11" "$@"
}
emulated -c 'import platform; print("emulated:", platform.machine(), platform.python_version())'
# shellcheck disable=SC2086
emulated -m pytest -q -p no:cacheprovider --import-mode=importlib -o timeout=600 -rs $core
emulated -m edgehip stream --port 'synthetic:?duration_s=10&speed=max' --no-curves
echo "the wheel works on emulated arm64; this says nothing of its speed there"
