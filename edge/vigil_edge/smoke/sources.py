"""Alarms that do not speak Zigbee: ChirpStack's MQTT integration, a Matter controller's JSON.

What follows from their reports is what follows from Zigbee2MQTT's (``pipeline``); only who speaks,
and in which words, is found here.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from vigil_edge.device.seam import PipelineContext
from vigil_edge.mqtt import MqttPublish
from vigil_edge.smoke import chirpstack, matter
from vigil_edge.smoke.alarms import Receipt
from vigil_edge.smoke.chirpstack import Uplink
from vigil_edge.smoke.counters import Frame, FrameCounts
from vigil_edge.smoke.errors import FrameMalformed, PayloadMalformed
from vigil_edge.smoke.pipeline import BrokerPipeline
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.settings import BrokerSettings, ChirpStackSettings, MatterSettings
from vigil_edge.smoke.wired import WiredPipeline
from vigil_edge.smoke.wired_settings import WiredBoard, WiredPins, WiredSettings
from vigil_edge.smoke.zigbee_pipeline import Zigbee2MqttPipeline

COUNTERS: Final = "smoke/counters"
REPLAYED: Final = "smoke-frame-replayed"
RESTARTED: Final = "smoke-counter-restarted"
UNKNOWN: Final = "smoke-unknown-device"


def build(
    settings: BrokerSettings | WiredSettings, context: PipelineContext
) -> BrokerPipeline | WiredPipeline:
    """One broker, or one panel of contacts, with all its alarms."""
    if isinstance(settings, WiredBoard | WiredPins):
        return WiredPipeline(settings, context)
    if isinstance(settings, ChirpStackSettings):
        return ChirpStackPipeline(settings, context)
    if isinstance(settings, MatterSettings):
        return MatterPipeline(settings, context)
    return Zigbee2MqttPipeline(settings, context)


class _Source(BrokerPipeline):
    """A broker without a bridge that speaks of itself: it is there while the broker is."""

    def __init__(self, settings: BrokerSettings, context: PipelineContext) -> None:
        super().__init__(settings, context)
        self._bridge_online = True

    async def _taken(
        self,
        name: str,
        report: AlarmReport,
        message: MqttPublish,
        now: datetime,
        moment: float,
        *,
        old: bool = False,
    ) -> None:
        """One report of one alarm; ``old``: it is no life, and ends nothing."""
        devices = self._roster.devices(name, self._alarms.active)
        if not devices:
            self._context.count(UNKNOWN)
            devices = [self._roster.found(name)]
            self._show_unconfigured()
        receipt = Receipt(
            now=now,
            moment=moment,
            retained=message.retained or old,
            trace=hashlib.sha256(message.payload).hexdigest()[:16],
        )
        told = [event for device in devices for event in self._derived(device, report, receipt)]
        await self._accept(devices, now, told, self._readings(name, report))

    async def _broken(
        self,
        name: str | None,
        error: PayloadMalformed,
        now: datetime,
        moment: float,
    ) -> None:
        """A message that cannot be read: counted, and shown at its alarm."""
        self._context.count(error.code)
        if name is None:
            return
        device = self._roster.configured.get(name)
        if isinstance(error, FrameMalformed):  # by its profile it is an alarm
            if device is None:
                device = self._roster.found(name)
                self._show_unconfigured()
            self._alarms.misread(device, str(error), moment)
        elif device is None:
            return
        else:
            self._alarms.garbled(device)
        await self._accept([device], now, [])


class ChirpStackPipeline(_Source):
    """Uplinks in the order of their frame counters."""

    _settings: ChirpStackSettings

    def __init__(self, settings: ChirpStackSettings, context: PipelineContext) -> None:
        super().__init__(settings, context)
        self._counts = FrameCounts(context.state(COUNTERS), context.monotonic())

    def _own_state(self) -> dict[str, bytes]:
        return {COUNTERS: self._counts.state()}

    def _topics(self) -> list[list[str]]:
        return [[f"application/{self._settings.application or '+'}/device/+/event/+"]]

    async def _take(self, message: MqttPublish, now: datetime, moment: float) -> None:
        if message.topic is None or not message.payload:
            return
        kind = message.topic.rpartition("/")[2]
        if kind not in ("up", "status", "join"):
            return
        steps = message.topic.split("/")
        named = steps[3].lower() if len(steps) > 3 else None
        try:
            uplink = chirpstack.read_event(message.payload)
        except PayloadMalformed as error:
            await self._broken(named, error, now, moment)
            return
        if uplink.malformed:
            self._context.count(FrameMalformed.code)
        name = uplink.eui or named
        if name is None:
            self._context.count(PayloadMalformed.code)
            return
        if name not in self._roster.configured and not uplink.may_be_alarm:
            return
        replayed = kind == "up" and self._is_replayed(name, uplink, moment)
        if replayed:
            self._context.count(REPLAYED)
        # Without its time, which may be a new one, it is nothing that happens now.
        report = replace(uplink.report, last_seen=None) if replayed else uplink.report
        await self._taken(name, report, message, now, moment, old=replayed)

    def _is_replayed(self, eui: str, uplink: Uplink, moment: float) -> bool:
        """A frame that was played again is no life; a fire in it is shown as unconfirmed."""
        if uplink.counter is None:
            return False
        report = uplink.report
        frame = Frame(
            uplink.counter,
            uplink.address,
            uplink.identity,
            fire=report.may_be_fire,
            content=repr(replace(report, last_seen=None)).encode(),
        )
        found = self._counts.take(eui, frame, moment)
        if found == "restarted":
            self._context.count(RESTARTED)
        return found == "repeated"


class MatterPipeline(_Source):
    """Nodes, or what changed of them, as a controller publishes them."""

    _settings: MatterSettings

    def _topics(self) -> list[list[str]]:
        return [[f"{self._settings.base_topic}/#"]]

    async def _take(self, message: MqttPublish, now: datetime, moment: float) -> None:
        if message.topic is None or not message.payload:
            return
        steps = message.topic.split("/")
        by_topic = next((step for step in steps if step.isdecimal()), None)
        try:
            value = matter.value_of(message.payload)
        except PayloadMalformed as error:
            await self._broken(by_topic, error, now, moment)
            return
        for node in matter.nodes(value):
            await self._node(matter.node_of(node) or by_topic, node, message, now, moment)

    async def _node(
        self, name: str | None, node: Any, message: MqttPublish, now: datetime, moment: float
    ) -> None:
        try:
            report = matter.read_value(node)
        except PayloadMalformed as error:
            await self._broken(name, error, now, moment)
            return
        if name is None:
            if report.has_fire_key or report.doubtful:
                self._context.count(UNKNOWN)  # of which one nobody can say
            return
        if name in self._roster.configured or report.has_fire_key or report.doubtful:
            await self._taken(name, report, message, now, moment)
