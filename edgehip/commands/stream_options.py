"""What ``edgehip stream`` was given, and whether it fits together."""

import os
from dataclasses import dataclass
from pathlib import Path

import click

from edgehip.channels import MOMENTS, MUSCLES
from edgehip.commands.idle import refuse_idle
from edgehip.cues import Cue, check_voices, parse_cue
from edgehip.errors import CueError, ProfileError
from edgehip.lines import TimeUnit
from edgehip.messages import MAX_CUES
from edgehip.runtime import Format
from edgehip.sinks.output import OutputKind
from edgehip.sinks.records import SAMPLE_OUTPUTS, SAMPLE_SPREADS
from edgehip.sources import has_baud, split_pair
from edgehip.zero import Method


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Each option under the name of its parameter."""

    ports: tuple[str, ...]
    baud: int
    format_: Format
    time_unit: TimeUnit
    model_name: str
    sample_model_name: str
    estimates: frozenset[str]
    correct: bool
    outputs: tuple[str, ...]
    cues: tuple[str, ...]
    body_mass_kg: float | None
    body_height_m: float | None
    profile_path: Path | None
    calibrate: Method | None
    rate_hz: float | None
    output: OutputKind
    curves: bool
    record_path: Path | None
    send: str | None
    deadline_ms: float
    duration_s: float | None

    @property
    def port(self) -> str:
        """What the device, or both, are called."""
        return " + ".join(self.ports)

    @property
    def by_cycle(self) -> bool:
        """Whether every stride is to be estimated."""
        return "cycle" in self.estimates

    @property
    def by_sample(self) -> bool:
        """Whether every sample is to be estimated."""
        return "sample" in self.estimates

    def check(self) -> None:
        """Refuse what cannot be done, or does nothing, whatever the models and the ports are.

        Raises
        ------
        click.BadParameter, ProfileError
            If it is so; says which option, and why.
        """
        self._check_files()
        urls = self.ports if self.send is None else (*self.ports, self.send)
        has_bauds = any(map(has_baud, urls))
        is_csv, both = self.output == "csv", self.by_cycle and self.by_sample
        tells_cues = not is_csv or self.send is not None
        refuse_idle(
            ("baud", "--baud", has_bauds, f"with {self.port}: that is no serial port"),
            ("cues", "--cue", tells_cues, "with --output csv, which holds none, and no --send"),
            ("model_name", "--model", self.by_cycle, "without --estimates cycle"),
            ("curves", "--curves/--no-curves", self.by_cycle, "without --estimates cycle"),
            ("curves", "--curves/--no-curves", not is_csv, "with --output csv"),
            ("sample_model_name", "--sample-model", self.by_sample, "without --estimates sample"),
            ("outputs", "--outputs", self.by_sample, "without --estimates sample"),
            ("correct", "--correction/--no-correction", both, "without --estimates cycle,sample"),
            ("time_unit", "--time-unit", self.format_ == "lines", "without --format lines"),
            ("rate_hz", "--rate", self.format_ == "frames", "with --format lines"),
        )
        if both and is_csv:
            raise click.BadParameter("CSV holds one kind of estimate", param_hint="--estimates")

    def parsed_cues(self) -> list[Cue]:
        """Return the cues.

        Raises
        ------
        CueError, click.BadParameter
            If one is not understood, nothing would switch it, nothing wants the body's mass, or a
            device could not tell one from another.
        """
        if self.send is not None and len(self.cues) > MAX_CUES:
            raise CueError(
                f"{len(self.cues)} cues are more than the {MAX_CUES} that --send can tell a device "
                "apart: give fewer"
            )
        cues = [parse_cue(text, self.body_mass_kg) for text in self.cues]
        check_voices(cues, by_cycle=self.by_cycle, by_sample=self.by_sample)
        in_newtons = self.by_cycle or any(cue.unit_per_kg != 1.0 for cue in cues)
        why_not = "without --estimates cycle or a cue in N or Nm"
        refuse_idle(("body_mass_kg", "--body-mass", in_newtons, why_not))
        return cues

    def _check_files(self) -> None:
        path, record_path = self.profile_path, self.record_path
        if path is None:
            return
        if self.calibrate and os.path.exists(path):
            raise ProfileError(
                f"{path}: exists already; --calibrate would overwrite it: delete it, or name "
                "another"
            )
        if record_path and record_path.absolute() == path.absolute():
            raise click.BadParameter("names the same file as --profile", param_hint="--record")
        if self.calibrate and not os.access(path.parent, os.W_OK):
            raise ProfileError(f"{path}: cannot be written: no such folder, or no permission")


def one_or_two(
    context: click.Context, parameter: click.Parameter, ports: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the URLs of one device, or of two (``ble://LEFT+RIGHT`` names two)."""
    pair = ports if len(ports) > 1 else split_pair(ports[0])
    if len(pair) > 2:
        raise click.BadParameter("one device, or two: one at each leg", param_hint="--port")
    if len(set(pair)) < len(pair):
        raise click.BadParameter("names the same port twice; each leg has one", param_hint="--port")
    return pair


def voices(context: click.Context, parameter: click.Parameter, text: str) -> frozenset[str]:
    """Return which kinds of estimates are wanted: ``cycle``, ``sample`` or both."""
    names = frozenset(name.strip() for name in text.split(","))
    if not names <= {"cycle", "sample"}:
        raise click.BadParameter("is 'cycle', 'sample' or 'cycle,sample'", param_hint="--estimates")
    return names


def wanted_outputs(
    context: click.Context, parameter: click.Parameter, names: str | None
) -> tuple[str, ...]:
    """Return the per-sample outputs a comma-separated list names: with a side, or of both."""
    if names is None:
        return SAMPLE_OUTPUTS
    wanted: list[str] = []
    for name in (name.strip() for name in names.split(",")):
        matches = [o for o in SAMPLE_OUTPUTS + SAMPLE_SPREADS if name in (o, o[:-2])]
        if not matches:
            raise click.BadParameter(
                f"no output {name!r}; there are: {', '.join(MOMENTS + MUSCLES)}, each alone or "
                "with _l or _r, and with _spread before that for its interval",
                param_hint="--outputs",
            )
        wanted += matches
    return tuple(dict.fromkeys(wanted))
