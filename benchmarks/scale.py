"""How far streaming scales: the sample rate of one core, the devices of a process and a machine.

``python -m benchmarks.scale [--quick] [--json FILE] [--sample-model FILE]`` raises the rate of one
device on one core, then the number of 100 Hz devices: as pipelines in one process, in one process
on every core, and as ``edgehip stream`` commands on pseudo-terminals. Each grows until samples are
late; the devices' own side runs on the same cores.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from benchmarks.device import Program, sample_model_option, streaming, timed, voices_with
from benchmarks.machine import ROOT, cores, cpu_s, memory_mib, only_core
from benchmarks.report import Cell, Report, Table, run_program
from benchmarks.timing import distribution, ticks
from edgehip.events import Chunk
from edgehip.model import load_model
from edgehip.pipeline import Pipeline
from tests.streams import Walk, synthetic_walk

RATE_HZ: Final = 100.0
PERIOD_MS: Final = 1e3 / RATE_HZ
RATES_HZ: Final = (500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
DEVICES: Final = (1, 4, 16, 32, 64, 128, 256, 512)
STREAMS: Final = (1, 2, 4, 8, 16, 32, 64)
QUICK_STEP: Final = 4
"""Of the steps of growth, a quick run tries every fourth."""
REFINED: Final = 2
"""How often the step in which samples become late is halved."""
DEADLINE_MS: Final = 20
"""A sample is late if its estimate is written later than this after its last byte came in."""
DEADLINE: Final = ("--deadline", str(DEADLINE_MS))
SENT_SHARE: Final = 0.95
"""A device that is held up to less of its rate has filled the terminal."""
LATE_SHARE: Final = 0.005
"""So many of many devices' samples may be late: the machine does other things, too."""
WARM_S: Final = 0.5

Try = Callable[[int], tuple[list[Cell], bool]]


def options(parser: argparse.ArgumentParser) -> None:
    """Add what this program alone takes."""
    sample_model_option(parser)
    parser.add_argument("--worker", nargs=2, type=float, help=argparse.SUPPRESS)


def measure(arguments: argparse.Namespace) -> Report:
    """Let everything grow."""
    sample_model = arguments.sample_model
    if arguments.worker:
        devices, duration_s = arguments.worker
        print(json.dumps(_pipelines(sample_model, int(devices), duration_s)))
        sys.exit()
    report = Report()
    step, refined = (QUICK_STEP, 0) if arguments.quick else (1, REFINED)
    duration_s = 1.0 if arguments.quick else 6.0
    voices = voices_with(sample_model)
    report.tables += [
        _rates(voices, RATES_HZ[::step], refined, duration_s),
        _processes(sample_model, 1, DEVICES[::step], refined, duration_s),
        _processes(sample_model, len(cores()), DEVICES[::step], refined, duration_s),
        _streams(voices["cycle,sample"], STREAMS[::step], refined, duration_s),
    ]
    return report


def grown(try_it: Try, sizes: Sequence[int], refined: int) -> Iterator[list[Cell]]:
    """Yield a row for every size until one is too large, then for sizes between the last two."""
    good, bad = 0, 0
    for size in sizes:
        row, is_good = try_it(size)
        yield row
        if not is_good:
            bad = size
            break
        good = size
    for _ in range(refined if bad else 0):
        size = (good + bad) // 2
        if size in (good, bad):
            return
        row, is_good = try_it(size)
        yield row
        good, bad = (size, bad) if is_good else (good, size)


def _verdict(row: Sequence[Cell], is_good: bool) -> tuple[list[Cell], bool]:
    return [*row, "yes" if is_good else "no"], is_good


def _rates(
    voices: dict[str, tuple[str, ...]], rates_hz: Sequence[int], refined: int, duration_s: float
) -> Table:
    """Raise the rate of one device on one core."""
    rows: list[list[Cell]] = []
    for name, chosen in voices.items():
        rows += grown(partial(_at_rate, name, chosen, duration_s), rates_hz, refined)
    columns = ("estimates", "samples/s", "really sent", "p99 in to out (ms)", "late", "sustained")
    note = f"on one core together with the device; late: an estimate after {DEADLINE_MS} ms"
    return Table("How many samples a second one core sustains", columns, rows, note)


def _at_rate(
    name: str, chosen: Sequence[str], duration_s: float, rate_hz: int
) -> tuple[list[Cell], bool]:
    """Try one rate."""
    # The walk is a walk of 500 Hz at most, told faster: as many samples, more strides.
    walk = synthetic_walk(max(duration_s * rate_hz / 500, 5.0), stand_s=0.5, rate_hz=500.0)
    options = ["--output", "jsonl", "--no-curves", *DEADLINE]
    options += ["--outputs", "hip_flexion_r"] if "sample" in name else []
    for _ in range(2):
        with only_core(cores()[0]), streaming(*chosen, *options) as program:
            sent_hz = _send(program, walk, rate_hz / 500)
            said = program.finish()
        late, p99_ms = _late(said, name)
        if late is None or not 0 < late < LATE_SHARE * len(walk):
            break  # else something else may have had the core: once more
    good = late == 0 and "overrun" not in said and sent_hz > SENT_SHARE * rate_hz
    return _verdict([name, rate_hz, sent_hz, p99_ms, late], good)


def _send(program: Program, walk: Walk, speed: float) -> float:
    """Play a walk; return how many frames a second were really written."""
    written_ns: list[int] = []
    program.play(timed(walk, speed), written_ns.append)
    return 1e9 * (len(walk) - 1) / (written_ns[-1] - written_ns[0])


