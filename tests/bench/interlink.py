"""50 alarms of one at-once group, without a cloud: from the first alarm to the last siren's order.

A real broker, a pipeline with a real outbox's stand-in in memory, and the bridge's side as another
client that hears every ``/set``. Measured from the publication of the first alarm to the arrival
of the last of 50 orders at the bridge; each round ends with every siren told to stop.
"""

from __future__ import annotations

import asyncio
import json
import queue
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

import servers
from edge.device import supervised
from edge.memory_context import MemoryContext
from vigil_edge.smoke import sources
from vigil_edge.smoke.settings import ZigbeeSettings

ALARMS: Final = 50
ROUNDS: Final = 200
_DEADLINE_S: Final = 60


class Bridge:
    """Zigbee2MQTT's side."""

    def __init__(self, broker: servers.Mosquitto, base: str) -> None:
        self.orders: queue.Queue[tuple[float, str, bool]] = queue.Queue()
        self._base = base
        granted: queue.Queue[None] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_subscribe = lambda *_: granted.put(None)
        self.client.on_message = lambda _client, _data, message: self.orders.put(
            (
                time.perf_counter(),
                message.topic,
                json.loads(message.payload)["warning"]["mode"] != "stop",
            )
        )
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        self.client.subscribe(f"{base}/+/set", 1)
        granted.get(timeout=_DEADLINE_S)

    def say(self, name: str, payload: dict[str, object]) -> None:
        self.client.publish(f"{self._base}/{name}", json.dumps(payload), qos=1)

    def all_told(self, sounding: bool) -> float:
        """When the last of them was told."""
        left, at = {f"{self._base}/alarm-{number}/set" for number in range(ALARMS)}, 0.0
        while left:
            at, topic, sounds = self.orders.get(timeout=_DEADLINE_S)
            if sounds is sounding:
                left.discard(topic)
        return at

    def round(self, number: int) -> float:
        """Seconds from the first alarm to the last order."""
        first = number % ALARMS
        began = time.perf_counter()
        self.say(f"alarm-{first}", {"smoke": True})
        for other in range(ALARMS):  # the others smell it too
            if other != first:
                self.say(f"alarm-{other}", {"smoke": True})
        took = self.all_told(True) - began
        for other in range(ALARMS):
            self.say(f"alarm-{other}", {"smoke": False, "warning": {"mode": "stop"}})
        self.all_told(False)
        return took


async def _measure(broker: servers.Mosquitto, folder: Path) -> list[float]:
    base = f"z2m-{uuid.uuid4().hex[:8]}"
    alarms = [
        {"friendly_name": f"alarm-{number}", "device": f"alarm-{number}", "group": "house"}
        for number in range(ALARMS)
    ]
    given = {"driver": "zigbee2mqtt", "broker": broker.url, "base_topic": base, "alarm": alarms}
    context = MemoryContext(folder, gateway=base)
    bridge = Bridge(broker, base)
    pipe = sources.build(ZigbeeSettings.model_validate(given), context)
    async with supervised.running(pipe, context):
        await asyncio.sleep(1)  # until it has subscribed
        found = [await asyncio.to_thread(bridge.round, number) for number in range(ROUNDS)]
    bridge.client.disconnect()
    bridge.client.loop_stop()
    return found


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vigil-interlink-") as name:
        broker = servers.mosquitto(Path(name))
        try:
            found = asyncio.run(_measure(broker, Path(name)))
        finally:
            broker.stop()
    print(f"interlink_alarms: {ALARMS}")
    print(f"interlink_rounds: {ROUNDS}")
    print(f"interlink_last_siren_p50_s: {median(found):.3f}")
    print(f"interlink_last_siren_p99_s: {quantiles(found, n=100)[-1]:.3f}")
    return 0
