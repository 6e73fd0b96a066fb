"""Recorded walks with gait events known from force plates, and ways to make them harder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgehip.channels import SIDES, Side

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recording:
    """A walk: ``time_s`` (T,), ``angles_deg`` (T, 10), event times of either side.

    ``optical`` says that angles and force plates share a clock, so that the offset between found
    and true events means something. ``warm_up_s`` is how much of the beginning is not scored:
    a recording that begins in mid-stride has events that nobody could foresee.
    """

    name: str
    group: str
    laboratory: str
    person: str
    optical: bool
    warm_up_s: float
    time_s: Floats
    angles_deg: Floats
    contacts_s: dict[Side, Floats]
    foot_offs_s: dict[Side, Floats]

    @property
    def stride_s(self) -> float:
        """Median duration of a stride."""
        return float(np.median(np.concatenate([np.diff(self.contacts_s[side]) for side in SIDES])))


def load_recordings(data: Path) -> list[Recording]:
    """Return the continuous and the overground walks below a folder, in a fixed order."""
    found = []
    for path in sorted(data.glob("imu_walking/*.npz")):
        group = "stiff knee" if "StiffKnee" in path.name else "normal"
        found.append(_load(path, group, "imu_walking", path.stem[:5]))
    treadmill = data / "walking" / "treadmill_angles_events_20s.npz"
    found.append(_load(treadmill, "normal", "uhlrich", "treadmill"))
    for folder, group in (("walking", "overground"), ("other_labs", "other labs")):
        for path in sorted((data / folder).glob("*__*__*.npz")):
            laboratory, person, _ = path.stem.split("__")
            found.append(_load(path, group, laboratory, f"{laboratory} {person}"))
    return found


def _load(path: Path, group: str, laboratory: str, person: str) -> Recording:
    arrays = np.load(path)
    imu = laboratory == "imu_walking"
    return Recording(
        name=path.stem,
        group=group,
        laboratory=laboratory,
        person=person,
        optical=not imu,
        warm_up_s=0.0 if imu else 0.5,
        time_s=arrays["t"].astype(float),
        angles_deg=arrays["angles_deg" if imu else "X"].astype(float),
        contacts_s={side: arrays[f"HS_{side}"].astype(float) for side in SIDES},
        foot_offs_s={side: arrays[f"TO_{side}"].astype(float) for side in SIDES},
    )


def load_children(data: Path, strides: int = 12) -> list[Recording]:
    """Return children's strides, each repeated; only right contacts are known."""
    arrays = np.load(data / "children" / "strides_180.npz")
    found = []
    for number, (cycle, person, stride_s) in enumerate(
        zip(arrays["X"], arrays["subject"], arrays["stride_s"], strict=True)
    ):
        if not np.isfinite(cycle).all():
            continue
        # The last point is the next contact: spread what does not close over the cycle.
        share = np.linspace(0.0, 1.0, len(cycle))[:, None]
        closed = (cycle - share * (cycle[-1] - cycle[0]))[:-1]
        time_s = np.arange(strides * len(closed)) * float(stride_s) / len(closed)
        contacts_s = {"r": np.arange(strides) * float(stride_s), "l": np.array([])}
        none = {side: np.array([]) for side in SIDES}
        found.append(
            Recording(
                name=f"{person} {number}",
                group="children",
                laboratory="biomechzoo",
                person=str(person),
                optical=True,
                warm_up_s=0.5,
                time_s=time_s,
                angles_deg=np.tile(closed, (strides, 1)).astype(float),
                contacts_s=contacts_s,  # type: ignore[arg-type]
                foot_offs_s=none,
            )
        )
    return found


def resample(recording: Recording, time_s: Floats) -> Recording:
    """Return the recording at other times, by cubic Hermite interpolation."""
    t, x = recording.time_s, recording.angles_deg
    slope = np.gradient(x, t, axis=0)
    i = np.clip(np.searchsorted(t, time_s, side="right") - 1, 0, len(t) - 2)
    h = (t[i + 1] - t[i])[:, None]
    u = (time_s - t[i])[:, None] / h
    angles_deg = (
        (1 + 2 * u) * (1 - u) ** 2 * x[i]
        + u * (1 - u) ** 2 * h * slope[i]
        + u**2 * (3 - 2 * u) * x[i + 1]
        + u**2 * (u - 1) * h * slope[i + 1]
    )
    return replace(recording, time_s=time_s, angles_deg=angles_deg)


