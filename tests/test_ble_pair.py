"""A Bluetooth device at each leg, each with its own clock: ``ble://LEFT+RIGHT``."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgehip import Stream, load_model, open_source
from edgehip.channels import ANGLES
from edgehip.events import Flag, HipEstimate, LinkChange, LinkState
from edgehip.runtime import StreamEvent
from edgehip.sources import split_pair
from edgehip_firmware_bridge.ble_peripheral import Peripheral
from edgehip_firmware_bridge.ble_walker import BleWalker
from edgehip_firmware_bridge.simulated_bluez import SimulatedBluez
from tests.bluetooth import needs_dbus_daemon, system_bus

pytestmark = needs_dbus_daemon

LIMIT_S = 30.0


def walker(side: str, drift_ppm: float, start_us: int) -> BleWalker:
    channels = [name for name in ANGLES if name.endswith(side)]
    return BleWalker(f"{side} leg", channels, drift_ppm=drift_ppm, start_us=start_us)


@pytest.fixture
def legs(tmp_path: Path) -> Iterator[tuple[SimulatedBluez, Peripheral, Peripheral]]:
    """Two devices that walk together, in bursts that do not coincide."""
    left = Peripheral("LEFT", "AA:BB:CC:DD:EE:01")
    right = Peripheral("RIGHT", "AA:BB:CC:DD:EE:02")
    with system_bus(tmp_path) as address, SimulatedBluez(address, [left, right]) as bluez:
        bluez.play(left, walker("_l", 120.0, 2**32 - 3_000_000), interval_s=0.045)
        bluez.play(right, walker("_r", -80.0, 5_000_000), interval_s=0.03)
        yield bluez, left, right


class Told:
    """What a stream of both legs tells, taken as it comes."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._coming = iter(stream)
        self.events: list[StreamEvent] = []

    def until(self, enough: Callable[[list[StreamEvent]], bool]) -> list[StreamEvent]:
        """Return the events from now until there are enough."""
        new: list[StreamEvent] = []
        end = time.monotonic() + LIMIT_S
        while not enough(new):
            assert time.monotonic() < end, new
            event = next(self._coming)
            if event is not None:
                new.append(event)
        self.events += new
        return new


def strides_of_both(events: list[StreamEvent]) -> bool:
    sides = [event.side for event in events if isinstance(event, HipEstimate)]
    return min(sides.count("l"), sides.count("r")) >= 2


def has(state: LinkState, about: str = "") -> Callable[[list[StreamEvent]], bool]:
    return lambda events: any(
        isinstance(event, LinkChange) and event.state is state and about in event.detail
        for event in events
    )


def test_two_legs_walk_as_one_and_one_that_stalls_is_named_and_comes_back(
    legs: tuple[SimulatedBluez, Peripheral, Peripheral],
) -> None:
    _, _, right = legs
    with Stream(open_source(*split_pair("ble://LEFT+RIGHT")), load_model()) as stream:
        told = Told(stream)
        walking = told.until(strides_of_both)
        estimates = [event for event in walking if isinstance(event, HipEstimate)]
        assert all(abs(each.stride_s - 1.1) < 0.1 for each in estimates)
        # Both legs' strides are alike: bursts and clocks do not tear them apart.
        stances = [each.stance_percent for each in estimates if each.stance_percent]
        assert np.ptp(stances) < 8
        assert stream.summary().frames_lost == 0

        right.jammed = True
        told.until(has(LinkState.STALE, "the second device"))
        silent = told.until(has(LinkState.LOST))
        assert not any(isinstance(event, HipEstimate) for event in silent)

        right.jammed = False
        told.until(has(LinkState.LIVE))
        again = told.until(strides_of_both)
        first = next(event for event in again if isinstance(event, HipEstimate))
        assert Flag.FIRST_AFTER_GAP in first.flags
        assert stream.link.state is LinkState.LIVE


def test_one_that_disconnects_is_named_and_found_again(
    legs: tuple[SimulatedBluez, Peripheral, Peripheral],
) -> None:
    bluez, left, right = legs
    with Stream(open_source(*split_pair("ble://LEFT+RIGHT")), load_model()) as stream:
        told = Told(stream)
        told.until(has(LinkState.LIVE))
        bluez.drop(left)
        told.until(has(LinkState.LOST, "LEFT disconnected"))
        told.until(strides_of_both)
        assert (left.connections, right.connections) == (2, 1)
