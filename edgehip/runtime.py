"""The one loop: takes what a source gives, runs the pipeline, watches the link and the time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Self, get_args

from edgehip.cues import Cue
from edgehip.errors import DeviceError, EdgehipError
from edgehip.events import (
    BrokenCycle,
    Chunk,
    CueChange,
    Fault,
    HipEstimate,
    HipSampleEstimate,
    LinkChange,
    LinkFault,
    LinkState,
    PortLost,
    PortOpened,
)
from edgehip.given import check_choice
from edgehip.latency import LatencyMeter, Out, Percentiles
from edgehip.lines import LineDecoder, TimeUnit
from edgehip.link import LinkMonitor
from edgehip.messages import Description
from edgehip.model import Model
from edgehip.pipeline import Event, Pipeline
from edgehip.recording import SourceItem
from edgehip.sources import Source
from edgehip.wire import FrameDecoder
from edgehip.zero import Method, Profile

TICK_S: Final = 0.05
DEFAULT_DEADLINE_MS: Final = 20.0
HOPELESS_S: Final = 3.0
"""For so long a device may send what is of no use before it is given up."""
HOPELESS_BYTES: Final = 2000
"""So many bytes without one valid frame are no frames at all (50 frames' worth)."""
HOPELESS_SAMPLES: Final = 50
HEADER_WITHIN_S: Final = 5.0
"""For so long a header that can be used may follow one that noise, or a late start, spoilt."""
CLOCK_CHECK_S: Final = 2.0
CLOCK_FACTOR: Final = 10.0
"""A device clock this much faster or slower than the host's is in another unit..."""
CLOCK_SURE_S: Final = 1.0
"""... if it stays so: after a stall of the link it seems slow until what waited is there."""

Format = Literal["frames", "lines"]
StreamEvent = Event | PortOpened | LinkChange


@dataclass(frozen=True, slots=True)
class Summary:
    """What a stream came to. Latencies are distributions, in milliseconds.

    ``by_cycle`` says whether strides were estimated at all, ``seconds`` how long there were samples
    by their own times, ``in_radians`` whether their angles look so, ``assumed_columns`` as what
    text lines were read if no header said it.
    """

    by_cycle: bool
    estimates: dict[str, int]
    broken_cycles: int
    cues_switched_on: int
    samples: int
    seconds: float
    in_radians: bool
    assumed_columns: str
    frames_lost: int
    loss_percent: float
    faults: dict[str, int]
    latency: dict[str, Percentiles]
    deadline_ms: float
    deadline_misses: int
    clock_drift_ppm: float
    clock_uncertainty_ms: float | None


class Stream:
    """A source, a model, and what comes of them; iterate it, and close it (or use ``with``).

    Parameters
    ----------
    source
        See :func:`edgehip.sources.open_source`; closed with the stream.
    model, sample_model
        For an estimate per stride, and per sample (see :func:`edgehip.model.load_model`); None for
        none.
    correct
        Correct per-sample estimates by what the strides before showed
        (:mod:`edgehip.estimators.correction`); it takes both models.
    cues
        Switched by the estimates (see :func:`edgehip.cues.parse_cue`).
    format
        ``frames`` or text ``lines``.
    time_unit
        Of text lines without a header.
    profile, calibrate, body_mass_kg, body_height_m
        See :class:`edgehip.pipeline.Pipeline`.
    recorder
        Called with every item as it came, before anything else is done with it.
    deadline_ms
        From byte in to estimate out; what takes longer is counted as a miss.

    Raises
    ------
    ArgumentError, CueError, ModelInputError, ProfileError
        See :class:`edgehip.pipeline.Pipeline`; or there is no such format.
    DeviceError
        While iterating: the device lacks angles the model needs, speaks another format, names its
        columns as nobody can read, or its clock is in another unit.
    """

    def __init__(
        self,
        source: Source,
        model: Model | None,
        *,
        sample_model: Model | None = None,
        correct: bool = True,
        cues: Sequence[Cue] = (),
        format: Format = "frames",
        time_unit: TimeUnit = "ms",
        profile: Profile | None = None,
        calibrate: Method | None = None,
        body_mass_kg: float | None = None,
        body_height_m: float | None = None,
        recorder: Callable[[SourceItem], None] | None = None,
        deadline_ms: float = DEFAULT_DEADLINE_MS,
    ) -> None:
        check_choice("format", format, get_args(Format))
        self.source = source
        self.meter = LatencyMeter(time.monotonic_ns, round(deadline_ms * 1e6))
        self.link = LinkMonitor()
        self.pipeline = Pipeline(
            model,
            sample_model=sample_model,
            correct=correct,
            cues=cues,
            profile=profile,
            calibrate=calibrate,
            body_mass_kg=body_mass_kg,
            body_height_m=body_height_m,
            devices=source.devices,
            decoder=partial(LineDecoder, time_unit) if format == "lines" else FrameDecoder,
            mark=self.meter.mark,
            waited_ns=self._waited_ns,
        )
        self.model_names = ", ".join(m.card.name for m in (model, sample_model) if m)
        self.estimate_counts = {"l": 0, "r": 0}
        self.broken_cycles = 0
        self.cues_switched_on = 0
        self.recorder = recorder
        self.stopped = False
        self._running: Iterator[StreamEvent | None] | None = None
        self._newest: Event | None = None
        self._described = False
        self._bytes = 0
        self._printable = True
        self._first_byte_ns = 0
        self._headless_ns: int | None = None
        self._first_sample: tuple[float, int] | None = None
        self._slow_ns: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the source."""
        self.source.close()

    def stop(self) -> None:
        """End the iteration soon; may be called from a signal handler."""
        self.stopped = True

    def __iter__(self) -> Iterator[StreamEvent | None]:
        """Yield events as they happen, and None after each item and 50 ms without one.

        So whoever iterates can stop, however long nothing happens. Who leaves and comes back goes
        on with the next event. Whatever ends the stream, at last every cue that is on goes off; who
        leaves the loop for good instead of calling :meth:`stop` does not see that.
        """
        self._running = self._running or self._events()
        for event in self._running:
            yield event
            self._measure(event)

    def _events(self) -> Iterator[StreamEvent | None]:
        problem: EdgehipError | None = None
        try:
            try:
                yield from self._items()
            except EdgehipError as error:
                problem = error
            yield from self.pipeline.stalled(time.monotonic_ns())
            if problem is not None:
                raise problem
        finally:
            self._running = None

    def _items(self) -> Iterator[StreamEvent | None]:
        while not self.stopped and not self.source.ended:
            item = self.source.read(TICK_S)
            if item is not None:
                yield from self._follow(item)
            elif self.source.live:
                now_ns = time.monotonic_ns()
                yield from self._changed(self.link.tick(now_ns), now_ns)
            yield None
        self._check_end()

    def _follow(self, item: SourceItem) -> Iterator[StreamEvent]:
        """Yield what an item brings about."""
        if self.recorder is not None:
            self.recorder(item)
        yield from self._changed(self.link.tick(item.received_ns), item.received_ns)
        self.meter.start(item.received_ns if self.source.live else time.monotonic_ns())
        if isinstance(item, PortOpened):
            yield item
        elif isinstance(item, PortLost):
            change = self.link.port_lost(item.received_ns, item.detail)
            yield from self._changed(change, item.received_ns)
        before = self.pipeline.state.samples - self.link.samples
        for event in self.pipeline.follow(item):
            yield from self._changed(self._sampled(before, item), item.received_ns)
            self._note(event)
            yield event
            if isinstance(event, LinkFault) and event.fault is Fault.COLUMNS:
                change = self.link.renamed(item.received_ns)
                yield from self._changed(change, item.received_ns)
        yield from self._changed(self._sampled(before, item), item.received_ns)
        self.link.received = self.pipeline.intake.samples
        if self.source.live:
            self.meter.arrived(self.pipeline.intake.receivers[item.device].late_ns)
        if isinstance(item, Chunk):
            self._check(item)

    def _sampled(self, before: int, item: SourceItem) -> LinkChange | None:
        """Tell the link of an item's samples as far as they were taken; return what changed.

        ``before`` is how many more the pipeline had taken than the link knew of.
        """
        samples = self.pipeline.state.samples - self.link.samples - before
        if not samples:
            return None
        if self.pipeline.state.stale:
            return self.link.came_late(samples, item.received_ns, self.pipeline.age_s)
        return self.link.sampled(samples, item.received_ns)

    def _waited_ns(self, received_ns: int) -> int:
        """Return how long ago something was received, if it comes when it comes."""
        return max(0, time.monotonic_ns() - received_ns) if self.source.live else 0

    def _changed(self, change: LinkChange | None, at_ns: int) -> Iterator[StreamEvent]:
        """Yield a change of the link and what follows from it."""
        if change is None:
            return
        yield change
        if change.state is not LinkState.LIVE:
            yield from self.pipeline.stalled(at_ns)

    def _check_end(self) -> None:
        """Say so when what came, or its end, could not be used."""
        if self.pipeline.intake.unusable_header:
            raise DeviceError(self.pipeline.intake.unusable_header)
        if not self.source.ended or self.stopped:
            return
        if self.pipeline.state.samples and self._doubtful():
            raise DeviceError(_other_unit("microseconds"))
        if not self.pipeline.state.samples:
            raise DeviceError(self._without_samples())

    def complaint(self) -> DeviceError | None:
        """Return why no sample came, if there was time for it; whoever ended the stream may ask."""
        if self.pipeline.state.samples or not self.link.has_waited:
            return None
        return DeviceError(self._without_samples())

    def estimates(self) -> Iterator[HipEstimate]:
        """Yield the estimates, and nothing else."""
        for event in self:
            if isinstance(event, HipEstimate):
                yield event

    def summary(self) -> Summary:
        """Return what there was so far."""
        meter, timebase = self.meter, self.pipeline.intake.receivers[0].timebase
        state = self.pipeline.state
        uncertainty_ns = timebase.uncertainty_ns
        return Summary(
            by_cycle=self.pipeline.estimator is not None,
            estimates=dict(self.estimate_counts),
            broken_cycles=self.broken_cycles,
            cues_switched_on=self.cues_switched_on,
            samples=self.link.samples,
            seconds=(state.last_sample_s or 0.0) - (state.first_sample_s or 0.0),
            in_radians=self.pipeline.units.state.are_radians,
            assumed_columns=self.pipeline.intake.assumed_columns,
            frames_lost=self.link.frames_lost,
            loss_percent=self.link.loss_percent,
            faults={str(fault): count for fault, count in sorted(self.link.faults.items())},
            latency=meter.distributions(),
            deadline_ms=meter.deadline_ns / 1e6,
            deadline_misses=meter.deadline_misses,
            clock_drift_ppm=timebase.drift_ppm,
            clock_uncertainty_ms=None if uncertainty_ns is None else uncertainty_ns / 1e6,
        )

    def _note(self, event: Event) -> None:
        """Count an event."""
        self._newest = event
        match event:
            case LinkFault():
                self.link.fault(event)
            case HipEstimate():
                self.estimate_counts[event.side] += 1
                self.meter.confirmed(event.confirmed_s - event.end_s)
            case CueChange():
                self.cues_switched_on += event.on
            case BrokenCycle():
                self.broken_cycles += 1
            case Description():
                self._described = True

    def _measure(self, event: StreamEvent | None) -> None:
        """Note that what an item brought about is out now: whoever iterates has come back."""
        if event is not self._newest:
            return
        match event:
            case HipSampleEstimate():
                self.meter.out(Out.SAMPLE)
            case HipEstimate():
                self.meter.out(Out.ESTIMATE)
            case CueChange():
                self.meter.out(Out.CUE)

    def _check(self, chunk: Chunk) -> None:
        """Recognise a stream that will never give an estimate, and say why."""
        intake, samples = self.pipeline.intake, self.pipeline.state.samples
        if intake.undescribed_channels and not samples:
            raise DeviceError(self._lacks(intake.undescribed_channels))
        self._first_byte_ns = self._first_byte_ns or chunk.received_ns
        if not intake.samples:
            self._bytes += len(chunk.data)
            self._printable &= chunk.data.isascii() and b"\0" not in chunk.data
        if intake.unusable_header:
            since_ns = self._headless_ns = self._headless_ns or chunk.received_ns
            if chunk.received_ns - since_ns >= HEADER_WITHIN_S * 1e9:
                raise DeviceError(intake.unusable_header)
            return
        self._headless_ns = None
        # Sensors and baud rates take a while to settle.
        settled = chunk.received_ns - self._first_byte_ns >= HOPELESS_S * 1e9
        if settled and not samples and self.link.faults[Fault.INCOMPLETE] >= HOPELESS_SAMPLES:
            raise DeviceError(self._lacks(intake.missing_channels))
        if not intake.samples:
            if settled and self._bytes >= HOPELESS_BYTES:
                raise DeviceError(self._hopeless())
        elif self.source.live:
            self._check_clock(chunk.received_ns)

    def _without_samples(self) -> str:
        missing = self.pipeline.intake.missing_channels
        return self._lacks(missing) if missing else self._hopeless()

    def _lacks(self, channels: tuple[str, ...]) -> str:
        missing = ", ".join(channels)
        if self.source.devices > 1:
            return (
                f"neither device measures {missing}, and the model needs all ten angles: check "
                "that the two are set up for different legs, and fill every channel they have"
            )
        return (
            f"the device does not measure {missing}, and the model needs all ten angles: add the "
            "sensor, or check that the firmware fills every channel"
        )

    def _hopeless(self) -> str:
        frames = isinstance(self.pipeline.intake.receivers[0].decoder, FrameDecoder)
        if not self._bytes:
            return (
                "nothing came: the device never sent a byte; check that it has power, that --port "
                "is its own, and that it sends by itself or when it is asked to start"
            )
        if self.link.faults[Fault.BAD_VALUE]:
            return (
                "every sample has an angle beyond 180 degrees: angles are in degrees, from -180 to "
                "180, and near 0 in standing"
            )
        if self._described and not self.link.faults:
            return "the device said what it is and sent no angles: check that it measures"
        head = f"{self._bytes} bytes came and not one good {'frame' if frames else 'line'}"
        if frames and self._printable:
            return f"{head}: the device seems to print text; try --format lines"
        if frames:
            return f"{head}: check --baud, and that the device sends edgehip's frames"
        return (
            f"{head}: a line is 'time,angle1,...,angle10' in numbers, or as a header says, which "
            "must come again if it was missed; check --baud and --format"
        )

    def _check_clock(self, received_ns: int) -> None:
        """Tell a device clock in another unit (lines with microseconds read as milliseconds)."""
        time_s = self.pipeline.state.last_sample_s
        if time_s is None:
            return
        if self._first_sample is None:
            self._first_sample = (time_s, received_ns)
            return
        host_s = (received_ns - self._first_sample[1]) / 1e9
        if host_s < CLOCK_CHECK_S or (host_s > 2 * CLOCK_CHECK_S and self._slow_ns is None):
            return
        # Far too fast a clock leaps at each frame; of a text line no such time is believed.
        too_fast = self.link.faults[Fault.CLOCK_JUMP] > self.link.samples // 2 or self._doubtful()
        if too_fast:
            raise DeviceError(_other_unit("microseconds"))
        if (time_s - self._first_sample[0]) / host_s >= 1 / CLOCK_FACTOR:
            self._slow_ns = None
            return
        self._slow_ns = self._slow_ns or received_ns
        if received_ns - self._slow_ns >= CLOCK_SURE_S * 1e9:
            raise DeviceError(_other_unit("seconds or milliseconds"))

    def _doubtful(self) -> bool:
        """Return whether nearly every text line tells a time that the next one contradicts."""
        is_lines = not isinstance(self.pipeline.intake.receivers[0].decoder, FrameDecoder)
        values = self.link.faults[Fault.BAD_VALUE]
        return is_lines and values >= HOPELESS_SAMPLES and values > 10 * self.link.samples


def _other_unit(unit: str) -> str:
    return (
        "the device's clock does not run in the unit expected: its times look like "
        f"{unit}; name the column time_us, time_ms or time_s in a header line, or give --time-unit"
    )
