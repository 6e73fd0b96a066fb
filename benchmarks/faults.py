"""What happens when a device, its clock or its cable misbehaves.

``python -m benchmarks.faults [--quick] [--json FILE]`` plays a walk through a real pseudo-terminal
into a real stream, with one kind of fault at a time and with all of them together, at several
sample rates and shares of frames that are hurt, and compares what was counted with what was done,
every accepted sample with what was sent, and every estimate with the gaps it must not reach across.
"""

import argparse
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.fault_kinds import CASES, OTHER_CASES, Case, Delivery, Plan, Timed, unlike
from benchmarks.report import Cell, Check, Report, Table, run_program
from edgehip.cycles import MAX_BRIDGED_GAP_S
from edgehip.events import Fault, HipEstimate, JointAngleSample, SourceItem
from edgehip.model import load_model
from edgehip.receiver import Receiver
from edgehip.runtime import Stream
from edgehip.sources import open_source
from tests.pty_device import PtyDevice
from tests.streams import synthetic_walk

RATES_HZ: Final = (50.0, 100.0, 500.0)
MOST_TRIED_HZ: Final = 100.0
AT_ONCE_HZ: Final = 1500.0
"""Samples a second of all streams that run at a time: far below what a core can do."""
DRIFT_WITHIN_PPM: Final = 300.0
GARBLED: Final = (
    Fault.BAD_COBS,
    Fault.BAD_CRC,
    Fault.BAD_LENGTH,
    Fault.BAD_VERSION,
    Fault.BAD_TYPE,
    Fault.OVERLONG,
)


@dataclass(slots=True)
class Outcome:
    """What a stream made of a plan: every item as it came, faults counted, estimates."""

    items: list[SourceItem] = field(default_factory=list)
    counted: Counter[Fault] = field(default_factory=Counter)
    estimates: list[HipEstimate] = field(default_factory=list)
    drift_ppm: float = 0.0


def measure(arguments: argparse.Namespace) -> Report:
    """Play every case at every rate, several at a time."""
    rows: list[list[Cell]] = []
    report = Report()
    for rate_hz in (MOST_TRIED_HZ,) if arguments.quick else RATES_HZ:
        every = (*CASES, *OTHER_CASES) if rate_hz == MOST_TRIED_HZ else CASES
        cases = [case for case in every if not (arguments.quick and case.slow)]
        left_out = (case.name for case in every if case not in cases)
        report.left_out += [f"{name}: not in a quick run" for name in left_out]
        walk = unlike(
            synthetic_walk(13.0 if arguments.quick else 30.0, stand_s=0.5, rate_hz=rate_hz)
        )
        with ThreadPoolExecutor(round(AT_ONCE_HZ / rate_hz)) as pool:
            plans = [case.plan(walk) for case in cases]
            outcomes = list(pool.map(_play, plans))
        for case, plan, outcome in zip(cases, plans, outcomes, strict=True):
            rows.append(_row(case, rate_hz, plan, outcome))
            wrong = _wrong(plan, outcome)
            claim = f"{case.name} at {rate_hz:g} Hz: counted exactly, nothing wrong accepted"
            report.checks.append(Check(claim, not wrong, "; ".join(wrong) or "so it was"))
    columns = ("fault", "Hz", "frames", "injected", "counted", "accepted", "strides")
    note = (
        "accepted: samples, each of them sent so, at its time; strides: estimates of both legs, "
        "none of them across a gap; a late frame is first lost, then reordered"
    )
    report.tables.append(
        Table("Through a real pseudo-terminal, at a true pace", columns, rows, note)
    )
    return report


def _play(plan: Plan) -> Outcome:
    """Send what is planned at its time; return what came of it."""
    outcome = Outcome()
    with TemporaryDirectory() as folder, closing(PtyDevice(Path(folder))) as device:
        with closing(open_source(str(device.port))) as source:
            stream = Stream(source, load_model(), recorder=outcome.items.append)
            sender = threading.Thread(target=_send, args=(plan.actions, device, stream.stop))
            sender.start()
            for event in stream:
                if isinstance(event, HipEstimate):
                    outcome.estimates.append(event)
            sender.join()
        outcome.counted = Counter(stream.link.faults)
        outcome.drift_ppm = stream.summary().clock_drift_ppm
    return outcome


def _send(actions: Timed, device: PtyDevice, stop: Callable[[], None]) -> None:
    began_s = time.monotonic()
    for at_s, action in actions:
        time.sleep(max(0.0, began_s + at_s - time.monotonic()))
        match action:
            case bytes():
                device.write(action)
            case "unplug":
                device.unplug()
            case "plug in":
                device.plug_in()
    time.sleep(0.4)
    stop()


def _row(case: Case, rate_hz: float, plan: Plan, outcome: Outcome) -> list[Cell]:
    counted = ", ".join(f"{n} {fault}" for fault, n in sorted(outcome.counted.items()) if n)
    numbers = (len(plan.device_s), str(plan.expected), counted or "-")
    return [case.name, rate_hz, *numbers, len(_accepted(outcome)), len(outcome.estimates)]


def _accepted(outcome: Outcome) -> list[JointAngleSample]:
    """Return the samples taken from the very bytes the stream had."""
    receiver = Receiver()
    found = [event for item in outcome.items for event in receiver.feed(item)]
    return [event for event in found if isinstance(event, JointAngleSample)]


def _wrong(plan: Plan, outcome: Outcome) -> list[str]:
    """Return what is not as it must be, in words."""
    wrong = []
    counted = outcome.counted
    found = Delivery(
        lost=counted[Fault.LOST] - counted[Fault.REORDERED],
        duplicated=counted[Fault.DUPLICATE],
        reordered=counted[Fault.REORDERED],
        garbled=sum(counted[fault] for fault in GARBLED),
        restarts=counted[Fault.RESTART],
        clock_jumps=counted[Fault.CLOCK_JUMP],
    )
    if found != plan.expected:
        wrong.append(f"counted {found}")
    accepted = _accepted(outcome)
    if len(accepted) != plan.deliverable:
        wrong.append(f"{len(accepted)} samples accepted, {plan.deliverable} were deliverable")
    foreign = sum(sample.angles_deg not in plan.device_s for sample in accepted)
    if foreign:
        return [*wrong, f"{foreign} samples accepted that nobody sent"]
    pairs = [(s.time_s, plan.device_s[s.angles_deg]) for s in accepted]
    steps = list(itertools.pairwise(pairs))
    mistimed = sum(abs((b - a) - (true_b - true_a)) > 1e-5 for (a, true_a), (b, true_b) in steps)
    if mistimed != plan.expected.restarts + plan.expected.clock_jumps:
        wrong.append(f"{mistimed} steps in time that nobody made")
    gaps = [(a, b) for (a, _), (b, _) in steps if b - a > MAX_BRIDGED_GAP_S]
    across = sum(any(a < e.end_s and b > e.start_s for a, b in gaps) for e in outcome.estimates)
    if across:
        wrong.append(f"{across} estimates reach across a gap")
    if not outcome.estimates:
        wrong.append("no stride was found")
    # A leap of the clock begins the measurement of drift anew, and it takes a while.
    if not wrong and abs(outcome.drift_ppm - plan.drift_ppm) > DRIFT_WITHIN_PPM:
        wrong.append(f"drift {outcome.drift_ppm:+.0f} ppm, was {plan.drift_ppm:+.0f}")
    return wrong


if __name__ == "__main__":
    run_program(__name__, measure)
