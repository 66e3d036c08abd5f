"""``[[water.signal]]``: one parameter of a sonde, and what is asked of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.mistakes import checking
from vigil_edge.modbus.numbers import ByteOrder, RegisterType
from vigil_edge.water.qc_history import (
    Attenuation,
    History,
    Liveliness,
    Neighbour,
    Period,
    Season,
    Spread,
)
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.senml import UNITS

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Address = Annotated[int, Field(ge=0, le=0xFFFF)]

_WHOLE_NUMBERS: Final[dict[RegisterType, tuple[int, int]]] = {
    "uint16": (0, 0xFFFF),
    "int16": (-0x8000, 0x7FFF),
    "uint32": (0, 0xFFFFFFFF),
    "int32": (-0x80000000, 0x7FFFFFFF),
    "uint64": (0, 0xFFFFFFFFFFFFFFFF),
    "int64": (-0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
}


_LENGTHS: Final[dict[Period, tuple[int, int]]] = {
    "month": (1, 12),
    "quarter": (1, 4),
    "dayofyear": (1, 366),
    "hour": (0, 23),
}


class Climatology(BaseModel):
    """What is usual in a part of the year or of the day (UTC): outside of it is suspect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    period: Period = "month"
    span: tuple[int, int]
    """Both ends included; [11, 2] goes over the end of the year."""
    usual: tuple[Finite, Finite]

    @field_validator("span")
    @classmethod
    def _of_period(cls, value: tuple[int, int], info: ValidationInfo) -> tuple[int, int]:
        first, last = _LENGTHS[info.data.get("period", "month")]
        if not all(first <= one <= last for one in value):
            raise ValueError(f"both lie from {first} to {last}")
        return value

    @field_validator("usual")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError("write the lower bound first")
        return value

    def season(self) -> Season:
        """For the quality control."""
        return Season(self.period, *self.span, *self.usual)


class Attenuated(BaseModel):
    """A signal that moves less than this within ``window_s`` is fouled or about to stand still."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_s: Annotated[float, Field(gt=0, le=7 * 86_400)]
    suspect: Positive
    fail: Annotated[Finite, Field(ge=0)] = 0.0
    spread: Spread = "std"
    readings: Annotated[int, Field(ge=2, le=10_000)] = 12
    """Fewer in the window say nothing."""

    @field_validator("fail")
    @classmethod
    def _below_suspect(cls, value: float, info: ValidationInfo) -> float:
        suspect = info.data.get("suspect")
        if suspect is not None and value > suspect:
            raise ValueError(f"fail is at most suspect, which is {suspect:g}")
        return value

    def asked(self) -> Attenuation:
        """For the quality control."""
        return Attenuation(self.window_s, self.suspect, self.fail, self.spread, self.readings)


class Beside(BaseModel):
    """A second sensor of the same quantity on the same sonde: farther apart, both are suspect where
    both name each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signal: str
    within: Positive


