"""``[[water]]`` with ``driver = "files"``: what a hand-held probe kept, as files in a folder."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.configuration.mistakes import misplaced, repeated
from vigil_edge.water.signals import Finite
from vigil_schemas.senml import UNITS

Column = Annotated[str, Field(min_length=1, max_length=120)]


class SessionSignal(BaseModel):
    """``[[water.signal]]`` of a hand-held probe: value = cell × ``scale`` + ``offset``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
    column: Column
    scale: Finite = 1.0
    offset: Finite = 0.0
    unit: str | None = None
    range_fail: tuple[Finite, Finite] | None = None
    range_suspect: tuple[Finite, Finite] | None = None

    @field_validator("unit")
    @classmethod
    def _registered(cls, value: str | None) -> str | None:
        if value is not None and value not in UNITS:
            raise ValueError(f"{value!r} is not a SenML unit; leave it out and name it in the name")
        return value

    @field_validator("range_fail", "range_suspect")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError("write the lower bound first")
        return value


class SessionSettings(DeviceSettings):
    """One hand-held probe. Its files are read as ``water replay`` reads a recording."""

    driver: Literal["files"]
    folder: Annotated[str, Field(min_length=1)]
    """Where its files are put: by hand, from a card, by the maker's program."""
    time: Column
    """The column of times, or ``DATE,CLOCK``."""
    signal: Annotated[list[SessionSignal], Field(min_length=1, max_length=60)]
    latitude_column: Column | None = None
    longitude_column: Column | None = None
    station: Annotated[str, Field(pattern=r"^[^=]+=.*$", max_length=200)] | None = None
    """``COLUMN=NAME``: these rows alone."""
    encoding: Annotated[str, Field(max_length=40)] | None = None
    utc_offset: Annotated[str, Field(max_length=10)] | None = None
    """Of times that state no zone; by default the file's, else UTC."""
    interval_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How often the folder is looked into."""
    settle_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """A file that changed within this time is still being written."""

    @field_validator("signal")
    @classmethod
    def _each_once(cls, value: list[SessionSignal]) -> list[SessionSignal]:
        twice = repeated(value, "name")
        if twice:
            raise misplaced(*twice)
        return value

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.latitude_column is None) != (self.longitude_column is None):
            raise ValueError("latitude_column and longitude_column belong together")
        return self
