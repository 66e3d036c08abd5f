"""From an alarm's messages to conditions in the outbox, smoke before everything else."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext, SourceError
from vigil_edge.mqtt import MqttPublish
from vigil_edge.smoke import bridge_report
from vigil_edge.smoke.age import BridgeClock
from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_edge.smoke.broker import BrokerSession
from vigil_edge.smoke.changes import Told
from vigil_edge.smoke.condition import URGENT, event_id
from vigil_edge.smoke.health import Finding, ToldHealth, beside, judge
from vigil_edge.smoke.observed import Observed
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.roster import Roster
from vigil_edge.smoke.settings import BrokerSettings, ZigbeeSettings
from vigil_edge.smoke.sounding import Sounding
from vigil_edge.smoke.spoken import Spoken
from vigil_edge.smoke.standing import Standing
from vigil_edge.voice.speaker import Loudspeaker
from vigil_schemas.commands import CommandArguments, PlayVoice
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Lane

ALARMS: Final = "smoke/alarms"
HEALTH: Final = "smoke/health"
UNCONFIGURED: Final = "smoke/unconfigured"
SIRENS: Final = "smoke/sirens"
_SWEEP_S: Final = 5.0
_CHECKPOINT_S: Final = 600.0
_AGAIN_S: Final = 1.0
_LAST_WORDS_S: Final = 20.0
_WAITING_MOST: Final = 1000


_log = structlog.get_logger("smoke")


class BrokerPipeline(ABC):
    """Nothing is acknowledged to the broker before it is in the outbox. What its messages are, each
    kind of broker knows by itself."""

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
        self._standing = Standing(context.held.told_again)
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

    @abstractmethod
    def _topics(self) -> list[list[str]]:
        """What to subscribe to, and what else where the broker does not grant that."""

    @abstractmethod
    async def _take(self, message: MqttPublish, now: datetime, moment: float) -> None:
        """One message, as it was received at ``now`` and ``moment`` (monotonic, seconds)."""

    async def _speak(self) -> None:
        if self._spoken is not None:
            await self._spoken.run()

    async def command(self, device: str, arguments: CommandArguments) -> str:
        """``PlayVoice`` of the gateway's own loudspeaker; others of an alarm, where its bridge can
        ask it."""
        if isinstance(arguments, PlayVoice):
            if self._spoken is None:
                raise CommandRefused("voice-disabled", "this gateway has no loudspeaker")
            return self._spoken.command(arguments)
        return self._ask(device, arguments)

    def _ask(self, device: str, arguments: CommandArguments) -> str:
        """What an alarm is asked. Raises ``CommandRefused``."""
        said = f"{device} cannot be asked for {arguments.ACTION} from here"
        raise CommandRefused("not-on-bridge", said)

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

    def _own_state(self) -> dict[str, bytes]:
        """What this kind of broker keeps beside that."""
        return {}

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
            **self._own_state(),
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
        """Alarms that have fallen silent, tests outlasted; and when each was last heard of. On a
        new connection to the cloud also what stands: what is known changes nothing there."""
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
        session = self._context.session
        again, _ = self._standing.due(session, moment, now, self._alarms, self._told)
        out = [
            _outgoing(device, event, now)
            for device, event in (*told, *again)
            if self._is_ours(device, event)
        ]
        for device in self._roster.all_devices():
            out += self._health(device, now)
        self._say_aloud(told)
        if out or told or self._waiting or moment - self._kept >= _CHECKPOINT_S:
            await self._keep(out)
        self._standing.kept()

    # -- how things stand

    def _report(self) -> None:
        """How the bridge does, as a device of its own."""
        found = bridge_report.finding(
            waiting=len(self._waiting),
            online=self._bridge_online,
            waited=self._waited,
            unconfigured=self._roster.unconfigured.values(),
            only_own=self._only_own,
            base=self._base,
            spoken=self._spoken,
        )
        self._context.report(*found)

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
