"""What is shown of gateways and devices, and what is sent down to them. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices.downlinks import send_command
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.schema import (
    CommandRequest,
    DeviceEntry,
    DeviceState,
    LatestReading,
    SeriesEntry,
    SeriesPoints,
)
from vigil_cloud.domain.rights import may_see_device
from vigil_cloud.identity import audit
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import Sample, Series

WINDOWS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
"""Windows that divide a day, so that means of one chart fall on those of another."""
RAW_LIMIT: Final = 20_000


class UnknownDevice(ApiError):
    """No such device, or none that this account may see."""

    code: ClassVar[str] = "unknown-device"
    remedy: ClassVar[str] = "Check the device's name and the role that you are signed in with."
    status: ClassVar[int] = 404


class WrongRange(ApiError):
    """The start does not lie before the stop."""

    code: ClassVar[str] = "wrong-range"
    remedy: ClassVar[str] = "Give a start before the stop."
    status: ClassVar[int] = 422


def devices(session: Session, reader: Reader) -> list[DeviceEntry]:
    """Every device that the reader may see, by name."""
    return [one for one in all_devices(session) if may_see_device(reader, one.domain)]


def all_devices(session: Session) -> list[DeviceEntry]:
    """Every device, by name."""
    gateways = {gateway.gateway: gateway for gateway in session.scalars(select(Gateway))}
    rows = session.scalars(select(Device).order_by(Device.device))
    return [entry(device, gateways.get(device.gateway)) for device in rows]


def device(session: Session, reader: Reader, name: str) -> DeviceEntry:
    """Raises ``UnknownDevice``, also for a device that the reader may not know of."""
    row = device_row(session, reader, name)
    return entry(row, session.get(Gateway, row.gateway))


def device_row(session: Session, reader: Reader, name: str) -> Device:
    row = session.get(Device, name)
    if row is None or not may_see_device(reader, row.domain):
        raise UnknownDevice(f"There is no device {name!r} for this account.")
    return row


def entry(row: Device, gateway: Gateway | None) -> DeviceEntry:
    """A device's row as it is shown. While its gateway is away nobody knows how it is."""
    state, code, message, since = row.state, row.code, row.message, row.since
    if gateway is not None and gateway.offline:
        state, code, since = "offline", "gateway-offline", gateway.updated
        message = f"Gateway {gateway.gateway} is not heard of."
    return DeviceEntry(
        device=row.device,
        gateway=row.gateway,
        domain=row.domain,
        driver=row.driver,
        name=row.name,
        name_zh=row.name_zh,
        latitude=row.latitude,
        longitude=row.longitude,
        state=cast(DeviceState, state),
        code=code,
        message=message,
        since=since,
        last_seen=row.last_seen,
        out_of_service_until=row.out_of_service_until,
        parameters=row.parameters,
        commands=row.commands,
    )


def series_of(services: Services, reader: Reader, name: str) -> list[SeriesEntry]:
    """Parameters with their newest readings. Raises ``UnknownDevice``."""
    with services.sessions() as session:
        row = device_row(session, reader, name)
    written = {series.parameter for series in services.timeseries.series(name)}
    newest = services.timeseries.latest(name)
    return [
        SeriesEntry(
            parameter=parameter,
            unit=row.units.get(parameter),
            latest=_latest(newest.get(parameter)),
        )
        for parameter in sorted(written | set(row.parameters))
    ]


def points_of(
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
        row = device_row(session, reader, name)
    # A device that moved to another gateway has a series under each.
    found = [one for one in services.timeseries.series(name) if one.parameter == parameter]
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


def _latest(sample: Sample | None) -> LatestReading | None:
    if sample is None:
        return None
    return LatestReading(t=sample.time.timestamp(), v=sample.value, flag=sample.flag)


def release(session: Session, name: str, account: str, now: datetime) -> DeviceEntry:
    """Take a device from its gateway: the next birth that describes it claims it.

    Gateways whose births were refused it are asked for their birth again. Does nothing
    to a device that belongs to nobody. Raises ``UnknownDevice``.
    """
    # Gateways before devices, the order in which births lock them.
    refused = [
        row.gateway
        for row in session.scalars(select(Gateway).order_by(Gateway.gateway))
        if name in row.conflicts
    ]
    again = CommandRequest(action="resend_birth")
    for gateway in refused:
        send_command(session, gateway, again, account, now)
    row = session.get(Device, name, with_for_update=True, populate_existing=True)
    if row is None:
        raise UnknownDevice(f"There is no device {name!r}.")
    if row.claimed:
        row.claimed = row.described = False
        row.updated = now
        audit.append(
            session,
            at=now,
            account=account,
            action="device.released",
            subject=name,
            detail={"gateway": row.gateway},
        )
    return entry(row, session.get(Gateway, row.gateway))
