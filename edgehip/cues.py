"""Cues: a threshold on an estimate, switched with hysteresis and a refractory time.

Written ``glmed_r > 12 N/kg``, with ``, hysteresis=1`` (in the same unit) and ``, refractory_s=0.5``
if wanted. ``peak glmed_r > 12 N/kg`` looks at the peak of each finished stride, otherwise every
sample is looked at. A cue switches off (or stays off) when what it rests on cannot be trusted.
"""

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from edgehip.channels import MOMENTS, MUSCLES, Side
from edgehip.declared import checked
from edgehip.errors import CueError
from edgehip.events import (
    DISTRUST,
    CueChange,
    Flag,
    HipEstimate,
    HipSampleEstimate,
    JointAngleSample,
)
from edgehip.given import check_body

_NUMBER: Final = r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?"
_PATTERN: Final = re.compile(
    rf"(?P<peak>peak\s+)?(?P<name>\w+)_(?P<side>[lr])\s*(?P<sign>[<>]=?)\s*"
    rf"(?P<threshold>{_NUMBER})\s*(?P<unit>N/kg|Nm/kg|N|Nm)"
    rf"(?P<options>(\s*,\s*\w+\s*=\s*{_NUMBER})*)"
)
_OPTIONS: Final = ("hysteresis", "refractory_s")
_MEND: Final = "write it like 'glmed_r > 12 N/kg, hysteresis=1, refractory_s=0.5'"


@dataclass(frozen=True, slots=True)
class Cue:
    """One threshold.

    Parameters
    ----------
    text
        As it was given.
    name, side
        A moment or muscle of one hip.
    above
        Whether it switches on above the threshold, or below.
    threshold, hysteresis
        In N/kg or Nm/kg. It switches off when the value is back by the hysteresis.
    refractory_s
        For so long after switching off it does not switch on again.
    of_peak
        Whether it looks at the peak (for ``below``, the lowest point) of each stride.
    unit_per_kg
        1, or the body mass when the cue is in N or Nm: turns the value into the cue's unit.
    """

    text: str
    name: str
    side: Side
    above: bool
    threshold: float
    hysteresis: float = 0.0
    refractory_s: float = 0.0
    of_peak: bool = False
    unit_per_kg: float = 1.0


@checked
def parse_cue(text: str, body_mass_kg: float | None = None) -> Cue:
    """Return the cue a text describes.

    Raises
    ------
    CueError
        If it is written otherwise, names no output, has the wrong unit, or is in N or Nm while the
        body mass is not known.
    ArgumentError
        If it is no text, or nobody has that mass.
    """
    check_body(body_mass_kg)
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise CueError(f"cue {text!r} is not understood: {_MEND}")
    name, unit, sign = match["name"], match["unit"], match["sign"]
    if sign.endswith("="):
        raise CueError(f"cue {text!r}: write {sign[0]!r} for {sign!r}")
    if name not in MOMENTS + MUSCLES:
        raise CueError(
            f"cue {text!r}: no output {name!r}; there are: {', '.join(MOMENTS + MUSCLES)}"
        )
    kind = "Nm" if name in MOMENTS else "N"
    if unit.partition("/")[0] != kind:
        raise CueError(f"cue {text!r}: {name} is in {kind}/kg or {kind}")
    if not unit.endswith("/kg") and body_mass_kg is None:
        raise CueError(
            f"cue {text!r}: {unit} needs the body's mass: give --body-mass (Python: body_mass_kg)"
        )
    options: dict[str, float] = {}
    threshold = _number(match["threshold"], text)
    for option in filter(None, (o.strip() for o in match["options"].split(","))):
        key, _, value = (part.strip() for part in option.partition("="))
        if key not in _OPTIONS:
            raise CueError(f"cue {text!r}: unknown {key!r}; there are: {', '.join(_OPTIONS)}")
        if key in options:
            raise CueError(f"cue {text!r}: {key} is there twice; give it once")
        options[key] = _number(value, text)
        if options[key] < 0.0:
            raise CueError(f"cue {text!r}: {key} is negative; it is 0 or more")
    scale = 1.0 if unit.endswith("/kg") or body_mass_kg is None else body_mass_kg
    return Cue(
        text=text.strip(),
        name=name,
        side="l" if match["side"] == "l" else "r",
        above=sign == ">",
        threshold=threshold / scale,
        hysteresis=options.get("hysteresis", 0.0) / scale,
        refractory_s=options.get("refractory_s", 0.0),
        of_peak=bool(match["peak"]),
        unit_per_kg=scale,
    )


def check_voices(cues: Sequence[Cue], *, by_cycle: bool, by_sample: bool) -> None:
    """Refuse a cue that nothing would ever switch.

    Raises
    ------
    CueError
        If one looks at strides or samples, and those are not estimated.
    """
    for cue in cues:
        if not (by_cycle if cue.of_peak else by_sample):
            kind, model = ("cycle", "model") if cue.of_peak else ("sample", "sample_model")
            raise CueError(
                f"cue {cue.text!r} looks at every {kind}: give --estimates {kind} (in Python, a "
                f"{model})"
            )


