"""Observations: a SenML pack (RFC 8428) with a QARTOD flag added to each record.

A pack holds one device's readings. Names are ``urn:vigil:{device}:{parameter}``; Vigil's
own encoder puts ``bn`` = ``urn:vigil:{device}:`` and ``bt`` = seconds since 1970 (UTC) into
the first record. Units are those that RFC 8428 and RFC 8798 register; a parameter measured
in an unregistered unit carries the unit in its name and no ``u`` (``turbidity_FNU``).

Base fields of a foreign encoder are resolved as RFC 8428 4.6 has it: ``bn``, ``bt``, ``bu``
and ``bv`` hold from their record on. Two things are narrower than the RFC, and what is not
kept is refused and never guessed: values are numbers (``vs``, ``vb``, ``vd`` and sums have no
place in a time series), and times are absolute. RFC 8428 4.5.3 counts a resolved time below
2**28 from the moment of receipt; a reading's time is its key here and may not depend on when
a network came back, so such a time is one of 1970 to 1978 and refused as too old.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from vigil_schemas.types import Flag, Model, QartodFlag

BASE_NAME_PREFIX: Final = "urn:vigil:"
VERSION: Final = 10
"""RFC 8428 4.1: a pack of a later version has to be refused."""
UNITS: Final = frozenset(
    {
        *("m", "kg", "s", "A", "K", "Hz", "Pa", "V", "W", "Cel", "m/s", "m3/s", "%RH", "%EL"),
        *("pH", "dB", "dBW", "S/m", "kg/m3", "/", "%", "EL", "lat", "lon", "count", "mV", "dBm"),
        *("ms", "min", "h", "hPa", "mm", "cm", "km", "km/h", "mm/h", "/100", "ug/m3", "ppm"),
    }
)
"""The registered unit symbols that Vigil uses; ``%`` only for battery and humidity."""

UNSUPPORTED: Final = frozenset({"vs", "vb", "vd", "s", "bs"})
"""Fields that RFC 8428 gives a meaning which Vigil cannot keep: text, truth, data and sums."""

_NAME: Final = re.compile(r"urn:vigil:([a-z0-9][a-z0-9._-]{0,63}):([A-Za-z][A-Za-z0-9_.]{0,47})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US: Final = -62_135_596_800_000_000
LAST_US: Final = 253_402_300_799_999_999
"""The years 1 to 9999, which a ``datetime`` can hold."""


class SenmlRecord(Model):
    """One reading. Extra keys are tolerated, as RFC 8428 asks, but not those that end in ``_``
    (they must be understood) and not values of another kind than numbers."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    bn: Annotated[str, Field(max_length=140)] | None = None
    """Base name: what stands before ``n``, from this record on."""
    bt: float | None = None
    """Base time, seconds since 1970 UTC, from this record on."""
    bu: Annotated[str, Field(max_length=8)] | None = None
    """Base unit: of records without ``u``, from this record on."""
    bv: float | None = None
    """Base value: added to ``v``, from this record on."""
    bver: Annotated[int, Field(ge=1, le=VERSION)] | None = None
    """Version of SenML."""
    n: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,47}$")] | None = None
    """Parameter, such as ``LAeq`` or ``specific_conductance``; absent where ``bn`` is whole."""
    u: Annotated[str, Field(max_length=8)] | None = None
    """Registered unit symbol."""
    t: float = 0.0
    """Seconds relative to the base time."""
    v: float | None = None
    """The value; absent when the reading is missing."""
    qf: Flag = QartodFlag.NOT_EVALUATED


Pack = Annotated[list[SenmlRecord], Field(min_length=1, max_length=2000)]
_PACK: Final[TypeAdapter[list[SenmlRecord]]] = TypeAdapter(Pack)


def parse_pack(data: Any) -> list[SenmlRecord]:
    """Records out of parsed JSON, none of them coerced: ``true`` and ``"1"`` are no numbers.

    Raises pydantic's ``ValidationError``, and ``ValueError`` for a field that RFC 8428 forbids
    to ignore or that Vigil cannot keep.
    """
    if isinstance(data, list):
        for number, record in enumerate(data):
            if isinstance(record, Mapping):
                _refuse_fields(number, record)
    return _PACK.validate_json(to_json(data, inf_nan_mode="constants"), strict=True)


