"""What is said: the attention tone, then each language's recording.

Played one after the other, outside of the loop that listens for alarms: a loudspeaker that hangs
must not make a button or a smoke alarm deaf.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Literal, Protocol

from vigil_edge import portaudio
from vigil_edge.voice.errors import PromptUnreadable, VoiceFailed
from vigil_edge.voice.recording import Recording, attention_tone, read_wav
from vigil_edge.voice.settings import VoiceSettings

WAITING_MOST: Final = 4
"""Prompts that wait behind the one that is heard."""
_SPARE_S: Final = 10.0
"""Over a recording's own length, for a sound card that has to be woken."""
_BLOCK_S: Final = 0.1


class Loudspeaker(Protocol):
    """Something that can be heard."""

    def play(self, recording: Recording, stopping: threading.Event) -> None:
        """Blocks until it was heard. Raises ``VoiceFailed``."""

    def check(self) -> None:
        """Whether it is there at all. Raises ``VoiceFailed``."""


class SoundCard:
    """PortAudio's output."""

    def __init__(self, output: str | int) -> None:
        self._output = output

    def check(self) -> None:
        """See ``Loudspeaker``."""
        sounddevice = self._library()
        try:
            portaudio.require_output(sounddevice, portaudio.address_of(self._output))
        except (sounddevice.PortAudioError, ValueError) as error:
            text = " ".join(str(error).split())
            raise VoiceFailed(self._output, f"there is no such sound device: {text}") from error

    def _library(self) -> ModuleType:
        try:
            return portaudio.library()
        except (OSError, ImportError) as error:
            raise VoiceFailed(self._output, f"no sound can be played: {error}") from error

    def play(self, recording: Recording, stopping: threading.Event) -> None:
        """See ``Loudspeaker``."""
        sounddevice = self._library()
        try:
            stream = portaudio.start(
                sounddevice,
                lambda: sounddevice.RawOutputStream(
                    samplerate=recording.rate_hz,
                    channels=recording.channels,
                    dtype="int16",
                    device=portaudio.address_of(self._output),
                    latency="high",
                ),
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            text = " ".join(str(error).split())
            raise VoiceFailed(self._output, f"cannot be opened: {text}") from error
        try:
            _write(stream, recording, stopping)
            stream.stop()  # waits until what was written was heard
        except sounddevice.PortAudioError as error:
            raise VoiceFailed(self._output, str(error)) from error
        finally:
            portaudio.close(stream)


def _write(stream: Any, recording: Recording, stopping: threading.Event) -> None:
    size = int(recording.rate_hz * _BLOCK_S) * recording.channels * 2
    for at in range(0, len(recording.frames), size):
        if stopping.is_set():
            return
        stream.write(recording.frames[at : at + size])


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one prompt."""

    prompt: str
    languages: tuple[str, ...] = ()
    """Those of which a recording was heard; none of them: the attention tone alone."""
    error: str | None = None
    """Why nothing was heard."""

    @property
    def outcome(self) -> Literal["played", "tone-only", "failed"]:
        """In one word."""
        if self.error is not None:
            return "failed"
        return "played" if self.languages else "tone-only"


class Speaker:
    """Says one prompt at a time; ``run`` until cancelled."""

    def __init__(
        self,
        voice: VoiceSettings,
        told: Callable[[Heard], None],
        count: Callable[[str], None],
        loudspeaker: Loudspeaker | None = None,
    ) -> None:
        self._voice = voice
        self._told = told
        self._count = count
        self._loudspeaker = loudspeaker or SoundCard(voice.output)
        self._waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MOST)
        self._stopping = threading.Event()
        self._recordings, self.missing = load(voice)

    async def check(self) -> str | None:
        """Why nothing can be heard here, before anything has to be."""
        return await self._aside(self._loudspeaker.check, _SPARE_S)

    def has(self, prompt: str) -> bool:
        """Whether a recording of it can be played, in any language."""
        return any(prompt in files for files in self._recordings.values())

    def say(self, prompt: str) -> bool:
        """Soon; ``False`` where too many wait already."""
        if not self._voice.enabled:
            return False
        try:
            self._waiting.put_nowait(prompt)
        except asyncio.QueueFull:
            self._count("prompts-dropped")
            return False
        return True

    async def said_all(self) -> None:
        """Until everything that was asked for has been said, or failed."""
        await self._waiting.join()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                prompt = await self._waiting.get()
                try:
                    self._told(await self._say(prompt))
                finally:
                    self._waiting.task_done()
        finally:
            self._stopping.set()

    async def _say(self, prompt: str) -> Heard:
        spoken = [
            (language, self._recordings[language][prompt])
            for language in self._voice.languages
            if prompt in self._recordings.get(language, {})
        ]
        recordings = [attention_tone(), *(recording for _, recording in spoken)]
        error = await self._play(recordings)
        if error is not None:
            self._count("voice-failed")
            return Heard(prompt, error=error)
        return Heard(prompt, tuple(language for language, _ in spoken))

    async def _play(self, recordings: Sequence[Recording]) -> str | None:
        """Why it could not be heard."""
        longest_s = sum(one.seconds for one in recordings) + _SPARE_S

        def play() -> None:
            for recording in recordings:
                self._loudspeaker.play(recording, self._stopping)

        return await self._aside(play, longest_s)

    @staticmethod
    async def _aside(play: Callable[[], None], longest_s: float) -> str | None:
        # A thread of its own and a daemon: a driver that hangs is left behind, and the gateway
        # can still end.
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        threading.Thread(
            target=_resolve, args=(done, asyncio.get_running_loop(), play), daemon=True
        ).start()
        try:
            async with asyncio.timeout(longest_s):
                await done
        except VoiceFailed as error:
            return str(error)
        except TimeoutError:
            return f"the loudspeaker did not end within {longest_s:.0f} s"
        return None


def _resolve(
    done: asyncio.Future[None], loop: asyncio.AbstractEventLoop, play: Callable[[], None]
) -> None:
    error: Exception | None = None
    try:
        play()
    except VoiceFailed as failed:
        error = failed
    except Exception as crashed:  # noqa: BLE001 - a library's own mistake is a loudspeaker that cannot be used
        error = VoiceFailed("", f"{type(crashed).__name__}: {crashed}")

    def end() -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(end)


def load(voice: VoiceSettings) -> tuple[dict[str, dict[str, Recording]], list[str]]:
    """The recordings that can be played, and what is wrong with the others."""
    found: dict[str, dict[str, Recording]] = {}
    wrong: list[str] = []
    for language, files in voice.prompts.items():
        for prompt, path in files.items():
            try:
                found.setdefault(language, {})[prompt] = read_wav(path)
            except PromptUnreadable as error:
                wrong.append(f"{language} {prompt}: {error}")
    return found, wrong
