"""What a scenario writes of noise: cameras, and the vehicles that pass them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vigil_schemas.types import DeviceId
from vigil_sim.scenario_model import Device, Happening, Part, Scenario

_PLATES = (
    "[A-HJ-NP-Z]{3}-[0-9]{4}",  # cars and scooters since 2012: without I and O
    "[A-Z0-9]{2}-[0-9]{4}|[0-9]{4}-[A-Z0-9]{2}",  # older cars
    "[A-Z0-9]{3}-[0-9]{3}|[0-9]{3}-[A-Z0-9]{3}",  # older scooters and taxis
)
Plate = Annotated[str, Field(pattern=f"^({'|'.join(_PLATES)})$")]
"""A Taiwanese licence plate."""


class StationWeather(BaseModel):
    """What a weather station beside a noise camera reads all the time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gust_m_s: Annotated[float, Field(ge=0, le=100)] = 1.0
    rain_mm_h: Annotated[float, Field(ge=0, le=500)] = 0.0
    temperature_c: Annotated[float, Field(ge=-40, le=60)] = 25.0


class PlateCamera(Part):
    """A second camera on the same post, near enough that plates can be read."""

    width: Annotated[int, Field(ge=320, le=1920)] = 960
    height: Annotated[int, Field(ge=180, le=1080)] = 540
    fps: Annotated[int, Field(ge=1, le=30)] = 10
    distance_m: Annotated[float, Field(ge=8, le=40)] = 20.0
    """Along the near lane, to the place in the middle of its picture."""
    across_m: Annotated[float, Field(ge=2, le=12)] = 4.5
    """What its picture shows there, from side to side."""


class NoiseCamera(Device):
    """A microphone array and a camera beside a road, and a second camera where it has one."""

    channels: Annotated[int, Field(ge=1, le=4)] = 4
    full_scale_peak_db: Annotated[float, Field(ge=90, le=150)] = 130.0
    """Peak sound level of digital full scale, dB re 20 µPa."""
    background_db: Annotated[float, Field(ge=25, le=80)] = 54.0
    """A-weighted level of the street without vehicles."""
    threshold_db: Annotated[float, Field(ge=40, le=120)] = 86.0
    width: Annotated[int, Field(ge=320, le=1920)] = 640
    height: Annotated[int, Field(ge=180, le=1080)] = 360
    fps: Annotated[int, Field(ge=1, le=30)] = 10
    stamp: bool = False
    """Whether the camera writes its name and the time into the picture."""
    plate_camera: PlateCamera | None = None
    weather: StationWeather | None = None
    """A weather station beside it, where there is one."""


class Passage(Happening):
    """A vehicle passes the noise camera; ``at_s`` is when it is nearest to the microphone."""

    what: Literal["passage"]
    device: DeviceId
    vehicle: Literal["scooter", "car", "taxi", "van"] = "scooter"
    plate: Plate
    LAFmax_db: Annotated[float, Field(ge=50, le=117)]
    speed_km_h: Annotated[float, Field(ge=10, le=140)] = 45.0
    rpm: tuple[float, float] = (5200.0, 8200.0)
    """Engine speed when it comes into hearing, and when it has passed."""
    direction: Literal["away", "towards"] = "away"
    """As the camera sees it: the near lane leads away, the far lane comes towards it."""
    colour: tuple[int, int, int] | None = None
    """Red, green, blue."""


def passages(scenario: Scenario, device: str) -> list[Passage]:
    """The vehicles that pass one noise camera, in time order."""
    found = [each for each in scenario.happenings(Passage) if each.device == device]
    return sorted(found, key=lambda passage: passage.at_s)
