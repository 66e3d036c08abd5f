"""A bleak backend for machines without a D-Bus: adverts over a local socket.

``advert_socket.AdvertSocket`` listens; bleak, told ``backend=SocketScanner``, connects to
where ``VIGIL_SIM_BLE`` (``tcp:host:port``) points. The gateway's process imports this, so
bleak is there.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Literal

from bleak.args.bluez import BlueZScannerArgs
from bleak.backends.scanner import (
    AdvertisementData,
    AdvertisementDataCallback,
    BaseBleakScanner,
)
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason

from vigil_sim.checkin.advert_socket import VARIABLE
from vigil_sim.supervised import cancel_and_wait, start_supervised


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
        self._listening = start_supervised(self._listen(reader), "adverts")

    async def stop(self) -> None:
        """End the scan."""
        listening, self._listening = self._listening, None
        await cancel_and_wait(listening)
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
