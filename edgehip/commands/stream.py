"""``edgehip stream``: from a port to estimates."""

import contextlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from edgehip import __version__
from edgehip.channels import MOMENTS, MUSCLES
from edgehip.cli import heed_interrupts
from edgehip.commands.complaint import complain
from edgehip.commands.idle import refuse_idle
from edgehip.commands.numbers import FiniteRange
from edgehip.commands.paths import NamedPath
from edgehip.commands.run import Run, stopped_by_signals
from edgehip.cues import check_voices, parse_cue
from edgehip.errors import EdgehipError, ProfileError
from edgehip.given import HEIGHT_M, MASS_KG
from edgehip.lines import TimeUnit
from edgehip.model import DEFAULT_CYCLE_MODEL, DEFAULT_SAMPLE_MODEL, load_model
from edgehip.profiles import doubt, load_profile
from edgehip.runtime import DEFAULT_DEADLINE_MS, Format, Stream
from edgehip.sinks.device import DeviceLink
from edgehip.sinks.output import OutputKind, open_output
from edgehip.sinks.profile_file import ProfileFile
from edgehip.sinks.recorder import Recorder
from edgehip.sinks.records import SAMPLE_OUTPUTS, SAMPLE_SPREADS
from edgehip.sinks.summary import summary_lines
from edgehip.sources import DEFAULT_BAUD, has_baud, open_source, split_pair
from edgehip.sources.replay import ReplaySource
from edgehip.zero import NO_ZERO, Method