def _refuse_fields(number: int, record: Mapping[str, Any]) -> None:
    for name in record:
        if name in UNSUPPORTED:
            raise ValueError(f"{number}.{name}: not supported, only numbers (v) can be kept")
        if name.endswith("_"):
            raise ValueError(f"{number}.{name}: has to be understood and is not (RFC 8428 4.4)")


class Resolved(NamedTuple):
    """One record with its base fields applied (RFC 8428 4.6)."""

    device: str
    parameter: str
    unit: str | None
    time_us: int
    """Whole microseconds since 1970 UTC."""
    value: float | None
    flag: QartodFlag


def resolve(records: Iterable[SenmlRecord]) -> Iterator[Resolved]:
    """Every reading of a pack, in order; a record of base fields alone is none.

    Raises ``ValueError`` for a name that is not ``urn:vigil:{device}:{parameter}``, a second
    device, a unit that is not registered, a time that no clock shows or a sum beyond all numbers.
    """
    base_name, base_us = "", 0
    base_unit: str | None = None
    base_value: float | None = None
    only: str | None = None
    for record in records:
        base_name = base_name if record.bn is None else record.bn
        base_us = base_us if record.bt is None else _microseconds(record.bt)
        base_unit = base_unit if record.bu is None else record.bu
        base_value = base_value if record.bv is None else record.bv
        if record.n is None and base_name.endswith(":") and record.v is None:
            continue
        device, parameter = _named(base_name, record.n)
        if only not in (None, device):
            raise ValueError(f"the pack is of {only!r} and of {device!r}")
        only = device
        unit = base_unit if record.u is None else record.u
        if unit is not None and unit not in UNITS:
            raise ValueError(f"unit {unit!r} of {parameter} is not a registered SenML unit")
        value = _value(record, base_value)
        time_us = base_us + _microseconds(record.t)
        if not FIRST_US <= time_us <= LAST_US:
            raise ValueError(f"the time of {parameter} is of no year from 1 to 9999")
        yield Resolved(device, parameter, unit, time_us, value, record.qf)


def _microseconds(seconds: float) -> int:
    if abs(seconds) > 1e12:
        raise ValueError(f"{seconds:g} s is no time (bt, t)")
    return round(seconds * 1e6)


def _named(base: str, name: str | None) -> tuple[str, str]:
    found = _NAME.fullmatch(base + (name or ""))
    if found is None:
        raise ValueError(
            f"name {base + (name or '')!r}, base name (bn) and n together, is not"
            f" {BASE_NAME_PREFIX}{{device}}:{{parameter}}"
        )
    return found[1], found[2]


def _value(record: SenmlRecord, base: float | None) -> float | None:
    if base is None or (record.v is None and record.qf is QartodFlag.MISSING):
        return record.v  # missing is missing, whatever the base value
    value = base + (record.v or 0.0)
    if not math.isfinite(value):
        raise ValueError(f"bv + v of {record.n} is beyond all numbers")
    return value


class Reading(NamedTuple):
    """One resolved reading: what a pack means once its base fields are applied."""

    parameter: str
    unit: str | None
    time: datetime
    value: float | None
    flag: QartodFlag


def pack(device: str, readings: Iterable[Reading]) -> list[SenmlRecord]:
    """Build a pack of one device's readings, base time that of the first."""
    records: list[SenmlRecord] = []
    base_us = 0
    for reading in readings:
        time_us = microseconds(reading.time)
        if not records:
            base_us = time_us
        records.append(
            SenmlRecord(
                bn=f"{BASE_NAME_PREFIX}{device}:" if not records else None,
                bt=base_us / 1e6 if not records else None,
                n=reading.parameter,
                u=reading.unit,
                t=(time_us - base_us) / 1e6,
                v=reading.value,
                qf=reading.flag,
            )
        )
    return records


def unpack(records: Iterable[SenmlRecord]) -> tuple[str, list[Reading]]:
    """The device and its readings, in order. Raises ``ValueError`` as ``resolve`` does, and for
    a pack without a reading."""
    device: str | None = None
    readings: list[Reading] = []
    for one in resolve(records):
        device = one.device
        readings.append(Reading(one.parameter, one.unit, instant(one.time_us), one.value, one.flag))
    if device is None:
        raise ValueError("the pack has no reading")
    return device, readings


def microseconds(time: datetime) -> int:
    """Whole microseconds since 1970 UTC, exact (a float of seconds is not, at this size)."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def instant(time_us: int) -> datetime:
    """The UTC time again. Raises ``OverflowError`` beyond the year 9999."""
    return _EPOCH + timedelta(microseconds=time_us)
