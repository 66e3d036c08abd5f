"""What relatives and guardians see and decide: whom they may follow, consents, who looked."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from vigil_cloud.database.engine import reading, writing
from vigil_cloud.identity import audit, consents, held, looks, persons, renewals
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import CurrentAccount, PersonKey, ServicesDependency
from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.schema import (
    AuditLines,
    ConsentEntry,
    ConsentList,
    ConsentRequest,
    ConsentScopes,
    HeldScope,
    PersonEntry,
    PersonList,
    audit_line,
)
from vigil_cloud.identity.service import find_account
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.parameters import Whole

router = APIRouter(prefix="/people", tags=["people"])
ConsentId = Annotated[Whole, Path(ge=1, le=2**31 - 1)]


@router.get("/mine", operation_id="list_my_people")
def list_mine(reader: CurrentAccount, services: ServicesDependency) -> PersonList:
    """Persons whom the reader may see by consent, and those whom the reader guards."""
    cipher = Cipher(services.settings.secret)
    with reading(services.sessions) as session:
        guarded = consents.guarded_by(session, reader.account_id)
        now = services.now()
        given = held.given_to(session, reader, now)
        open_now, ending = held.held_by(reader, given), renewals.ends_soon_for(given, now)
        keys = guarded | {key for key, open_ones in open_now.items() if open_ones}
        persons.load(session, keys)
        people = [
            PersonEntry(
                key=key,
                name=persons.name_of(session, cipher, key),
                guardian=key in guarded,
                ends_soon=ending.get(key),
                consent_expires=max((one.until for one in open_now.get(key, ())), default=None),
                scopes=[
                    HeldScope(scope=one.scope, until=one.until, since=one.since)
                    for one in open_now.get(key, ())
                ],
            )
            for key in keys
        ]
    return PersonList(people=sorted(people, key=lambda person: person.name))


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
    key: PersonKey, body: ConsentRequest, reader: CurrentAccount, once: OnceDependency
) -> ConsentEntry:
    """Let one relative know where the person is, as far as the scopes say and until a moment
    (guardian). Whose own consent was taken back gets it from another guardian or an
    administrator."""
    services = once.services
    now = services.now()
    wanted = consents.Wanted.of(body.scopes, body.footprint_from, now)
    try:
        with writing(services.sessions) as session:
            consents.require_guardian(session, reader, key)
            account = find_account(session, body.account)
            if account is not None and account.id == reader.account_id:
                consents.require_not_taken_back(
                    session, person_key=key, reader=reader, wanted=wanted
                )

            def grant() -> ConsentEntry:
                consent = consents.grant(
                    session,
                    person_key=key,
                    account=account,
                    by=reader.username,
                    expires=body.expires,
                    now=now,
                    wanted=wanted,
                )
                return _consent(consent, body.account)

            entry = once.answer(session, reader, body, ConsentEntry, grant, person=key)
    except consents.SecondGuardianNeeded:
        with writing(services.sessions) as session:
            consents.note_refused(session, person_key=key, reader=reader, now=now)
        raise
    services.changed.announce()
    return entry


@router.put("/{key}/consents/{consent}/scopes", operation_id="narrow_consent")
def narrow_consent(
    key: PersonKey,
    consent: ConsentId,
    body: ConsentScopes,
    reader: CurrentAccount,
    services: ServicesDependency,
) -> ConsentEntry:
    """Let a relative know less from now on (guardian); it takes effect at once, in open pages and
    streams too. What the consent was stays in the list, as taken back; this answers the new one.
    To open more, give another consent."""
    now = services.now()
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        narrowed = consents.narrow(
            session,
            person_key=key,
            consent_id=consent,
            wanted=consents.Wanted.of(body.scopes, body.footprint_from, now),
            by=reader.username,
            now=now,
        )
        username = session.get_one(Account, narrowed.account_id).username
    services.changed.announce()
    return _consent(narrowed, username)


@router.post("/{key}/consents/{consent}/renewal", status_code=201, operation_id="renew_consent")
def renew_consent(
    key: PersonKey,
    consent: ConsentId,
    reader: CurrentAccount,
    services: ServicesDependency,
) -> ConsentEntry:
    """Let a consent go on from now with what it opens and for as long as it was given for, also
    after it has ended (guardian). What was taken back is not renewed; whose own consent was taken
    back gets it from another guardian or an administrator. Pressed twice is one renewal."""
    now = services.now()
    try:
        with writing(services.sessions) as session:
            consents.require_guardian(session, reader, key)
            renewed = renewals.renew(
                session,
                person_key=key,
                consent_id=consent,
                by=reader.username,
                by_id=reader.account_id,
                now=now,
            )
            username = session.get_one(Account, renewed.account_id).username
    except consents.SecondGuardianNeeded:
        with writing(services.sessions) as session:
            consents.note_refused(session, person_key=key, reader=reader, now=now)
        raise
    services.changed.announce()
    return _consent(renewed, username)


@router.delete("/{key}/consents/{consent}", status_code=204, operation_id="revoke_consent")
def revoke_consent(
    key: PersonKey,
    consent: ConsentId,
    reader: CurrentAccount,
    services: ServicesDependency,
) -> None:
    """Take a consent back; it is over with the answer (guardian)."""
    with writing(services.sessions) as session:
        consents.require_guardian(session, reader, key)
        consents.revoke(
            session,
            person_key=key,
            consent_id=consent,
            by=reader.username,
            now=services.now(),
        )
    services.changed.announce()


def _consent(consent: Consent, username: str) -> ConsentEntry:
    opens = consents.opens(consent)
    return ConsentEntry(
        id=consent.id,
        account=username,
        granted_by=consent.granted_by,
        granted=consent.granted,
        expires=consent.expires,
        revoked=consent.revoked,
        scopes=[scope for scope in Scope if scope in opens.scopes],
        footprint_from=opens.footprint_from,
    )
