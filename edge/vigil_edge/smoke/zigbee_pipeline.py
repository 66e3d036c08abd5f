"""A Zigbee2MQTT: its bridge, the devices that it lists, and what it can ask them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from vigil_edge.device.seam import CommandRefused
from vigil_edge.mqtt import MqttPublish
from vigil_edge.smoke import asking, zigbee2mqtt
from vigil_edge.smoke.alarms import Receipt
from vigil_edge.smoke.bridge import Address, not_reached, said_time
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.pipeline import BrokerPipeline
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.words import Kind
from vigil_schemas.commands import CommandArguments, Mute, SelfTest

_OF_BRIDGE: Final = ("state", "devices", "health", "logging")


class Zigbee2MqttPipeline(BrokerPipeline):
    """Every message of the bridge, its alarms and whatever else it lists."""

    def _topics(self) -> list[list[str]]:
        """What to subscribe to, and what else where the broker does not grant that."""
        own = [f"{self._base}bridge/{topic}" for topic in _OF_BRIDGE]
        for alarm in self._roster.configured:
            own += [f"{self._base}{alarm}{below}" for below in ("", "/#")]
        return [[f"{self._base}#"], own]

    def _ask(self, device: str, arguments: CommandArguments) -> str:
        """``SelfTest`` and ``Mute``, of an alarm that the bridge lists as able to."""
        found = self._roster.settable(device)
        if found is None:
            message = f"{device} is not on the bridge's list of devices (yet)"
            raise CommandRefused("not-on-bridge", message)
        if self._session is None or self._bridge_online is False:
            raise CommandRefused("bridge-offline", "Zigbee2MQTT is not there")
        name, settable = found
        if isinstance(arguments, Mute) and (hushed := self._hushed(device, settable)):
            return hushed
        self._session.publish(f"{self._base}{name}/set", asking.payload(arguments, settable))
        if isinstance(arguments, SelfTest):
            self._alarms.asked_to_test(device, self._context.monotonic())
        return "asked over the bridge; what the alarm makes of it comes with its next message"

    def _hushed(self, device: str, settable: Mapping[str, Any]) -> str | None:
        """The sirens of its groups, where that is allowed; ``None``: it has to be asked itself.

        Raises ``CommandRefused`` for carbon monoxide and for a fire that grows.
        """
        try:
            self._sounding.hush(device, self._context.monotonic())
        except CommandRefused as error:
            if error.code != "hush-nothing-sounds":
                raise
            return None
        self._sound()
        if asking.can(Mute, settable):
            return None
        return "the sirens of its groups are hushed for ten minutes; it has no mute of its own"

    async def _take(self, message: MqttPublish, now: datetime, moment: float) -> None:
        topic = message.topic
        if topic is None:
            self._context.count("smoke-topic-unreadable")
            return
        rest = topic.removeprefix(self._base)
        if rest == topic:
            return
        if rest.startswith("bridge/"):
            await self._of_bridge(rest.removeprefix("bridge/"), message, moment)
        elif (found := self._roster.find(rest, message.payload)) is not None:
            if found.attribute == "availability":
                await self._available(found.name, message, now, moment)
            else:
                await self._heard(found, message, now, moment)

    async def _of_bridge(self, topic: str, message: MqttPublish, moment: float) -> None:
        if topic == "state":
            await self._bridge_state(message.payload)
        elif topic == "devices":
            await self._take_list(message.payload)
        elif topic == "health" and not message.retained:
            time = said_time(message.payload)
            if time is not None:
                self._alarms.clock.prove(time, moment)
        elif topic == "logging" and not message.retained:
            names = not_reached(message.payload, self._roster.configured)
            self._sounding.could_not(self._roster.configured[name] for name in names)

    async def _bridge_state(self, payload: bytes) -> None:
        """With the bridge away, every alarm is out of reach at once."""
        online = zigbee2mqtt.online(payload)
        if online is None or online is self._bridge_online:
            return
        was_away = self._bridge_online is False
        self._bridge_online = online
        self._report()
        if was_away:  # what it was told meanwhile it has not heard: nor whom to stop
            self._sounding.restart(self._alarms, self._context.monotonic())
            self._sound()
        # What the retained messages behind this one say comes first where it is back.
        if not online:
            await self._tell_health()

    async def _take_list(self, payload: bytes) -> None:
        if not self._roster.take(payload, self._alarms.active):
            self._context.count("smoke-devices-unreadable")
            return
        self._show_unconfigured()
        await self._tell_health()

    async def _available(
        self, name: str, message: MqttPublish, now: datetime, moment: float
    ) -> None:
        device = self._roster.configured.get(name)
        if device is None or not message.payload:
            return
        online = zigbee2mqtt.online(message.payload)
        if online is None:
            self._context.count("smoke-availability-unreadable")
            return
        told = self._alarms.availability(device, online, now, moment, retained=message.retained)
        await self._accept([device], now, told)

    async def _heard(
        self, found: Address, message: MqttPublish, now: datetime, moment: float
    ) -> None:
        """A device's own message, or one attribute of it."""
        if not message.payload:
            return  # a retained message being deleted
        devices = self._roster.devices(found.name, self._alarms.active)
        report = self._read(found, message, self._measured(found.name, devices))
        if report is None:
            await self._accept(devices, now, [])
            return
        if not devices:
            if not report.plainly_fire and not self._roster.is_alarm(found.name):
                # No alarm; but its time tells of the bridge's clock.
                self._alarms.clock.is_live(
                    report.last_seen, retained=message.retained, moment=moment, now=now
                )
                return
            devices = [self._roster.found(found.name)]
            self._show_unconfigured()
        if not message.retained and self._bridge_online is None:
            self._bridge_online = True  # as in Zigbee2MQTT without a retained state
            self._report()
        receipt = Receipt(
            now=now,
            moment=moment,
            retained=message.retained,
            trace=hashlib.sha256(f"{message.topic}\n".encode() + message.payload).hexdigest()[:16],
            partial=found.attribute is not None,
        )
        told = [event for device in devices for event in self._derived(device, report, receipt)]
        self._follow_sirens(found, message, report, [*devices, *(other for other, _ in told)])
        await self._accept(devices, now, told, self._readings(found.name, report))

    def _follow_sirens(
        self, found: Address, message: MqttPublish, report: AlarmReport, devices: Sequence[str]
    ) -> None:
        device, moment = self._roster.configured.get(found.name), self._context.monotonic()
        known = None if device is None else self._alarms.known(device)
        self._sounding.follow(dict.fromkeys(devices), self._alarms, moment)
        if device is not None and known is not None and known.live:
            self._sounding.answered(device, found.attribute, message.payload, report)
            if report.muted is not None:
                self._sounding.button(device, report.muted, moment)
        self._sound()

    def _measured(self, name: str, devices: Sequence[str]) -> set[Kind]:
        found = set(self._roster.measured(name))
        for device in devices:
            known = self._alarms.known(device)
            found |= known.measured if known is not None else set()
        return found

    def _read(
        self, found: Address, message: MqttPublish, measured: set[Kind]
    ) -> AlarmReport | None:
        def read(without: Collection[str]) -> AlarmReport:
            if found.attribute is None:
                return zigbee2mqtt.read(message.payload, measured, without)
            return zigbee2mqtt.read_attribute(found.attribute, message.payload, measured, without)

        device = self._roster.configured.get(found.name)
        try:
            report = self._sounding.beside_orders(device, self._alarms, read)
        except PayloadMalformed as error:
            if found.name in self._roster.configured or self._roster.is_alarm(found.name):
                self._context.count(error.code)
            if found.name in self._roster.configured and not message.retained:
                self._alarms.garbled(self._roster.configured[found.name])
            return None
        if report.unreadable and found.name in self._roster.configured:
            self._context.count("smoke-payload-wrong-type")
        return report
