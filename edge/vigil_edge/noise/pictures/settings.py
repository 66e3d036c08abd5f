"""``[noise.camera]``: which camera, and how many of its frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vigil_edge.configuration.paths import resolve

Metres = Annotated[float, Field(ge=-200, le=200, allow_inf_nan=False)]


class ViewSettings(BaseModel):
    """``[noise.camera.view]``: where the camera hangs and how it looks, in the coordinates of
    ``[noise.array]``: what is seen in a picture is compared with where its sound came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: tuple[Metres, Metres, Metres]
    """Of the lens; z up."""
    azimuth: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
    """Of the optical axis, degrees counter-clockwise from +x."""
    pitch: Annotated[float, Field(ge=-30, le=85, allow_inf_nan=False)]
    """Of the optical axis, degrees downwards."""
    field: Annotated[float, Field(ge=5, le=150, allow_inf_nan=False)]
    """Horizontal angle of view, degrees."""
    road_z: Metres
    """Height of the road: below the microphones, so negative where z is 0 at the array."""

    @model_validator(mode="after")
    def _above_the_road(self) -> Self:
        if self.position[2] <= self.road_z:
            raise ValueError("the camera hangs below the road: z points up")
        return self


class CameraSettings(BaseModel):
    """``[noise.camera]``: what looks at the road while the microphone listens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["mjpeg", "rtsp", "file", "device"]
    address: str | int
    """http://…, rtsp://…, a path, or the index of a video device."""
    fps: Annotated[float, Field(gt=0, le=60)] = 10.0
    """At most this many frames a second are kept."""
    delay_s: Annotated[float, Field(ge=0, le=5)] | None = None
    """From a picture's taking to its arrival, as ``noise align`` measured it: for a camera that
    does not say when it took its pictures, and to watch the clock of one that does."""
    delay_within_s: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    """By how much ``delay_s`` may be wrong, as ``noise align`` told it with it."""
    view: ViewSettings | None = None

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