@click.command()
@click.option(
    "--port",
    "ports",
    required=True,
    multiple=True,
    metavar="URL",
    help="Where angles come from: /dev/ttyACM0, COM3, socket://HOST:PORT, "
    "rfc2217://HOST:PORT, ble://NAME, replay:FILE?speed=1|2|max, synthetic:?OPTIONS, or anything "
    "else pySerial opens. "
    "Twice for two devices, one at each leg.",
)
@click.option(
    "--baud",
    type=click.IntRange(min=1),
    default=DEFAULT_BAUD,
    show_default=True,
    help="Of a serial port.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["frames", "lines"]),
    default="frames",
    show_default=True,
    help="edgehip's binary frames, or text lines 'time,angle1,...,angle10'.",
)
@click.option(
    "--time-unit",
    type=click.Choice(["us", "ms", "s"]),
    default="ms",
    show_default=True,
    help="Of text lines without a header.",
)
@click.option(
    "--model",
    "model_name",
    default=DEFAULT_CYCLE_MODEL,
    show_default=True,
    metavar="FILE",
    help="A .tflite or .onnx model file, or the name of a bundled model.",
)
@click.option(
    "--sample-model",
    "sample_model_name",
    default=DEFAULT_SAMPLE_MODEL,
    show_default=True,
    metavar="FILE",
    help="The model for per-sample estimates.",
)
@click.option(
    "--estimates",
    default="cycle",
    show_default=True,
    help="cycle (one per stride), sample (one per sample, without delay), or cycle,sample.",
)
@click.option(
    "--correction/--no-correction",
    "correct",
    default=True,
    help="With cycle,sample: correct each sample's estimate by what the whole-cycle estimates of "
    "the strides before showed at the same gait phase.",
)
@click.option(
    "--outputs",
    metavar="NAMES",
    help="What per-sample records hold: hip_flexion,glmed_r ... (default: all moments "
    "and forces); hip_flexion_spread is the half-width of its interval.",
)
@click.option(
    "--cue",
    "cues",
    multiple=True,
    metavar="EXPR",
    help="Switch a cue by a threshold: 'glmed_r > 12 N/kg, hysteresis=1, refractory_s=0.5' at "
    "every sample, 'peak hip_flexion_l > 0.9 Nm/kg' at every stride. May be repeated.",
)
@click.option(
    "--body-mass",
    "body_mass_kg",
    type=FiniteRange(*MASS_KG),
    metavar="KG",
    help="Adds N and Nm to N/kg and Nm/kg.",
)
@click.option(
    "--body-height",
    "body_height_m",
    type=FiniteRange(*HEIGHT_M),
    metavar="M",
    help="For models that ask for it.",
)
@click.option(
    "--profile",
    "profile_path",
    type=NamedPath(),
    help="The person's angle zero: read, or with --calibrate written.",
)
@click.option(
    "--calibrate",
    type=click.Choice(["standing", "strides"]),
    help="Measure the person's angle zero: 3 s of quiet standing, or the first 10 strides (of "
    "which edgehip's own models take nothing out, so stand).",
)
@click.option(
    "--rate",
    "rate_hz",
    type=FiniteRange(50, 500),
    metavar="HZ",
    help="Ask the device for this sample rate.",
)
@click.option(
    "--output",
    type=click.Choice(["auto", "view", "jsonl", "csv"]),
    default="auto",
    show_default=True,
    help="auto: a live view on a terminal, JSON Lines into a pipe.",
)
@click.option("--curves/--no-curves", default=True, help="Whole curves in JSON, or peaks only.")
@click.option("--record", "record_path", type=NamedPath(), help="Store the raw input here.")
@click.option(
    "--send",
    metavar="URL",
    help="Write estimates as frames to this port; the same URL as --port answers the device. "
    "Estimates of every sample at 100 Hz want 230400 baud.",
)
@click.option(
    "--deadline",
    "deadline_ms",
    type=FiniteRange(min=0.01),
    default=DEFAULT_DEADLINE_MS,
    show_default=True,
    metavar="MS",
    help="From byte in to estimate out; later ones are counted as misses.",
)
@click.option(
    "--duration", "duration_s", type=FiniteRange(min=0), metavar="S", help="Stop by itself."
)
def stream(
    ports: tuple[str, ...],
    baud: int,
    format_: Format,
    time_unit: TimeUnit,
    model_name: str,
    sample_model_name: str,
    estimates: str,
    correct: bool,
    outputs: str | None,
    cues: tuple[str, ...],
    body_mass_kg: float | None,
    body_height_m: float | None,
    profile_path: Path | None,
    calibrate: Method | None,
    rate_hz: float | None,
    output: OutputKind,
    curves: bool,
    record_path: Path | None,
    send: str | None,
    deadline_ms: float,
    duration_s: float | None,
) -> None:
    """Estimate hip moments and muscle forces live, until Ctrl-C.

    On a terminal the estimates are drawn; into a pipe they are written as JSON Lines or CSV, one
    record per estimate. A summary of strides, losses and latencies goes to standard error at the
    end.
    """
    if calibrate and profile_path and os.path.exists(profile_path):
        raise ProfileError(
            f"{profile_path}: exists already; --calibrate would overwrite it: delete it, or name "
            "another"
        )
    if record_path and profile_path and record_path.absolute() == profile_path.absolute():
        raise click.BadParameter("names the same file as --profile", param_hint="--record")
    if calibrate and profile_path and not os.access(profile_path.parent, os.W_OK):
        raise ProfileError(f"{profile_path}: cannot be written: no such folder, or no permission")
    pair = _one_or_two(ports)
    port = " + ".join(pair)
    by_cycle, by_sample = _voices(estimates)
    both = by_cycle and by_sample
    has_bauds = any(has_baud(url) for url in (*pair, send) if url is not None)
    tells_cues = output != "csv" or send is not None
    refuse_idle(
        ("baud", "--baud", has_bauds, f"with {port}: that is no serial port"),
        ("cues", "--cue", tells_cues, "with --output csv, which holds none, and no --send"),
        ("model_name", "--model", by_cycle, "without --estimates cycle"),
        ("curves", "--curves/--no-curves", by_cycle, "without --estimates cycle"),
        ("curves", "--curves/--no-curves", output != "csv", "with --output csv"),
        ("sample_model_name", "--sample-model", by_sample, "without --estimates sample"),
        ("outputs", "--outputs", by_sample, "without --estimates sample"),
        ("correct", "--correction/--no-correction", both, "without --estimates cycle,sample"),
        ("time_unit", "--time-unit", format_ == "lines", "without --format lines"),
        ("rate_hz", "--rate", format_ == "frames", "with --format lines"),
    )
    if both and output == "csv":
        raise click.BadParameter("CSV holds one kind of estimate", param_hint="--estimates")
    wanted = _wanted(outputs)
    thresholds = [parse_cue(text, body_mass_kg) for text in cues]
    check_voices(thresholds, by_cycle=by_cycle, by_sample=by_sample)
    in_newtons = by_cycle or any(cue.unit_per_kg != 1.0 for cue in thresholds)
    why_not = "without --estimates cycle or a cue in N or Nm"
    refuse_idle(("body_mass_kg", "--body-mass", in_newtons, why_not))
    model = load_model(model_name, trusted=False) if by_cycle else None
    asks = model is not None and model.card.input("body_height_m") is not None
    refuse_idle(("body_height_m", "--body-height", asks, "with a model that does not ask for it"))
    sample_model = load_model(sample_model_name, trusted=False) if by_sample else None
    profile = load_profile(profile_path) if profile_path and not calibrate else None
    heed_interrupts()
    recorder: Recorder | None = None
    with contextlib.ExitStack() as stack:
        opened = open_source(*pair, baud=baud, time_unit=time_unit)
        source = stack.enter_context(contextlib.closing(opened))
        refuse_idle(("rate_hz", "--rate", source.live, f"with {port}: no device is there to ask"))
        why = doubt(profile, datetime.now().astimezone()) if profile and source.live else None
        if why:
            complain(
                f"{profile_path}: {why}: a zero of another day is worse than none, unless the "
                "sensors have not moved since; measure it again with --calibrate"
            )
        streaming = Stream(
            source,
            model,
            sample_model=sample_model,
            correct=correct,
            cues=thresholds,
            format=format_,
            time_unit=time_unit,
            profile=profile,
            calibrate=calibrate,
            body_mass_kg=body_mass_kg,
            body_height_m=body_height_m,
            deadline_ms=deadline_ms,
        )
        stack.enter_context(stopped_by_signals(streaming))
        answers = send in pair
        device = DeviceLink(source) if source.live and (answers or format_ == "frames") else None
        target = device if answers else None
        if send is not None and target is None:
            back = stack.enter_context(contextlib.closing(open_source(send, baud=baud)))
            target = DeviceLink(back)
        if record_path:  # so late that another mistake leaves no empty recording
            about = _about(port, format_, source.devices)
            recorder = Recorder(record_path, about, on_trouble=complain)
            streaming.recorder = recorder.add
            stack.callback(recorder.close)
        written = ProfileFile(profile_path, complain) if profile_path and calibrate else None
        shown = open_output(output, streaming, port, curves=curves, outputs=wanted)
        # Whatever happens, cues are switched off, and the terminal is left as it was.
        stack.callback(shown.close)
        # First the one that hears of cues: a motor may follow them.
        links = list(dict.fromkeys(link for link in (target, device) if link is not None))
        for link in reversed(links):  # what is entered last is closed first
            stack.callback(link.close)
        greeted = device if format_ == "frames" else None
        run = Run(streaming, shown, greeted, target, rate_hz, written)
        # The first is raised after what was received is safe and summed up.
        problems: list[EdgehipError | None] = []
        try:
            run.until(None if duration_s is None else time.monotonic() + duration_s)
        except EdgehipError as error:
            problems.append(error)
        problems.append(streaming.complaint())
        for link in links:
            link.close()
        told = summary_lines(streaming.summary()) + shown.close()
        if isinstance(source, ReplaySource):
            left_out = source.left_out(as_lines=format_ == "lines")
            if isinstance(left_out, EdgehipError) and not any(problems):
                problems.append(left_out)
            elif left_out is not None:
                told.append(f"replay     {left_out}")
        if streaming.pipeline.zero != NO_ZERO:
            told.append(f"zero       {streaming.pipeline.zero}")
        for link in links:
            if link.dropped:
                told.append(f"send       {link.dropped} frames the device did not take")
        if written:
            problems.append(_unmeasured(written.path, streaming))
        closed = [sink.close() for sink in (written, recorder) if sink is not None]
        problems += [EdgehipError(trouble) for trouble in (shown.trouble, *closed) if trouble]
        click.echo("\n".join(told), err=True)
    for problem in filter(None, problems):
        raise problem


