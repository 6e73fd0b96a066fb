"""``edgehip stream``: from a port to estimates."""

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from edgehip import __version__
from edgehip.errors import EdgehipError, ProfileError
from edgehip.events import HipEstimate, LinkChange, PortOpened
from edgehip.lines import TimeUnit
from edgehip.model import DEFAULT_CYCLE_MODEL, load_model
from edgehip.profiles import load_profile, save_profile
from edgehip.runtime import DEFAULT_DEADLINE_MS, Format, Stream, StreamEvent
from edgehip.sinks.device import DeviceLink, estimate_message
from edgehip.sinks.output import Output, OutputKind, open_output
from edgehip.sinks.recorder import Recorder
from edgehip.sinks.summary import summary_lines
from edgehip.sources import DEFAULT_BAUD, open_source
from edgehip.sources.replay import ReplaySource
from edgehip.zero import Method, Profile


@click.command()
@click.option(
    "--port",
    required=True,
    metavar="URL",
    help="Where angles come from: /dev/ttyACM0, COM3, socket://HOST:PORT, "
    "replay:FILE?speed=1|2|max, synthetic:?OPTIONS, or anything else pySerial opens.",
)
@click.option("--baud", default=DEFAULT_BAUD, show_default=True, help="Of a serial port.")
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
    "--body-mass",
    "body_mass_kg",
    type=click.FloatRange(5, 350),
    metavar="KG",
    help="Adds N and Nm to N/kg and Nm/kg.",
)
@click.option(
    "--body-height",
    "body_height_m",
    type=click.FloatRange(0.5, 2.6),
    metavar="M",
    help="For models that ask for it.",
)
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(path_type=Path),
    help="The person's angle zero: read, or with --calibrate written.",
)
@click.option(
    "--calibrate",
    type=click.Choice(["standing", "strides"]),
    help="Measure the person's angle zero: 3 s of quiet standing, or the first 10 strides.",
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.FloatRange(50, 500),
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
@click.option(
    "--record", "record_path", type=click.Path(path_type=Path), help="Store the raw input here."
)
@click.option(
    "--send",
    metavar="URL",
    help="Write estimates as frames to this port; the same URL as --port answers the device.",
)
@click.option(
    "--deadline",
    "deadline_ms",
    type=click.FloatRange(min=0.01),
    default=DEFAULT_DEADLINE_MS,
    show_default=True,
    metavar="MS",
    help="From byte in to estimate out; later ones are counted as misses.",
)
@click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0), metavar="S", help="Stop by itself."
)
def stream(
    port: str,
    baud: int,
    format_: Format,
    time_unit: TimeUnit,
    model_name: str,
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
    """Estimate hip moments and muscle forces, stride by stride, until Ctrl-C.

    On a terminal the estimates are drawn; into a pipe they are written as JSON Lines or CSV, one
    record per estimate. A summary of strides, losses and latencies goes to standard error at the
    end.
    """
    if calibrate and profile_path and profile_path.exists():
        raise ProfileError(f"{profile_path}: exists already; --calibrate would overwrite it")
    model = load_model(model_name)
    profile = load_profile(profile_path) if profile_path and not calibrate else None
    recorder: Recorder | None = None
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(contextlib.closing(open_source(port, baud=baud)))
        if record_path:
            recorder = Recorder(record_path, _about(port, format_))
        streaming = Stream(
            source,
            model,
            format=format_,
            time_unit=time_unit,
            profile=profile,
            calibrate=calibrate,
            body_mass_kg=body_mass_kg,
            body_height_m=body_height_m,
            recorder=recorder.add if recorder else None,
            deadline_ms=deadline_ms,
        )
        device = DeviceLink(source) if format_ == "frames" and source.live else None
        target = device if send == port else None
        if send is not None and target is None:
            back = stack.enter_context(contextlib.closing(open_source(send, baud=baud)))
            target = DeviceLink(back)
        shown = open_output(output, streaming, port, curves)
        run = Run(streaming, shown, device, target, rate_hz, profile_path)
        problem: EdgehipError | None = None
        with _stopped_by_signals(streaming):
            try:
                run.until(None if duration_s is None else time.monotonic() + duration_s)
            except EdgehipError as error:
                problem = error  # told after what was received is safe and summed up
        told = summary_lines(streaming.summary()) + shown.close()
        if isinstance(source, ReplaySource) and source.torn_bytes:
            told.append(f"replay     {source.torn_bytes} bytes at the end are torn and were left")
        for link in {link for link in (device, target) if link is not None}:
            link.close()
            if link.dropped:
                told.append(f"send       {link.dropped} frames the device did not take")
        if recorder and (trouble := recorder.close()):
            problem = problem or EdgehipError(trouble)
        click.echo("\n".join(told), err=True)
    if problem:
        raise problem


@dataclass(frozen=True, slots=True)
class Run:
    """What the loop's events are handed to."""

    streaming: Stream
    shown: Output
    device: DeviceLink | None
    target: DeviceLink | None
    rate_hz: float | None
    profile_path: Path | None

    def until(self, ends_s: float | None) -> None:
        """Stream until the source ends, the reader is gone, or the time is up."""
        for event in self.streaming:
            self._handle(event)
            if self.shown.reader_gone or (ends_s is not None and time.monotonic() >= ends_s):
                return

    def _handle(self, event: StreamEvent | None) -> None:
        match event:
            case HipEstimate():
                if self.target:
                    clock = self.streaming.pipeline.receiver.clock
                    start_us = clock.raw_us(round(event.start_s * 1e6))
                    self.target.send(estimate_message(event, start_us))
                self.shown.estimate(event)
            case LinkChange():
                self.shown.link(event)
            case PortOpened():
                if self.device:
                    self.device.greet(self.rate_hz)
            case Profile():
                measured = datetime.now(UTC).isoformat(timespec="seconds")
                if self.profile_path:
                    save_profile(replace(event, measured_at=measured), self.profile_path)


def _about(port: str, format_: Format) -> dict[str, str]:
    return {
        "edgehip": __version__,
        "port": port,
        "format": format_,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@contextlib.contextmanager
def _stopped_by_signals(streaming: Stream) -> Iterator[None]:
    """End the stream at the first Ctrl-C or SIGTERM; a second one acts as usual."""

    def stop(number: int, frame: FrameType | None) -> None:
        streaming.stop()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
