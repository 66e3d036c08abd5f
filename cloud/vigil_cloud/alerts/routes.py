"""Alerts over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from sqlalchemy import and_, not_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.domains import AlertDomain
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.presentation import note_reading, present
from vigil_cloud.alerts.schema import (
    Alert,
    AlertComment,
    AlertList,
    BeforeCursor,
    ServiceRequest,
    ShelveRequest,
    cursor,
)
from vigil_cloud.alerts.service import Action, act, find
from vigil_cloud.alerts.visibility import visible
from vigil_cloud.database.engine import writing
from vigil_cloud.http.parameters import Truth, Whole
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services

PAGE: Final = 50
LARGEST_PAGE: Final = 200

router = APIRouter(prefix="/alerts", tags=["alerts"])
AlertId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


@router.get("", operation_id="list_alerts")
def list_alerts(
    reader: CurrentAccount,
    services: ServicesDependency,
    active: Annotated[
        Truth | None,
        Query(description="true: active or not yet acknowledged; false: over and acknowledged"),
    ] = None,
    domain: AlertDomain | None = None,
    limit: Annotated[Whole, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    before: Annotated[BeforeCursor, Query()] = None,
) -> AlertList:
    """Alerts that the reader may see, newest first."""
    query = select(AlertRow).where(visible(reader))
    if domain is not None:
        query = query.where(AlertRow.domain == domain.value)
    if active is not None:
        retained = or_(AlertRow.active, not_(AlertRow.acknowledged))
        query = query.where(retained if active else not_(retained))
    if before is not None:
        raised, last = before.split("_")
        at = _instant(raised)
        query = query.where(
            or_(AlertRow.raised < at, and_(AlertRow.raised == at, AlertRow.id < last))
        )
    query = query.order_by(AlertRow.raised.desc(), AlertRow.id.desc()).limit(limit + 1)
    with services.sessions() as session:
        rows = list(session.scalars(query))
        page = rows[:limit]
        alerts = _presented(session, services, reader, page)
    _note(services, reader, page, "alerts")
    more = len(rows) > limit
    return AlertList(alerts=alerts, next=cursor(page[-1].raised, page[-1].id) if more else None)


@router.get("/{alert_id}", operation_id="get_alert")
def get_alert(alert_id: AlertId, reader: CurrentAccount, services: ServicesDependency) -> Alert:
    """One alert."""
    with services.sessions() as session:
        row = find(session, reader, alert_id)
        alert = _presented(session, services, reader, [row])[0]
    _note(services, reader, [row], f"alert {alert_id}")
    return alert


@router.post("/{alert_id}/acknowledge", operation_id="acknowledge_alert")
def acknowledge_alert(
    alert_id: AlertId, body: AlertComment, reader: CurrentAccount, services: ServicesDependency
) -> Alert:
    """Say that somebody has seen it and takes it on. 409 where somebody was faster."""
    return _act(services, reader, alert_id, "acknowledged", body)


@router.post("/{alert_id}/confirm", operation_id="confirm_alert")
def confirm_alert(
    alert_id: AlertId, body: AlertComment, reader: CurrentAccount, services: ServicesDependency
) -> Alert:
    """Say that what was to be done is done. 409 before it is acknowledged."""
    return _act(services, reader, alert_id, "confirmed", body)


@router.post("/{alert_id}/shelve", operation_id="shelve_alert")
def shelve_alert(
    alert_id: AlertId, body: ShelveRequest, reader: CurrentAccount, services: ServicesDependency
) -> Alert:
    """Put it aside until a moment; nobody is called about it meanwhile."""
    return _act(services, reader, alert_id, "shelved", body, body.until)


@router.post("/{alert_id}/unshelve", operation_id="unshelve_alert")
def unshelve_alert(
    alert_id: AlertId, body: AlertComment, reader: CurrentAccount, services: ServicesDependency
) -> Alert:
    """Take it from the shelf before its time."""
    return _act(services, reader, alert_id, "unshelved", body)


@router.post("/{alert_id}/service", operation_id="set_alert_service")
def set_alert_service(
    alert_id: AlertId, body: ServiceRequest, reader: CurrentAccount, services: ServicesDependency
) -> Alert:
    """Out of service for maintenance, or back in service (maintainer, administrator)."""
    if not reader.has(Role.MAINTAINER, Role.ADMINISTRATOR):
        raise Forbidden("This needs one of the roles: maintainer, administrator.")
    action: Action = "out-of-service" if body.out_of_service else "in-service"
    return _act(services, reader, alert_id, action, body)


def _act(
    services: Services,
    reader: Reader,
    alert_id: str,
    action: Action,
    body: AlertComment,
    until: datetime | None = None,
) -> Alert:
    with writing(services.sessions) as session:
        row = act(
            session,
            reader,
            alert_id,
            action,
            now=services.now(),
            comment=body.comment,
            until=until,
            version=body.version,
        )
        alert = _presented(session, services, reader, [row])[0]
    services.changed.announce()
    return alert


def _presented(
    session: Session, services: Services, reader: Reader, rows: list[AlertRow]
) -> list[Alert]:
    return present(session, Cipher(services.settings.secret), reader, rows, services.now())


def _note(services: Services, reader: Reader, rows: list[AlertRow], way: str) -> None:
    if any(row.person_key is not None for row in rows):
        with writing(services.sessions) as session:
            note_reading(session, reader, rows, way, services.now())


def _instant(seconds: str) -> datetime:
    # Through whole microseconds: a float would miss the row that the cursor names.
    whole, fraction = seconds.split(".")
    return datetime.fromtimestamp(int(whole), UTC).replace(microsecond=int(fraction))
