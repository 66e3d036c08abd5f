"""What is said in a home while its alarm sounds, whether or not the cloud can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Final

from vigil_edge.device.seam import CommandRefused, PipelineContext
from vigil_edge.smoke.changes import Told
from vigil_edge.voice.errors import VoiceFailed
from vigil_edge.voice.settings import VoiceSettings
from vigil_edge.voice.speaker import Heard, Loudspeaker, Speaker
from vigil_schemas.commands import PlayVoice
from vigil_schemas.smoke import PROMPTS, SmokeAlarm

SOUNDS: Final = "fire_alarm"
POISON: Final = "co_alarm"
"""Of carbon monoxide and gas: a voice of its own, "open the windows, go outside"."""
FIRES: Final = frozenset({"smoke", "heat", "co", "gas"})
AGAIN_S: Final = 20.0
"""Said again while it sounds,"""
MOST: Final = 6
"""so often: people are out by then, and nobody can sleep beside it."""
CHECK_S: Final = 600.0
"""Whether there still is a loudspeaker is asked so often."""


class Voice(VoiceSettings):
    """``[smoke.voice]``: where there is none, nothing is said at this gateway."""

    PROMPTS: ClassVar[tuple[str, ...]] = PROMPTS


class Spoken:
    """One loudspeaker for the homes of one bridge."""

    def __init__(
        self, voice: Voice, context: PipelineContext, loudspeaker: Loudspeaker | None = None
    ) -> None:
        self._context = context
        self._speaker = Speaker(voice, self._heard, context.count, loudspeaker)
        self._sounding: dict[str, str] = {}
        """By alarm id, what is said of it."""
        self._said = 0
        self._again_at = 0.0
        self.trouble = ""
        """Why nothing can be heard; empty: it can."""

    def follow(self, told: Iterable[Told]) -> None:
        """Alarms begin and end. A self test is none: its own horn is heard already."""
        for _, event in told:
            if event.condition not in FIRES:
                continue
            if not event.active:
                self._sounding.pop(event.alarm_id, None)
            elif _is_now(event) and event.alarm_id not in self._sounding:
                poison = event.condition in ("co", "gas")
                self._sounding[event.alarm_id] = POISON if poison else SOUNDS
                self._said = 0  # more burns than before
                self.look()

    def look(self) -> None:
        """Say it, once more where it is time."""
        now = self._context.monotonic()
        if not self._sounding or self._said >= MOST or (self._said and now < self._again_at):
            return
        self._said += 1
        self._again_at = now + AGAIN_S
        kinds = sorted(set(self._sounding.values()), reverse=True)  # of both: fire first, in turn
        self._speaker.say(kinds[(self._said - 1) % len(kinds)])

    def command(self, arguments: PlayVoice) -> str:
        """``play_voice``: a recording by its name. Raises ``CommandRefused``."""
        if arguments.prompt is None:
            message = f"it plays recordings by name, and cannot speak: {', '.join(PROMPTS)}"
            raise CommandRefused("voice-no-text", message)
        if arguments.prompt not in PROMPTS:
            message = f"there is no prompt {arguments.prompt!r}; there are: {', '.join(PROMPTS)}"
            raise CommandRefused("prompt-unknown", message)
        if self.trouble:
            raise CommandRefused(VoiceFailed.code, self.trouble)
        if arguments.prompt == "all_clear" and self._sounding:
            raise CommandRefused("alarm-sounds", "an alarm sounds: it is not over here")
        if arguments.prompt in self._sounding.values():
            return "it is said here already, while the alarm sounds"
        if not self._speaker.say(arguments.prompt):
            raise CommandRefused("voice-busy", "it is saying several things already")
        if not self._speaker.has(arguments.prompt):
            return "there is no recording of it: the attention tone is heard alone"
        return "it is being said"

    async def said_all(self) -> None:
        """Until what waits has been said."""
        await self._speaker.said_all()

    async def run(self) -> None:
        """Until cancelled: says what waits, and looks now and then whether it can be heard."""
        speaking = asyncio.create_task(self._speaker.run(), name="voice of the smoke alarms")
        try:
            while True:
                await self.check()
                await asyncio.sleep(CHECK_S)
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)

    async def check(self) -> None:
        """Whether anything can be heard, before anything has to be."""
        self.trouble = await self._speaker.check() or ""

    @property
    def missing(self) -> list[str]:
        """Recordings that cannot be played."""
        return self._speaker.missing

    def _heard(self, heard: Heard) -> None:
        self.trouble = heard.error or ""


def _is_now(event: SmokeAlarm) -> bool:
    return event.unconfirmed_since is None and not event.during_test
