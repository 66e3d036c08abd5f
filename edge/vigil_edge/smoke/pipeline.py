"""From an alarm's messages to conditions in the outbox, smoke before everything else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from vigil_edge.smoke import zigbee2mqtt
from vigil_edge.smoke.alarms import Alarms, event_id
from vigil_edge.smoke.broker import BrokerSession, Message
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.health import Finding, ToldHealth, judge
from vigil_edge.smoke.settings import Alarm, Settings
from vigil_edge.source import Outgoing, Room, SourceError
from vigil_schemas.envelope import observation_type
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Domain, Lane, QartodFlag

ALARMS: Final = "smoke/alarms"
HEALTH: Final = "smoke/health"
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
        self._told = ToldHealth(room.state(HEALTH))
        base = settings.base_topic
        self._bridge = f"{base}/bridge/state"
        self._bridge_online: bool | None = None
        """``None`` until its state, or one of its alarms, was heard."""
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
            try:
                await session.open()
            except SourceError as error:
                await self._unreachable(error)
                raise
            self._room.report("ok")
            for alarm in self._settings.alarm:
                self._alarms.expect(alarm.device, self._room.now())
            await self._listen(session)
        finally:
            await session.close()

    async def _listen(self, session: BrokerSession) -> None:
        # By the clock, not by the pauses between messages: many alarms leave none.
        due = self._room.monotonic() + _SWEEP_S
        while True:
            message = await session.next(max(due - self._room.monotonic(), 0.0))
            if message is not None:
                await self._take(message)
                session.acknowledge(message)
            if self._room.monotonic() >= due:
                await self._sweep()
                due = self._room.monotonic() + _SWEEP_S

    async def _take(self, message: Message) -> None:
        topic = message.topic
        if topic == self._bridge:
            await self._bridge_state(message.payload)
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

    async def _bridge_state(self, payload: bytes) -> None:
        """With the bridge away, every alarm is out of reach at once."""
        online = zigbee2mqtt.online(payload)
        if online is None:
            return
        if online:
            self._room.report("ok")
        else:
            self._room.report("degraded", "bridge-offline", "Zigbee2MQTT says that it is offline")
        if online is not self._bridge_online:
            self._bridge_online = online
            # What the retained messages behind this one say comes first where it is back.
            if not online:
                await self._tell_health()

    async def _unreachable(self, error: SourceError) -> None:
        """The broker is away, and not only for the moment that a restart of it takes."""
        self._room.report("failed", error.code, str(error))
        await self._tell_health(Finding("failed", error.code, str(error)))

    async def _tell_health(self, finding: Finding | None = None) -> None:
        """Of every alarm where it changed; ``finding`` is true of all of them."""
        now = self._room.now()
        out = [
            told
            for alarm in self._settings.alarm
            for told in self._health(alarm.device, now, finding)
        ]
        if out:
            await self._keep(out)

    def _health(self, device: str, now: datetime, finding: Finding | None = None) -> list[Outgoing]:
        if finding is None:
            finding = judge(
                self._alarms.active(device),
                heard=self._alarms.heard(device),
                bridge_online=self._bridge_online,
            )
        change = self._told.change(device, finding, now)
        if change is None:
            return []
        return [Outgoing(Lane.EVENT, change.TYPE, device, now, change)]

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
        if not message.retained and self._bridge_online is None:
            self._bridge_online = True  # as in Zigbee2MQTT without a retained state
            self._room.report("ok")
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
        out = [_outgoing(device, event, now) for event in events]
        out += self._health(device, now)
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
        state = {ALARMS: self._alarms.state(), HEALTH: self._told.state()}
        try:
            await self._room.accept(out, state)
        except BaseException:
            # Nothing was kept: an alarm that was only derived must be derived again.
            self._alarms = Alarms(self._room.state(ALARMS))
            self._told = ToldHealth(self._room.state(HEALTH))
            raise
        self._kept = self._room.monotonic()

    async def _sweep(self) -> None:
        """Alarms that have fallen silent; and now and then when each was last heard of."""
        if self._bridge_online is None:
            self._room.report(
                "degraded",
                "bridge-unseen",
                f"nothing on {self._bridge}: is Zigbee2MQTT running, and base_topic its own?",
            )
        now = self._room.now()
        out: list[Outgoing] = []
        if self._settings.silent_after_s is not None:
            names = {alarm.device for alarm in self._settings.alarm}
            found = self._alarms.silent(timedelta(seconds=self._settings.silent_after_s), now)
            out += [_outgoing(device, event, now) for device, event in found if device in names]
        for alarm in self._settings.alarm:
            out += self._health(alarm.device, now)
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


def _outgoing(device: str, event: SmokeAlarm, now: datetime) -> Outgoing:
    lane = Lane.ALARM if event.condition in _URGENT else Lane.EVENT
    # A clearing after the clock was set back is since later than now: the cloud would refuse it.
    time = min(event.since, now)
    return Outgoing(lane, event.TYPE, device, time, event, event_id(event))
