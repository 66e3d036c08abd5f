"""From a cabinet's contacts to calls, removals and openings in the outbox, the call first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import uuid5

from vigil_edge.aed.cabinet import NAMESPACE, Cabinet, Fact, Spans, Step, reading
from vigil_edge.aed.settings import BoardSettings, GpioSettings
from vigil_edge.contacts.inputs import Inputs, open_inputs
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import CommandRefused, Outgoing, PipelineContext
from vigil_edge.voice.speaker import Heard, Loudspeaker, Speaker
from vigil_schemas.aed import DOMAIN, PROMPTS, AedPrompt
from vigil_schemas.commands import CommandArguments, PlayVoice
from vigil_schemas.contract import observation_type
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.senml import Reading as Measured
from vigil_schemas.senml import microseconds, pack
from vigil_schemas.types import Lane, QartodFlag

CABINET: Final = "aed/cabinet"
DOOR: Final = "door_open"
PRESENT: Final = "aed_present"
_AGAIN_S: Final = 1.0
_WAITING_MOST: Final = 200
"""Events that wait in memory for an outbox with room; the oldest are dropped, and counted."""

AedSettings = BoardSettings | GpioSettings
Open = Callable[[AedSettings], Awaitable[Inputs]]


def describe(settings: AedSettings) -> list[DeviceDescription]:
    """One cabinet, one device."""
    parameters = [DOOR] if settings.inputs.present is None else [DOOR, PRESENT]
    return [settings.described(DOMAIN, settings.driver, parameters)]


def build(settings: AedSettings, context: PipelineContext) -> CabinetPipeline:
    """One cabinet."""
    return CabinetPipeline(settings, context)


async def _connect(settings: AedSettings) -> Inputs:
    return await open_inputs(settings, settings.inputs.lines, settings.debounce_s)


class CabinetPipeline:
    """Reads the contacts; whatever the loudspeaker does, it goes on reading."""

    def __init__(
        self,
        settings: AedSettings,
        context: PipelineContext,
        connect: Open = _connect,
        loudspeaker: Loudspeaker | None = None,
    ) -> None:
        self._settings = settings
        self._context = context
        self._connect = connect
        self._inverted = frozenset(settings.inputs.inverted)
        self._heard: list[Heard] = []
        self._speaker = Speaker(settings.voice, self._heard.append, context.count, loudspeaker)
        self._cabinet = self._restored()
        self._observed: tuple[bool | None, bool | None] = (None, None)
        self._observe_at = 0.0
        self._trouble = ""
        """Why they wait."""
        self._again_at = 0.0

    def _restored(self) -> Cabinet:
        wanted = self._settings
        spans = Spans(
            debounce_s=wanted.debounce_s,
            present_s=wanted.present_s,
            door_open_after_s=wanted.door_open_after_s,
            stuck_after_s=wanted.stuck_after_s,
            same_call_s=wanted.same_call_s,
        )
        return Cabinet(wanted.device, spans, self._context.state(CABINET))

    async def run(self) -> None:
        """Until cancelled. Raises ``SourceError``."""
        inputs = await self._connect(self._settings)
        speaking = asyncio.create_task(self._speaker.run(), name=f"voice {self._settings.device}")
        try:
            if self._context.held.outgoing:  # of the pipeline before this one
                await self._accept([])
            self._report()
            due = self._context.monotonic()
            while True:
                seen = reading(await inputs.read(), self._inverted)
                now, t = self._context.now(), self._context.monotonic()
                await self._follow(self._cabinet.take(seen, now, t))
                await self._follow_voice()
                await self._tell_again(t)
                if self._context.held.outgoing and t >= self._again_at:
                    await self._accept([])
                    self._report()
                await self._observe(t)
                due = max(due + self._settings.interval_s, self._context.monotonic())
                await asyncio.sleep(max(due - self._context.monotonic(), 0))
        finally:
            inputs.close()
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            self._hold_what_was_heard()

    async def command(self, _device: str, arguments: CommandArguments) -> str:
        """``PlayVoice``: a recording by its name."""
        assert isinstance(arguments, PlayVoice)  # noqa: S101 - the contract's only command
        if arguments.prompt is None:
            message = f"it plays recordings by name, and cannot speak: {', '.join(PROMPTS)}"
            raise CommandRefused("voice-no-text", message)
        if arguments.prompt not in PROMPTS:
            message = f"there is no prompt {arguments.prompt!r}; there are: {', '.join(PROMPTS)}"
            raise CommandRefused("prompt-unknown", message)
        prompt = arguments.prompt
        if not self._settings.voice.enabled:
            raise CommandRefused("voice-disabled", "this cabinet has no loudspeaker")
        if not self._speaker.say(prompt):
            raise CommandRefused("voice-busy", "it is saying several things already")
        if not self._speaker.has(prompt):
            return "there is no recording of it: the attention tone is heard alone"
        return "it is being said"

    async def _follow(self, step: Step) -> None:
        """Into the outbox before a word is said; tried until it has it."""
        if step.facts or step.changed:
            await self._accept([self._outgoing(fact) for fact in step.facts])
            self._report()
        for prompt in step.prompts:
            self._speaker.say(prompt)

    def _outgoing(self, fact: Fact) -> Outgoing:
        device, now = self._settings.device, self._context.now()
        return Outgoing(fact.lane, fact.event.TYPE, device, now, fact.event, fact.id)

    async def _tell_again(self, t: float) -> None:
        """What stands, on a new connection to the cloud: what is known changes nothing there."""
        again = self._context.held.told_again
        ids = again.due(
            self._context.session, t, lambda: [(one.id,) for one in self._cabinet.standing()]
        )
        if ids:
            standing = [one for one in self._cabinet.standing() if (one.id,) in ids]
            again.told()  # it is held until the outbox takes it
            await self._accept([self._outgoing(one) for one in standing])

    async def _accept(self, out: list[Outgoing]) -> None:
        """A press of the button is not derived again: it waits here for an outbox that fails.

        What is no alarm waits in memory: an outbox that is full of events still takes alarms, and
        somebody who opens the door must not make the button deaf. All of it is held with the
        device: a pipeline that is started anew in the middle goes on with it.
        """
        held = self._context.held
        held.outgoing += out
        held.state[CABINET] = self._cabinet.state()
        out = held.outgoing
        while not await self._kept(out):
            alarms = [one for one in out if one.lane is Lane.ALARM]
            if len(alarms) < len(out):
                self._put_off()
            elif alarms:
                self._context.count("aed-alarm-waits")
                self._context.report("failed", "outbox-failed", self._trouble)
                await asyncio.sleep(_AGAIN_S)
            if not alarms:
                return
            out = alarms

    async def _kept(self, out: Sequence[Outgoing]) -> bool:
        """Whether the outbox has them, with the state; only then they are let go."""
        held, out = self._context.held, list(out)
        try:
            await self._context.accept(out, dict(held.state))
        except (OutboxFull, OutboxFailed, OSError) as error:
            self._trouble = str(error)
            return False
        held.outgoing = [one for one in held.outgoing if one not in out]
        held.state.clear()
        return True

    def _put_off(self) -> None:
        held = self._context.held
        events = [one for one in held.outgoing if one.lane is not Lane.ALARM]
        self._context.count("aed-event-waits", len(events))
        if (lost := len(events) - _WAITING_MOST) > 0:
            self._context.count("aed-events-dropped", lost)
            dropped = events[:lost]
            held.outgoing = [one for one in held.outgoing if one not in dropped]
        self._again_at = self._context.monotonic() + _AGAIN_S

    async def _follow_voice(self) -> None:
        while self._heard:
            heard = self._heard.pop(0)
            step = self._cabinet.voice(heard.error, self._context.now())
            await self._accept([self._said(heard)])
            await self._follow(step)

    def _hold_what_was_heard(self) -> None:
        """Told by the next pipeline, with whatever else waits."""
        self._context.held.outgoing += [self._said(heard) for heard in self._heard]

    def _said(self, heard: Heard) -> Outgoing:
        device, now = self._settings.device, self._context.now()
        event = AedPrompt(
            prompt=next(one for one in PROMPTS if one == heard.prompt),
            languages=list(heard.languages),
            outcome=heard.outcome,
            message=(heard.error or "")[:200],
        )
        name = f"{device}/said/{event.prompt}/{microseconds(now)}"
        fact = str(uuid5(NAMESPACE, name))
        return Outgoing(Lane.EVENT, event.TYPE, device, now, event, fact)

    async def _observe(self, t: float) -> None:
        state = (self._cabinet.door_open, self._cabinet.present)
        if state[0] is None or (state == self._observed and t < self._observe_at):
            return
        time = self._context.now()
        readings = [
            Measured(name, None, time, float(value), QartodFlag.GOOD)
            for name, value in zip((DOOR, PRESENT), state, strict=True)
            if value is not None
        ]
        device = self._settings.device
        name = f"{device}/observation/{microseconds(time)}"
        kind = observation_type(DOMAIN)
        packed = pack(device, readings)
        said = Outgoing(Lane.OBSERVATION, kind, device, time, packed, str(uuid5(NAMESPACE, name)))
        again_s = self._settings.observation_s
        try:
            await self._context.accept([said])
        except (OutboxFull, OutboxFailed, OSError):  # a reading is never worth a deaf button
            self._context.count("aed-reading-waits")
            again_s = _AGAIN_S
        self._observed, self._observe_at = state, t + again_s

    def _report(self) -> None:
        """``ok`` only where every contact is well and every recording can be played."""
        conditions = self._cabinet.conditions
        reasons = [
            (f"aed-{name.replace('_', '-')}", message or name)
            for name, message in conditions.items()
        ]
        if self._context.held.outgoing:
            reasons.insert(0, ("outbox-full", self._trouble))
        if self._settings.voice.enabled:
            reasons += [("prompt-unreadable", line) for line in self._speaker.missing]
        if not reasons:
            self._context.report("ok")
            return
        self._context.report("degraded", reasons[0][0], "; ".join(line for _, line in reasons))