def at_rate(recording: Recording, rate_hz: float) -> Recording:
    """Return the recording at another sampling rate."""
    first, last = recording.time_s[[0, -1]]
    return resample(recording, np.arange(first, last, 1.0 / rate_hz))


def at_cadence(recording: Recording, cadence_spm: float) -> Recording:
    """Return the recording slowed down or sped up, still at 100 Hz."""
    factor = 120.0 / cadence_spm / recording.stride_s
    stretched = replace(
        recording,
        time_s=recording.time_s * factor,
        contacts_s={side: times * factor for side, times in recording.contacts_s.items()},
        foot_offs_s={side: times * factor for side, times in recording.foot_offs_s.items()},
    )
    return at_rate(stretched, 100.0)


def _angles(change: Callable[[Floats, np.random.Generator], Floats]) -> "Perturbation":
    def perturb(recording: Recording) -> Recording:
        rng = np.random.default_rng(sum(recording.name.encode()))
        return replace(recording, angles_deg=change(recording.angles_deg, rng))

    return perturb


def _jitter(recording: Recording) -> Recording:
    rng = np.random.default_rng(0)
    return resample(recording, recording.time_s + rng.uniform(-0.004, 0.004, len(recording.time_s)))


def _wrong_stamps(recording: Recording) -> Recording:
    rng = np.random.default_rng(0)
    jitter_s = rng.uniform(-0.004, 0.004, len(recording.time_s))
    return replace(recording, time_s=recording.time_s + jitter_s)


def _keep(chosen: Callable[[int, np.random.Generator], NDArray[np.bool_]]) -> "Perturbation":
    def perturb(recording: Recording) -> Recording:
        kept = chosen(len(recording.time_s), np.random.default_rng(0))
        return replace(
            recording, time_s=recording.time_s[kept], angles_deg=recording.angles_deg[kept]
        )

    return perturb


def _drift(angles_deg: Floats, rng: np.random.Generator) -> Floats:
    ramp = np.linspace(0.0, len(angles_deg) / 6000.0, len(angles_deg))[:, None]
    drifted: Floats = angles_deg + 10.0 * ramp * rng.choice((-1.0, 1.0), 10)
    return drifted


Perturbation = Callable[[Recording], Recording]

PERTURBATIONS: Final[dict[str, Perturbation]] = {
    "as recorded": lambda recording: recording,
    "50 Hz": lambda recording: at_rate(recording, 50.0),
    "60 Hz": lambda recording: at_rate(recording, 60.0),
    "148 Hz": lambda recording: at_rate(recording, 148.0),
    "200 Hz": lambda recording: at_rate(recording, 200.0),
    "500 Hz": lambda recording: at_rate(recording, 500.0),
    "60 steps/min": lambda recording: at_cadence(recording, 60.0),
    "80 steps/min": lambda recording: at_cadence(recording, 80.0),
    "120 steps/min": lambda recording: at_cadence(recording, 120.0),
    "150 steps/min": lambda recording: at_cadence(recording, 150.0),
    "180 steps/min": lambda recording: at_cadence(recording, 180.0),
    "180 steps/min, 50 Hz": lambda recording: at_rate(at_cadence(recording, 180.0), 50.0),
    "noise 0.5 deg": _angles(lambda x, rng: x + rng.normal(0.0, 0.5, x.shape)),
    "noise 1 deg": _angles(lambda x, rng: x + rng.normal(0.0, 1.0, x.shape)),
    "steps of 0.01 deg": _angles(lambda x, _: np.round(x, 2)),
    "zeros off by 15 deg": _angles(lambda x, rng: x + rng.choice((-15.0, 15.0), 10)),
    "drift of 10 deg/min": _angles(_drift),
    "all angles x 0.6": _angles(lambda x, _: 0.6 * x),
    "all angles x 0.8": _angles(lambda x, _: 0.8 * x),
    "all angles x 1.2": _angles(lambda x, _: 1.2 * x),
    "gains 0.8 to 1.2": _angles(lambda x, rng: x * rng.uniform(0.8, 1.2, 10)),
    "times jitter by 4 ms": _jitter,
    "time stamps wrong by 4 ms": _wrong_stamps,
    "5 % of samples lost": _keep(lambda n, rng: rng.random(n) >= 0.05),
    "20 % of samples lost": _keep(lambda n, rng: rng.random(n) >= 0.2),
    "60 ms gaps every 1.5 s": _keep(lambda n, _: np.arange(n) % 150 >= 5),
}
"""What may happen to angles between a leg and edgehip, and bodies unlike those recorded."""
