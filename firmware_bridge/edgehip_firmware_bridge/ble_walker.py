"""Plays a device that walks, on Bluetooth Low Energy: 100 samples a second, in bursts.

``python -m edgehip_firmware_bridge.ble_walker`` runs a Bluetooth service of its own on a bus of its
own, prints how to reach both, and walks until it is ended.
"""

import math
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from edgehip.channels import ANGLES
from edgehip.events import Chunk
from edgehip.messages import Angles, Describe, Description, Message, Rate, Start, Stop
from edgehip.walker import Walker, WalkerParameters
from edgehip.wire import Frame, FrameDecoder, encode
from edgehip_firmware_bridge.ble_peripheral import Peripheral
from edgehip_firmware_bridge.private_bus import BUS_VARIABLE, private_bus
from edgehip_firmware_bridge.simulated_bluez import SimulatedBluez

NAME: Final = "edgehip-walker"
ADDRESS: Final = "02:ED:6E:41:90:01"
STAND_S: Final = 0.5
"""Quiet standing before the first step."""


class BleWalker:
    """Firmware that sends the synthetic walker's angles, and obeys; its rate is fixed.

    A frame that falls due while nobody listens is lost, and its sequence number with it.

    Parameters
    ----------
    name
        What the device calls itself.
    channels
        The angles it measures.
    drift_ppm, start_us
        How much too fast its clock goes, and what it shows at the first sample.
    parameters
        Who walks, and how.
    """

    def __init__(
        self,
        name: str = NAME,
        channels: Iterable[str] = ANGLES,
        *,
        drift_ppm: float = 0.0,
        start_us: int = 0,
        parameters: WalkerParameters | None = None,
    ) -> None:
        self.parameters = parameters or WalkerParameters(stand_s=STAND_S)
        self._name = name
        self._channels = frozenset(channels)
        self._us_per_s = 1e6 + drift_ppm
        self._start_us = start_us
        self._walker = Walker(self.parameters)
        self._sample = next(self._walker)
        self._last_us = start_us
        self._begin_s: float | None = None
        self._decoder = FrameDecoder()
        self._sequence = 0
        self._sending = True
        self._describe_due = True

    def run(self, heard: bytes, now_s: float) -> bytes:
        """See :class:`edgehip_firmware_bridge.simulated_bluez.Firmware`."""
        if self._begin_s is None:
            self._begin_s = now_s
        for frame in self._decoder.feed(Chunk(heard, 0)):
            if isinstance(frame, Frame):
                self._obey(frame.message)
        said = b""
        if self._describe_due:
            self._describe_due = False
            said += self._frame(self._description())
        while self._begin_s + self._sample.time_s <= now_s:
            self._last_us = self._start_us + round(self._sample.time_s * self._us_per_s)
            if self._sending:
                said += self._frame(self._angles())
            self._sample = next(self._walker)
        return said

    def _obey(self, message: Message) -> None:
        match message:
            case Start():
                self._sending = True
            case Stop():
                self._sending = False
            case Describe() | Rate():
                self._describe_due = True

    def _angles(self) -> Angles:
        angles = zip(ANGLES, self._sample.angles_deg, strict=True)
        return Angles(tuple(a if name in self._channels else math.nan for name, a in angles))

    def _description(self) -> Description:
        channels = sum(1 << i for i, name in enumerate(ANGLES) if name in self._channels)
        return Description(self.parameters.rate_hz, channels, self._name, "1.0")

    def _frame(self, message: Message) -> bytes:
        frame = encode(message, self._sequence, self._last_us)
        self._sequence += 1
        return frame


def main() -> None:
    """Walk until this program is ended."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with TemporaryDirectory() as folder, private_bus(Path(folder)) as address:
            peripheral = Peripheral(NAME, ADDRESS)
            with SimulatedBluez(address, [peripheral]) as bluez:
                bluez.play(peripheral, BleWalker())
                print(f"{BUS_VARIABLE}={address}\nble://{NAME}", flush=True)
                while True:
                    time.sleep(3600.0)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
