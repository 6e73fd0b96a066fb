"""What one device says, or two (one at each leg), as one stream of ten-angle samples."""

from collections.abc import Callable, Iterable

from edgehip.channels import ANGLES
from edgehip.events import BEGINNINGS, JointAngleSample, LinkFault, SourceItem
from edgehip.lines import LineDecoder
from edgehip.merge import Merger
from edgehip.receiver import Received, Receiver
from edgehip.wire import FrameDecoder


class Intake:
    """One receiver for each device, and for two a merger.

    Parameters
    ----------
    devices
        1 or 2. Of two, the first leads: its samples' times are the stream's.
    decoder
        Makes a decoder: of frames, or of text lines.
    """

    def __init__(
        self, devices: int = 1, decoder: Callable[[], FrameDecoder | LineDecoder] = FrameDecoder
    ) -> None:
        self.receivers = tuple(Receiver(decoder(), partial=devices > 1) for _ in range(devices))
        self.merger = Merger() if devices > 1 else None

    def feed(self, item: SourceItem) -> list[Received]:
        """Return what a source's item brings."""
        receiver = self.receivers[item.device]
        received = receiver.feed(item)
        if self.merger is None:
            return received
        found: list[Received] = []
        for event in received:
            if isinstance(event, JointAngleSample):
                host_ns = receiver.timebase.host_ns(event.time_s)
                found += self.merger.feed(1 if item.device else 0, event, host_ns)
                continue
            if isinstance(event, LinkFault) and event.fault in BEGINNINGS:
                found += self.merger.reset()
            found.append(event)
        return found

    def device_us(self, time_s: float, device: int = 0) -> int:
        """Return a recent time of the stream by a device's own counter, unwrapped.

        Of a second device whose port has just been opened it is the last that was heard of it.
        """
        first, receiver = self.receivers[0], self.receivers[device]
        own_s: float | None = time_s
        if receiver is not first:
            known = first.timebase.state.origin_s is not None
            own_s = receiver.timebase.time_s(first.timebase.host_ns(time_s)) if known else None
        if own_s is None:
            return receiver.clock.state.last_raw_us
        return receiver.clock.raw_us(round(own_s * 1e6))

    @property
    def keeps_pace(self) -> bool:
        """Whether no device's clock is known to be far off (see :mod:`edgehip.pace`)."""
        return not any(receiver.pace.state.is_far for receiver in self.receivers)

    @property
    def samples(self) -> int:
        """How many good samples the devices sent, together."""
        return sum(receiver.state.samples for receiver in self.receivers)

    @property
    def missing_channels(self) -> tuple[str, ...]:
        """Angles that no device measures, as far as they said or showed."""
        return _of_none(receiver.state.missing_channels for receiver in self.receivers)

    @property
    def undescribed_channels(self) -> tuple[str, ...]:
        """Angles that no device measures, as all of them said."""
        return _of_none(receiver.state.undescribed_channels for receiver in self.receivers)

    @property
    def unusable_header(self) -> str:
        """Why the lines of a device are not used any more, if its header is why."""
        return _first(receiver.decoder.unusable_header for receiver in self.receivers)

    @property
    def assumed_columns(self) -> str:
        """As what the lines of a device are read, if it sends some and no header said it."""
        heard = (receiver for receiver in self.receivers if receiver.state.samples)
        return _first(receiver.decoder.assumed_columns for receiver in heard)


def _first(told: Iterable[str]) -> str:
    return next(filter(None, told), "")


def _of_none(missing: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    sets = [set(names) for names in missing]
    return tuple(name for name in ANGLES if all(name in names for names in sets))
