"""A stand-in for BlueZ: ``org.bluez`` on a private D-Bus, so that real bleak code scans it.

Needs the program ``dbus-daemon`` (Debian package ``dbus``); without it use
``vigil_sim.checkin.bleak_backend``, which has the same face.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vigil_sim.checkin.beacons import Receiver


def available() -> bool:
    """Whether a dbus-daemon is on PATH."""
    raise NotImplementedError


class BluezStandIn:
    """One machine's Bluetooth service with one or more adapters.

    A gateway with several stations takes one adapter for each. Give the gateway's
    process ``environment``; its stations then use ``driver = "ble"``, ``backend = "bluez"``
    and ``adapter = "hci0"``, ``"hci1"``, ….
    """

    backend = "bluez"
    """What goes into a gateway.toml's ``backend``."""

    def __init__(
        self, adapters: Sequence[str] = ("hci0",), *, directory: Path | None = None
    ) -> None:
        raise NotImplementedError

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the gateway's process: ``DBUS_SYSTEM_BUS_ADDRESS``."""
        raise NotImplementedError

    def adapter(self, name: str = "hci0") -> Receiver:
        """The adapter's radio."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the bus and own the name ``org.bluez``."""

    async def stop(self) -> None:
        """Leave the bus and end it."""
