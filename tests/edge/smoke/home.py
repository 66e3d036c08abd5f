"""The other side of the smoke tests: a home's alarms on a broker, and an agent that listens."""

from __future__ import annotations

import asyncio
import json
import queue
import uuid
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

import servers
from edge.device import supervised
from edge.memory_context import MemoryContext
from vigil_edge.smoke import sources
from vigil_edge.smoke.settings import BrokerSettings, ZigbeeSettings
from vigil_edge.smoke.wired_settings import WiredSettings
from vigil_schemas.smoke import SmokeAlarm


def section(url: str, base: str, **keys: Any) -> ZigbeeSettings:
    """Two alarms behind one broker."""
    alarms = [
        {"friendly_name": "kitchen", "device": "home-1"},
        {"friendly_name": "floor 2/hall", "device": "home-2"},
    ]
    given = {"driver": "zigbee2mqtt", "broker": url, "base_topic": base}
    return ZigbeeSettings.model_validate(given | {"alarm": alarms} | keys)


class Home:
    """Publishes as Zigbee2MQTT does, on a branch of its own of the session's broker."""

    def __init__(self, broker: servers.Mosquitto, base: str | None = None) -> None:
        self.base = base or f"z2m-{uuid.uuid4().hex[:8]}"
        self.url = broker.url
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def say(
        self, name: str, payload: dict[str, Any] | bytes, retain: bool = False, *, qos: int = 1
    ) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.publish(f"{self.base}/{name}", data, retain, qos=qos)

    def publish(self, topic: str, data: bytes, retain: bool = False, *, qos: int = 1) -> None:
        self._client.publish(topic, data, qos, retain).wait_for_publish(60)

    def settings(self, **keys: Any) -> ZigbeeSettings:
        return section(self.url, self.base, **keys)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Bridge:
    """Zigbee2MQTT's side: hears what is asked of its devices."""

    def __init__(self, home: Home, broker: servers.Mosquitto) -> None:
        self.asked: queue.Queue[tuple[str, Any]] = queue.Queue()
        granted: queue.Queue[None] = queue.Queue()
        self._base = f"{home.base}/"
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_subscribe = lambda *_: granted.put(None)
        self._client.on_message = lambda _client, _data, message: self.asked.put(
            (message.topic.removeprefix(self._base), json.loads(message.payload))
        )
        self._client.on_connect = lambda client, *_: client.subscribe(f"{home.base}/+/set", 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        granted.get(timeout=servers.DEADLINE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def listening(
    made: BrokerSettings | WiredSettings, context: MemoryContext
) -> AbstractAsyncContextManager[asyncio.Task[None]]:
    return supervised.running(sources.build(made, context), context)


def fires(context: MemoryContext, device: str) -> list[SmokeAlarm]:
    """What was told of smoke at one alarm, in order."""
    return [
        out.data
        for out in context.accepted
        if isinstance(out.data, SmokeAlarm)
        and out.subject == device
        and out.data.condition == "smoke"
    ]


def ago(seconds: float) -> str:
    """A ``last_seen`` as Zigbee2MQTT writes it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def alarms(context: MemoryContext) -> list[tuple[str, str, bool]]:
    return [
        (out.subject, out.data.condition, out.data.active)
        for out in context.accepted
        if isinstance(out.data, SmokeAlarm)
    ]