class Signal(BaseModel):
    """``[[water.signal]]``: one parameter; value = raw × ``scale`` + ``offset`` in ``unit``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
    register_: Annotated[Address, Field(alias="register")] = 0
    """Zero-based, as on the wire: manuals that count from 1 or from 40001 need a subtraction."""
    table: Literal["holding", "input"] = "holding"
    type: RegisterType = "float32"
    byte_order: ByteOrder = "ABCD"
    scale: Finite = 1.0
    offset: Finite = 0.0
    unit: str | None = None
    sentinel: Finite | Annotated[list[Finite], Field(max_length=20)] | None = None
    """The raw value, or values, that mean "no reading": as the manual prints them, -9999 also for
    an unsigned register that shows it as 55537."""
    over_range: Finite | None = None
    """The raw value that means "more than the sensor can measure"."""
    under_range: Finite | None = None
    """The raw value that means "less than the sensor can measure"."""
    quality_register: Address | None = None
    """A uint16 in which the probe says what it thinks of this signal, in the same table."""
    quality_good: Annotated[list[int], Field(max_length=50)] = Field(default_factory=lambda: [0])
    quality_suspect: Annotated[list[int], Field(max_length=50)] = Field(default_factory=list)
    """Whatever is in neither list (it warms up, it failed) means "no reading"."""
    sensor_range: tuple[Finite, Finite] | None = None
    """What the sensor can measure, by its manual: a reading at an end of it is off scale."""
    range_fail: tuple[Finite, Finite] | None = None
    range_suspect: tuple[Finite, Finite] | None = None
    rate_suspect: Positive | None = None
    """Per second."""
    spike_floor: Annotated[Finite, Field(ge=0)] | None = None
    """Hold jumps larger than this against the signal's own recent changes."""
    flat_s: Positive | None = None
    """Unchanged for this long is suspect, four times as long fails."""
    climatology: Annotated[list[Climatology], Field(max_length=24)] = Field(default_factory=list)
    """Of several that hold a moment the last one counts; a moment that none holds is not judged."""
    attenuated: Attenuated | None = None
    neighbour: Beside | None = None
    high: Finite | None = None
    low: Finite | None = None
    high_rate: Positive | None = None
    """Change per second, in either direction, that is an excursion."""
    hysteresis: Annotated[Finite, Field(ge=0)] = 0.0
    """How far inside its bound, in ``unit``, a reading must be for an excursion to end."""
    consecutive: Annotated[int, Field(ge=1, le=100)] = 2
    """Readings in a row that begin an excursion, and that end one."""

    @field_validator("unit")
    @classmethod
    def _registered(cls, value: str | None) -> str | None:
        if value is not None and value not in UNITS:
            raise ValueError(
                f"{value!r} is not a SenML unit; leave unit out and name it in the parameter"
                " (turbidity_FNU)"
            )
        return value

    @field_validator("sensor_range", "range_fail", "range_suspect")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError("write the lower bound first")
        return value

    @field_validator("low")
    @classmethod
    def _below_high(cls, value: float | None, info: ValidationInfo) -> float | None:
        high = info.data.get("high")
        if value is not None and high is not None and value >= high:
            raise ValueError(f"low must be below high, which is {high:g}")
        return value

    @field_validator("high", "low")
    @classmethod
    def _can_fire(cls, value: float | None, info: ValidationInfo) -> float | None:
        """Only in ``vigil-edge check``: a gateway that has run with it so far goes on."""
        if value is None or not checking(info):
            return value
        ranges = (info.data.get("sensor_range"), info.data.get("range_fail"), _countable(info.data))
        why = _never_fires(info.field_name == "high", value, *ranges)
        if why:
            raise ValueError(why)
        return value

    @property
    def span(self) -> tuple[float, float]:
        """What can be measured at all; infinite at an end that nothing is known of."""
        ranges = [found for found in (self.sensor_range, self.range_fail) if found is not None]
        low = max((found[0] for found in ranges), default=-math.inf)
        return low, min((found[1] for found in ranges), default=math.inf)

    def never_fire(self) -> list[str]:
        """What is wrong with bounds that no reading can ever cross, as ``check`` says it."""
        ranges = (self.sensor_range, self.range_fail, _countable(dict(self)))
        bounds = (("high", self.high), ("low", self.low))
        found = [
            (key, _never_fires(key == "high", bound, *ranges))
            for key, bound in bounds
            if bound is not None
        ]
        return [f"{self.name}: {key}: {why}" for key, why in found if why]

    def quality(self) -> Signal | None:
        """Its quality register, as a signal to be read with it."""
        if self.quality_register is None:
            return None
        return Signal.model_validate(
            {"name": "quality", "register": self.quality_register, "table": self.table}
            | {"type": "uint16"}
        ).model_copy(update={"name": f"{self.name}/quality"})

    @property
    def words(self) -> int:
        """How many registers the value takes."""
        return int(self.type[-2:]) // 16

    @property
    def sentinels(self) -> tuple[float, ...]:
        """Of ``sentinel``."""
        if self.sentinel is None:
            return ()
        return tuple(self.sentinel) if isinstance(self.sentinel, list) else (self.sentinel,)

    def limits(self) -> Limits:
        """For the quality control."""
        return Limits(
            fail=self.range_fail,
            suspect=self.range_suspect,
            rate_suspect=self.rate_suspect,
            spike=self.spike_floor is not None,
            spike_floor=self.spike_floor or 0.0,
            flat_s=self.flat_s,
        )

    def history(self, place_of: Mapping[str, int]) -> History | None:
        """For the quality control: what is asked beside ``limits``, ``None`` where nothing is."""
        if not self.climatology and self.attenuated is None and self.neighbour is None:
            return None
        return History(
            [one.season() for one in self.climatology],
            None if self.attenuated is None else Liveliness(self.attenuated.asked()),
            None
            if self.neighbour is None
            else Neighbour(place_of[self.neighbour.signal], self.neighbour.within),
        )


def _countable(signal: dict[str, Any]) -> tuple[float, float] | None:
    """What a whole-number register can show at all, in the signal's unit."""
    ends = _WHOLE_NUMBERS.get(signal.get("type", "float32"))
    if ends is None or "scale" not in signal or "offset" not in signal:
        return None
    low, high = (end * signal["scale"] + signal["offset"] for end in ends)
    return min(low, high), max(low, high)


def _never_fires(
    is_high: bool,
    bound: float,
    sensor: tuple[float, float] | None,
    fail: tuple[float, float] | None,
    countable: tuple[float, float] | None,
) -> str | None:
    """Why no reading can be beyond the bound, or nothing where one can."""
    for what, ends in (
        ("range_fail", fail),
        ("sensor_range", sensor),
        ("what the register can hold", countable),
    ):
        if ends is not None and (bound >= ends[1] if is_high else bound <= ends[0]):
            end = ends[1] if is_high else ends[0]
            return (
                f"can never fire: it is at or {'above' if is_high else 'below'} the"
                f" {'upper' if is_high else 'lower'} end of {what}, {end:g}"
            )
    return None
