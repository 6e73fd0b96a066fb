"""The kinds of misbehaviour: what is sent when, and what must then be counted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal

import numpy as np

from edgehip.messages import Angles
from edgehip.wire import encode
from tests.streams import Injected, Walk, hurt, witnessed

Action = bytes | Literal["unplug", "plug in"]
Timed = list[tuple[float, Action]]
Change = Callable[[list[bytes], int, np.random.Generator], None]
WRAP: Final = 2**32
SHARE: Final = 0.05
"""Of the frames that are hurt."""
OTHER_SHARES: Final = (0.01, 0.2)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an attentive listener counts; ``lost`` are frames that never came whole."""

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    garbled: int = 0
    restarts: int = 0
    clock_jumps: int = 0

    def __str__(self) -> str:
        """Return what is not zero, in words."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n) or "-"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a device does, and what must come of it.

    ``actions`` are (time in s, what to do). ``device_s`` maps the angles of every genuine frame, no
    two of which are alike, to its time on the device's unwrapped clock. ``deliverable`` is how many
    of them arrive whole and in order. ``drift_ppm`` is how much the host's clock runs faster.
    """

    actions: Timed
    device_s: dict[tuple[float, ...], float]
    deliverable: int
    expected: Delivery = field(default_factory=Delivery)
    drift_ppm: float = 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of misbehaviour; ``slow`` if it is not for quick runs."""

    name: str
    plan: Callable[[Walk], Plan]
    slow: bool = False


def unlike(walk: Walk) -> Walk:
    """Return a walk with a little noise, so that no two of its samples are alike."""
    noise = np.random.default_rng(0).normal(0.0, 0.2, walk.angles_deg.shape)
    return Walk(walk.time_s, np.round(walk.angles_deg + noise, 2))


def _known(walk: Walk, device_s: np.ndarray) -> dict[tuple[float, ...], float]:
    return {
        tuple(angles): t
        for t, angles in zip(device_s.tolist(), walk.angles_deg.tolist(), strict=True)
    }


def _frames(walk: Walk, device_s: np.ndarray, first: int = 0) -> list[bytes]:
    rows = zip(device_s.tolist(), walk.angles_deg.tolist(), strict=True)
    return [encode(Angles(tuple(a)), first + i, round(t * 1e6)) for i, (t, a) in enumerate(rows)]


def _timed(walk: Walk, frames: list[bytes]) -> Timed:
    return list(zip(walk.time_s.tolist(), frames, strict=True))


def _clock(walk: Walk, device_s: np.ndarray, first: int = 0, **expected: int) -> Plan:
    """Return a plan in which every frame arrives, on a clock of its own."""
    actions = _timed(walk, _frames(walk, device_s, first))
    return Plan(actions, _known(walk, device_s), len(walk), Delivery(**expected))


def _damaged(walk: Walk, frames: list[bytes], injected: Injected, device_s: np.ndarray) -> Plan:
    """Return a plan of pieces, each sent when the last good frame in it is due."""
    number_of = {frame[:-1]: i for i, frame in enumerate(frames)}
    timed: Timed = []
    at = 0
    for piece in injected.pieces:
        for run in piece.split(b"\0"):
            at = max(at, number_of.get(run, at))
        timed.append((float(walk.time_s[at]), piece))
    return Plan(
        timed,
        _known(walk, device_s),
        len(injected.delivered),
        Delivery(
            lost=injected.dropped,
            duplicated=injected.duplicated,
            reordered=injected.reordered,
            garbled=injected.garbled,
        ),
    )


def _each(change: Change, share: float = SHARE) -> Callable[[Walk], Plan]:
    """Return a case that changes a share of the frames, each in its place of a list of pieces."""

    def plan(walk: Walk) -> Plan:
        frames, rng = walk.frames(), np.random.default_rng(1)
        pieces = list(frames)
        # The first and last frames are left alone, so that every loss can be seen.
        for i in range(2, len(frames) - 3, 2):
            if rng.random() < 2 * share:
                change(pieces, i, rng)
        return _damaged(walk, frames, witnessed(frames, pieces), walk.time_s)

    return plan


def _drop(pieces: list[bytes], i: int, rng: np.random.Generator) -> None:
    pieces[i] = b""


def _repeat(pieces: list[bytes], i: int, rng: np.random.Generator) -> None:
    pieces[i] *= 2


def _swap(pieces: list[bytes], i: int, rng: np.random.Generator) -> None:
    pieces[i], pieces[i + 1] = pieces[i + 1], pieces[i]


def _flip(pieces: list[bytes], i: int, rng: np.random.Generator) -> None:
    spoiled = bytearray(pieces[i])
    spoiled[rng.integers(len(spoiled))] ^= 1 << int(rng.integers(8))
    pieces[i] = bytes(spoiled)


def _split(walk: Walk) -> Plan:
    """Write every frame in two parts, the second half a period later."""
    half_s = float(walk.time_s[1] - walk.time_s[0]) / 2
    timed = [
        part
        for t, frame in zip(walk.time_s.tolist(), walk.frames(), strict=True)
        for part in ((t, frame[:17]), (t + half_s, frame[17:]))
    ]
    return Plan([*timed], _known(walk, walk.time_s), len(walk))


def _merge(walk: Walk) -> Plan:
    """Write seven frames at once, as a Bluetooth link or a buffering driver would."""
    frames, times = walk.frames(), walk.time_s.tolist()
    last = len(walk) - 1
    timed: Timed = [
        (times[min(i + 6, last)], b"".join(frames[i : i + 7])) for i in range(0, len(frames), 7)
    ]
    return Plan(timed, _known(walk, walk.time_s), len(walk))


def _stall(walk: Walk) -> Plan:
    """Hold everything back for 1.5 s, then send it at once."""
    start_s = float(walk.time_s[-1]) / 2
    timed = _timed(walk, walk.frames())
    held = [(max(t, start_s + 1.5) if t >= start_s else t, frame) for t, frame in timed]
    return Plan(held, _known(walk, walk.time_s), len(walk))


def _unplugged(seconds: float) -> Callable[[Walk], Plan]:
    """Return a case that pulls the cable; the device goes on measuring without it."""

    def plan(walk: Walk) -> Plan:
        cut_s = 0.4 * float(walk.time_s[-1])
        # The rest of the walk comes so much later, with sequence numbers and clock to match.
        away_s = seconds + 1.5
        rate_hz = 1.0 / float(walk.time_s[1] - walk.time_s[0])
        missed = round(away_s * rate_hz)
        before = walk.time_s < cut_s
        device_s = np.where(before, walk.time_s, walk.time_s + missed / rate_hz)
        first = int(before.sum())
        whole = _frames(walk, device_s)[:first]
        rest = _frames(walk, device_s, missed)[first:]
        timed: Timed = list(zip(device_s.tolist(), whole + rest, strict=True))
        timed[first:first] = [(cut_s + 0.2, "unplug"), (cut_s + 0.2 + seconds, "plug in")]
        return Plan(timed, _known(walk, device_s), len(walk), Delivery(lost=missed))

    return plan


def _reboot(walk: Walk) -> Plan:
    """Cut a frame short, be silent for 2 s, and count from zero again."""
    half = len(walk) // 2
    away_s = 2.0
    device_s = walk.time_s.copy()
    device_s[half:] -= device_s[half]
    first, second = Walk(walk.time_s[:half], walk.angles_deg[:half]), walk.angles_deg[half:]
    again = Walk(device_s[half:], second)
    cut = float(walk.time_s[half])
    timed: Timed = [*_timed(first, first.frames()), (cut, first.frames()[0][:11])]
    timed += [(t + cut + away_s, frame) for t, frame in _timed(again, again.frames())]
    # The half frame and the first of the new ones are one run of bytes that is no frame.
    return Plan(timed, _known(walk, device_s), len(walk) - 1, Delivery(garbled=1, restarts=1))


def _jump(walk: Walk) -> Plan:
    """Let the device's clock leap by 100 s while its frames go on."""
    device_s = walk.time_s.copy()
    device_s[len(walk) // 2 :] += 100.0
    return _clock(walk, device_s, clock_jumps=1)


def _drift(walk: Walk) -> Plan:
    return replace(_clock(walk, 1.001 * walk.time_s), drift_ppm=-1000.0)


def _wrap(walk: Walk) -> Plan:
    """Begin just before the sequence number and the clock begin again."""
    return _clock(walk, walk.time_s + WRAP / 1e6 - 3.0, WRAP - 200)


def _together(walk: Walk, share: float = SHARE) -> Plan:
    """Drop, repeat, swap, flip and babble, across a wrap, on a clock that drifts, cut anywhere."""
    device_s = 1.001 * walk.time_s + WRAP / 1e6 - 3.0
    frames = _frames(walk, device_s, WRAP - 200)
    plan = _damaged(walk, frames, hurt(frames, 2, share=share), device_s)
    rng = np.random.default_rng(3)
    cut: Timed = []
    carried = b""
    for t, piece in plan.actions:
        assert isinstance(piece, bytes)
        carried += piece
        at = int(rng.integers(0, len(carried) + 1))
        cut.append((t, carried[:at]))
        carried = carried[at:]
    cut.append((float(walk.time_s[-1]), carried))
    return replace(plan, actions=cut, drift_ppm=-1000.0)


_CHANGES: Final[dict[str, Change]] = {
    "drop": _drop,
    "duplicate": _repeat,
    "reorder": _swap,
    "bit flip": _flip,
}

CASES: Final = (
    Case("none", lambda walk: _clock(walk, walk.time_s)),
    *(Case(f"{name} {SHARE:.0%}", _each(change)) for name, change in _CHANGES.items()),
    Case("split", _split),
    Case("merge", _merge),
    Case("stall of 1.5 s", _stall),
    Case("unplugged for 3 s", _unplugged(3.0)),
    Case("unplugged for 30 s", _unplugged(30.0), slow=True),
    Case("reboot", _reboot),
    Case("clock jump of 100 s", _jump),
    Case("clock drift of 1000 ppm", _drift),
    Case("counters wrap", _wrap),
    Case(f"together {SHARE:.0%}", _together),
)

OTHER_CASES: Final = tuple(
    case
    for share in OTHER_SHARES
    for case in (
        *(Case(f"{name} {share:.0%}", _each(c, share), slow=True) for name, c in _CHANGES.items()),
        Case(f"together {share:.0%}", partial(_together, share=share), slow=True),
    )
)
"""The same at other rates of faults, for one sample rate."""
