"""What lasted at a station: excursions, what the detector found, visits of those who clean and
calibrate it. Shown with its curves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from vigil_cloud.devices.models import Device, DeviceShelf, Gateway
from vigil_cloud.devices.routes import DeviceName
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services
from vigil_cloud.water.anomalies import KIND
from vigil_cloud.water.models import AnomalyRow, Excursion
from vigil_cloud.water.schema import StationSpan, StationSpans
from vigil_schemas.types import UtcDatetime
from vigil_schemas.water import BOTTLE, DOMAIN

router = APIRouter(prefix="/water", tags=["water"])
_MOST: Final = 500
_SETTING: Final = "maintenance"


@router.get("/probes/{device}/spans", operation_id="list_station_spans")
def list_station_spans(
    device: DeviceName,
    reader: Annotated[Reader, Depends(require_alerts_of(DOMAIN))],
    services: ServicesDependency,
    start: Annotated[UtcDatetime, Query()],
    stop: Annotated[UtcDatetime, Query()],
) -> StationSpans:
    """What lasted in ``[start, stop)``: excursions, the detector's findings, and when somebody had
    the probe in hand (maintenance windows of its gateway, out of service)."""
    with services.sessions() as session:
        known = session.scalar(
            select(Device.device).where(
                Device.device == device, in_districts(reader, Device.device)
            )
        )
        found = [
            *_excursions(session, reader, device, start, stop),
            *_anomalies(session, reader, device, start, stop),
            *_out_of_service(session, reader, device, start, stop),
            *_maintained(session, reader, device, start, stop),
        ]
    if known is not None:
        found += _samples(services, device, start, stop)
    found.sort(key=lambda one: one.begin)
    return StationSpans(spans=found[-_MOST:])


def _within(
    begin: InstrumentedAttribute[datetime],
    end: InstrumentedAttribute[datetime | None],
    start: datetime,
    stop: datetime,
) -> tuple[ColumnElement[bool], ...]:
    return begin < stop, or_(end.is_(None), end >= start)


def _excursions(
    session: Session, reader: Reader, device: str, start: datetime, stop: datetime
) -> Iterator[StationSpan]:
    """Those of bounds: the detector's are told as what it found."""
    query = select(Excursion).where(
        Excursion.device == device,
        Excursion.kind != KIND,
        in_districts(reader, Excursion.device),
        *_within(Excursion.started, Excursion.ended, start, stop),
    )
    for row in session.scalars(query.order_by(Excursion.started.desc()).limit(_MOST)):
        yield StationSpan(
            kind="excursion",
            parameter=row.parameter,
            what=row.kind,
            begin=row.started,
            end=row.ended,
        )


def _anomalies(
    session: Session, reader: Reader, device: str, start: datetime, stop: datetime
) -> Iterator[StationSpan]:
    query = select(AnomalyRow).where(
        AnomalyRow.device == device,
        in_districts(reader, AnomalyRow.device),
        *_within(AnomalyRow.started, AnomalyRow.ended, start, stop),
    )
    for row in session.scalars(query.order_by(AnomalyRow.started.desc()).limit(_MOST)):
        yield StationSpan(
            kind="water" if row.type == "water" else "sensor",
            parameter=row.parameter,
            what=row.reason,
            begin=row.started,
            end=row.ended,
        )


def _out_of_service(
    session: Session, reader: Reader, device: str, start: datetime, stop: datetime
) -> Iterator[StationSpan]:
    query = select(DeviceShelf).where(
        DeviceShelf.device == device,
        DeviceShelf.kind == "out-of-service",
        in_districts(reader, DeviceShelf.device),
        *_within(DeviceShelf.begun, DeviceShelf.ended, start, stop),
    )
    for row in session.scalars(query.order_by(DeviceShelf.begun.desc()).limit(_MOST)):
        yield StationSpan(
            kind="out-of-service",
            parameter=row.parameter,
            what=row.kind,
            begin=row.begun,
            end=row.ended,
        )


def _maintained(
    session: Session, reader: Reader, device: str, start: datetime, stop: datetime
) -> Iterator[StationSpan]:
    """Windows that the gateway says it has: intervals of ISO 8601 with spaces between."""
    known = session.execute(
        select(Gateway.configuration)
        .join(Device, Device.gateway == Gateway.gateway)
        .where(Device.device == device, in_districts(reader, Device.device))
    ).scalar_one_or_none()
    text = ((known or {}).get("settings") or {}).get(device, {}).get(_SETTING)
    for interval in text.split() if isinstance(text, str) else ():
        begin, end = map(_moment, interval.partition("/")[::2])
        if begin is not None and end is not None and begin < stop and end >= start:
            yield StationSpan(kind="maintenance", parameter="", what=_SETTING, begin=begin, end=end)


def _samples(
    services: Services, device: str, start: datetime, stop: datetime
) -> Iterator[StationSpan]:
    """Bottles that the automatic sampler filled."""
    for series in services.timeseries.series(device):
        if series.parameter != BOTTLE:
            continue
        for one in services.timeseries.read(series, start, stop, window_s=1.0):
            if one.value is not None:
                yield StationSpan(
                    kind="sample",
                    parameter="",
                    what=f"{one.value:.0f}",
                    begin=one.time,
                    end=one.time,
                )


def _moment(text: str) -> datetime | None:
    """What a gateway wrote: one that writes something else has no window."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found
