"""A Bluetooth service of a test's own, where there is a D-Bus daemon."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgehip_firmware_bridge.private_bus import BUS_VARIABLE, private_bus

needs_dbus_daemon = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None,
    reason="needs dbus-daemon (Debian package dbus) for a private bus",
)


@contextmanager
def system_bus(folder: Path, policy: str = "") -> Iterator[str]:
    """Make a private bus this process's system bus; give its address."""
    with private_bus(folder, policy) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv(BUS_VARIABLE, address)
        yield address
