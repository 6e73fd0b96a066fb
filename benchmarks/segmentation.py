"""How well initial contact and foot off are found: ``python -m benchmarks.segmentation``.

Every recording is fed sample by sample. Each side's median offset is removed, then events match
within 60 ms. The offset itself is stated: on the optical recordings it is the detector's bias
against the force plates, on ``imu_walking`` it is mostly that of two clocks. Nothing is left out
but the first 0.5 s of recordings that begin in mid-stride and the last 0.15 s of all.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import gait_peer
from benchmarks.gait_left_out import leave_one_out
from benchmarks.gait_recordings import (
    PERTURBATIONS,
    Recording,
    load_children,
    load_recordings,
)
from benchmarks.gait_scores import (
    KINDS,
    Kind,
    Scores,
    Summary,
    score_events,
    score_recording,
    summarise,
)
from benchmarks.machine import DATA
from edgehip.events import JointAngleSample
from edgehip.segmentation import GaitSegmenter

QUICK: Final = ("Sub02_EMGBaseline", "Sub02_EMGStiffKnee", "treadmill_angles_events_20s")
HEADING: Final = (
    f"{'':<34}{'| initial contact':<50}| foot off\n{'':<34}"
    + "| events missed extra     F1  SD  offset  delay p95 " * 2
)


def line(label: str, scores: Iterable[Scores]) -> dict[Kind, Summary]:
    """Print one line of a table and return it."""
    scores = list(scores)
    summaries = {
        kind: summarise(one for each in scores for (what, _), one in each.items() if what == kind)
        for kind in KINDS
    }
    text = ""
    for one in summaries.values():
        text += (
            f"| {one.events:6} {one.missed:6} {one.extra:5} {one.f1:6.4f} {one.sd_ms:4.1f}"
            f" {one.offset_ms:+6.0f} {one.delay_median_ms:5.0f} {one.delay_p95_ms:3.0f} "
        )
    print(f"{label[:33]:<34}" + text.replace("nan", "  -"), flush=True)
    return summaries


def people(recordings: Sequence[Recording], scores: Sequence[Scores]) -> dict[str, Any]:
    """Print the offset to the force plates on the optical recordings, laboratory by laboratory."""
    print("\nOffset to the force plates on optical recordings, ms (median of each person's sides)")
    by_person: dict[str, dict[str, dict[Kind, list[float]]]] = {}
    for recording, each in zip(recordings, scores, strict=True):
        if recording.optical:
            person = by_person.setdefault(recording.laboratory, {}).setdefault(
                recording.person, {kind: [] for kind in KINDS}
            )
            for (kind, _), one in each.items():
                person[kind].append(1e3 * one.offset_s)
    result: dict[str, Any] = {}
    laboratories: dict[str, list[dict[Kind, list[float]]]] = {
        laboratory: list(persons.values()) for laboratory, persons in by_person.items()
    }
    laboratories["all"] = [person for persons in laboratories.values() for person in persons]
    for laboratory, persons in laboratories.items():
        text, result[laboratory] = f"{laboratory:<20} people {len(persons):2}", {}
        for kind in KINDS:
            medians = np.array([np.nanmedian(person[kind]) for person in persons])
            centre, spread = float(np.median(medians)), float(np.std(medians))
            result[laboratory][kind] = {"offset_ms": centre, "sd_between_people_ms": spread}
            text += f" | {kind}: {centre:+6.1f}, SD between people {spread:4.1f}"
        print(text)
    return result


def peer(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Print gaitkit's scores on the continuous recordings; it sees each as a whole."""
    gaitkit = gait_peer.load_gaitkit()
    if isinstance(gaitkit, str):
        print(f"\nPeer: {gaitkit}")
        return {"error": gaitkit}
    print(f"\nPeer: gaitkit {gait_peer.version()}, offline, on positions made from the same angles")
    print(HEADING)
    result: dict[str, Any] = {}
    for method in gait_peer.METHODS:
        for group in ("normal", "stiff knee"):
            scores = []
            for recording in recordings:
                if recording.group != group:
                    continue
                try:
                    times_s = gait_peer.detect(gaitkit, recording, method)
                except Exception as error:  # whatever the peer does, go on
                    print(f"{method} on {recording.name}: {type(error).__name__}: {error}")
                    continue
                never = float("nan")
                found = {key: [(at, never) for at in times] for key, times in times_s.items()}
                scores.append(score_events(recording, found))
            result[f"{method} {group}"] = _plain(line(f"gaitkit {method}, {group}", scores))
    return result


