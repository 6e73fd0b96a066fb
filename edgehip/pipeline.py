"""The rooms in a row: bytes or samples in, gait events and hip estimates out. No I/O, no clock."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgehip.cycles import CycleTracker
from edgehip.estimators.cycle import CycleEstimator
from edgehip.events import (
    BrokenCycle,
    Chunk,
    Fault,
    FootOff,
    GaitCycle,
    HipEstimate,
    Hop,
    InitialContact,
    JointAngleSample,
    LinkFault,
    PortLost,
    PortOpened,
)
from edgehip.lines import LineDecoder
from edgehip.model import Model
from edgehip.receiver import Receiver
from edgehip.segmentation import GaitSegmenter
from edgehip.wire import Description, FrameDecoder
from edgehip.zero import Calibration, Method, Profile

RESET_GAP_S: Final = 0.25
"""After so long without a sample, nothing of the gait before it is carried on."""

Event = Description | LinkFault | InitialContact | FootOff | BrokenCycle | HipEstimate | Profile


def _unmarked(hop: Hop) -> None:
    """Measure nothing."""


@dataclass(slots=True)
class PipelineState:
    """When the last sample was, the zero in use, and the one being measured."""

    last_sample_s: float | None = None
    profile: Profile | None = None
    calibration: Calibration | None = None


class Pipeline:
    """Everything between a source and a sink.

    Feed it what a source gives (:meth:`feed`), or your own samples (:meth:`feed_sample`); take the
    list of events that comes back. The same bytes give the same events however they are cut.

    Parameters
    ----------
    model
        Of kind ``cycle`` (see :func:`edgehip.model.load_model`).
    profile
        The personal zero to begin with.
    calibrate
        Measure a personal zero from the stream, use it from then on, and give it as an event.
    body_mass_kg, body_height_m
        Of the person; the mass makes N and Nm of N/kg and Nm/kg.
    decoder
        For :meth:`feed`: frames (the default) or text lines.
    mark
        Called at the end of each hop, for whoever measures time.

    Raises
    ------
    ModelInputError
        If the model does not fit what is given.
    ProfileError
        If the profile does not fit the model.
    """

    def __init__(
        self,
        model: Model,
        *,
        profile: Profile | None = None,
        calibrate: Method | None = None,
        body_mass_kg: float | None = None,
        body_height_m: float | None = None,
        decoder: FrameDecoder | LineDecoder | None = None,
        mark: Callable[[Hop], None] = _unmarked,
    ) -> None:
        self.receiver = Receiver(decoder)
        self.segmenter = GaitSegmenter()
        self.cycles = CycleTracker()
        self.estimator = CycleEstimator(
            model, body_mass_kg=body_mass_kg, body_height_m=body_height_m
        )
        self.state = PipelineState(None, profile, Calibration(calibrate) if calibrate else None)
        self.apply_zero()
        self._mark = mark

    def feed(self, item: Chunk | PortOpened | PortLost) -> list[Event]:
        """Return what a source's item brings about."""
        received = self.receiver.feed(item)
        self._mark(Hop.DECODE)
        events: list[Event] = []
        for found in received:
            if isinstance(found, JointAngleSample):
                events += self.feed_sample(found)
                continue
            if isinstance(found, LinkFault) and found.fault in (Fault.RESTART, Fault.CLOCK_JUMP):
                self.reset()
            events.append(found)
        return events

    def feed_sample(self, sample: JointAngleSample) -> list[Event]:
        """Return what one sample brings about. Times must increase from sample to sample."""
        state = self.state
        last_s, state.last_sample_s = state.last_sample_s, sample.time_s
        if last_s is not None and sample.time_s - last_s > RESET_GAP_S:
            self.reset()
        self.cycles.add(sample)
        events: list[Event] = []
        if state.calibration is not None:
            self._calibrated(state.calibration.sample(sample), events)
        for event in self.segmenter.feed(sample):
            events.append(event)
            cycle = self.cycles.event(event, sample.received_ns)
            if isinstance(cycle, GaitCycle):
                self._mark(Hop.SEGMENT)
                if state.calibration is not None:
                    self._calibrated(state.calibration.cycle(cycle), events)
                events.append(self.estimator.estimate(cycle))
                self._mark(Hop.ESTIMATE)
            elif cycle is not None:
                events.append(cycle)
        self._mark(Hop.SEGMENT)
        return events

    def reset(self) -> None:
        """Forget the gait so far: what comes next has no connection with it."""
        self.segmenter.reset()
        self.cycles.reset()
        if self.state.calibration is not None:
            self.state.calibration.reset()

    def apply_zero(self) -> None:
        """Bring the zero that the state names into use."""
        self.estimator.set_zero(self.state.profile)

    def _calibrated(self, profile: Profile | None, events: list[Event]) -> None:
        if profile is None:
            return
        self.state.profile, self.state.calibration = profile, None
        self.apply_zero()
        events.append(profile)
