"""Observations: a SenML pack (RFC 8428) with a QARTOD flag added to each record.

A pack holds one device's readings. Its first record carries the base fields:
``bn`` = ``urn:vigil:{device}:`` and ``bt`` = seconds since 1970 (UTC). Units are
those that RFC 8428 and RFC 8798 register; a parameter measured in an
unregistered unit carries the unit in its name and no ``u`` (``turbidity_FNU``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, NamedTuple

from pydantic import ConfigDict, Field

from vigil_schemas.types import Model, QartodFlag

BASE_NAME_PREFIX: Final = "urn:vigil:"
UNITS: Final = frozenset(
    {
        *("m", "kg", "s", "A", "K", "Hz", "Pa", "V", "W", "Cel", "m/s", "m3/s", "%RH", "%EL"),
        *("pH", "dB", "dBW", "S/m", "kg/m3", "/", "%", "EL", "lat", "lon", "count", "mV", "dBm"),
        *("ms", "min", "h", "hPa", "mm", "cm", "km", "km/h", "mm/h", "/100", "ug/m3", "ppm"),
    }
)
"""The registered unit symbols that Vigil uses; ``%`` only for battery and humidity."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SenmlRecord(Model):
    """One reading. Extra keys are tolerated: RFC 8428 asks receivers to ignore unknown fields."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    bn: Annotated[str, Field(max_length=80)] | None = None
    """Base name; on the first record only."""
    bt: float | None = None
    """Base time, seconds since 1970 UTC; on the first record only."""
    n: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,47}$")]
    """Parameter, such as ``LAeq`` or ``specific_conductance``."""
    u: Annotated[str, Field(max_length=8)] | None = None
    """Registered unit symbol."""
    t: float = 0.0
    """Seconds relative to the base time."""
    v: float | None = None
    """The value; absent when the reading is missing."""
    qf: QartodFlag = QartodFlag.NOT_EVALUATED


Pack = Annotated[list[SenmlRecord], Field(min_length=1, max_length=2000)]


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
    """The device and its readings, in order.

    Raises ``ValueError`` where the base name is absent, not ours, or changes inside the pack.
    """
    device: str | None = None
    base_us = 0
    readings: list[Reading] = []
    for record in records:
        if record.bn is not None:
            named = record.bn.removeprefix(BASE_NAME_PREFIX).removesuffix(":")
            if not record.bn.startswith(BASE_NAME_PREFIX) or (device or named) != named:
                raise ValueError(f"base name {record.bn!r} is not one device of this contract")
            device = named
        if record.bt is not None:
            base_us = round(record.bt * 1e6)
        if record.u is not None and record.u not in UNITS:
            raise ValueError(f"unit {record.u!r} of {record.n} is not a registered SenML unit")
        time = instant(base_us + round(record.t * 1e6))
        readings.append(Reading(record.n, record.u, time, record.v, record.qf))
    if device is None:
        raise ValueError("the pack has no base name (bn)")
    return device, readings


def microseconds(time: datetime) -> int:
    """Whole microseconds since 1970 UTC, exact (a float of seconds is not, at this size)."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def instant(time_us: int) -> datetime:
    """The UTC time again. Raises ``OverflowError`` beyond the year 9999."""
    return _EPOCH + timedelta(microseconds=time_us)
