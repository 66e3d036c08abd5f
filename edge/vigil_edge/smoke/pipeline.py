"""From an alarm's messages to conditions in the outbox, smoke before everything else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.alarms import Alarms, event_id
from vigil_edge.smoke.broker import BrokerSession, Message
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.settings import Alarm, Settings
from vigil_edge.source import Outgoing, Room
from vigil_schemas.envelope import observation_type
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Domain, Lane, QartodFlag

ALARMS: Final = "smoke/alarms"
PARAMETERS: Final = ["battery", "smoke_density"]
_URGENT: Final = ("smoke", "test")
_SWEEP_S: Final = 5.0
_CHECKPOINT_S: Final = 600.0
_OBSERVE_AGAIN_S: Final = 3600.0


def describe(settings: Settings) -> list[DeviceDescription]:
    """The bridge, and each alarm behind it."""
    driver = settings.driver
    bridge = settings.described(Domain.SMOKE, driver, [])
    if not bridge.name:
        names = {"name": "Zigbee2MQTT bridge", "name_zh": "Zigbee2MQTT 橋接器"}
        bridge = bridge.model_copy(update=names)
    alarms = [
        DeviceDescription(
            device=alarm.device,
            domain=Domain.SMOKE,
            driver=driver,
            name=alarm.name,
            name_zh=alarm.name_zh,
            latitude=alarm.latitude,
            longitude=alarm.longitude,
            parameters=PARAMETERS,
        )
        for alarm in settings.alarm
    ]
    return [bridge, *alarms]


def build(settings: Settings, room: Room) -> Zigbee2MqttPipeline:
    """One broker, with all its alarms."""
    return Zigbee2MqttPipeline(settings, room)


class Zigbee2MqttPipeline:
    """Nothing is acknowledged to the broker before it is in the outbox."""

    def __init__(self, settings: Settings, room: Room) -> None:
        self._settings = settings
        self._room = room
        self._alarms = Alarms(room.state(ALARMS))
        base = settings.base_topic
        self._bridge = f"{base}/bridge/state"
        self._by_topic = {f"{base}/{alarm.friendly_name}": alarm for alarm in settings.alarm}
        self._observed: dict[tuple[str, str], tuple[float, float]] = {}
        """Value and moment of what was last sent, by device and parameter."""
        self._kept = room.monotonic()

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        name = f"vigil-{self._room.gateway}-{self._settings.device}"
        topics = [self._bridge]
        for topic in self._by_topic:
            topics += [topic, f"{topic}/availability"]
        session = BrokerSession(self._settings, name, topics)
        try:
            await session.open()
            self._room.report("ok")
            for alarm in self._settings.alarm:
                self._alarms.expect(alarm.device, self._room.now())
            while True:
                message = await session.next(_SWEEP_S)
                if message is None:
                    await self._sweep()
                    continue
                await self._take(message)
                session.acknowledge(message)
        finally:
            await session.close()

    async def _take(self, message: Message) -> None:
        topic = message.topic
        if topic == self._bridge:
            self._bridge_state(message.payload)
        elif alarm := self._by_topic.get(topic):
            await self._reported(alarm, message)
        elif alarm := self._by_topic.get(topic.removesuffix("/availability")):
            online = zigbee2mqtt.online(message.payload)
            if online is None:
                self._room.count("smoke-availability-unreadable")
                return
            now = self._room.now()
            await self._accept(
                alarm.device, now, self._alarms.availability(alarm.device, online, now), []
            )

    def _bridge_state(self, payload: bytes) -> None:
        """With the bridge away, every alarm is out of reach at once: that is the source's state."""
        online = zigbee2mqtt.online(payload)
        if online is False:
            self._room.report("degraded", "bridge-offline", "Zigbee2MQTT says that it is offline")
        elif online:
            self._room.report("ok")

    async def _reported(self, alarm: Alarm, message: Message) -> None:
        if not message.payload:
            return  # a retained message being deleted
        try:
            report = zigbee2mqtt.read(message.payload)
        except PayloadMalformed as error:
            self._room.count(error.code)
            return
        if report.unreadable:
            self._room.count("smoke-payload-wrong-type")
        now = self._room.now()
        events = self._alarms.take(alarm.device, report, now, retained=message.retained)
        readings = [
            self._reading("battery", "%", now, report.battery_percent),
            self._reading("smoke_density", None, now, report.smoke_density),
        ]
        due = [r for r in readings if r is not None and self._is_due(alarm.device, r)]
        await self._accept(alarm.device, now, events, due)

    async def _accept(
        self,
        device: str,
        now: datetime,
        events: Sequence[SmokeAlarm],
        readings: Sequence[Reading],
    ) -> None:
        out = [_outgoing(device, event) for event in events]
        if readings:
            records = pack(device, readings)
            lane, kind = Lane.OBSERVATION, observation_type(Domain.SMOKE)
            out.append(Outgoing(lane, kind, device, now, records))
        if not out:
            return
        await self._keep(out)
        moment = self._room.monotonic()
        for reading in readings:
            self._observed[device, reading.parameter] = (reading.value or 0.0, moment)

    async def _keep(self, out: Sequence[Outgoing]) -> None:
        try:
            await self._room.accept(out, {ALARMS: self._alarms.state()})
        except BaseException:
            # Nothing was kept: an alarm that was only derived must be derived again.
            self._alarms = Alarms(self._room.state(ALARMS))
            raise
        self._kept = self._room.monotonic()

    async def _sweep(self) -> None:
        """Alarms that have fallen silent; and now and then when each was last heard of."""
        if self._settings.silent_after_s is None:
            return
        now = self._room.now()
        names = {alarm.device for alarm in self._settings.alarm}
        found = self._alarms.silent(timedelta(seconds=self._settings.silent_after_s), now)
        out = [_outgoing(device, event) for device, event in found if device in names]
        if out or self._room.monotonic() - self._kept >= _CHECKPOINT_S:
            await self._keep(out)

    def _reading(
        self, parameter: str, unit: str | None, now: datetime, value: float | None
    ) -> Reading | None:
        if value is None:
            return None
        # + 0.0: devices that compute a difference report a negative zero in clear air.
        return Reading(parameter, unit, now, value + 0.0, QartodFlag.NOT_EVALUATED)

    def _is_due(self, device: str, reading: Reading) -> bool:
        """A changed value at once, the same one again after an hour."""
        value, moment = self._observed.get((device, reading.parameter), (None, 0.0))
        if reading.value != value:
            return True
        return self._room.monotonic() - moment >= _OBSERVE_AGAIN_S


def _outgoing(device: str, event: SmokeAlarm) -> Outgoing:
    lane = Lane.ALARM if event.condition in _URGENT else Lane.EVENT
    return Outgoing(lane, event.TYPE, device, event.since, event, event_id(event))