def _late(said: str, voice: str) -> tuple[int | None, float | None]:
    """Return how many estimates were late, and the p99, from the summary of a stream."""
    missed = re.search(r"deadline +\S+ ms: (\d+) missed", said)
    row = "byte in to sample out" if "," in voice else "byte in to est"
    p99_ms = [line.split()[-2] for line in said.splitlines() if line.strip().startswith(row)]
    return int(missed[1]) if missed else None, float(p99_ms[0]) if p99_ms else None


def _processes(
    sample_model: str, processes: int, most: Sequence[int], refined: int, duration_s: float
) -> Table:
    """Let processes, each on a core of its own, serve more and more devices each."""

    def try_it(devices: int) -> tuple[list[Cell], bool]:
        command = [sys.executable, "-m", "benchmarks.scale", "--sample-model", sample_model]
        workers = []
        for core in cores()[:processes]:
            with only_core(core):
                workers.append(
                    subprocess.Popen(
                        [*command, "--worker", str(devices), str(duration_s)],
                        stdout=subprocess.PIPE,
                        text=True,
                        cwd=ROOT,
                    )
                )
        found: list[dict[str, Any]] = []
        for worker in workers:
            said, _ = worker.communicate()
            found.append(json.loads(said.strip().splitlines()[-1]))
        late = sum(one["late"] for one in found)
        is_good = late <= LATE_SHARE * RATE_HZ * duration_s * processes
        share = sum(one["share"] for one in found)
        memory = sum(one["memory_mib"] for one in found)
        p99 = max(one["p99_ms"] for one in found)
        return _verdict([processes * devices, share, memory, p99, late], is_good)

    columns = ("devices", "% of a core", "MiB", "p99 due to done (ms)", "late", "sustained")
    note = (
        "pipelines, both kinds of estimate, one thread a process; all together; late: rounds of "
        f"{duration_s:g} s in which a device's estimate was not done when its next sample was due; "
        f"sustained: at most {LATE_SHARE:.1%} of them are"
    )
    what = "one process" if processes == 1 else f"one process on each of {processes} cores"
    rows = list(grown(try_it, most, refined))
    return Table(f"How many 100 Hz devices {what} sustains", columns, rows, note)


def _pipelines(sample_model: str, devices: int, duration_s: float) -> dict[str, float]:
    """Feed so many pipelines in this thread, each 100 times a second."""
    walk = synthetic_walk(max(duration_s + WARM_S, 4.0), stand_s=0.0, noise_deg=0.2)
    frames = walk.frames()
    cycle, sample = load_model(), load_model(sample_model)
    pipelines = [Pipeline(cycle, sample_model=sample) for _ in range(devices)]
    since_due_ms: list[float] = []
    warm = round(WARM_S * RATE_HZ)
    began_s = time.process_time()
    for number, due_ns in enumerate(ticks(RATE_HZ, WARM_S + duration_s)):
        if number == warm:
            began_s, since_due_ms = time.process_time(), []
        for place, pipeline in enumerate(pipelines):
            # Not all people put down their feet at once.
            at = (number + 7 * place) % len(frames)
            pipeline.feed(Chunk(frames[at], due_ns))
        since_due_ms.append((time.perf_counter_ns() - due_ns) / 1e6)
    return {
        "late": sum(ms > PERIOD_MS for ms in since_due_ms),
        "share": 100 * (time.process_time() - began_s) / duration_s,
        "p99_ms": distribution(since_due_ms)[2],
        "memory_mib": memory_mib(os.getpid()),
    }


def _streams(chosen: Sequence[str], most: Sequence[int], refined: int, duration_s: float) -> Table:
    """Run more and more commands, each with a device of its own."""
    walk = synthetic_walk(max(duration_s, 3.0), stand_s=0.5, noise_deg=0.2)
    frames = timed(walk)

    def try_it(streams: int) -> tuple[list[Cell], bool]:
        with contextlib.ExitStack() as stack:
            opened = (streaming(*chosen, "--no-curves", *DEADLINE) for _ in range(streams))
            programs = [stack.enter_context(program) for program in opened]
            pids = [program.process.pid for program in programs]
            began_cpu_s, began_s = sum(map(cpu_s, pids)), time.monotonic()
            players = [threading.Thread(target=one.play, args=(frames,)) for one in programs]
            for player in players:
                player.start()
                time.sleep(1e-3 * PERIOD_MS / streams)
            for player in players:
                player.join()
            took_s = time.monotonic() - began_s
            share = 100 * (sum(map(cpu_s, pids)) - began_cpu_s) / took_s
            memory = sum(map(memory_mib, pids))
            found = [_late(program.finish(), "cycle,sample") for program in programs]
        late = sum(one or 0 for one, _ in found)
        is_good = all(one is not None for one, _ in found)
        is_good &= late <= LATE_SHARE * len(walk) * streams
        p99 = max((ms for _, ms in found if ms is not None), default=None)
        return _verdict([streams, share, memory, p99, late], is_good)

    columns = ("streams", "% of a core", "MiB", "worst p99 in to out (ms)", "late", "sustained")
    note = (
        f"estimates cycle,sample, all together, on {len(cores())} cores with their devices' side; "
        f"late: an estimate after {DEADLINE_MS} ms; sustained: at most {LATE_SHARE:.1%} of them are"
    )
    rows = list(grown(try_it, most, refined))
    return Table("How many 'edgehip stream' at 100 Hz the machine sustains", columns, rows, note)


if __name__ == "__main__":
    run_program(__name__, measure, options=options)
