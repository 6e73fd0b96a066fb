"""The one loop: takes what a source gives, runs the pipeline, watches the link and the time."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal, Self

from edgehip.cues import Cue
from edgehip.declared import checked
from edgehip.diagnosis import Diagnosis
from edgehip.errors import ArgumentError, DeviceError
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
    SourceItem,
)
from edgehip.given import check_item
from edgehip.latency import LatencyMeter, Out, Percentiles
from edgehip.lines import LineDecoder, TimeUnit
from edgehip.link import STALE_AFTER_S, LinkMonitor
from edgehip.messages import Description
from edgehip.model import Model
from edgehip.pipeline import Event, Pipeline
from edgehip.sources import Source
from edgehip.wire import FrameDecoder
from edgehip.zero import Method, Profile

TICK_S: Final = 0.05
STOPPING_NS: Final = 1_000_000_000
"""What waits when a stream is stopped is worked on for so long: a computer that is far behind would
make somebody wait who pressed Ctrl-C."""
DEFAULT_DEADLINE_MS: Final = 20.0

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
    ArgumentError
        While iterating: the source gives what is no item of a source, or times of another clock.
    ProfileError
        While iterating: a zero that was measured is none for a model.
    DeviceError
        While iterating: the device lacks angles the model needs, speaks another format, names its
        columns as nobody can read, or its clock is in another unit.
    """

    @checked
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
        if not deadline_ms > 0.0:
            raise ArgumentError(f"deadline_ms is {deadline_ms!r}; it has to be above 0")
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
        self.stopped = self._closed = False
        self._running: Iterator[StreamEvent | None] | None = None
        self._newest: Event | None = None
        self._taken = 0
        """Samples that the pipeline had taken when the link last heard of them."""
        self._diagnosis = Diagnosis(self.pipeline, self.link, live=source.live)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the source; whoever iterates meanwhile, in another thread, is done."""
        self.stop()
        self._closed = True
        self.source.close()

    def stop(self) -> None:
        """End the iteration soon; may be called from a signal handler or another thread."""
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
        problem: Exception | None = None
        try:
            try:
                yield from self._items()
            except Exception as error:  # also of a source or a recorder that is not edgehip's
                problem = error
            yield from self.pipeline.stalled(time.monotonic_ns())
            if problem is not None:
                self._record_rest()
                raise problem
        finally:
            self._running = None

    def _items(self) -> Iterator[StreamEvent | None]:
        while not self.stopped and not self.source.ended:
            item = self.source.read(TICK_S)
            if item is not None:
                yield from self._follow(item)
            elif self.source.live:
                yield from self._changed(self._tick(time.monotonic_ns()))
            yield None
        if self.stopped and self.source.live and not self._closed:
            yield from self._received_before(time.monotonic_ns())
        self._diagnosis.check_end(ended=self.source.ended and not self.stopped)

    def _received_before(self, stop_ns: int) -> Iterator[StreamEvent]:
        """Follow what waits when a stream is stopped, for a while; record all that came before."""
        while (item := self.source.read(0.0)) is not None:
            if time.monotonic_ns() - stop_ns < STOPPING_NS:
                yield from self._follow(item)
            elif self.recorder is not None:
                self.recorder(item)
            if item.received_ns > stop_ns:
                return

    def _record_rest(self) -> None:
        """Record what was received before something went wrong, which may show why it did."""
        if self.recorder is None or self._closed or not self.source.live:
            return
        went_wrong_ns = time.monotonic_ns()
        with contextlib.suppress(Exception):  # that of which the stream ends is told
            while (item := self.source.read(0.0)) is not None and item.received_ns <= went_wrong_ns:
                self.recorder(item)

    def _follow(self, item: SourceItem) -> Iterator[StreamEvent]:
        """Yield what an item brings about."""
        check_item(item, self.source.devices)
        if self.source.live:
            self._check_clock(item.received_ns)
        if self.recorder is not None:
            self.recorder(item)
        at_ns = item.received_ns
        yield from self._changed(self._tick(at_ns))
        self.meter.start(at_ns if self.source.live else time.monotonic_ns())
        if isinstance(item, PortOpened):
            yield item
        elif isinstance(item, PortLost):
            yield from self._changed(self.link.port_lost(at_ns, item.detail))
        self._taken = self.pipeline.state.samples
        for event in self.pipeline.follow(item):
            yield from self._changed(self._sampled(at_ns))
            self._note(event)
            yield self.link.news(event) if isinstance(event, LinkChange) else event
            if isinstance(event, LinkFault) and event.fault is Fault.COLUMNS:
                yield from self._changed(self.link.renamed(at_ns))
        yield from self._changed(self._sampled(at_ns))
        self.link.received = self.pipeline.intake.samples
        if self.source.live:
            self.meter.arrived(self.pipeline.intake.receivers[item.device].late_ns)
        if isinstance(item, Chunk):
            self._diagnosis.check(item)

    def _check_clock(self, received_ns: int) -> None:
        """Refuse times of another clock: after one that is ahead, silence would never be told."""
        ahead_s = (received_ns - time.monotonic_ns()) / 1e9
        if ahead_s > STALE_AFTER_S:
            raise ArgumentError(
                f"an item was received {ahead_s:.3g} s from now: received_ns is what "
                "time.monotonic_ns() was when its bytes came"
            )

    def _tick(self, now_ns: int) -> LinkChange | None:
        """Return what the passing of time changes, and what samples lack if that is why."""
        change = self.link.tick(now_ns)
        missing = self.pipeline.intake.missing_channels if change is not None else ()
        if change is None or not missing:
            return change
        return replace(change, detail=f"{change.detail}: {', '.join(missing)} not measured")

    def _sampled(self, received_ns: int) -> LinkChange | None:
        """Tell the link of the samples that were taken meanwhile; return what changed."""
        before, self._taken = self._taken, self.pipeline.state.samples
        if self._taken == before:
            return None
        too_old_s = self.pipeline.age_s if self.pipeline.state.stale else None
        return self.link.sampled(self._taken - before, received_ns, too_old_s)

    def _waited_ns(self, received_ns: int) -> int:
        """Return how long ago something was received, if it comes when it comes."""
        return max(0, time.monotonic_ns() - received_ns) if self.source.live else 0

    def _changed(self, change: LinkChange | None) -> Iterator[StreamEvent]:
        """Yield a change of the link and what follows from it."""
        if change is None:
            return
        yield change
        if change.state is not LinkState.LIVE:
            yield from self.pipeline.stalled(change.at_ns)

    def complaint(self) -> DeviceError | None:
        """Return why no sample came, if there was time for it; whoever ended the stream may ask."""
        return self._diagnosis.of_silence() if self.link.has_waited else None

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
            by_cycle=self.pipeline.estimators.by_cycle is not None,
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
                self._diagnosis.described = True

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
