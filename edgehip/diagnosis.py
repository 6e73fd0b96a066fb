"""Whether a stream will ever give an estimate, and why not: one line that says how to mend it."""

from typing import Final

from edgehip.errors import DeviceError
from edgehip.events import Chunk, Fault
from edgehip.lines import MAX_LINE
from edgehip.link import LinkMonitor
from edgehip.pipeline import Pipeline
from edgehip.wire import FrameDecoder

HOPELESS_S: Final = 3.0
"""For so long a device may send what is of no use before it is given up."""
HOPELESS_BYTES: Final = 2000
"""So many bytes without one valid frame are no frames at all (50 frames' worth)."""
HOPELESS_SAMPLES: Final = 50
HEADER_WITHIN_S: Final = 5.0
"""For so long a header that can be used may follow one that noise, or a late start, spoilt."""
SHOWN: Final = 60
"""Characters of a line that are quoted to somebody who has to mend it."""
CLOCK_CHECK_S: Final = 2.0
CLOCK_FACTOR: Final = 10.0
"""A device clock this much faster or slower than the host's is in another unit..."""
CLOCK_SURE_S: Final = 1.0
"""... if it stays so: after a stall of the link it seems slow until what waited is there."""


class Diagnosis:
    """Looks at what becomes of a source's bytes, and gives up where nothing ever will.

    Parameters
    ----------
    pipeline, link
        Which know what became of them.
    live
        Whether chunks come with the times at which the host had them.
    """

    def __init__(self, pipeline: Pipeline, link: LinkMonitor, *, live: bool) -> None:
        self.described = False
        """Whether a device said what it is."""
        self._pipeline = pipeline
        self._link = link
        self._live = live
        self._bytes = 0
        self._printable = True
        self._end = b""
        self._first_byte_ns = 0
        self._headless_ns: int | None = None
        self._first_sample: tuple[float, int] | None = None
        self._slow_ns: int | None = None

    def check(self, chunk: Chunk) -> None:
        """Look at what became of a chunk.

        Raises
        ------
        DeviceError
            If nothing ever will be of use.
        """
        intake, samples = self._pipeline.intake, self._pipeline.state.samples
        if not samples and intake.undescribed_channels:
            raise DeviceError(self._lacks(intake.undescribed_channels))
        self._first_byte_ns = self._first_byte_ns or chunk.received_ns
        if not intake.samples:
            self._bytes += len(chunk.data)
            self._printable &= chunk.data.isascii() and b"\0" not in chunk.data
            self._end = (self._end + chunk.data)[-2 * MAX_LINE :]
        header = intake.unusable_header
        if header:
            since_ns = self._headless_ns = self._headless_ns or chunk.received_ns
            if chunk.received_ns - since_ns >= HEADER_WITHIN_S * 1e9:
                raise DeviceError(header)
            return
        self._headless_ns = None
        # Sensors and baud rates take a while to settle.
        settled = chunk.received_ns - self._first_byte_ns >= HOPELESS_S * 1e9
        if settled and not samples and self._link.faults[Fault.INCOMPLETE] >= HOPELESS_SAMPLES:
            raise DeviceError(self._lacks(intake.missing_channels))
        if not intake.samples:
            if settled and self._bytes >= HOPELESS_BYTES:
                raise DeviceError(self._hopeless())
        elif self._live:
            self._check_clock(chunk.received_ns)

    def check_end(self, *, ended: bool) -> None:
        """Look at what became of it all; ``ended`` is whether the source did, by itself.

        Raises
        ------
        DeviceError
            If what came, or its end, could not be used.
        """
        header = self._pipeline.intake.unusable_header
        if header:
            raise DeviceError(header)
        if not ended:
            return
        if self._pipeline.state.samples and self._is_contradictory:
            raise DeviceError(_other_unit("microseconds"))
        silence = self.of_silence()
        if silence is not None:
            raise silence

    def of_silence(self) -> DeviceError | None:
        """Return why there was no sample, if there was none."""
        if self._pipeline.state.samples:
            return None
        missing = self._pipeline.intake.missing_channels
        return DeviceError(self._lacks(missing) if missing else self._hopeless())

    def _lacks(self, channels: tuple[str, ...]) -> str:
        missing = ", ".join(channels)
        if len(self._pipeline.intake.receivers) > 1:
            return (
                f"neither device measures {missing}, and the model needs all ten angles: check "
                "that the two are set up for different legs, and fill every channel they have"
            )
        return (
            f"the device does not measure {missing}, and the model needs all ten angles: add the "
            "sensor, or check that the firmware fills every channel"
        )

    def _unpaired(self) -> str:
        """Say why the samples of one device of two made none together."""
        heard = [receiver.state.samples for receiver in self._pipeline.intake.receivers]
        if 0 not in heard:
            return (
                "the two devices sent no samples at the same time: both must send all the while, "
                "at a steady rate"
            )
        which = ("first", "second")[heard.index(0)]
        return (
            f"nothing of use came from the {which} device: check that it has power, that the "
            f"{which} --port is its own, --baud and --format, and that it sends by itself or when "
            "it is asked to start"
        )

    def _hopeless(self) -> str:
        if self._pipeline.intake.samples:
            return self._unpaired()
        if not self._bytes:
            return (
                "nothing came: the device never sent a byte; check that it has power, that --port "
                "is its own, and that it sends by itself or when it is asked to start"
            )
        if self._link.faults[Fault.BAD_VALUE]:
            return (
                "every sample has an angle beyond 180 degrees: angles are in degrees, from -180 to "
                "180, and near 0 in standing"
            )
        if self.described and not self._link.faults:
            return "the device said what it is and sent no angles: check that it measures"
        if not self._has_frames:
            return (
                f"{self._bytes} bytes came and not one good line{self._heard_line}: a line is "
                "'time,angle1,...,angle10' in numbers, or as a header says, which must come again "
                "if it was missed; check --baud and --format"
            )
        head = f"{self._bytes} bytes came and not one good frame"
        if self._printable:
            return f"{head}: the device seems to print text; try --format lines"
        return f"{head}: check --baud, and that the device sends edgehip's frames"

    @property
    def _heard_line(self) -> str:
        """The last whole line that came, as far as it can be shown; or that none ended."""
        lines = self._end.split(b"\n")[:-1]
        if not lines:
            return " (none ended with a line feed)" if len(self._end) > MAX_LINE else ""
        text = lines[-1].decode("ascii", "replace").strip().replace("\t", "\\t")
        if not self._printable or not text.isprintable():
            return ""
        return f" (the last was '{text if len(text) <= SHOWN else text[:SHOWN] + '...'}')"

    def _check_clock(self, received_ns: int) -> None:
        """Tell a device clock in another unit (lines with microseconds read as milliseconds)."""
        time_s = self._pipeline.state.last_sample_s
        if time_s is None:
            return
        if self._first_sample is None:
            self._first_sample = (time_s, received_ns)
            return
        host_s = (received_ns - self._first_sample[1]) / 1e9
        if host_s < CLOCK_CHECK_S or (host_s > 2 * CLOCK_CHECK_S and self._slow_ns is None):
            return
        # Far too fast a clock leaps at each frame; of a text line no such time is believed.
        leaps = self._link.faults[Fault.CLOCK_JUMP] > self._link.samples // 2
        if leaps or self._is_contradictory:
            raise DeviceError(_other_unit("microseconds"))
        if (time_s - self._first_sample[0]) / host_s >= 1 / CLOCK_FACTOR:
            self._slow_ns = None
            return
        self._slow_ns = self._slow_ns or received_ns
        if received_ns - self._slow_ns >= CLOCK_SURE_S * 1e9:
            raise DeviceError(_other_unit("seconds or milliseconds"))

    @property
    def _is_contradictory(self) -> bool:
        """Whether nearly every text line tells a time that the next one contradicts."""
        values = self._link.faults[Fault.BAD_VALUE]
        is_most = values >= HOPELESS_SAMPLES and values > 10 * self._link.samples
        return is_most and not self._has_frames

    @property
    def _has_frames(self) -> bool:
        """Whether frames are looked for, and not text lines."""
        return isinstance(self._pipeline.intake.receivers[0].decoder, FrameDecoder)


def _other_unit(unit: str) -> str:
    return (
        "the device's clock does not run in the unit expected: its times look like "
        f"{unit}; name the column time_us, time_ms or time_s in a header line, or give --time-unit"
    )
