"""``[noise.weather]``: a weather station on Modbus, and in what weather no case is founded."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vigil_edge.modbus.numbers import ByteOrder, RegisterType
from vigil_edge.modbus.settings import ModbusPlace
from vigil_schemas.types import DeviceId

Quantity = Literal["gust", "rain", "rain_total", "temperature"]
QUANTITIES: Final[tuple[Quantity, ...]] = ("gust", "rain", "rain_total", "temperature")
Finite = Annotated[float, Field(allow_inf_nan=False)]


class StationValue(BaseModel):
    """One number of the station: raw × ``scale`` + ``offset``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    register_: Annotated[int, Field(ge=0, le=0xFFFF, alias="register")]
    """Counted from 0."""
    table: Literal["holding", "input"] = "holding"
    type: RegisterType = "uint16"
    byte_order: ByteOrder = "ABCD"
    scale: Finite = 1.0
    offset: Finite = 0.0
    missing: Finite | None = None
    """The raw number by which the station says that it has no reading."""


class WeatherSettings(ModbusPlace):
    """A weather station beside the microphone."""

    device: DeviceId = "weather"
    """What it is called in messages."""
    interval_s: Annotated[float, Field(ge=1, le=60)] = 5.0
    """How often it is read."""
    gust: StationValue | None = None
    """Wind, the highest that the station tells, m/s."""
    rain: StationValue | None = None
    """Intensity, or the state of a rain sensor: above ``rain_above`` it rains."""
    rain_above: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0
    rain_total: StationValue | None = None
    """A rain gauge's sum, mm: whenever it has risen it has rained."""
    temperature: StationValue | None = None
    """Of the air, °C."""
    wet_s: Annotated[float, Field(ge=0, le=7200)] = 600.0
    """It counts as rain for so long after it was last measured: a gauge tips seldom, and a wet road
    is louder."""
    most_wind_m_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """From this on no passage is valid; the cloud's register has its own."""
    temperature_c: tuple[Finite, Finite] = (-10.0, 50.0)
    """Outside of these no passage is valid; IEC 61672-1 asks nothing of a meter there."""
    required: bool = False
    """Whether a passage without wind and rain (as far as they are set) is not valid."""

    @field_validator("temperature_c")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] >= value[1]:
            raise ValueError("write the lower bound first")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.values:
            raise ValueError(f"weather needs at least one of {', '.join(QUANTITIES)}")
        return self

    @property
    def values(self) -> dict[Quantity, StationValue]:
        """Those that are set."""
        found = {name: getattr(self, name) for name in QUANTITIES}
        return {name: value for name, value in found.items() if value is not None}
