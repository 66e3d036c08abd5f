"""Persons over HTTP: footprints by consent, and what guardians may see and decide."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from fastapi import APIRouter, Path, Query
from sqlalchemy import func, select

from vigil_cloud import period
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.places import Place
from vigil_cloud.alerts.schema import VisitEntry
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import service
from vigil_cloud.checkin.models import Visit
from vigil_cloud.checkin.schema import Footprints, PersonEntry, PersonList
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import audit, consents, looks
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.identity.models import Consent
from vigil_cloud.identity.schema import (
    AuditLines,
    ConsentEntry,
    ConsentList,
    ConsentRequest,
    audit_line,
)
from vigil_cloud.identity.service import find_account
from vigil_cloud.parameters import Truth, Whole
from vigil_schemas.types import UtcDatetime

PRESENT_WITHIN = timedelta(minutes=30)
"""Stations tell every ten minutes of a visit that goes on."""
router = APIRouter(prefix="/people", tags=["people"])
PersonKey = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class BadPeriod(ApiError):
    """The period is empty or longer than may be asked for at once."""

    code: ClassVar[str] = "bad-period"
    status: ClassVar[int] = 422


@router.get("/mine", operation_id="list_my_people")
def list_mine(reader: CurrentAccount, services: ServicesDependency) -> PersonList:
    """Persons whom the reader may see by consent, and those whom the reader guards."""
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        guarded = consents.guarded_by(session, reader.account_id)
        held = session.execute(
            select(Consent.person_key, func.max(Consent.expires))
            .where(Consent.account_id == reader.account_id, Consent.revoked.is_(None))
            .group_by(Consent.person_key)
        )
        expiries = dict(held.all())
        people = [
            PersonEntry(
                key=key,
                name=service.name_of(session, cipher, key),
                guardian=key in guarded,
                consent_expires=expiries[key] if key in reader.consented else None,
            )
            for key in guarded | reader.consented
        ]
    return PersonList(people=sorted(people, key=lambda person: person.name))


@router.get("/{key}/footprints", operation_id="get_footprints")
def get_footprints(
    key: PersonKey,
    reader: CurrentAccount,
    services: ServicesDependency,
    start: Annotated[UtcDatetime | None, Query(description="default: a day before stop")] = None,
    stop: Annotated[UtcDatetime | None, Query(description="default: now")] = None,
    refresh: Annotated[
        Truth, Query(description="an open page asks again by itself: its look lasts on")
    ] = False,
) -> Footprints:
    """Where the person was. Needs a valid consent; each look is written down for the guardian."""
    consents.require_consent(reader, key)
    now = services.now()
    until = stop or now
    since = start or period.before(until, timedelta(days=1))
    if not timedelta(0) < until - since <= service.LONGEST_FOOTPRINT:
        raise BadPeriod(
            f"Start lies before stop, by at most {service.LONGEST_FOOTPRINT.days} days."
        )
    with writing(services.sessions) as session:
        visits = service.footprints(
            session,
            person_key=key,
            start=since,
            stop=until,
            by=reader.username,
            now=now,
            automatic=refresh,
        )
    return Footprints(visits=[visit_entry(visit, place, now) for visit, place in visits])


@router.get("/{key}/audit", operation_id="get_person_audit")
def get_audit(
    key: PersonKey,
    reader: CurrentAccount,
    services: ServicesDependency,
    before: Annotated[Whole | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 100,
) -> AuditLines:
    """Who looked where the person is, and who changed who may (guardian)."""
    with services.sessions() as session:
        consents.require_guardian(session, reader, key)
        rows = audit.lines_about(session, key, before=before, limit=limit + 1)
        seen = looks.of_lines(session, [row.number for row in rows])
    lines = [audit_line(row, seen.get(row.number)) for row in rows[:limit]]
    return AuditLines(entries=lines, next=lines[-1].number if len(rows) > limit else None)


@router.get("/{key}/consents", operation_id="list_consents")
def list_consents(
    key: PersonKey, reader: CurrentAccount, services: ServicesDependency
) -> ConsentList:
    """Every consent ever given for the person (guardian)."""
    with services.sessions() as session:
        consents.require_guardian(session, reader, key)
        rows = consents.consents_of(session, key)
    return ConsentList(consents=[_consent(consent, username) for consent, username in rows])


@router.post("/{key}/consents", status_code=201, operation_id="grant_consent")
def grant_consent(
    key: PersonKey, body: ConsentRequest, reader: CurrentAccount, services: ServicesDependency
) -> ConsentEntry:
    """Let one relative know where the person is, until a moment (guardian)."""
    with writing(services.sessions) as session:
        feed.lock(session)
        consents.require_guardian(session, reader, key)
        account = find_account(session, body.account)
        consent = consents.grant(
            session,
            person_key=key,
            account=account,
            by=reader.username,
            expires=body.expires,
            now=services.now(),
        )
        feed.append(session, "rights", key, services.now())
    services.changed.announce()
    return _consent(consent, body.account)


@router.delete("/{key}/consents/{consent}", status_code=204, operation_id="revoke_consent")
def revoke_consent(
    key: PersonKey,
    consent: Annotated[Whole, Path(ge=1, le=2**31 - 1)],
    reader: CurrentAccount,
    services: ServicesDependency,
) -> None:
    """Take a consent back; it is over with the answer (guardian)."""
    with writing(services.sessions) as session:
        feed.lock(session)
        consents.require_guardian(session, reader, key)
        consents.revoke(
            session,
            person_key=key,
            consent_id=consent,
            by=reader.username,
            now=services.now(),
        )
        feed.append(session, "rights", key, services.now())
    services.changed.announce()


def visit_entry(visit: Visit, place: Place, now: datetime) -> VisitEntry:
    """One visit as the API shows it."""
    return VisitEntry(
        visit_id=visit.id,
        device=visit.device,
        name=place.name,
        name_zh=place.name_zh,
        latitude=place.latitude,
        longitude=place.longitude,
        arrived=visit.arrived,
        last_seen=visit.last_seen,
        departed=visit.departed,
        silent_since=None if visit.departed else visit.silent_since,
        present=visit.departed is None
        and visit.silent_since is None
        and now - visit.last_seen <= PRESENT_WITHIN,
    )


def _consent(consent: Consent, username: str) -> ConsentEntry:
    return ConsentEntry(
        id=consent.id,
        account=username,
        granted_by=consent.granted_by,
        granted=consent.granted,
        expires=consent.expires,
        revoked=consent.revoked,
    )
