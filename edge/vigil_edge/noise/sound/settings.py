"""``[noise.audio]``: where sound comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.paths import resolve
from vigil_edge.noise.sound.pcm import PcmFormat
from vigil_schemas.errors import VigilError


class AudioSettings(BaseModel):
    """``[noise.audio]``: where sound comes from, and how many pascal a sample is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
    calibrator_db: Literal[94, 114] = 94
    """What the calibrator gives, where the sensitivity is not known yet."""
    lowest_db: Annotated[float, Field(ge=-20, le=120)] | None = None
    """Where the microphone's range begins, dB(A): quieter seconds are flagged under-range."""

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


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port:
        raise ValueError("address of a PCM stream is tcp://host:port")
    return parts.hostname, parts.port
