"""``voice``: a loudspeaker and its recordings, in the section of whatever speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.mistakes import checking, misplaced
from vigil_edge.configuration.paths import resolve
from vigil_edge.voice.errors import PromptUnreadable
from vigil_edge.voice.recording import read_wav

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=16)]
"""A BCP 47 tag: ``zh-TW``, ``nan-TW`` (Taiwanese), ``en``."""


class VoiceSettings(BaseModel):
    """The loudspeaker and the recordings.

    ``[….voice.prompts.zh-TW] door_opened = "voice/door.wav"``: the city's own files, relative
    to the configuration. Where there is none, an attention tone is heard alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    PROMPTS: ClassVar[tuple[str, ...]] = ()
    """What can be said."""

    output: str | int = ""
    """Name or index of the sound device; empty: the system's default."""
    enabled: bool = True
    """False: there is no loudspeaker."""
    languages: Annotated[list[Language], Field(min_length=1, max_length=4)] = ["zh-TW", "en"]
    """In which order they are heard."""
    prompts: dict[Language, dict[str, Path]] = Field(default_factory=dict)

    @field_validator("prompts")
    @classmethod
    def _found(
        cls, value: dict[str, dict[str, Path]], info: ValidationInfo
    ) -> dict[str, dict[str, Path]]:
        """Resolved. Only ``vigil-edge check`` refuses a file that cannot be played: a gateway
        whose button works must start without its voice, and tells of it."""
        strange = [
            ((language, prompt), f"there is no such prompt; there are: {', '.join(cls.PROMPTS)}")
            for language, files in value.items()
            for prompt in files
            if prompt not in cls.PROMPTS
        ]
        if strange:
            raise misplaced(*strange)
        found = {
            language: {prompt: resolve(path, info) for prompt, path in files.items()}
            for language, files in value.items()
        }
        if checking(info):
            wrong = mistakes(found)
            if wrong:
                raise misplaced(*wrong)
        return found


def mistakes(prompts: dict[str, dict[str, Path]]) -> list[tuple[tuple[str, ...], str]]:
    """What cannot be played, by its place."""
    found: list[tuple[tuple[str, ...], str]] = []
    for language, files in prompts.items():
        for prompt, path in files.items():
            try:
                read_wav(path)
            except PromptUnreadable as error:
                found.append(((language, prompt), str(error)))
    return found
