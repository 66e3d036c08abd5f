"""``[[noise]]`` of ``gateway.toml``: a microphone, its calibration, and a camera."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.paths import resolve
from vigil_edge.device.seam import DeviceSettings
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.noise import DOMAIN

PARAMETERS = ["LAeq", "LAFmax", "LCeq", "LZeq"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AudioSettings(_Part):
    """``[noise.audio]``: where sound comes from, and how many pascal a sample is."""

    source: Literal["sounddevice", "wav", "pcm"]
    address: Annotated[str | int, Field(validate_default=True)] = ""
    """Name or index of the sound device (empty: the system's default), path, or tcp://host:port."""
    format: str = "s32le:48000:1"
    """``encoding:rate:channels``; a WAV file brings its own."""
    channel: Annotated[int, Field(ge=0, le=63)] = 0
    """The calibrated channel that levels are measured on; evidence keeps all."""
    full_scale_peak_db: Annotated[float, Field(ge=60, le=220)] | None = None
    """Peak level of digital full scale, dB re 20 µPa."""
    pascal_per_unit: Annotated[float, Field(gt=0)] | None = None

    @field_validator("address")
    @classmethod
    def _suits_source(cls, value: str | int, info: ValidationInfo) -> str | int:
        source = info.data.get("source")
        if source == "pcm":
            _host_and_port(str(value))
        if source == "wav":
            if not value:
                raise ValueError("address must name the WAV file")
            # The file's author means it relative to the configuration.
            return str(resolve(Path(str(value)), info))
        return value

    @field_validator("format")
    @classmethod
    def _can_be_read(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("source") != "wav":
            try:
                PcmFormat.parse(value)
            except VigilError as error:
                raise ValueError(str(error)) from error
        return value

    @field_validator("channel")
    @classmethod
    def _is_there(cls, value: int, info: ValidationInfo) -> int:
        layout = info.data.get("format")
        if layout is None or info.data.get("source") in (None, "wav"):
            return value
        if value >= PcmFormat.parse(layout).channels:
            raise ValueError(f"there is no such channel in format {layout}")
        return value

    @field_validator("pascal_per_unit")
    @classmethod
    def _one_calibration(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and info.data.get("full_scale_peak_db") is not None:
            raise ValueError("give full_scale_peak_db or pascal_per_unit, not both")
        return value

    @property
    def layout(self) -> PcmFormat:
        """Of a device or a stream."""
        return PcmFormat.parse(self.format)

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Of a stream."""
        return _host_and_port(str(self.address))

    @property
    def full_scale_known(self) -> bool:
        """Whether 1.0 is full scale also where the samples are floats."""
        return self.full_scale_peak_db is not None

    @property
    def calibrated(self) -> bool:
        """Whether levels mean anything outside this device."""
        return self.full_scale_peak_db is not None or self.pascal_per_unit is not None


class CameraSettings(_Part):
    """``[noise.camera]``: what looks at the road while the microphone listens."""

    source: Literal["mjpeg", "rtsp", "file", "device"]
    address: str | int
    """http://…, rtsp://…, a path, or the index of a video device."""
    fps: Annotated[float, Field(gt=0, le=60)] = 10.0
    """At most this many frames a second are kept."""

    @field_validator("address")
    @classmethod
    def _suits_source(cls, value: str | int, info: ValidationInfo) -> str | int:
        source, scheme = info.data.get("source"), urlsplit(str(value)).scheme
        if source == "mjpeg" and scheme not in ("http", "https"):
            raise ValueError("address of an MJPEG camera is http://host:port/path")
        if source == "rtsp" and scheme not in ("rtsp", "rtsps"):
            raise ValueError("address of an RTSP camera is rtsp://host:port/path")
        if source == "device" and not str(value).isdecimal():
            raise ValueError("address of a video device is its index, as 0")
        return str(resolve(Path(str(value)), info)) if source == "file" else value


class Settings(DeviceSettings):
    """One noise camera."""

    audio: AudioSettings
    camera: CameraSettings | None = None
    threshold_db: Annotated[float, Field(ge=0, le=160)] = 86.0
    """LAF above this begins a passage, dB(A)."""
    hysteresis_db: Annotated[float, Field(ge=0, le=20)] = 3.0
    before_s: Annotated[float, Field(ge=0, le=30)] = 3.0
    after_s: Annotated[float, Field(ge=1, le=30)] = 3.0
    """Seconds of sound and picture kept around a passage."""

    def descriptions(self) -> list[DeviceDescription]:
        """The birth message's entry."""
        return [self.described(DOMAIN, self.audio.source, list(PARAMETERS))]


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port:
        raise ValueError("address of a PCM stream is tcp://host:port")
    return parts.hostname, parts.port
