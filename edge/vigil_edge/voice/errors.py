"""What goes wrong with recordings and loudspeakers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vigil_schemas.errors import VigilError


class PromptUnreadable(VigilError):
    """A recording that cannot be played: only the attention tone is heard in its place."""

    code: ClassVar[str] = "prompt-unreadable"
    remedy: ClassVar[str] = "Give a WAV file with 16-bit PCM of at most a minute, and check again."

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why


class VoiceFailed(VigilError):
    """The loudspeaker cannot be used."""

    code: ClassVar[str] = "voice-failed"
    remedy: ClassVar[str] = (
        "Check the loudspeaker and `output` in its `voice` section (`python -m sounddevice` lists"
        " what there is)."
    )

    def __init__(self, output: str | int, why: str) -> None:
        super().__init__(f"sound device {output!r}: {why}")
        self.output = output
        self.why = why
