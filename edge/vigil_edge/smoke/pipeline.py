"""From an alarm's messages to conditions in the outbox, smoke before everything else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext, SourceError
from vigil_edge.mqtt import MqttPublish
from vigil_edge.smoke import asking, zigbee2mqtt
from vigil_edge.smoke.age import BridgeClock
from vigil_edge.smoke.alarms import Alarms, Receipt, Told
from vigil_edge.smoke.bridge import Address, not_reached, said_time
from vigil_edge.smoke.broker import BrokerSession
from vigil_edge.smoke.condition import URGENT, event_id
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.health import Finding, ToldHealth, beside, judge
from vigil_edge.smoke.observed import PARAMETERS, Observed
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.roster import Roster
from vigil_edge.smoke.settings import BrokerSettings, ZigbeeSettings
from vigil_edge.smoke.sounding import Sounding
from vigil_edge.smoke.spoken import Spoken
from vigil_edge.smoke.words import Kind
from vigil_edge.voice.errors import PromptUnreadable, VoiceFailed
from vigil_edge.voice.speaker import Loudspeaker
from vigil_schemas.commands import CommandArguments, Mute, PlayVoice, SelfTest
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.smoke import DOMAIN, SmokeAlarm
from vigil_schemas.types import Lane

TITLES: Final = {"zigbee2mqtt": "Zigbee2MQTT", "chirpstack": "ChirpStack", "matter": "Matter"}
ALARMS: Final = "smoke/alarms"
HEALTH: Final = "smoke/health"
UNCONFIGURED: Final = "smoke/unconfigured"
SIRENS: Final = "smoke/sirens"
_SWEEP_S: Final = 5.0
_CHECKPOINT_S: Final = 600.0
_AGAIN_S: Final = 1.0
_LAST_WORDS_S: Final = 20.0
_WAITING_MOST: Final = 1000

_OF_BRIDGE: Final = ("state", "devices", "health", "logging")

_log = structlog.get_logger("smoke")


def describe(settings: BrokerSettings) -> list[DeviceDescription]:
    """The bridge, and each alarm behind it."""
    driver = settings.driver
    bridge = settings.described(DOMAIN, driver, [])
    if not bridge.name:
        title = TITLES[driver]
        names = {"name": f"{title} bridge", "name_zh": f"{title} 橋接器"}
        bridge = bridge.model_copy(update=names)
    asked = [SelfTest.ACTION, Mute.ACTION] if isinstance(settings, ZigbeeSettings) else []
    speaks = settings.voice is not None and settings.voice.enabled
    bridge = bridge.model_copy(update={"commands": [PlayVoice.ACTION] if speaks else asked})
    alarms = [
        DeviceDescription(
            commands=asked,
            device=alarm.device,
            domain=DOMAIN,
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


class Zigbee2MqttPipeline:
    """Nothing is acknowledged to the broker before it is in the outbox."""

    def __init__(
        self,
        settings: BrokerSettings,
        context: PipelineContext,
        loudspeaker: Loudspeaker | None = None,
    ) -> None:
        self._settings = settings
        self._context = context
        speaks = settings.voice is not None and settings.voice.enabled
        self._spoken = (
            Spoken(settings.voice, context, loudspeaker) if settings.voice and speaks else None
        )
        self._roster = Roster(settings, context.state(UNCONFIGURED))
        self._sounding = Sounding(settings, context.state(SIRENS), self._roster.siren)
        self._clock = BridgeClock()
        self._restore()
        self._session: BrokerSession | None = None
        """While it is open."""
        self._base = self._base_of(settings)
        self._bridge_online: bool | None = None
        """``None`` until its state, or one of its alarms, was heard."""
        self._waited = False
        """Long enough for what the broker has kept."""
        self._observed = Observed()
        self._only_own = False
        """The broker let us subscribe to the configured alarms alone."""
        self._kept = context.monotonic()
        self._waiting: list[Outgoing] = []
        """What a full outbox did not take, and what follows from it in the state is not kept."""

    def _restore(self) -> None:
        context = self._context
        self._waiting = []
        self._alarms = Alarms(context.state(ALARMS), context.now(), context.monotonic())
        self._alarms.clock = self._clock  # what was learned of it needs no disk
        self._told = ToldHealth(context.state(HEALTH))

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        name = f"vigil-{self._context.gateway}-{self._settings.device}"
        session = BrokerSession(self._settings, name)
        self._session = session
        speaking = asyncio.create_task(self._speak(), name=f"voice {self._settings.device}")
        try:
            try:
                self._only_own = await session.open(self._topics()) > 0
            except SourceError as error:
                await self._unreachable(error)
                raise
            self._report()
            for device in self._roster.configured.values():
                self._alarms.expect(device, self._context.now())
            self._show_unconfigured()
            self._sounding.restart(self._alarms, self._context.monotonic())
            self._sound()
            try:
                await self._listen(session)
            except Exception:
                await self._say_last()
                raise
        finally:
            self._session = None
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            await session.close()

    async def _say_last(self) -> None:
        """What failed (a full disk) silences no alarm that sounds: it is said before this ends."""
        if self._spoken is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self._spoken.said_all()

    @staticmethod
    def _base_of(settings: BrokerSettings) -> str:
        """What every topic begins with."""
        return f"{settings.base_topic}/" if isinstance(settings, ZigbeeSettings) else ""

    def _topics(self) -> list[list[str]]:
        """What to subscribe to, and what else where the broker does not grant that."""
        own = [f"{self._base}bridge/{topic}" for topic in _OF_BRIDGE]
        for alarm in self._roster.configured:
            own += [f"{self._base}{alarm}{below}" for below in ("", "/#")]
        return [[f"{self._base}#"], own]

    async def _speak(self) -> None:
        if self._spoken is not None:
            await self._spoken.run()

    async def command(self, device: str, arguments: CommandArguments) -> str:
        """``SelfTest`` and ``Mute``, of an alarm that the bridge lists as able to; ``PlayVoice``
        of the gateway's own loudspeaker."""
        if isinstance(arguments, PlayVoice):
            if self._spoken is None:
                raise CommandRefused("voice-disabled", "this gateway has no loudspeaker")
            return self._spoken.command(arguments)
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

    def _sound(self) -> None:
        """Orders that are due now, before anything is written to disk."""
        session = self._session
        if session is None:
            return

        def publish(device: str, payload: bytes) -> None:
            session.publish(f"{self._base}{self._roster.name(device)}/set", payload)

        self._sounding.send(publish, self._context.monotonic())

    async def _listen(self, session: BrokerSession) -> None:
        # By the clock, not by the pauses between messages: many alarms leave none.
        due = self._context.monotonic() + _SWEEP_S
        while True:
            look = min(due, self._sounding.due() or due)
            message = await session.next(max(look - self._context.monotonic(), 0.0))
            if message is not None:
                await self._take_surely(message)
                session.acknowledge(message)
            if self._context.monotonic() >= look:
                self._sound()
                await self._tell_health()
            if self._context.monotonic() >= due:
                await self._sweep()
                due = self._context.monotonic() + _SWEEP_S

    # -- one message

    async def _take_surely(self, message: MqttPublish) -> None:
        """Tried until the outbox has it where the broker delivers it once only (QoS 0).

        It stays as old as it was when it came, however long that takes.
        """
        now, moment = self._context.now(), self._context.monotonic()
        while True:
            try:
                return await self._take(message, now, moment)
            except (OutboxFull, OutboxFailed, OSError) as error:
                if message.qos:
                    raise
                self._context.count("smoke-message-waits")
                self._context.report("failed", "outbox-failed", str(error))
            await asyncio.sleep(_AGAIN_S)

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

    def _readings(self, name: str, report: AlarmReport) -> AlarmReport | None:
        """What a configured alarm measures now: what a cache still shows of it is no reading."""
        device = self._roster.configured.get(name)
        known = None if device is None else self._alarms.known(device)
        return report if known is not None and known.live else None

    def _derived(self, device: str, report: AlarmReport, receipt: Receipt) -> list[Told]:
        """What follows from a report.

        A mistake of ours must not stop the listening: the broker would deliver the same message
        again and again, and none behind it.
        """
        reports = [report]
        if report.may_be_fire:
            reports.append(AlarmReport(doubtful=("smoke",), raw="a mistake in this program"))
        for each in reports:
            try:
                return self._alarms.take(device, each, receipt)
            except Exception:  # noqa: BLE001 - one message must not make the alarms deaf
                self._context.count("smoke-message-crashed")
                _log.exception("a message could not be followed", device=device)
                self._restore()
        return []

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

    # -- what follows

    async def _accept(
        self,
        devices: Iterable[str],
        now: datetime,
        told: Sequence[Told],
        readings: AlarmReport | None = None,
    ) -> None:
        out = [
            _outgoing(device, event, now) for device, event in told if self._is_ours(device, event)
        ]
        affected = dict.fromkeys([*devices, *(device for device, _ in told)])
        out += [change for device in affected for change in self._health(device, now)]
        due = []
        if readings is not None:
            device = next(iter(devices))
            due = self._observed.due(device, readings, now, self._context.monotonic())
            out += self._observed.packed(device, due, now)
        if not out and not told:
            return
        self._say_aloud(told)
        await self._keep(out)
        for reading in due:
            self._observed.sent(device, reading, self._context.monotonic())

    def _say_aloud(self, told: Sequence[Told]) -> None:
        """Before anything is kept: whoever sleeps there must wake though the disk is full."""
        if self._spoken is not None:
            self._spoken.follow(told)

    def _is_ours(self, device: str, event: SmokeAlarm) -> bool:
        """Of an alarm that nobody configured only what may be a fire is told."""
        return event.condition in URGENT or self._roster.is_configured(device)

    async def _keep(self, out: Sequence[Outgoing]) -> None:
        """Into the outbox. One that is full of events still takes alarms.

        What is no alarm waits in memory then: it must not end the listening for fires.
        """
        out = [*self._waiting, *out]
        now, moment = self._context.now(), self._context.monotonic()
        state = {
            ALARMS: self._alarms.state(now, moment),
            HEALTH: self._told.state(),
            UNCONFIGURED: self._roster.state(),
            SIRENS: self._sounding.state(),
        }
        try:
            await self._context.accept(out, state)
        except OutboxFull:
            if len(out) > _WAITING_MOST or any(each.lane is Lane.ALARM for each in out):
                self._restore()
                raise
            self._context.count("smoke-events-wait", len(out) - len(self._waiting))
            self._waiting = out
            self._report()
            return
        except BaseException:
            # Nothing was kept: an alarm that was only derived must be derived again.
            self._restore()
            raise
        self._kept = moment
        self._waiting = []

    async def _sweep(self) -> None:
        """Alarms that have fallen silent, tests outlasted; and when each was last heard of."""
        self._waited = True
        if self._spoken is not None:
            self._spoken.look()
        self._report()
        now, moment = self._context.now(), self._context.monotonic()
        told = self._alarms.tick(moment)
        self._sounding.follow(dict.fromkeys(device for device, _ in told), self._alarms, moment)
        self._sound()
        if self._settings.silent_after_s is not None:
            limit = timedelta(seconds=self._settings.silent_after_s)
            told += self._alarms.silent(limit, now, moment)
        out = [
            _outgoing(device, event, now) for device, event in told if self._is_ours(device, event)
        ]
        for device in self._roster.all_devices():
            out += self._health(device, now)
        self._say_aloud(told)
        if out or told or self._waiting or moment - self._kept >= _CHECKPOINT_S:
            await self._keep(out)

    # -- how things stand

    def _report(self) -> None:
        """How the bridge does, as a device of its own."""
        if self._waiting:
            said = f"{len(self._waiting)} events wait in memory, alarms are still taken"
            self._context.report("degraded", "outbox-full", said)
        elif self._bridge_online is False:
            said = "Zigbee2MQTT says that it is offline"
            self._context.report("degraded", "bridge-offline", said)
        elif self._bridge_online is None and self._waited:
            topic = f"{self._base}bridge/state"
            said = f"nothing on {topic}: is Zigbee2MQTT running, and base_topic its own?"
            self._context.report("degraded", "bridge-unseen", said)
        elif self._roster.unconfigured:
            names = ", ".join(sorted(self._roster.unconfigured.values()))
            said = f"alarms on the bridge that are in no [[smoke.alarm]]: {names}"
            self._context.report("degraded", "alarms-unconfigured", said[:400])
        elif self._only_own:
            said = (
                f"the broker lets this gateway subscribe to its own alarms only, not {self._base}#"
            )
            self._context.report("degraded", "bridge-hidden", said)
        elif self._spoken is not None and self._spoken.trouble:
            said = f"nothing can be said in the home: {self._spoken.trouble}"
            self._context.report("degraded", VoiceFailed.code, said[:400])
        elif self._spoken is not None and self._spoken.missing:
            said = "; ".join(self._spoken.missing)
            self._context.report("degraded", PromptUnreadable.code, said[:400])
        else:
            self._context.report("ok")

    def _show_unconfigured(self) -> None:
        """The cloud learns of them by the birth, and people by the bridge's state."""
        if self._roster.unconfigured:
            self._context.describe(self._roster.descriptions())
        self._report()

    async def _unreachable(self, error: SourceError) -> None:
        """The broker is away, and not only for the moment that a restart of it takes."""
        self._context.report("failed", error.code, str(error))
        await self._tell_health(Finding("failed", error.code, str(error)))

    async def _tell_health(self, finding: Finding | None = None) -> None:
        """Of every alarm where it changed; ``finding`` is true of all of them."""
        now = self._context.now()
        devices = self._roster.all_devices()
        out = [told for device in devices for told in self._health(device, now, finding)]
        if out:
            await self._keep(out)

    def _health(self, device: str, now: datetime, finding: Finding | None = None) -> list[Outgoing]:
        if finding is None:
            finding = judge(
                self._alarms.known(device),
                self._context.monotonic(),
                bridge_online=self._bridge_online,
                configured=self._roster.is_configured(device),
                on_bridge=not self._roster.is_missing(device),
            )
            siren = self._sounding.finding(device, self._context.monotonic())
            finding = beside(finding, siren, only_sounds=self._roster.only_sounds(device))
        change = self._told.change(device, finding, now)
        if change is None:
            return []
        return [Outgoing(Lane.EVENT, change.TYPE, device, now, change)]


def _outgoing(device: str, event: SmokeAlarm, now: datetime) -> Outgoing:
    lane = Lane.ALARM if event.condition in URGENT else Lane.EVENT
    # A clearing after the clock was set back is since later than now: the cloud would refuse it.
    # What is old, or is told again, is told now, whenever it began.
    begins = event.unconfirmed_since is None and not event.signs
    time = min(event.since, now) if begins else now
    return Outgoing(lane, event.TYPE, device, time, event, event_id(event))
