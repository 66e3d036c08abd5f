"""What can be wrong with a sound input."""

from __future__ import annotations

from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_schemas.errors import VigilError


class AudioUnreadable(VigilError):
    """The input is missing, or is no sound recording at all."""

    code: ClassVar[str] = "audio-unreadable"


class AudioTruncated(VigilError):
    """The recording ends before its own header says that it should."""

    code: ClassVar[str] = "audio-truncated"


class AudioEmpty(VigilError):
    """There is not one sample."""

    code: ClassVar[str] = "audio-empty"


class AudioUnsupported(VigilError):
    """A codec, rate or layout that this agent does not read."""

    code: ClassVar[str] = "audio-unsupported"


class AudioNotFinite(VigilError):
    """A sample is NaN or infinite."""

    code: ClassVar[str] = "audio-not-finite"


class AudioOutOfRange(VigilError):
    """A sample is beyond any pressure: mostly integers or noise that were taken for floats."""

    code: ClassVar[str] = "audio-out-of-range"


class NoiseOptionError(VigilError):
    """An option of a noise command cannot be used as it was given."""

    code: ClassVar[str] = "noise-option"


class MicrophoneLost(SourceError):
    """The microphone cannot be opened, or stopped delivering."""

    code: ClassVar[str] = "microphone-lost"


class PortAudioMissing(SourceError):
    """The system library behind ``sounddevice`` is not installed."""

    code: ClassVar[str] = "portaudio-missing"


class AudioStreamLost(SourceError):
    """The PCM stream cannot be reached, or ended."""

    code: ClassVar[str] = "audio-stream-lost"


class AudioFileFailed(SourceError):
    """The file that stands in for a microphone cannot be read."""

    code: ClassVar[str] = "audio-file-failed"