def _unmeasured(path: Path, streaming: Stream) -> ProfileError | None:
    """Return why a zero that was to be measured is none, if it is none."""
    calibration = streaming.pipeline.state.calibration
    if calibration is None:
        return None
    wants = "3 s of quiet standing" if calibration.method == "standing" else "10 whole strides"
    if streaming.pipeline.watch.is_frozen:
        wants += ", and no angle changes any more: see what measures them"
    return ProfileError(f"{path}: not written: the stream ended before there were {wants}")


def _one_or_two(ports: tuple[str, ...]) -> tuple[str, ...]:
    """Return the URLs of one device, or of two (``ble://LEFT+RIGHT`` names two)."""
    first, *_ = ports
    pair = ports if len(ports) > 1 else split_pair(first)
    if len(pair) > 2:
        raise click.BadParameter("one device, or two: one at each leg", param_hint="--port")
    if len(set(pair)) < len(pair):
        raise click.BadParameter("names the same port twice; each leg has one", param_hint="--port")
    return pair


def _about(port: str, format_: Format, devices: int) -> dict[str, str]:
    return {
        "edgehip": __version__,
        "port": port,
        "format": format_,
        "devices": str(devices),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _wanted(names: str | None) -> tuple[str, ...]:
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


def _voices(text: str) -> tuple[bool, bool]:
    """Return whether estimates per cycle and per sample are wanted."""
    names = {name.strip() for name in text.split(",")}
    if not names <= {"cycle", "sample"}:
        raise click.BadParameter("is 'cycle', 'sample' or 'cycle,sample'", param_hint="--estimates")
    return "cycle" in names, "sample" in names
