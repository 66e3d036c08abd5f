"""449 beacons, 1,000 adverts a second, through BlueZ's D-Bus and bleak into a station.

The stand-in for BlueZ plays in a process of its own; the station runs here with its real pipeline.
``station_lost``: adverts that were sent and not heard. ``station_core_percent``: processor time of
the station's process by the time that passed, of one core. ``station_recovered_s``: from the moment
at which the radio stalls, without an error and until the Bluetooth service is restarted, to the
first advert that is heard again, with the settings that a station has by itself.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

BEACONS: Final = 449
RATE: Final = 1000
SECONDS: Final = 60
_TICK_S: Final = 0.02
_UUID: Final = "e2c56db5-dffb-48d2-b060-d0f5a71096e0"


async def play() -> None:
    """The radio: says its address, then plays a batch for each line it is told."""
    from vigil_sim.checkin.beacons import Beacon
    from vigil_sim.checkin.bluez import BluezStandIn

    beacons = [
        Beacon.ibeacon(f"AA:BB:CC:00:{n >> 8:02X}:{n & 255:02X}", _UUID, 1, n)
        for n in range(BEACONS)
    ]
    made = BluezStandIn()
    await made.start()
    print(made.environment["DBUS_SYSTEM_BUS_ADDRESS"], flush=True)
    loop = asyncio.get_running_loop()
    sent = 0

    def advertise() -> None:
        nonlocal sent
        made.adapter().heard(beacons[sent % BEACONS].advert(-50 - sent % 40))
        sent += 1

    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "stall":
            made.stall("service")
            print("stalled", flush=True)
            continue
        began, total, before = loop.time(), int(line), sent
        while sent - before < total:
            due = min(total, int((loop.time() - began) * RATE) + 1)
            while sent - before < due:
                advertise()
            await asyncio.sleep(_TICK_S)
        print(sent - before, flush=True)
    await made.stop()


class Radio:
    """The other process."""

    def __init__(self) -> None:
        program = "import asyncio; from bench.station import play; asyncio.run(play())"
        command = [sys.executable, "-c", program]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.address = self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def say(self, word: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    async def answer(self) -> str:
        return await asyncio.get_running_loop().run_in_executor(None, self._line)

    def close(self) -> None:
        self.say("")
        self._process.wait(timeout=60)


async def measure(radio: Radio) -> None:
    from pydantic import TypeAdapter

    from edge.memory_context import MemoryContext
    from vigil_edge.checkin.pipeline import BlePipeline
    from vigil_edge.checkin.radios import Radios
    from vigil_edge.checkin.settings import CheckinSettings

    adapter: TypeAdapter[Any] = TypeAdapter(CheckinSettings)
    made = adapter.validate_python(
        {"device": "gate", "driver": "ble", "adapter": "hci0", "heartbeat": f"ibeacon:{'0' * 32}"}
    )
    context = MemoryContext()
    heard = 0
    take = Radios.take

    def counted(self: Radios) -> Any:
        nonlocal heard
        taken = take(self)
        heard += taken[1]
        return taken

    Radios.take = counted  # type: ignore[method-assign]
    running = asyncio.create_task(BlePipeline(made, context).run())
    await context.until(lambda: bool(context.reports), running)
    radio.say(BEACONS)  # each once, so that all are known
    await radio.answer()
    await context.until(lambda: heard >= BEACONS, running)
    before, processor, began = heard, time.process_time(), time.monotonic()
    radio.say(RATE * SECONDS)
    sent = int(await radio.answer())
    with suppress(TimeoutError):  # the figure says how many are missing
        await context.until(lambda: heard - before >= sent, running, deadline_s=20)
    passed = time.monotonic() - began
    spent = time.process_time() - processor
    print(f"station_sent: {sent}")
    print(f"station_lost: {sent - (heard - before)}")
    print(f"station_adverts_a_second: {sent / passed:.0f}")
    print(f"station_core_percent: {100 * spent / passed:.1f}", flush=True)
    radio.say("stall")
    await radio.answer()
    stalled, silent = time.monotonic(), heard

    async def go_on() -> None:
        while True:
            radio.say(1)
            await radio.answer()
            await asyncio.sleep(0.2)

    playing = asyncio.create_task(go_on())
    await context.until(lambda: heard > silent, running, deadline_s=200)
    print(f"station_recovered_s: {time.monotonic() - stalled:.1f}", flush=True)
    for task in (playing, running):
        task.cancel()
    await asyncio.gather(playing, running, return_exceptions=True)


def main() -> None:
    """Prints the figures."""
    radio = Radio()
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = radio.address
    asyncio.run(measure(radio))
    radio.close()


if __name__ == "__main__":
    main()
