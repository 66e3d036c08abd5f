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
from vigil_edge.position.settings import PositionSettings
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


class SamplerSettings(BaseModel):
    """``[water.sampler]``: an automatic sampler that a contact starts, a bottle at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    driver: Literal["modbus-tcp", "modbus-rtu", "modbus-rtu-over-tcp"] | None = None
    """Of the relay module; by default the probe's, as the two below."""
    address: Annotated[str, Field(min_length=1)] | None = None
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    table: Literal["coil", "holding"] = "coil"
    register_: Annotated[Address, Field(alias="register")] = 0
    value: Annotated[int, Field(ge=0, le=0xFFFF)] = 1
    """Of a holding register: what starts it."""
    rest_value: Annotated[int, Field(ge=0, le=0xFFFF)] = 0
    pulse_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """So long the contact is closed."""
    bottles: Annotated[int, Field(ge=1, le=999)] = 24
    on_excursion: bool = True
    """Whether it is started by itself as a bound is crossed."""
    rest_s: Annotated[float, Field(ge=0, le=86_400)] = 1800.0
    """So long after one bottle the next is not filled by itself."""


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
    fast_interval_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Between two readings while something stirs: a bound is crossed or about to be, a reading is
    suspect."""
    fast_for_s: Annotated[float, Field(ge=0, le=86_400)] = 900.0
    """So long after it."""
    fast_longest_s: Annotated[float, Field(gt=0, le=7 * 86_400)] = 10_800.0
    """And so long at most, until all is calm again."""
    position: PositionSettings | None = None
    """Of a sonde that moves."""
    sampler: SamplerSettings | None = None
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

    @model_validator(mode="after")
    def _only_where_it_is_read(self) -> Self:
        for key in ("fast_interval_s", "position"):
            if self.mode == "logger" and getattr(self, key) is not None:
                raise ValueError(
                    f'{key}: only with mode = "poll": a logger\'s records are of before'
                )
        fast = self.fast_interval_s
        if fast is not None and fast >= self.interval_s:
            raise ValueError(
                f"fast_interval_s must be below interval_s, which is {self.interval_s:g}"
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
