"""``[noise.camera]``: which camera, and how many of its frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.paths import resolve


class CameraSettings(BaseModel):
    """``[noise.camera]``: what looks at the road while the microphone listens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
