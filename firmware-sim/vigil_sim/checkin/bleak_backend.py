"""A bleak backend for machines without a D-Bus: adverts over a local socket."""

from __future__ import annotations

from collections.abc import Sequence

from vigil_sim.checkin.beacons import Receiver


class AdvertSocket:
    """Same face as ``BluezStandIn``: start, stop, ``environment``, ``backend``, ``adapter``."""

    backend = "vigil_sim.checkin.bleak_backend:SocketScanner"

    def __init__(self, adapters: Sequence[str] = ("hci0",), *, host: str = "127.0.0.1") -> None:
        raise NotImplementedError

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the gateway's process: ``VIGIL_SIM_BLE``."""
        raise NotImplementedError

    def adapter(self, name: str = "hci0") -> Receiver:
        """The adapter's radio."""
        raise NotImplementedError

    async def start(self) -> None:
        """Listen on a free port."""

    async def stop(self) -> None:
        """Close every connection and the port."""
