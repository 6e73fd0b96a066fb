"""The rooms in a row: bytes or samples in, gait events and hip estimates out. No I/O, no clock."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from edgehip.calibration import Calibration
from edgehip.channels import SIDES
from edgehip.cues import Cue, Cues, check_mass, check_peaks, check_voices
from edgehip.cycles import CycleTracker
from edgehip.declared import checked
from edgehip.errors import ArgumentError, ProfileError
from edgehip.estimators.hip import HipEstimators
from edgehip.estimators.unit_watch import UnitWatch
from edgehip.estimators.walk_watch import WalkWatch
from edgehip.events import (
    BEGINNINGS,
    BrokenCycle,
    CueChange,
    Fault,
    Flag,
    FootOff,
    GaitCycle,
    HipEstimate,
    HipSampleEstimate,
    Hop,
    InitialContact,
    JointAngleSample,
    LinkChange,
    LinkFault,
    LinkState,
    PortLost,
    PortOpened,
    SourceItem,
)
from edgehip.flags import flagged
from edgehip.given import check_body, check_item, plain_sample
from edgehip.intake import Intake
from edgehip.leap import leaps
from edgehip.line_order import TimeOrder
from edgehip.lines import MAX_TIME_US, LineDecoder
from edgehip.link import FRESH_WITHIN_S, STALE_AFTER_S
from edgehip.messages import Description
from edgehip.model import Model
from edgehip.receiver import fault_of_angles
from edgehip.segmentation import GaitSegmenter
from edgehip.wire import FrameDecoder
from edgehip.zero import Method, Profile

STANDING_RESET_S: Final = 10.0
"""After so long without walking the per-sample model begins anew, before the next step comes, and
without a break: who stands sees nothing of it."""

MAX_TIME_S: Final = MAX_TIME_US / 1e6
"""Far beyond, a step adds nothing to a time."""

Event = (
    Description
    | LinkFault
    | InitialContact
    | FootOff
    | BrokenCycle
    | HipEstimate
    | HipSampleEstimate
    | CueChange
    | LinkChange
    | Profile
)


@dataclass(slots=True)
class PipelineState:
    """Samples so far, when the first and last were, the zero in use and the one being measured.

    ``stands_since_s`` is None while the person walks; ``rested`` says that the per-sample model
    began anew since; ``unusable`` counts samples that could not be used since the last that could;
    ``stale`` is whether the samples are too old to be followed; ``order`` places a program's own,
    the last of which that could be used was received at ``used_ns``.
    """

    samples: int = 0
    last_sample_s: float | None = None
    profile: Profile | None = None
    calibration: Calibration | None = None
    stands_since_s: float | None = None
    rested: bool = False
    unusable: int = 0
    first_sample_s: float | None = None
    stale: bool = False
    order: TimeOrder = field(default_factory=TimeOrder)
    used_ns: int = 0


class Pipeline:
    """Everything between a source and a sink.

    Feed it what a source gives (:meth:`feed`), or your own samples (:meth:`feed_sample`); take the
    list of events that comes back. The same bytes give the same events however they are cut. A
    pipeline is for one thread; those of several may share a model.

    Parameters
    ----------
    model
        Of kind ``cycle`` (see :func:`edgehip.model.load_model`), for an estimate per stride; None
        for none.
    sample_model
        Of kind ``sample``, for an estimate per sample; None for none.
    correct
        With both models: correct per-sample estimates by what the whole-cycle estimates of the
        strides before showed (see :mod:`edgehip.estimators.correction`).
    cues
        Switched by the estimates (see :func:`edgehip.cues.parse_cue`).
    profile
        The personal zero to begin with.
    calibrate
        Measure a personal zero from the stream, use it from then on, and give it as an event.
    body_mass_kg, body_height_m
        Of the person; the mass makes N and Nm of N/kg and Nm/kg, the height serves models that
        heed it (see :mod:`edgehip.body`).
    devices
        1, or 2 where each measures one leg (for :meth:`feed`).
    decoder
        For :meth:`feed`: makes a decoder, of frames (the default) or of text lines.
    mark
        Called at the end of each hop, for whoever measures time.
    waited_ns
        Called with a sample's ``received_ns``: how long ago that was, if it only just came. By
        default nothing waits.

    Raises
    ------
    ArgumentError
        If there is no model at all, nobody has such a body, ``calibrate`` is another word, or there
        are other than 1 or 2 devices.
    CueError
        If a cue looks at what no model estimates, or is of another body's mass.
    ModelInputError
        If the model does not fit what is given.
    ProfileError
        If the profile does not fit the model.
    """

    @checked
    def __init__(
        self,
        model: Model | None,
        *,
        sample_model: Model | None = None,
        correct: bool = True,
        cues: Sequence[Cue] = (),
        profile: Profile | None = None,
        calibrate: Method | None = None,
        body_mass_kg: float | None = None,
        body_height_m: float | None = None,
        devices: int = 1,
        decoder: Callable[[], FrameDecoder | LineDecoder] = FrameDecoder,
        mark: Callable[[Hop], None] = lambda hop: None,
        waited_ns: Callable[[int], int] = lambda received_ns: 0,
    ) -> None:
        if model is None and sample_model is None:
            raise ArgumentError("there is neither a model nor a sample_model: give one, or both")
        check_body(body_mass_kg, body_height_m)
        check_voices(cues, by_cycle=model is not None, by_sample=sample_model is not None)
        check_mass(cues, body_mass_kg)
        if model is not None:
            names = [name for tensor in model.card.outputs for name in tensor.channels]
            check_peaks(cues, tuple(dict.fromkeys(names)))
        if devices not in (1, 2):
            raise ArgumentError(f"there are 1 or 2 devices, one at each leg, not {devices!r}")
        self.intake = Intake(devices, decoder)
        self.segmenter = GaitSegmenter()
        self.cycles = CycleTracker()
        self.estimators = HipEstimators(
            model,
            sample_model,
            correct=correct,
            body_mass_kg=body_mass_kg,
            body_height_m=body_height_m,
        )
        self.watch = WalkWatch(self.estimators.cards)
        self.units = UnitWatch()
        self.cues = Cues(cues)
        self.asked_zero = profile, calibrate
        """What was given for the personal zero; the one in use is the state's."""
        self.state = PipelineState(
            profile=profile, calibration=Calibration(calibrate) if calibrate else None
        )
        self.apply_zero()
        for card in self.estimators.cards:
            if calibrate and card.zero is None:
                raise ProfileError(
                    f"the model {card.name} takes no personal zero: give it no calibration"
                )
        self._mark = mark
        self._waited_ns = waited_ns
        self.age_s = 0.0
        """How much later than by the link's fastest way the last sample is worked on."""
        self._refused: ProfileError | None = None
        """Why the zero that was just measured is none; raised once its item is worked off."""
        self._made: list[Event] = []
        """What calls made that raised something, for the next one to return."""

    def feed(self, item: SourceItem) -> list[Event]:
        """Return what a source's item brings about.

        Raises
        ------
        ArgumentError
            If it is no item of such a source.
        ProfileError
            If it completes a zero (``calibrate``) that is none for a model. All of it is worked on
            even so: what it brought about comes with what the next item does.
        """
        return self._all(self.follow(item))

    def follow(self, item: SourceItem) -> Iterator[Event]:
        """Yield what a source's item brings about, each event before the next is worked on.

        To be exhausted: what is left is not known to the pipeline. Raises as :meth:`feed`, at last.
        """
        check_item(item, len(self.intake.receivers))
        if isinstance(item, PortOpened):
            # By its clock a device may never have been away: some stand still meanwhile.
            self.reset()
        elif isinstance(item, PortLost):
            yield from self.stalled(item.received_ns)
        received = self.intake.feed(item)
        self._mark(Hop.DECODE)
        for found in received:
            if isinstance(found, JointAngleSample):
                yield from self._sample(found)
                continue
            fault = found.fault if isinstance(found, LinkFault) else None
            if fault in BEGINNINGS:
                self.reset()
            yield found
            if fault is Fault.COLUMNS:
                # Cues rest on angles that were others, and so does a zero measured by them.
                yield from self.stalled(item.received_ns)
                profile, calibrate = self.asked_zero
                if calibrate is not None:
                    self.state.profile = profile
                    self.state.calibration = Calibration(calibrate)
                    self.apply_zero()
            if isinstance(found, LinkChange) and found.state is not LinkState.LIVE:
                yield from self.stalled(item.received_ns)
        self._raise_refused()

    def feed_sample(self, sample: JointAngleSample) -> list[Event]:
        """Return what one sample brings about.

        A sample with an angle that is NaN, beyond a joint's reach or leapt as no joint turns
        (:mod:`edgehip.leap`), or a time that is none or 285 years off, is a fault, counts as lost
        and is not used. So is one given again, or after a later one, but for the loss; a time that
        lies back a second or more is of a clock that began anew, and so does the gait, as after a
        long gap. So it does once a clock goes on that stood still or was put back for longer than a
        gap that is bridged, by when its samples were received. Once none was of use for 0.25 s, no
        cue stays on.

        ``time_s`` is when it was measured: samples that come several at once have one each.

        As a device's, times that go on faster or slower than samples are received are told, and
        from 10 % on flagged (:mod:`edgehip.pace`). Nothing else shows that a clock is wrong: if
        ``received_ns`` is by the same one, or always the same, it is believed. How old a sample is
        by then is the caller's to say (``late_ns``).

        Raises
        ------
        ArgumentError
            If it has not ten angles, or something is no number.
        ProfileError
            As :meth:`feed`.
        """
        return self._all(self._own(plain_sample(sample)))

    @property
    def zero(self) -> str:
        """The personal zero in use, in a few words."""
        return self.estimators.zero

    @checked
    def stalled(self, received_ns: int) -> list[CueChange]:
        """Return what follows from the link being stale, as seen now: no cue stays on.

        Parameters
        ----------
        received_ns
            Now, by the clock of the samples' ``received_ns``.
        """
        return self.cues.all_off(self.state.last_sample_s or 0.0, received_ns)

    def reset(self) -> None:
        """Forget the gait so far: what comes next has no connection with it."""
        self.segmenter.reset()
        self.cycles.reset()
        self.watch.reset()
        self.units.reset()
        self.state.stands_since_s, self.state.rested = None, False
        self.estimators.reset()
        if self.state.calibration is not None:
            self.state.calibration.reset()

    def apply_zero(self) -> None:
        """Bring the zero that the state names into use.

        Raises
        ------
        ProfileError
            If it is none for a model; then the zero in use stays as it was.
        """
        self.estimators.set_zero(self.state.profile)
        self.watch.set_zero(self.state.profile)

    def _all(self, events: Iterator[Event]) -> list[Event]:
        """Return events, and before them what was made by calls that raised something."""
        for event in events:
            self._made.append(event)
        made, self._made = self._made, []
        return made

    def _raise_refused(self) -> None:
        refused, self._refused = self._refused, None
        if refused is not None:
            raise refused

    def _own(self, sample: JointAngleSample) -> Iterator[Event]:
        """Yield what a program's own sample brings about."""
        state = self.state
        fault = fault_of_angles(sample.angles_deg)
        order: Fault | None = None
        if abs(sample.time_s) < MAX_TIME_S:
            last_s = state.last_sample_s
            step_us = None if last_s is None else 1e6 * (sample.time_s - last_s)
            order = state.order.place(step_us, sample.received_ns)
        else:
            fault = Fault.BAD_VALUE
        pace = self.intake.receivers[0].pace  # a program gives samples in the place of a device
        if order is not None:
            yield LinkFault(order, 1, sample.received_ns)
        if order is Fault.RESTART:
            self.reset()
            pace.reset()
        elif order is not None:
            yield from self._not_used(sample)
            return
        if fault is not None:
            state.unusable += 1
            yield LinkFault(fault, 1, sample.received_ns)
            yield from self._not_used(sample)
            return
        state.used_ns = sample.received_ns
        news = pace.feed(sample.time_s, sample.received_ns)
        if news is not None:
            yield LinkChange(LinkState.LIVE, sample.received_ns, news)
        yield from self._sample(sample)
        self._raise_refused()

    def _not_used(self, sample: JointAngleSample) -> list[CueChange]:
        """Return what follows once there was no sample of use for long, by either clock."""
        state = self.state
        if state.last_sample_s is None:
            return []
        is_long = (sample.received_ns - state.used_ns) / 1e9 >= STALE_AFTER_S
        is_long |= STALE_AFTER_S <= sample.time_s - state.last_sample_s < MAX_TIME_S
        return self.stalled(sample.received_ns) if is_long else []

    def _sample(self, sample: JointAngleSample) -> Iterator[Event]:
        state, before = self.state, self.cycles.last_sample
        has_no_time = abs(sample.time_s) >= MAX_TIME_S
        if has_no_time or (before is not None and leaps(before, sample)):
            state.unusable += 1
            yield LinkFault(Fault.BAD_VALUE, 1, sample.received_ns)
            return
        if state.unusable:
            sample = replace(sample, samples_lost=sample.samples_lost + state.unusable)
            state.unusable = 0
        last_s, state.last_sample_s = state.last_sample_s, sample.time_s
        state.samples += 1
        if state.first_sample_s is None:
            state.first_sample_s = sample.time_s
        longest_gap_s = self.segmenter.parameters.longest_gap_s
        if last_s is not None and not 0.0 < sample.time_s - last_s <= longest_gap_s:
            self.reset()
        self.age_s = (sample.late_ns + self._waited_ns(sample.received_ns)) / 1e9
        state.stale = self.age_s > (FRESH_WITHIN_S if state.stale else STALE_AFTER_S)
        if state.stale:
            yield from self.stalled(sample.received_ns)
        self.cycles.add(sample)
        self.watch.feed(sample)
        self.units.feed(sample)
        if state.calibration is not None:
            if self.watch.is_frozen:  # who stands quietly still sways
                state.calibration.reset()
            yield from self._calibrated(state.calibration.sample(sample))
        if self.estimators.by_sample is not None:
            self._mark(Hop.SEGMENT)
            now = self.estimators.of_sample(sample)
            doubted = self.watch.doubts_sample or self._is_misread
            now = flagged(now, Flag.OUT_OF_RANGE, doubted)
            now = flagged(now, Flag.LINK_DOWN, state.stale)
            changes = self.cues.feed(now)
            self._mark(Hop.SAMPLE)
            # Out with it: a stride that ends here takes several times as long.
            yield now
            yield from changes
        for event in self.segmenter.feed(sample):
            yield event
            yield from self._stepped(event, sample)
        yield from self._let_go(sample)
        self._mark(Hop.SEGMENT)

    def _stepped(
        self, event: InitialContact | FootOff, sample: JointAngleSample
    ) -> Iterator[Event]:
        """Yield what follows from a gait event that a sample made certain."""
        if isinstance(event, InitialContact):
            self.watch.landed(event)
        cycle = self.cycles.event(event, sample.received_ns)
        if isinstance(cycle, GaitCycle):
            yield from self._cycle(cycle)
            return
        if isinstance(event, InitialContact):  # it closed no stride, or not a whole one
            yield from self.cues.peaks_off(event.side, Flag.FIRST_AFTER_GAP, sample)
            self.estimators.lose_step(event)
        if cycle is not None:
            yield cycle

    def _cycle(self, cycle: GaitCycle) -> Iterator[Event]:
        self._mark(Hop.SEGMENT)
        if self.state.calibration is not None:
            yield from self._calibrated(self.state.calibration.cycle(cycle))
        estimate: HipEstimate | None = None
        if self.estimators.by_cycle is not None:
            estimate, samples = self.estimators.of_cycle(cycle)
            estimate = flagged(estimate, Flag.OUT_OF_RANGE, self._is_misread)
            # The stride itself knows nothing of the link.
            told = flagged(estimate, Flag.LINK_DOWN, self.state.stale)
            changes = self.cues.feed(told)
            self._mark(Hop.ESTIMATE)
            yield told
            yield from changes
            self.estimators.learn(estimate, samples)
        self.watch.finished(cycle, estimate)

    def _let_go(self, sample: JointAngleSample) -> Iterator[Event]:
        """Let nothing outlive what it is of: cues their stride, the network's memory its walk."""
        state = self.state
        # Contacts may go on though strides do not.
        for side in SIDES:
            if self.watch.is_overdue(side):
                yield from self.cues.peaks_off(side, Flag.OUT_OF_RANGE, sample)
        if self.segmenter.walking:
            state.stands_since_s, state.rested = None, False
            return
        if state.stands_since_s is None:
            state.stands_since_s = sample.time_s
            for side in SIDES:
                yield from self.cues.peaks_off(side, Flag.NOT_WALKING, sample)
        elif not state.rested and sample.time_s - state.stands_since_s > STANDING_RESET_S:
            state.rested = True
            self.estimators.renew()

    def _calibrated(self, profile: Profile | None) -> Iterator[Event]:
        if profile is None:
            return
        state = self.state
        before, state.profile = state.profile, profile
        try:
            self.apply_zero()
        except ProfileError as error:
            # Whoever goes on does so with the zero there was, and may stand better next time.
            state.profile, self._refused = before, error
            if state.calibration is not None:
                state.calibration.reset()
            return
        state.calibration = None
        self.estimators.reset()  # answers and memory are of angles with the old one
        yield profile

    @property
    def _is_misread(self) -> bool:
        """Whether the angles' unit, or the times, are not what they are taken for."""
        return self.units.state.are_radians or not self.intake.keeps_pace
