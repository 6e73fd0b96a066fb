"""A D-Bus system bus of its own, for a Bluetooth service that is not the computer's."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BUS_VARIABLE: Final = "DBUS_SYSTEM_BUS_ADDRESS"
"""The environment variable that leads programs to it."""
_CONFIG: Final = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:tmpdir={folder}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_type="method_call"/> <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/> <allow receive_type="signal"/>
    <allow receive_type="method_return"/> <allow receive_type="error"/>
    {more}
  </policy>
</busconfig>
"""
NO_PERMISSION: Final = '<deny send_destination="org.bluez"/>'


@contextmanager
def private_bus(folder: Path, policy: str = "") -> Iterator[str]:
    """Run a system bus of its own; give its address.

    Parameters
    ----------
    folder
        For its configuration and its socket.
    policy
        More rules about who may say what, such as :data:`NO_PERMISSION`.
    """
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(folder=folder, more=policy))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"]
    with subprocess.Popen(
        [*command, "--print-address=1"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the programs that use it
    ) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()
