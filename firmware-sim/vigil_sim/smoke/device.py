"""Homes with Zigbee smoke alarms behind Zigbee2MQTT: the JSON that it publishes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from vigil_schemas.errors import VigilError
from vigil_sim.device_clock import DeviceClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.smoke.alarm import (
    CHANCE_STYLES,
    Condition,
    SensingChamber,
    ZigbeeAlarm,
    broken,
    clear_air,
    definition,
    dumped,
    message,
)
from vigil_sim.smoke.broker import EmbeddedBroker
from vigil_sim.supervised import cancel_and_wait, every, start_supervised

__all__ = ["Zigbee2MqttHome", "ZigbeeAlarm", "clear_air"]

_CONNECT_S: Final = 30.0
_REPEAT_S: Final = 5.0
"""While an alarm sounds it reports at least this often."""
_NOTED: Final = ("smoke", "test", "tamper", "battery_low")


class Zigbee2MqttError(VigilError):
    """The home cannot reach its broker, or was asked for an alarm that it does not have."""

    code: ClassVar[str] = "zigbee2mqtt-home"
    remedy: ClassVar[str] = "Ask only for an alarm that the scenario has."


@dataclass(slots=True)
class _Installed:
    """An alarm in its home, with what was last published about it."""

    chamber: SensingChamber
    condition: Condition | None = None
    """As the alarm believes to have reported it."""
    sent: dict[str, bool] = field(default_factory=dict)
    """What was really sent last, of the words that the ledger notes."""
    reachable: bool | None = None
    reported_at: float = -math.inf
    cached: dict[str, Any] | None = None
    """Its last message, as Zigbee2MQTT keeps it over a restart of its own."""


class Zigbee2MqttHome:
    """A Zigbee2MQTT instance. With no ``broker`` it starts an embedded one of its own.

    As Zigbee2MQTT with its defaults: bridge state, device list and availability are retained,
    device messages are not (``retain``) and have QoS 0; the will says ``offline``. ``output``
    ``attribute`` gives each attribute a topic of its own. An alarm reports at each
    change, every ``report_s`` and, while it sounds, every 5 s. The ledger notes each change of
    smoke, test, tamper and battery_low that was sent, under that word as the parameter.
    """

    def __init__(  # noqa: PLR0913 - what a test may turn of a home, by name
        self,
        alarms: Sequence[ZigbeeAlarm],
        *,
        device: str | None = None,
        gateway: str = "",
        broker: str | None = None,
        base_topic: str = "zigbee2mqtt",
        tick_s: float = 0.2,
        report_s: float = 60.0,
        retain: bool = False,
        output: Literal["json", "attribute"] = "json",
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        ledger: Ledger | None = None,
    ) -> None:
        self.gateway = gateway
        self.device = device or f"zigbee2mqtt-{gateway or 'home'}"
        """The bridge itself, as a device of its gateway."""
        self._alarms = {a.friendly_name: _Installed(SensingChamber(a)) for a in alarms}
        self._broker_given = broker
        self._embedded = EmbeddedBroker() if broker is None else None
        self._base_topic = base_topic
        self._tick_s = tick_s
        self._report_s = report_s
        self._retain = retain
        self._output = output
        self._clock = DeviceClock(clock, world_time, speed, Faults())
        self._ledger = ledger
        self._client: mqtt.Client | None = None
        self._connected = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None

    @property
    def broker(self) -> str:
        """``mqtt://host:port``."""
        if self._broker_given is not None:
            return self._broker_given
        if self._embedded is None:
            raise Zigbee2MqttError("the home has no broker")
        return self._embedded.address

    def section(self, **keys: Any) -> dict[str, Any]:
        """This home's ``[[smoke]]`` table for a gateway.toml; ``keys`` are added on top."""
        table: dict[str, Any] = {
            "device": self.device,
            "driver": "zigbee2mqtt",
            "broker": self.broker,
            "base_topic": self._base_topic,
            "alarm": [
                _alarm_section(home.chamber.alarm)
                for home in self._alarms.values()
                if home.chamber.alarm.configured
            ],
        }
        return table | keys

    async def start(self) -> None:
        """Connect (and start the broker), announce the bridge and the alarms."""
        self._clock.begin()
        if self._embedded is not None:
            await self._embedded.start()
        try:
            await self._connect()
        except BaseException:
            await self.stop()
            raise
        self._ticking = start_supervised(every(self._tick_s, self._tick), self.device)

    async def stop(self) -> None:
        """Announce the bridge offline, disconnect, end an embedded broker."""
        ticking, self._ticking = self._ticking, None
        client, self._client = self._client, None
        await cancel_and_wait(ticking)
        if client is not None:
            await asyncio.to_thread(_leave, client, f"{self._base_topic}/bridge/state")
        if self._embedded is not None:
            await self._embedded.stop()

    def press_test(self, friendly_name: str, held: bool = True, *, sounds: bool = False) -> None:
        """The alarm's test button is pressed (or let go); ``sounds`` raises its smoke bit too."""
        chamber = self._installed(friendly_name).chamber
        chamber.test, chamber.test_sounds = held, sounds

    def heat_up(self, friendly_name: str, hot: bool = True) -> None:
        """The heat element of a combined alarm trips (or cools down)."""
        self._installed(friendly_name).chamber.heat = hot

    def expire(self, friendly_name: str) -> None:
        """The alarm reaches the end of its service life, and says so."""
        self._installed(friendly_name).chamber.expired = True

    def remember(self, friendly_name: str, age_s: float, **said: Any) -> None:
        """What the cache of a restarted Zigbee2MQTT holds of an alarm: as heard ``age_s`` ago."""
        home = self._installed(friendly_name)
        condition = home.chamber.sense(self._clock.world())
        seen_s = self._clock.true() - age_s
        home.cached = message(home.chamber.alarm, condition, 0, seen_s) | said

    def publish_cache(self) -> None:
        """As Zigbee2MQTT does when it starts: every cached state, with its old ``last_seen``."""
        for name, home in self._alarms.items():
            if home.cached is not None:
                self._say(name, home.cached)

    def take_off(self, friendly_name: str, off: bool = True) -> None:
        """The alarm is taken off its base (or put back): tamper."""
        self._installed(friendly_name).chamber.tamper = off

    def _installed(self, friendly_name: str) -> _Installed:
        try:
            return self._alarms[friendly_name]
        except KeyError:
            raise Zigbee2MqttError(f"there is no alarm {friendly_name!r}") from None

    # -- MQTT

    async def _connect(self) -> None:
        place = urlsplit(self.broker)
        # Zigbee2MQTT's default is 3.1.1; `mqtt: version: 5` is its setting for the other.
        version = mqtt.MQTTv311 if self._embedded is None else mqtt.MQTTv5
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=version)
        client.will_set(
            f"{self._base_topic}/bridge/state", dumped({"state": "offline"}), qos=1, retain=True
        )
        if place.username:
            client.username_pw_set(place.username, place.password)
        loop = asyncio.get_running_loop()

        def on_connect(*_: Any) -> None:
            # Runs in paho's thread, also after it has reconnected by itself.
            loop.call_soon_threadsafe(self._announce)

        client.on_connect = on_connect
        client.reconnect_delay_set(min_delay=1, max_delay=5)
        host, port = place.hostname or "127.0.0.1", place.port or 1883
        try:
            await asyncio.to_thread(client.connect, host, port)
        except OSError as error:
            raise Zigbee2MqttError(f"no broker at {self.broker}: {error}") from error
        client.loop_start()
        self._client = client
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._connected.wait()
        except TimeoutError:
            raise Zigbee2MqttError(f"{self.broker} did not accept the connection") from None

    def _announce(self) -> None:
        self._connected.set()
        alarms = [home.chamber.alarm for home in self._alarms.values()]
        info = {"version": "2.1.0", "network": {"channel": 11}, "permit_join": False}
        coordinator = {
            "ieee_address": "0x00124b0000000000",
            "type": "Coordinator",
            "network_address": 0,
            "supported": True,
            "disabled": False,
            "friendly_name": "Coordinator",
            "definition": None,
            "interview_completed": True,
        }
        devices = [coordinator, *(definition(a, n) for n, a in enumerate(alarms, start=4660))]
        for topic, value in (("state", {"state": "online"}), ("info", info), ("devices", devices)):
            self._publish(f"bridge/{topic}", dumped(value), retain=True)
        self.publish_cache()
        for home in self._alarms.values():
            home.reachable = None
            home.reported_at = -math.inf

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self._client is not None:
            qos = 1 if retain else 0
            self._client.publish(f"{self._base_topic}/{topic}", payload, qos=qos, retain=retain)

    # -- alarms

    def _tick(self) -> None:
        # Without a connection Zigbee2MQTT forgets what alarms say; it says all anew afterwards.
        if not self._connected.is_set() or self._client is None or not self._client.is_connected():
            return
        world, now = self._clock.world(), asyncio.get_running_loop().time()
        for name, home in self._alarms.items():
            condition = home.chamber.sense(world)
            if condition.reachable != home.reachable:
                home.reachable = condition.reachable
                home.reported_at = -math.inf
                state = "online" if condition.reachable else "offline"
                self._publish(f"{name}/availability", dumped({"state": state}), retain=True)
            if condition.reachable and self._due(home, condition, now):
                self._report(name, home, condition, world)
                home.reported_at = now

    def _due(self, home: _Installed, condition: Condition, now: float) -> bool:
        if home.condition is None or condition.differs(home.condition):
            return True
        return now - home.reported_at >= (_REPEAT_S if condition.smoke else self._report_s)

    def _report(self, name: str, home: _Installed, condition: Condition, world: float) -> None:
        faults = home.chamber.alarm.faults
        seen_s = self._clock.true() + faults.skew(world)
        said = message(home.chamber.alarm, condition, home.chamber.link_quality(), seen_s)
        if faults.drops(world):
            # Lost on the air: the alarm does not know, and says it again only in time.
            home.condition = condition
            return
        fault = faults.corruption(world, CHANCE_STYLES)
        if fault is not None:
            self._publish(name, broken(fault.style, dumped(said), faults.random))
            return
        home.cached = said
        self._say(name, said)
        self._note(home, condition, math.floor(seen_s * 1e6))
        home.condition = condition

    def _say(self, name: str, said: dict[str, Any]) -> None:
        if self._output == "json":
            self._publish(name, dumped(said), retain=self._retain)
            return
        for key, value in said.items():
            text = value.encode() if isinstance(value, str) else dumped(value)
            self._publish(f"{name}/{key}", text, retain=self._retain)

    def _note(self, home: _Installed, condition: Condition, time_us: int) -> None:
        if self._ledger is None:
            return
        for word in _NOTED:
            now = getattr(condition, word)
            before = home.sent.get(word, False)
            home.sent[word] = now
            if now != before:
                device = home.chamber.alarm.device
                self._ledger.append("smoke", self.gateway, device, word, time_us, float(now))


def _leave(client: mqtt.Client, state_topic: str) -> None:
    # Blocks until the broker has the last word of the bridge, or is gone.
    last = client.publish(state_topic, dumped({"state": "offline"}), qos=1, retain=True)
    if client.is_connected():
        last.wait_for_publish(5.0)
    client.disconnect()
    client.loop_stop()


def _alarm_section(alarm: ZigbeeAlarm) -> dict[str, Any]:
    table = {
        "friendly_name": alarm.friendly_name,
        "device": alarm.device,
        "name": alarm.name,
        "name_zh": alarm.name_zh,
        "latitude": alarm.latitude,
        "longitude": alarm.longitude,
    }
    return {key: value for key, value in table.items() if value not in (None, "")}
