"""``edgehip stream``: from a port to estimates."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import click

from edgehip import __version__
from edgehip.body import heeds_height, strangeness, unknown_index
from edgehip.commands.complaint import complain
from edgehip.commands.idle import refuse_idle
from edgehip.commands.numbers import FiniteRange
from edgehip.commands.paths import NamedPath
from edgehip.commands.run import Run
from edgehip.commands.signals import stopped_by_signals
from edgehip.commands.stream_options import StreamOptions, one_or_two, voices, wanted_outputs
from edgehip.errors import EdgehipError
from edgehip.given import HEIGHT_M, MASS_KG
from edgehip.interrupts import heed_interrupts
from edgehip.model import DEFAULT_CYCLE_MODEL, DEFAULT_SAMPLE_MODEL, Model, load_model
from edgehip.model_card import PersonalCard
from edgehip.model_report import whose
from edgehip.profiles import doubt, load_profile
from edgehip.runtime import DEFAULT_DEADLINE_MS, Stream
from edgehip.sinks.device import DeviceLink
from edgehip.sinks.output import open_output
from edgehip.sinks.profile_file import ProfileFile
from edgehip.sinks.recorder import Recorder
from edgehip.sources import DEFAULT_BAUD, Source, open_source
from edgehip.sources.pair import PairSource
from edgehip.sources.replay import ReplaySource


@click.command()
@click.option(
    "--port",
    "ports",
    required=True,
    multiple=True,
    metavar="URL",
    callback=one_or_two,
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
    help="A bundled model's name, or a file that ends in .tflite or .onnx (also where a bundled "
    "one has that name).",
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
    callback=voices,
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
    callback=wanted_outputs,
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
    help="Adds N and Nm to N/kg and Nm/kg; with --body-height, what their ratio changes.",
)
@click.option(
    "--body-height",
    "body_height_m",
    type=FiniteRange(*HEIGHT_M),
    metavar="M",
    help="Scales moments and times to this body; without it they are those of 1.7 m.",
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
def stream(**given: Any) -> None:
    """Estimate hip moments and muscle forces live, until Ctrl-C.

    On a terminal the estimates are drawn; into a pipe they are written as JSON Lines or CSV, one
    record per estimate. A summary of strides, losses and latencies goes to standard error at the
    end.
    """
    options = StreamOptions(**given)
    options.check()
    cues = options.parsed_cues()
    model = load_model(options.model_name, trusted=False) if options.by_cycle else None
    name = options.sample_model_name
    sample_model = load_model(name, trusted=False) if options.by_sample else None
    heeds = any(heeds_height(one.card) for one in (model, sample_model) if one is not None)
    refuse_idle(("body_height_m", "--body-height", heeds, "with a model that does not heed it"))
    if model and (index := unknown_index(model.card, options.body_height_m, options.body_mass_kg)):
        complain(
            f"{options.body_mass_kg:g} kg at {options.body_height_m:g} m are {index:.0f} kg/m2, "
            f"which nobody had from whom {model.card.name} learnt: trust it less"
        )
    if model is not None and model.card.personal is not None:
        _tell_of_person(model, model.card.personal, options)
    path = None if options.calibrate else options.profile_path
    profile = load_profile(path) if path else None
    heed_interrupts()
    with contextlib.ExitStack() as stack:
        opened = open_source(*options.ports, baud=options.baud, time_unit=options.time_unit)
        source = stack.enter_context(contextlib.closing(opened))
        no_device = f"with {options.port}: no device is there to ask"
        refuse_idle(("rate_hz", "--rate", source.live, no_device))
        why = doubt(profile, datetime.now().astimezone()) if profile and source.live else None
        if why:
            complain(
                f"{path}: {why}: a zero of another day is worse than none, unless the sensors "
                "have not moved since; measure it again with --calibrate"
            )
        streaming = Stream(
            source,
            model,
            sample_model=sample_model,
            correct=options.correct,
            cues=cues,
            format=options.format_,
            time_unit=options.time_unit,
            profile=profile,
            calibrate=options.calibrate,
            body_mass_kg=options.body_mass_kg,
            body_height_m=options.body_height_m,
            deadline_ms=options.deadline_ms,
        )
        stack.enter_context(stopped_by_signals(streaming))
        run = _outlets(options, streaming, stack)
        problem: EdgehipError | None = None
        try:
            run.loop()
        except EdgehipError as error:
            problem = error  # raised after what was received is safe and summed up
        told, problems = run.end(problem)
        click.echo("\n".join(told), err=True)
    if problems:
        raise problems[0]


def _outlets(options: StreamOptions, streaming: Stream, stack: contextlib.ExitStack) -> Run:
    """Open what a stream's events are handed to; the stack closes it, whatever happens."""
    source, path = streaming.source, options.profile_path
    answers, greets = options.send in options.ports, options.format_ == "frames"
    ways_back = source.each if isinstance(source, PairSource) else (source,)
    talks = source.live and (answers or greets)
    devices = tuple(DeviceLink(way) for way in ways_back) if talks else ()
    targets = devices if answers else ()
    if options.send is not None and not targets:
        back = open_source(options.send, baud=options.baud)
        targets = (DeviceLink(stack.enter_context(contextlib.closing(back))),)
        refuse_idle(("send", "--send", back.live, f"with {options.send}: no device is there"))
    recorder: Recorder | None = None
    if options.record_path:  # so late that another mistake leaves no empty recording
        recorder = Recorder(options.record_path, _about(options, source), on_trouble=complain)
        streaming.recorder = recorder.add
        stack.callback(recorder.close)
    recorded_at = source.recorded_at if isinstance(source, ReplaySource) else ""
    written = ProfileFile(path, complain, recorded_at) if path and options.calibrate else None
    shown = open_output(
        options.output, streaming, options.port, curves=options.curves, outputs=options.outputs
    )
    stack.callback(shown.close)
    greeted = devices if greets else ()
    run = Run(options, streaming, shown, greeted, targets, written, recorder)
    for link in reversed(run.links):  # what is entered last is closed first
        stack.callback(link.close)
    return run


def _tell_of_person(model: Model, personal: PersonalCard, options: StreamOptions) -> None:
    """Tell what is one person's, and that it is somebody else's if the body is."""
    line = f"{model.path}: {whose(personal, model.card.spread_coverage is not None)}"
    if options.by_sample and not options.correct:
        line += "; samples are everybody's with --no-correction"
    complain(line)
    if unlike := strangeness(personal, options.body_mass_kg, options.body_height_m):
        complain(
            f"{model.path}: was adapted to a body {unlike}: if this is somebody else, give their "
            "own file, or a model that is everybody's"
        )


def _about(options: StreamOptions, source: Source) -> dict[str, str]:
    return {
        "edgehip": __version__,
        "port": options.port,
        "format": options.format_,
        "devices": str(source.devices),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
