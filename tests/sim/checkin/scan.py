"""What a gateway does: scan with bleak. Run as a process; prints one JSON line per advert.

Arguments: backend (``bluez`` or ``module:Class``), adapter. Ends when its input closes.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData


def tell(device: BLEDevice, advert: AdvertisementData) -> None:
    print(
        json.dumps(
            {
                "address": device.address,
                "rssi": advert.rssi,
                "manufacturer": {k: v.hex() for k, v in advert.manufacturer_data.items()},
                "service": {k: v.hex() for k, v in advert.service_data.items()},
                "name": advert.local_name,
            }
        ),
        flush=True,
    )


async def main(backend: str, adapter: str) -> None:
    options: dict[str, Any] = {"bluez": {"adapter": adapter}}
    if backend != "bluez":
        module, _, name = backend.partition(":")
        options["backend"] = getattr(importlib.import_module(module), name)
    async with BleakScanner(tell, **options):
        print(json.dumps({"scanning": adapter}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps({"stopped": adapter}), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2]))
