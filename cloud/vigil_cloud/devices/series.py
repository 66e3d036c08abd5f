"""A device's readings as people look at them: the newest, and the course of a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.newest import Newest, newest
from vigil_cloud.devices.schema import LatestReading, SeriesEntry, SeriesPoints
from vigil_cloud.devices.service import device_row, subject_of
from vigil_cloud.devices.visibility import readable_since
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import Sample, Series
from vigil_schemas.senml import instant

WINDOWS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
"""Windows that divide a day, so that means of one chart fall on those of another."""
RAW_LIMIT: Final = 20_000


class WrongRange(ApiError):
    """The start does not lie before the stop."""

    code: ClassVar[str] = "wrong-range"
    remedy: ClassVar[str] = "Give a start before the stop."
    status: ClassVar[int] = 422


def series_of(services: Services, reader: Reader, name: str) -> list[SeriesEntry]:
    """Parameters with their newest readings. Raises ``UnknownDevice``."""
    with services.sessions() as session:
        row, since = _readable(services, session, reader, name)
        shown = newest(session, [name]).get(name)
    written = {series.parameter for series in services.timeseries.series(name)}
    stored = services.timeseries.latest(name)
    return [
        SeriesEntry(
            parameter=parameter,
            unit=row.units.get(parameter),
            latest=_latest(_shown(shown, parameter) or stored.get(parameter), since),
        )
        for parameter in sorted(written | set(row.parameters))
    ]


def _shown(newest: Newest | None, parameter: str) -> Sample | None:
    """As open screens are told: what came from a clock that was ahead is the latest of the series,
    and not what is so now."""
    if newest is None or parameter not in newest.readings:
        return None
    time_us, value, flag = newest.readings[parameter]
    return Sample(instant(time_us), value, flag)


def points_of(  # noqa: PLR0913 - a request with who asks
    services: Services,
    reader: Reader,
    name: str,
    parameter: str,
    start: datetime,
    stop: datetime,
    most: int,
) -> SeriesPoints:
    """At most ``most`` readings, or means of windows. Raises ``UnknownDevice``, ``WrongRange``."""
    if start >= stop:
        raise WrongRange("start has to lie before stop.")
    with services.sessions() as session:
        row, since = _readable(services, session, reader, name)
    if since is not None:
        start, stop = max(start, since), max(stop, since)
    # A device that moved to another gateway has a series under each.
    found = [one for one in services.timeseries.series(name) if one.parameter == parameter]
    found = found if start < stop else []
    total = sum(services.timeseries.count(one, start, stop) for one in found)
    window_s = None if total <= min(most, RAW_LIMIT) else window(stop - start, most)
    samples = _read(services, found, start, stop, window_s)
    return SeriesPoints(
        parameter=parameter,
        unit=row.units.get(parameter),
        window_s=window_s,
        t=[sample.time.timestamp() for sample in samples],
        v=[sample.value for sample in samples],
        flag=[sample.flag for sample in samples],
    )


def window(span: timedelta, most: int) -> float:
    """The shortest of ``WINDOWS_S`` that leaves at most ``most`` windows in the span."""
    # One more window than the division says where the span begins inside one.
    least = span.total_seconds() / max(1, most - 1)
    for seconds in WINDOWS_S:
        if seconds >= least:
            return float(seconds)
    days = -(-least // 86400)
    return float(days * 86400)


def _read(
    services: Services,
    found: Iterable[Series],
    start: datetime,
    stop: datetime,
    window_s: float | None,
) -> list[Sample]:
    merged: dict[datetime, Sample] = {}
    for series in found:
        for sample in services.timeseries.read(series, start, stop, window_s=window_s):
            merged[sample.time] = sample
    return [merged[time] for time in sorted(merged)]


def _readable(
    services: Services, session: Session, reader: Reader, name: str
) -> tuple[Device, datetime | None]:
    """The device, and from when on its readings are this reader's to see."""
    row = device_row(session, reader, name, Operation.READ)
    subject = subject_of(session, row)
    return row, readable_since(session, reader, row, subject, services.now())


def _latest(sample: Sample | None, since: datetime | None) -> LatestReading | None:
    if sample is None or (since is not None and sample.time < since):
        return None
    return LatestReading(t=sample.time.timestamp(), v=sample.value, flag=sample.flag)
