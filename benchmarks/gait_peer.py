"""Another detector on the same angles: gaitkit from PyPI, which works offline and on positions."""

import importlib
import importlib.metadata
import math
from types import ModuleType
from typing import Any, Final

import numpy as np

from benchmarks.gait_recordings import Recording
from benchmarks.gait_scores import Kind
from edgehip.channels import SIDES, Side, angles_of

METHODS: Final = ("zeni", "bike")
"""Heel to pelvis distance (Zeni et al., Gait Posture 27:710, 2008), and gaitkit's default."""
_NAMES: Final[dict[Side, str]] = {"l": "left", "r": "right"}
_LINK_MM, _HIP_MM, _HALF_WIDTH_MM = 400.0, 900.0, 80.0


def load_gaitkit() -> ModuleType | str:
    """Return the module, or why it cannot be had."""
    try:
        return importlib.import_module("gaitkit")
    except Exception as error:  # a peer that does not import is no failure of ours
        return f"gaitkit cannot run here ({type(error).__name__}: {error}): pip install gaitkit"


def version() -> str:
    """Return the peer's version."""
    return importlib.metadata.version("gaitkit")


def detect(
    gaitkit: ModuleType, recording: Recording, method: str
) -> dict[tuple[Kind, Side], list[float]]:
    """Return the times of either kind of event and side, in seconds.

    gaitkit asks for positions; they come from hip and knee flexion by two links of equal length
    below a pelvis that stands still.
    """
    start_s, end_s = float(recording.time_s[0]), float(recording.time_s[-1])
    rate_hz = (len(recording.time_s) - 1) / (end_s - start_s)
    result = gaitkit.detect(_frames(recording), method=method, fps=rate_hz)
    times_s: dict[tuple[Kind, Side], list[float]] = {}
    for side, name in _NAMES.items():
        times_s["contact", side] = [start_s + float(event["time"]) for event in result.hs(name)]
        times_s["foot off", side] = [start_s + float(event["time"]) for event in result.to(name)]
    return times_s


def _frames(recording: Recording) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    for index, angles_deg in enumerate(recording.angles_deg):
        frame: dict[str, Any] = {
            "frame_index": index,
            "trunk_angle": 0.0,
            "pelvis_tilt": 0.0,
            "is_valid": 1,
            "landmark_positions": {},
        }
        for side in SIDES:
            hip, _, _, knee, ankle = angles_of(side)
            name = _NAMES[side]
            frame[f"{name}_hip_angle"] = float(angles_deg[hip])
            frame[f"{name}_knee_angle"] = float(angles_deg[knee])
            frame[f"{name}_ankle_angle"] = float(angles_deg[ankle])
            frame["landmark_positions"].update(
                _landmarks(side, math.radians(angles_deg[hip]), math.radians(angles_deg[knee]))
            )
        frames.append(frame)
    return frames


def _landmarks(side: Side, hip: float, knee: float) -> dict[str, list[float]]:
    """Return one leg's landmarks in mm: forward, up, to the right."""
    right = _HALF_WIDTH_MM if side == "r" else -_HALF_WIDTH_MM
    shank, down = hip - knee, np.array([0.0, -1.0])
    hip_at = np.array([0.0, _HIP_MM])
    knee_at = hip_at + _LINK_MM * np.array([math.sin(hip), -math.cos(hip)])
    ankle_at = knee_at + _LINK_MM * np.array([math.sin(shank), -math.cos(shank)])
    forward = np.array([math.cos(shank), math.sin(shank)])
    places = {
        "shoulder": np.array([0.0, 1.5 * _HIP_MM]),
        "hip": hip_at,
        "knee": knee_at,
        "ankle": ankle_at,
        "heel": ankle_at - 50.0 * forward + 60.0 * down,
        "toe": ankle_at + 150.0 * forward + 60.0 * down,
    }
    return {
        f"{_NAMES[side]}_{name}": [float(at[0]), float(at[1]), right] for name, at in places.items()
    }
