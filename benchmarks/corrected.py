"""Per-sample estimates of labelled strides as a live stream corrects them.

Recordings with loads hold a stride or two of a leg, so the walk before a stride is put together:
of the stride itself, of the person's others, or as ``benchmarks/varying.py`` has it. It goes
through the very code that a stream runs.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.varying import STRIDES, Varied
from edgehip.channels import MOMENTS, MUSCLES, SIDES
from edgehip.cycles import is_same_pace
from edgehip.estimators.correction import Correction
from edgehip.events import Flag, HipEstimate, HipSampleEstimate
from edgehip_export.default_evaluate import Curves
from edgehip_export.strides import POINTS, Array, Strides

SPLIT = len(MOMENTS)


def repeating(strides: Strides, cycles: Curves, samples: Curves, width: Curves) -> Curves:
    """Return corrected loads (N, 180, 17) where each stride was walked before, as it is again.

    Two strides taught the correction: a first one's is still coming in when the next begins.
    ``cycles`` and ``samples`` (N, 180, 17) are both models' estimates of the strides, ``width`` the
    half-widths of the first ones' interval.
    """
    walks = [[place] * 4 for place in range(len(strides))]
    return _corrected(walks, strides.stride_s, cycles, samples, width)


def after_others(strides: Strides, cycles: Curves, samples: Curves, width: Curves) -> Curves:
    """Return corrected loads (N, 180, 17) where the person's other strides of that leg came before.

    A stride that is the only one of its leg is not corrected.
    """
    same = (strides.person[:, None] == strides.person) & (strides.leg[:, None] == strides.leg)
    np.fill_diagonal(same, False)
    others = [np.flatnonzero(row).tolist() for row in same]
    walks = [[*before[:1], *before, place] for place, before in enumerate(others)]
    return _corrected(walks, strides.stride_s, cycles, samples, width)


def varying(varied: Varied, width: Curves) -> Curves:
    """Return corrected loads (N, 180, 17) of strides that end a walk of strides that vary.

    ``width`` (N, 180, 17) are the half-widths of the intervals of the last ones.
    """
    walks = np.arange(varied.stride_s.size).reshape(-1, STRIDES)
    cycles, samples = (
        told.reshape(-1, *told.shape[2:]) for told in (varied.cycles, varied.samples)
    )
    widths = np.repeat(width, STRIDES, axis=0)
    return _corrected([*walks], varied.stride_s.ravel(), cycles, samples, widths)


def _corrected(
    walks: Sequence[Sequence[int] | NDArray[np.intp]],
    stride_s: Array,
    cycles: Curves,
    samples: Curves,
    width: Curves,
) -> Curves:
    """Return the last strides (M, 180, 17) of walks, whose first strides only show the pace.

    A walk says which of N strides follow each other, whose estimates are (N, 180, 17).
    """
    told = np.empty((len(walks), *samples.shape[1:]), np.float32)
    for walk, (*before, place) in enumerate(walks):
        correction, start_s, last_s = Correction(), 0.0, 0.0
        for lesson, other in enumerate(before):
            now_s = float(stride_s[other])
            cycle = _cycle(start_s, now_s, cycles[other], width[other])
            if not is_same_pace(now_s, last_s):
                cycle = replace(cycle, flags=(Flag.FIRST_AFTER_GAP,))
            walked = _walk(correction, start_s, now_s, samples[other])
            correction.learn(cycle, walked if lesson else [])
            start_s, last_s = start_s + now_s, now_s
        walked = _walk(correction, start_s, float(stride_s[place]), samples[place])
        for point, now in enumerate(walked):
            told[walk, point] = *now.moments_nm_per_kg["r"], *now.forces_n_per_kg["r"]
    return told


def _walk(
    correction: Correction, start_s: float, stride_s: float, loads: Curves
) -> list[HipSampleEstimate]:
    """Return what a stride's samples are told; half-way the other foot comes to the ground."""
    told: list[HipSampleEstimate] = []
    for point, (phase, now) in enumerate(zip(np.linspace(0, 1, POINTS), loads, strict=True)):
        if point == POINTS // 2:
            other = _cycle(start_s - stride_s / 2, stride_s, loads, loads)
            correction.learn(replace(other, side="l"), [])
        moments, forces = dict.fromkeys(SIDES, now[:SPLIT]), dict.fromkeys(SIDES, now[SPLIT:])
        time_s = start_s + stride_s * float(phase)
        told.append(correction.correct(HipSampleEstimate(time_s, moments, forces, "", (), (), 0)))
    return told


def _cycle(start_s: float, stride_s: float, loads: Curves, width: Curves) -> HipEstimate:
    """Return the right hip's estimate of a stride."""
    moments, forces, moment_spread, force_spread = (
        dict(zip(names, curves.T, strict=True))
        for names, curves in (
            (MOMENTS, loads[:, :SPLIT]),
            (MUSCLES, loads[:, SPLIT:]),
            (MOMENTS, width[:, :SPLIT]),
            (MUSCLES, width[:, SPLIT:]),
        )
    )
    return HipEstimate(
        side="r",
        start_s=start_s,
        end_s=start_s + stride_s,
        confirmed_s=start_s + stride_s,
        foot_off_s=None,
        cadence_spm=120.0 / stride_s,
        moments_nm_per_kg=moments,
        forces_n_per_kg=forces,
        moment_spread_nm_per_kg=moment_spread,
        force_spread_n_per_kg=force_spread,
        body_mass_kg=None,
        body_height_m=None,
        zero="",
        flags=(),
        out_of_range=(),
        samples_lost=0,
        received_ns=0,
    )
