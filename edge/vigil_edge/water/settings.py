"""``[[water]]``: one sonde on Modbus."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from vigil_edge.configuration.mistakes import misplaced, repeated
from vigil_edge.modbus.settings import ModbusSettings
from vigil_edge.water.derived import Derived
from vigil_edge.water.qc_history import MOST_READINGS
from vigil_edge.water.signals import Address, Signal

_RECORD_HEAD_WORDS: Final = 5


class Window(BaseModel):
    """``[[water.maintenance]]``: from when to when, in any zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: AwareDatetime
    end: AwareDatetime

    @field_validator("end")
    @classmethod
    def _after_begin(cls, value: datetime, info: ValidationInfo) -> datetime:
        begin = info.data.get("begin")
        if begin is not None and value <= begin:
            raise ValueError(f"end must be after begin, which is {begin.isoformat()}")
        return value


class Logger(BaseModel):
    """``[water.logger]``: where a sonde with memory keeps its records (docs/water.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Address = 0


class WaterSettings(ModbusSettings):
    """One sonde."""

    interval_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    mode: Literal["poll", "logger"] = "poll"
    signal: Annotated[list[Signal], Field(min_length=1, max_length=60)]
    derived: Annotated[list[Derived], Field(max_length=20, default_factory=list)]
    """What the gateway works out of them; what the probe gave stays beside it."""
    logger: Logger = Logger()
    max_read: Annotated[int, Field(ge=4, le=125)] = 125
    """Registers that the probe gives in one answer."""
    merge: bool = True
    """Whether signals near each other are fetched together; some probes give one at a time."""
    maintenance: Annotated[list[Window], Field(max_length=50, default_factory=list)]
    """While somebody cleans or calibrates the sonde: readings are kept, and raise nothing."""

    @field_validator("maintenance", mode="before")
    @classmethod
    def _of_intervals(cls, value: Any) -> Any:
        """A setting from the cloud is no table: intervals of ISO 8601, ``begin/end``, with spaces
        between them."""
        if not isinstance(value, str):
            return value
        windows = []
        for interval in value.split():
            begin, slash, end = interval.partition("/")
            if not slash:
                raise ValueError(f"{interval!r} is no interval: begin/end, with a zone each")
            windows.append({"begin": begin, "end": end})
        return windows

    @field_serializer("maintenance", when_used="json")
    def _as_intervals(self, value: list[Window]) -> str:
        return " ".join(f"{each.begin.isoformat()}/{each.end.isoformat()}" for each in value)

    @field_validator("signal")
    @classmethod
    def _each_once(cls, value: list[Signal]) -> list[Signal]:
        twice = repeated(value, "name")
        if twice:
            raise misplaced(*twice)
        return value

    @field_validator("derived")
    @classmethod
    def _of_signals(cls, value: list[Derived], info: ValidationInfo) -> list[Derived]:
        known = [one.name for one in info.data.get("signal", ())]
        for number, one in enumerate(value):
            if one.name in known:
                raise ValueError(f"derived[{number}]: there is a signal {one.name!r} already")
            if missing := [name for name in one.inputs if name not in known]:
                raise ValueError(f"derived[{number}]: there is no signal {', '.join(missing)}")
            known.append(one.name)
        return value

    @model_validator(mode="after")
    def _history_can_be_asked(self) -> Self:
        known = {one.name for one in self.every_signal}
        for one in self.every_signal:
            beside = one.neighbour
            if beside is not None and (beside.signal not in known or beside.signal == one.name):
                text = f"{one.name}: neighbour: there is no other signal {beside.signal!r}"
                raise ValueError(text)
            lively = one.attenuated
            if lively is not None and self.mode == "poll":
                held = lively.window_s / self.interval_s
                if held > MOST_READINGS:
                    raise ValueError(
                        f"{one.name}: attenuated: window_s holds {held:.0f} readings, at most"
                        f" {MOST_READINGS} are kept"
                    )
        return self

    @property
    def every_signal(self) -> list[Signal]:
        """Those of registers, then those that are worked out."""
        return [*self.signal, *self.derived]

    @property
    def record_words(self) -> int:
        """Registers of one logger record: index, seconds, milliseconds, one float32 per signal."""
        return _RECORD_HEAD_WORDS + 2 * len(self.signal)
