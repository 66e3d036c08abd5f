"""Alarms on dry contacts: relay outputs of wired detectors and fire panels, on an I/O board that
speaks Modbus or on the gateway's own pins.

A contact has a state, and no messages: what it says is read many times a second, so nothing is lost
while something else fails, and a line that cannot be read is the failure of every alarm on it. A
pulse that came while the outbox was away is held until it is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from vigil_edge.contacts.contact import Contact
from vigil_edge.contacts.inputs import Inputs, open_inputs
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext, SourceError
from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_edge.smoke.condition import URGENT, event_id
from vigil_edge.smoke.health import Finding, ToldHealth, judge
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.spoken import Spoken
from vigil_edge.smoke.standing import Standing
from vigil_edge.smoke.wired_settings import WiredAlarm, WiredSettings
from vigil_edge.voice.speaker import Loudspeaker
from vigil_schemas.commands import CommandArguments, PlayVoice
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.smoke import DOMAIN, SmokeAlarm
from vigil_schemas.types import Lane

ALARMS: Final = "smoke/alarms"
HEALTH: Final = "smoke/health"
LOOKED_EVERY: Final = timedelta(hours=1)
"""How often an alarm that says nothing new counts as heard."""
_AGAIN_S: Final = 1.0
_WAITING_MOST: Final = 1_000


Open = Callable[[WiredSettings], Awaitable[Inputs]]


def describe(settings: WiredSettings) -> list[DeviceDescription]:
    """The panel, and each zone on it."""
    panel = settings.described(DOMAIN, settings.driver, [])
    speaks = settings.voice is not None and settings.voice.enabled
    commands = [PlayVoice.ACTION] if speaks else []
    zones = [
        DeviceDescription(
            device=alarm.device,
            domain=DOMAIN,
            driver=settings.driver,
            name=alarm.name,
            name_zh=alarm.name_zh,
            latitude=alarm.latitude,
            longitude=alarm.longitude,
        )
        for alarm in settings.alarm
    ]
    return [panel.model_copy(update={"commands": commands}), *zones]


async def _connect(settings: WiredSettings) -> Inputs:
    return await open_inputs(settings, settings.lines, settings.debounce_s)


class WiredPipeline:
    """Reads the contacts; what they say goes the way that every alarm's word goes."""

    def __init__(
        self,
        settings: WiredSettings,
        context: PipelineContext,
        connect: Open = _connect,
        loudspeaker: Loudspeaker | None = None,
    ) -> None:
        self._settings = settings
        self._context = context
        self._connect = connect
        voice = settings.voice
        speaks = voice is not None and voice.enabled
        self._spoken = Spoken(voice, context, loudspeaker) if voice and speaks else None
        self._alarms = Alarms(context.state(ALARMS), context.now(), context.monotonic())
        self._told = ToldHealth(context.state(HEALTH))
        self._contacts = {name: Contact(settings.debounce_s) for name in settings.lines}
        self._looked = 0.0
        self._again_at = 0.0
        self._trouble = ""
        self._standing = Standing(context.held.told_again)

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        try:
            inputs = await self._connect(self._settings)
        except SourceError as error:
            await self._unreadable(error)
            raise
        speaking = asyncio.create_task(self._speak(), name=f"voice {self._settings.device}")
        try:
            self._report()
            await self._read(inputs)
        except SourceError as error:
            await self._unreadable(error)
            raise
        finally:
            inputs.close()
            speaking.cancel()
            with suppress(asyncio.CancelledError):
                await speaking

    async def command(self, _device: str, arguments: CommandArguments) -> str:
        """``PlayVoice`` of the gateway's own loudspeaker."""
        if isinstance(arguments, PlayVoice) and self._spoken is not None:
            return self._spoken.command(arguments)
        raise CommandRefused("voice-disabled", "this gateway has no loudspeaker")

    async def _speak(self) -> None:
        if self._spoken is not None:
            await self._spoken.run()

    async def _read(self, inputs: Inputs) -> None:
        due = self._context.monotonic()
        while True:
            await self._take(await inputs.read())
            if self._spoken is not None:
                self._spoken.look()
            due = max(due + self._settings.interval_s, self._context.monotonic())
            await asyncio.sleep(max(due - self._context.monotonic(), 0))

    async def _take(self, values: dict[str, bool]) -> None:
        """All contacts at one moment."""
        now, moment = self._context.now(), self._context.monotonic()
        changed = {
            name.rpartition("/")[0]
            for name, contact in self._contacts.items()
            if contact.take(values[name], moment)
        }
        out: list[Outgoing] = []
        again = moment - self._looked >= LOOKED_EVERY.total_seconds()
        for alarm in self._settings.alarm:
            known = all(
                self._contacts[f"{alarm.device}/{kind}"].state is not None for kind in alarm.lines
            )
            if not known or (alarm.device not in changed and not again):
                continue
            told = self._alarms.take(alarm.device, self._said(alarm), Receipt(now, moment))
            if self._spoken is not None:
                self._spoken.follow(told)  # before anything is kept: whoever sleeps must wake
            out += [_outgoing(device, event) for device, event in told]
            out += self._health(alarm.device)
            out += [each for device, _ in told for each in self._health(device)]
        out += self._told_again()
        if again:
            self._looked = moment
        if out or (self._context.held.outgoing and moment >= self._again_at):
            await self._keep(out)

    def _told_again(self) -> list[Outgoing]:
        """What stands, on a new connection to the cloud: what is known changes nothing there."""
        session, moment = self._context.session, self._context.monotonic()
        told, devices = self._standing.due(
            session, moment, self._context.now(), self._alarms, self._told
        )
        self._standing.kept()  # whatever the outbox says: it is held until that takes it
        again = [_outgoing(device, event) for device, event in told]
        return [*again, *(each for device in devices for each in self._health(device))]

    def _said(self, alarm: WiredAlarm) -> AlarmReport:
        said: dict[str, Any] = {
            kind: bool(self._contacts[f"{alarm.device}/{kind}"].state) != (kind in alarm.inverted)
            for kind in alarm.lines
        }
        return AlarmReport(**said, has_fire_key=True, plainly_fire=True)

    async def _unreadable(self, error: SourceError) -> None:
        """Nobody hears the alarms on these lines."""
        self._context.report("failed", error.code, str(error))
        failed = Finding("failed", error.code, str(error)[:400])
        await self._keep(
            [each for alarm in self._settings.alarm for each in self._health(alarm.device, failed)]
        )

    def _health(self, device: str, finding: Finding | None = None) -> list[Outgoing]:
        moment, now = self._context.monotonic(), self._context.now()
        if finding is None:
            finding = judge(self._alarms.known(device), moment, bridge_online=True)
        change = self._told.change(device, finding, now)
        if change is None:
            return []
        return [Outgoing(Lane.EVENT, change.TYPE, device, now, change)]

    async def _keep(self, out: Sequence[Outgoing]) -> None:
        """Into the outbox; what it does not take is held, and tried again. A full one still takes
        alarms."""
        held, moment = self._context.held, self._context.monotonic()
        held.outgoing += out
        held.state[ALARMS] = self._alarms.state(self._context.now(), moment)
        held.state[HEALTH] = self._told.state()
        if await self._kept(held.outgoing, held.state):
            self._trouble = ""
        else:  # what is told of health waits with its state
            alarms = [one for one in held.outgoing if one.lane is Lane.ALARM]
            await self._kept(alarms, (ALARMS,))
            self._context.count("smoke-events-wait")
            self._again_at = moment + _AGAIN_S
            if (lost := len(held.outgoing) - _WAITING_MOST) > 0:
                self._context.count("smoke-events-dropped", lost)
                events = [one for one in held.outgoing if one.lane is not Lane.ALARM][:lost]
                held.outgoing = [one for one in held.outgoing if one not in events]
        self._report()

    async def _kept(self, out: Sequence[Outgoing], keys: Iterable[str]) -> bool:
        held, out = self._context.held, list(out)
        state = {key: held.state[key] for key in keys}
        try:
            await self._context.accept(out, state)
        except (OutboxFull, OutboxFailed, OSError) as error:
            self._trouble = str(error)
            return False
        held.outgoing = [one for one in held.outgoing if one not in out]
        for key in state:
            del held.state[key]
        return True

    def _report(self) -> None:
        if self._trouble:
            self._context.report("degraded", "outbox-full", self._trouble)
        elif self._spoken is not None and self._spoken.trouble:
            self._context.report("degraded", "voice-failed", self._spoken.trouble)
        else:
            self._context.report("ok")


def _outgoing(device: str, event: SmokeAlarm) -> Outgoing:
    lane = Lane.ALARM if event.condition in URGENT else Lane.EVENT
    return Outgoing(lane, event.TYPE, device, event.since, event, event_id(event))
