"""A bleak backend for machines without a D-Bus: adverts over a local socket.

The simulator's ``AdvertSocket`` listens; bleak, told ``backend=SocketScanner``, connects to
where ``VIGIL_SIM_BLE`` (``tcp:host:port``) points, names its adapter in a first line, and
then gets one JSON object a line for each advert.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from bleak.args.bluez import BlueZScannerArgs
from bleak.backends.scanner import (
    AdvertisementData,
    AdvertisementDataCallback,
    BaseBleakScanner,
)
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason

from vigil_schemas.errors import VigilError
from vigil_sim.checkin.beacons import Advert, Receiver
from vigil_sim.device_clock import cancelled

VARIABLE: Final = "VIGIL_SIM_BLE"
_LONGEST_BACKLOG: Final = 1 << 20
"""Bytes that a scanner may lag behind before adverts are lost to it, as a radio's would be."""


class AdvertSocketError(VigilError):
    """The stand-in was asked for something that it does not have."""

    code: ClassVar[str] = "advert-socket"


class AdvertSocket:
    """Same face as ``BluezStandIn``: start, stop, ``environment``, ``backend``, ``adapter``."""

    backend = "vigil_sim.checkin.bleak_backend:SocketScanner"
    """What goes into a gateway.toml's ``backend``."""

    def __init__(self, adapters: Sequence[str] = ("hci0",), *, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = 0
        self._server: asyncio.Server | None = None
        self._radios = {name: Radio() for name in adapters}
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def environment(self) -> dict[str, str]:
        """Environment for the gateway's process: ``VIGIL_SIM_BLE``."""
        if self._server is None:
            raise AdvertSocketError("the stand-in has no address before it is started")
        return {VARIABLE: f"tcp:{self._host}:{self._port}"}

    def adapter(self, name: str = "hci0") -> Receiver:
        """The adapter's radio."""
        return self._named(name)

    def scanning(self, name: str = "hci0") -> bool:
        """Whether any client scans with this adapter now."""
        return bool(self._named(name).scanners)

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

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
            writer.close()


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


class SocketScanner(BaseBleakScanner):
    """``BleakScanner(backend=SocketScanner, bluez={"adapter": "hci0"})``.

    Raises bleak's own ``BleakBluetoothNotAvailableError`` where there is no simulator.
    """

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],  # noqa: ARG002  # bleak passes it to each backend
        *,
        bluez: BlueZScannerArgs | None = None,
        **_options: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._adapter = (bluez or {}).get("adapter") or "hci0"
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to scan; returns once the radio listens for us."""
        self.seen_devices = {}
        kind, _, place = os.environ.get(VARIABLE, "").partition(":")
        host, _, port = place.rpartition(":")
        if kind != "tcp" or not port.isdigit():
            raise _no_bluetooth(f"{VARIABLE} does not say tcp:host:port")
        try:
            reader, self._writer = await asyncio.open_connection(host, int(port))
            self._writer.write(self._adapter.encode() + b"\n")
            answered = await reader.readline()
        except OSError as error:
            raise _no_bluetooth(f"no simulated radio at {place}: {error}") from error
        if not answered:
            raise _no_bluetooth(f"adapter {self._adapter!r} not found")
        self._listening = asyncio.get_running_loop().create_task(self._listen(reader))

    async def stop(self) -> None:
        """End the scan."""
        listening, self._listening = self._listening, None
        await cancelled(listening)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._heard(json.loads(line))
        except ConnectionError:
            # As with a crashed Bluetooth service, bleak is not told: the scan falls silent.
            return

    def _heard(self, heard: dict[str, Any]) -> None:
        uuids = heard["service_uuids"]
        if not self.is_allowed_uuid(uuids):
            return
        data = AdvertisementData(
            local_name=heard["local_name"],
            manufacturer_data={
                int(key): bytes.fromhex(value) for key, value in heard["manufacturer_data"].items()
            },
            service_data={
                key: bytes.fromhex(value) for key, value in heard["service_data"].items()
            },
            service_uuids=uuids,
            tx_power=heard["tx_power"],
            rssi=heard["rssi"],
            platform_data=(heard,),
        )
        address = heard["address"]
        device = self.create_or_update_device(address, address, data.local_name, heard, data)
        self.call_detection_callbacks(device, data)


def _no_bluetooth(message: str) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError(message, BleakBluetoothNotAvailableReason.NO_BLUETOOTH)


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
