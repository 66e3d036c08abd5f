"""What can be wrong with a sound input."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_schemas.errors import VigilError


class AudioInputError(VigilError):
    """A recording or format that cannot be taken; ``path`` is ``None`` for a bare format.

    Subclasses set ``code``.
    """

    def __init__(self, path: Path | None, reason: str) -> None:
        super().__init__(reason if path is None else f"{path.name}: {reason}")
        self.path = path
        self.reason = reason


class AudioUnreadable(AudioInputError):
    """The input is missing, or is no sound recording at all."""

    code: ClassVar[str] = "audio-unreadable"
    remedy: ClassVar[str] = "Check the path; give a WAV file, or `-` with WAV on standard input."


class AudioTruncated(AudioInputError):
    """The recording ends before its own header says that it should."""

    code: ClassVar[str] = "audio-truncated"
    remedy: ClassVar[str] = "Copy the file again, whole."


class AudioEmpty(AudioInputError):
    """There is not one sample."""

    code: ClassVar[str] = "audio-empty"
    remedy: ClassVar[str] = "Look at what wrote the recording; record again."


class AudioUnsupported(AudioInputError):
    """A codec, rate or layout that this agent does not read."""

    code: ClassVar[str] = "audio-unsupported"
    remedy: ClassVar[str] = "Convert to PCM or float WAV at 48 kHz (for example with ffmpeg)."


class AudioNotFinite(AudioInputError):
    """A sample is NaN or infinite."""

    code: ClassVar[str] = "audio-not-finite"
    remedy: ClassVar[str] = "Write the recording again as integers or finite floats."


class AudioOutOfRange(AudioInputError):
    """A sample is beyond any pressure: mostly integers or noise that were taken for floats."""

    code: ClassVar[str] = "audio-out-of-range"
    remedy: ClassVar[str] = (
        "State the true sample format (`--raw`), or export the recording as 32-bit float in -1…1."
    )


class AudioNotClassifiable(AudioInputError):
    """There is nothing to hear in it, or too little of it."""

    code: ClassVar[str] = "audio-not-classifiable"
    remedy: ClassVar[str] = "Give half a second of sound at least, and not silence."


class AudioDecoderMissing(VigilError):
    """The library that reads Ogg and FLAC is not installed."""

    code: ClassVar[str] = "audio-decoder-missing"
    remedy: ClassVar[str] = "Install it (`pip install 'vigil-city[noise]'`), or give WAV files."


class NoiseOptionError(VigilError):
    """An option of a noise command cannot be used as it was given."""

    code: ClassVar[str] = "noise-option"
    remedy: ClassVar[str] = "Correct the option that the message names."


class MicrophoneLost(SourceError):
    """The microphone cannot be opened, or stopped delivering."""

    code: ClassVar[str] = "microphone-lost"
    remedy: ClassVar[str] = (
        "Check the cable and the name of the sound card; the agent opens it again by itself."
    )


class PortAudioMissing(SourceError):
    """The system library behind ``sounddevice`` is not installed."""

    code: ClassVar[str] = "portaudio-missing"
    remedy: ClassVar[str] = "Install it: `apt-get install libportaudio2`."


class AudioStreamLost(SourceError):
    """The PCM stream cannot be reached, ended, or brings far too little sound."""

    code: ClassVar[str] = "audio-stream-lost"
    remedy: ClassVar[str] = (
        "Check the address, that the sender runs and that `format` is what it sends; the agent "
        "connects again by itself."
    )


class AudioFileFailed(SourceError):
    """The file that stands in for a microphone cannot be read."""

    code: ClassVar[str] = "audio-file-failed"
    remedy: ClassVar[str] = "Check the path and its rights in `[[noise]] audio`."


class WeatherStationLost(SourceError):
    """The weather station beside the microphone cannot be read."""

    code: ClassVar[str] = "weather-station-lost"
    remedy: ClassVar[str] = (
        "Check its power, cable, address and unit: until it is back nobody knows wind and rain of "
        "what is measured. The microphone goes on."
    )


class ArrayUnusable(VigilError):
    """A description of a microphone array cannot be read, or tells no azimuth."""

    code: ClassVar[str] = "array-unusable"
    remedy: ClassVar[str] = (
        "Give a TOML file with `positions = [[x, y, z], …]` in metres, one for each channel, at "
        "least two apart on the ground, and `speed_of_sound` in m/s."
    )


class PictureUnusable(VigilError):
    """A picture cannot be read, or is too small or too large to be looked at."""

    code: ClassVar[str] = "picture-unusable"
    remedy: ClassVar[str] = "Give a JPEG, PNG, WebP or BMP picture of 24 × 12 pixels to 50 million."


class PlateReaderMissing(VigilError):
    """The recogniser's model or its runtime is not installed."""

    code: ClassVar[str] = "plate-reader-missing"
    remedy: ClassVar[str] = "Install them: `pip install 'vigil-city[plates]'`."