def check_mass(cues: Sequence[Cue], body_mass_kg: float | None) -> None:
    """Refuse a cue in N or Nm of another body than the one that walks.

    Raises
    ------
    CueError
        If there is one, and the mass of the body that walks is known.
    """
    for cue in cues:
        if body_mass_kg is not None and cue.unit_per_kg not in (1.0, body_mass_kg):
            raise CueError(
                f"cue {cue.text!r} is of a body of {cue.unit_per_kg:g} kg, not of "
                f"{body_mass_kg:g} kg: parse it with that mass"
            )


def check_peaks(cues: Sequence[Cue], given: Collection[str]) -> None:
    """Refuse a cue that looks at the peak of what a model does not give.

    Raises
    ------
    CueError
        If there is one; ``given`` are the names of the model's outputs.
    """
    for cue in cues:
        if cue.of_peak and cue.name not in given:
            raise CueError(
                f"cue {cue.text!r}: the model gives no {cue.name}; it gives: {', '.join(given)}"
            )


def _number(digits: str, text: str) -> float:
    try:
        number = float(digits)
    except ValueError as error:
        raise CueError(f"cue {text!r}: {digits!r} is no number: {_MEND}") from error
    if not math.isfinite(number):
        raise CueError(f"cue {text!r}: {digits!r} is too large a number")
    return number


@dataclass(slots=True)
class CueState:
    """Whether a cue is on, and when it last went off."""

    on: bool = False
    off_s: float = -math.inf


@dataclass(slots=True)
class CuesState:
    """All cues, in their order."""

    cues: list[CueState] = field(default_factory=list)


class Cues:
    """Switches cues by estimates.

    Parameters
    ----------
    cues
        See :func:`parse_cue`.
    """

    def __init__(self, cues: Sequence[Cue]) -> None:
        self.cues = tuple(cues)
        self.state = CuesState([CueState() for _ in self.cues])

    def feed(self, estimate: HipSampleEstimate | HipEstimate) -> list[CueChange]:
        """Return the cues that an estimate switches."""
        changes = []
        for index, cue in enumerate(self.cues):
            if isinstance(estimate, HipEstimate):
                if not cue.of_peak or cue.side != estimate.side:
                    continue
                value, time_s = _peak(cue, estimate), estimate.confirmed_s
            else:
                if cue.of_peak:
                    continue
                value, time_s = estimate.value(f"{cue.name}_{cue.side}"), estimate.time_s
            distrust = tuple(flag for flag in estimate.flags if flag in DISTRUST)
            if not math.isfinite(value):
                distrust = distrust or (Flag.OUT_OF_RANGE,)
            change = self._switch(index, value, time_s, distrust, estimate.received_ns)
            if change is not None:
                changes.append(change)
        return changes

    def all_off(self, time_s: float, received_ns: int) -> list[CueChange]:
        """Switch off every cue that is on: the link is stale, nothing can be trusted."""
        return self._off(lambda cue: True, (Flag.LINK_DOWN,), time_s, received_ns)

    def peaks_off(self, side: Side, why: Flag, now: JointAngleSample) -> list[CueChange]:
        """Switch off the cues that rest on a foot's last stride: it says nothing of now."""
        return self._off(
            lambda cue: cue.of_peak and cue.side == side, (why,), now.time_s, now.received_ns
        )

    def _off(
        self, which: Callable[[Cue], bool], why: tuple[Flag, ...], time_s: float, received_ns: int
    ) -> list[CueChange]:
        changes = (
            self._switch(index, math.nan, time_s, why, received_ns)
            for index, cue in enumerate(self.cues)
            if which(cue)
        )
        return [change for change in changes if change is not None]

    def _switch(
        self, index: int, value: float, time_s: float, distrust: tuple[Flag, ...], received_ns: int
    ) -> CueChange | None:
        cue, state = self.cues[index], self.state.cues[index]
        beyond = value - cue.threshold if cue.above else cue.threshold - value
        if distrust:
            wanted, value = False, math.nan
        elif state.on:
            wanted = beyond > -cue.hysteresis
        else:
            # Times that went back are of another beginning, which knows of no pause.
            wanted = beyond > 0 and not 0.0 <= time_s - state.off_s < cue.refractory_s
        if wanted is state.on:
            return None
        state.on = wanted
        if not wanted:
            state.off_s = time_s
        told = value * cue.unit_per_kg
        return CueChange(index, cue.text, wanted, time_s, told, distrust, received_ns)


def _peak(cue: Cue, estimate: HipEstimate) -> float:
    curves = estimate.moments_nm_per_kg if cue.name in MOMENTS else estimate.forces_n_per_kg
    curve = curves.get(cue.name)
    if curve is None:
        return math.nan
    return float(curve.max() if cue.above else curve.min())