def cost_per_sample(recording: Recording, paced: bool) -> dict[str, float]:
    """Print how long a sample takes, in microseconds, back to back or at the recorded pace."""
    segmenter, taken_us = GaitSegmenter(), []
    number = 500 if paced else 10_000
    start_s = time.perf_counter() - float(recording.time_s[0])
    for index in range(number):
        lap, place = divmod(index, len(recording.time_s))
        time_s = float(recording.time_s[place] + lap * (recording.time_s[-1] + 0.01))
        sample = JointAngleSample(time_s, tuple(recording.angles_deg[place].tolist()), 0)
        if paced:
            time.sleep(max(0.0, start_s + time_s - time.perf_counter()))
        before = time.perf_counter_ns()
        segmenter.feed(sample)
        taken_us.append((time.perf_counter_ns() - before) / 1e3)
    p50, p95, p99, most = np.percentile(taken_us, [50, 95, 99, 100]).tolist()
    how = "at 100 Hz" if paced else "back to back"
    spread = f"p50 {p50:.1f} p95 {p95:.1f} p99 {p99:.1f} max {most:.0f}"
    print(f"microseconds per sample {how:<12} {spread}")
    return {"p50_us": p50, "p95_us": p95, "p99_us": p99, "max_us": most}


def _plain(summaries: dict[Kind, Summary]) -> dict[str, Any]:
    return {kind: asdict(one) for kind, one in summaries.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.segmentation", description="Measure the gait event detector."
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the recordings")
    parser.add_argument("--json", type=Path, help="write all numbers to this file, too")
    parser.add_argument("--quick", action="store_true", help="three recordings, no peer")
    options = parser.parse_args(arguments)
    if not (options.data / "imu_walking").is_dir():
        print(f"no recordings in {options.data}: say where they are with --data", file=sys.stderr)
        return 2
    recordings = load_recordings(options.data)
    continuous = [one for one in recordings if one.group in ("normal", "stiff knee")]
    if options.quick:
        recordings = continuous = [one for one in continuous if one.name in QUICK]
    results: dict[str, Any] = {}

    print("Times in ms; delay from an event to its confirmation\n" + HEADING)
    scores = [score_recording(recording) for recording in recordings]
    results["recordings"] = {
        recording.name: _plain(line(recording.name, [each]))
        for recording, each in zip(recordings, scores, strict=True)
    }
    print("\n" + HEADING)
    groups: dict[str, list[Scores]] = {}
    for recording, each in zip(recordings, scores, strict=True):
        groups.setdefault(recording.group, []).append(each)
    results["groups"] = {group: _plain(line(group, some)) for group, some in groups.items()}
    if not options.quick:
        children = load_children(options.data)
        results["groups"]["children"] = _plain(
            line("children, strides repeated", [score_recording(one) for one in children])
        )
    results["offsets"] = people(recordings, scores)
    print("\nPerturbed\n" + HEADING)
    results["perturbed"] = {}
    for name, perturb in PERTURBATIONS.items():
        for group in ("normal", "stiff knee"):
            changed = [perturb(one) for one in continuous if one.group == group]
            results["perturbed"][f"{name}, {group}"] = _plain(
                line(f"{name}, {group}", [score_recording(one) for one in changed])
            )
    if not options.quick:
        print("\nWeights and leads chosen without the person (imu) or laboratory (optical) scored")
        print(HEADING)
        chosen, left_out, offsets = leave_one_out(recordings)
        results["left out"] = {group: _plain(line(group, each)) for group, each in left_out.items()}
        results["left out"]["chosen"] = chosen
        for kind, values in offsets.items():
            centre, spread = float(np.nanmedian(values)), float(np.nanstd(values))
            results["left out"][f"{kind} offset"] = {"median_ms": centre, "sd_ms": spread}
            print(f"{kind} on optical recordings: offset {centre:+.1f} ms, SD {spread:.1f} ms")
        results["peer"] = peer(recordings)
    print()
    results["cost"] = {
        how: cost_per_sample(continuous[-1], paced=how == "paced")
        for how in ("back to back", "paced")
    }
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
