"""Alerts over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Final

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, listing
from vigil_cloud.alerts.acts import Action, act, find
from vigil_cloud.alerts.listing import Cursor, Wanted
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import (
    AlertComment,
    AlertList,
    AnswerRequest,
    BeforeCursor,
    OpenAlerts,
    ServiceRequest,
    ShelveRequest,
    Work,
)
from vigil_cloud.alerts.titles import Personal, audit_location_view
from vigil_cloud.alerts.visibility import may_act
from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import reading, writing
from vigil_cloud.domain.at_home import Proof
from vigil_cloud.http.alert_presentation import counted, present, summaries
from vigil_cloud.http.alert_schema import Alert
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify import replies
from vigil_cloud.notify.escalation.waking import wake
from vigil_cloud.notify.reply_links import at_home_of, may_call_false, may_say_burns
from vigil_cloud.parameters import ONE_LINE, Foreseeable, Truth, Whole
from vigil_cloud.services import Services
from vigil_schemas.types import DeviceId, Domain

PAGE: Final = 50
LARGEST_PAGE: Final = 200

router = APIRouter(prefix="/alerts", tags=["alerts"])
AlertId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


class WrongCursor(ApiError):
    """A cursor of a list that was ordered otherwise."""

    code: ClassVar[str] = "wrong-cursor"
    remedy: ClassVar[str] = "Ask for the first page again with the new filters."
    status: ClassVar[int] = 422


def _wanted(  # noqa: PLR0913 - what may be asked of the list
    state: Annotated[
        list[Work] | None,
        Query(
            description="new: nobody has taken it; in_progress: taken, and still active or not yet"
            " confirmed; done. May be given more than once."
        ),
    ] = None,
    mine: Annotated[Truth, Query(description="what the reader has taken and not finished")] = False,
    domain: Domain | None = None,
    device: DeviceId | None = None,
    active: Annotated[
        Truth | None,
        Query(
            deprecated=True,
            description="true: active or not yet acknowledged; false: over and acknowledged."
            " Use `state`.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=80,
            pattern=ONE_LINE,
            description="part of a title in either language, or of a device's or gateway's name",
        ),
    ] = None,
    since: Annotated[Foreseeable | None, Query(description="raised then or later")] = None,
    until: Annotated[Foreseeable | None, Query(description="raised before")] = None,
) -> Wanted:
    return Wanted(
        frozenset(state or ()), mine, domain, device, active, text=text, since=since, until=until
    )


@router.get("", operation_id="list_alerts")
def list_alerts(
    reader: CurrentAccount,
    services: ServicesDependency,
    wanted: Annotated[Wanted, Depends(_wanted)],
    limit: Annotated[Whole, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    before: Annotated[BeforeCursor, Query()] = None,
) -> AlertList:
    """Alerts that the reader may see. Work that waits (``state`` without ``done``, or ``mine``)
    comes by urgency: what nobody has taken first, then by severity, then the newest. Everything
    else comes newest first."""
    after = None if before is None else Cursor.parse(before)
    if after is not None and (after.priority is None) != (wanted.order == "newest"):
        raise WrongCursor("`before` is the `next` of a page with the same filters.")
    with reading(services.sessions) as session:
        rows, ended = listing.page(session, reader, wanted, limit, after)
        cipher = Cipher(services.settings.secret)
        alerts = summaries(session, cipher, rows, services.now())
    _note(services, reader, rows, "alerts")
    return AlertList(alerts=alerts, next=None if ended is None else str(ended))


@router.get("/open", operation_id="count_open_alerts")
def count_open_alerts(reader: CurrentAccount, services: ServicesDependency) -> OpenAlerts:
    """How many alerts are new and in progress, in all, of each domain and of each device."""
    with services.sessions() as session:
        return counted(listing.open_counts(session, reader, services.now()))


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


@router.post("/{alert_id}/answers", operation_id="answer_alert")
def answer_alert(
    alert_id: AlertId, body: AnswerRequest, reader: CurrentAccount, services: ServicesDependency
) -> Alert:
    """Say "I take it" or "I cannot", under one's name. Idempotent: never refused because somebody
    else was faster. 403 where a false alarm needs the home's code, or another one."""
    now = services.now()
    proof = _proof(services, reader, alert_id, body)
    with writing(services.sessions) as session:
        feed.lock(session)
        row = find(session, reader, alert_id)
        if body.answer == "false-alarm" and not may_call_false(reader, row):
            raise Forbidden("A false alarm is called by whoever lives there, or decides.")
        if body.answer == "burns" and not may_say_burns(reader, row):
            raise Forbidden("That it burns is said by whoever belongs to the home, or decides.")
        decides = may_act(reader, Operation.DECIDE, row).allowed
        who, said = reader.username, body.answer
        replies.give(session, row, who, said, now, via="page", proof=proof, decides=decides)
        alert = _presented(session, services, reader, [row])[0]
    services.changed.announce()
    return alert


def _proof(services: Services, reader: Reader, alert_id: str, body: AnswerRequest) -> Proof | None:
    """Of the home's code, where one was given by whoever lives there."""
    if body.answer != "false-alarm" or not body.code:
        return None
    with services.sessions() as session:
        row = find(session, reader, alert_id)
        at_home = at_home_of(row)
        if at_home is None or not may_call_false(reader, row):
            return None
    return at_home.verify(services, alert_id, body.code, reader.username)


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
    keepers = (Role.MAINTAINER, Role.ADMINISTRATOR)
    if not reader.has(*keepers):
        raise Forbidden("This needs one of the roles: maintainer, administrator.", roles=keepers)
    action: Action = "out-of-service" if body.out_of_service else "in-service"
    return _act(services, reader, alert_id, action, body, body.until)


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
        wake(session, [row.id], services.now())
        alert = _presented(session, services, reader, [row])[0]
    services.changed.announce()
    return alert


def _presented(
    session: Session, services: Services, reader: Reader, rows: list[AlertRow]
) -> list[Alert]:
    return present(session, Cipher(services.settings.secret), reader, rows, services.now())


def _note(services: Services, reader: Reader, rows: Sequence[Personal], way: str) -> None:
    if any(row.person_key is not None for row in rows):
        with writing(services.sessions) as session:
            audit_location_view(session, reader, rows, way, services.now())
