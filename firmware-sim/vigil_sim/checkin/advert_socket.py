"""Adverts over a local socket: Bluetooth for machines without a D-Bus.

Same face as ``bluez.BluezStandIn``. The other end is ``bleak_backend.SocketScanner`` in the
gateway's process; only that end needs bleak. A scanner names its adapter in a first line and
then gets one JSON object a line for each advert.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from vigil_schemas.errors import VigilError
from vigil_sim.checkin.beacons import Advert, Receiver
from vigil_sim.tcp import TcpServer

VARIABLE: Final = "VIGIL_SIM_BLE"
_LONGEST_BACKLOG: Final = 1 << 20
"""Bytes that a scanner may lag behind before adverts are lost to it, as a radio's would be."""


class AdvertSocketError(VigilError):
    """The stand-in was asked for something that it does not have."""

    code: ClassVar[str] = "advert-socket"
    remedy: ClassVar[str] = "Ask the stand-in only for an adapter that the scenario has."


class AdvertSocket:
    """Same face as ``BluezStandIn``: start, stop, ``environment``, ``backend``, ``adapter``."""

    backend = "vigil_sim.checkin.bleak_backend:SocketScanner"
    """What goes into a gateway.toml's ``backend``."""

    def __init__(self, adapters: Sequence[str] = ("hci0",), *, host: str = "127.0.0.1") -> None:
        self._server = TcpServer(host, 0, self._serve)
        self._radios = {name: Radio() for name in adapters}

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the gateway's process: ``VIGIL_SIM_BLE``."""
        if not self._server.listening:
            raise AdvertSocketError("the stand-in has no address before it is started")
        return {VARIABLE: f"tcp:{self._server.address}"}

    def adapter(self, name: str = "hci0") -> Receiver:
        """The adapter's radio."""
        return self._named(name)

    def scanning(self, name: str = "hci0") -> bool:
        """Whether any client scans with this adapter now."""
        return bool(self._named(name).scanners)

    async def start(self) -> None:
        """Listen on a free port."""
        await self._server.start()

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self._server.stop()

    async def restart(self) -> None:
        """Break every scan, as a restarted Bluetooth service does."""
        for radio in self._radios.values():
            for writer in list(radio.scanners):
                writer.transport.abort()

    def _named(self, name: str) -> Radio:
        try:
            return self._radios[name]
        except KeyError:
            raise AdvertSocketError(f"there is no adapter {name!r}") from None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        radio: Radio | None = None
        try:
            name = (await reader.readline()).decode(errors="replace").strip()
            radio = self._radios.get(name)
            if radio is None:
                return
            writer.write(b"{}\n")
            radio.scanners.add(writer)
            # A scanner says nothing more: what is read next is its end.
            await reader.read()
        except ConnectionError:
            pass
        finally:
            if radio is not None:
                radio.scanners.discard(writer)


class Radio:
    """One adapter: the scanners connected to it."""

    def __init__(self) -> None:
        self.scanners: set[asyncio.StreamWriter] = set()

    def heard(self, advert: Advert) -> None:
        """``Receiver``: one line to each scanner that keeps up."""
        line = json.dumps(_to_json(advert)).encode() + b"\n"
        for writer in self.scanners:
            if writer.transport.get_write_buffer_size() < _LONGEST_BACKLOG:
                writer.write(line)


def _to_json(advert: Advert) -> dict[str, Any]:
    return {
        "address": advert.address,
        "rssi": advert.rssi,
        "manufacturer_data": {
            str(key): data.hex() for key, data in advert.manufacturer_data.items()
        },
        "service_data": {key: data.hex() for key, data in advert.service_data.items()},
        "service_uuids": list(advert.service_uuids),
        "local_name": advert.local_name,
        "tx_power": advert.tx_power,
    }
