"""Consents and guardians: who may know where a person is, and who may decide that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.database.changes import announce_rights
from vigil_cloud.identity import audit, disclosures
from vigil_cloud.identity.errors import NoConsent
from vigil_cloud.identity.models import Account, Consent, Guardian
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role

LONGEST: Final = timedelta(days=366)


class BadConsent(ApiError):
    """The consent cannot be given like this."""

    code: ClassVar[str] = "bad-consent"
    remedy: ClassVar[str] = "Name an account with the family role and an end in the future."
    status: ClassVar[int] = 422


class SecondGuardianNeeded(ApiError):
    """Whose consent was taken back does not give it to themselves again."""

    code: ClassVar[str] = "second-guardian-needed"
    remedy: ClassVar[str] = (
        "Another guardian of the person gives it, or an administrator: `vigil-cloud consent grant`."
    )
    status: ClassVar[int] = 403


def require_consent(reader: Reader, person_key: str) -> None:
    """Raises ``NoConsent`` for anybody without a valid consent, and for unknown persons."""
    if not reader.has(Role.FAMILY) or person_key not in reader.consented:
        raise NoConsent("This needs the person's consent, given to you and still valid.")


def guarded_by(session: Session, account_id: int) -> frozenset[str]:
    """Persons for whom the account decides."""
    return frozenset(
        session.scalars(select(Guardian.person_key).where(Guardian.account_id == account_id))
    )


def require_guardian(session: Session, reader: Reader, person_key: str) -> None:
    """Raises ``NoConsent`` for anybody else, and for unknown persons."""
    if person_key not in guarded_by(session, reader.account_id):
        raise NoConsent("Only the person's guardian may do this.")


def add_guardian(
    session: Session, *, person_key: str, account: Account, by: str, now: datetime
) -> None:
    """Let an account decide for a person. Idempotent."""
    if person_key in guarded_by(session, account.id):
        return
    session.add(Guardian(person_key=person_key, account_id=account.id))
    audit.append(
        session,
        at=now,
        account=by,
        action="guardian.added",
        subject=account.username,
        person_key=person_key,
    )


def guardians_of(session: Session, person_key: str) -> list[str]:
    """User names of those who decide for a person."""
    return list(
        session.scalars(
            select(Account.username)
            .join(Guardian, Guardian.account_id == Account.id)
            .where(Guardian.person_key == person_key)
            .order_by(Account.username)
        )
    )


def remove_guardian(
    session: Session, *, person_key: str, account: Account, by: str, now: datetime
) -> None:
    """The account decides for the person no more, and is told by no open case where the person
    is. Raises ``NotFound``."""
    removed = session.execute(
        delete(Guardian)
        .where(Guardian.person_key == person_key, Guardian.account_id == account.id)
        .returning(Guardian.id)
    ).first()
    if removed is None:
        raise NotFound(f"{account.username!r} is no guardian of this person.")
    disclosures.end_for(
        session, person_key=person_key, account_id=account.id, role=Role.FAMILY, now=now
    )
    for room in records_of(session):
        room.guardian_removed(session, person_key, account.username, now)
    announce_rights(session)
    audit.append(
        session,
        at=now,
        account=by,
        action="guardian.removed",
        subject=account.username,
        person_key=person_key,
    )


def grant(
    session: Session,
    *,
    person_key: str,
    account: Account | None,
    by: str,
    expires: datetime,
    now: datetime,
) -> Consent:
    """Raises ``BadConsent`` for a past or far expiry, and alike for no account and for one
    without the role family: a guardian must not find out who else signs in here."""
    if not now < expires <= now + LONGEST:
        raise BadConsent(f"A consent ends in the future, at most {LONGEST.days} days ahead.")
    if account is None or Role.FAMILY.value not in account.roles:
        raise BadConsent("No relative has an account of this name; ask how they sign in.")
    consent = Consent(
        person_key=person_key,
        account_id=account.id,
        granted_by=by,
        granted=now,
        expires=expires,
        revoked=None,
    )
    session.add(consent)
    audit.append(
        session,
        at=now,
        account=by,
        action="consent.granted",
        subject=account.username,
        person_key=person_key,
    )
    return consent


def require_not_taken_back(session: Session, *, person_key: str, reader: Reader) -> None:
    """For a consent that a guardian gives to themselves. Raises ``SecondGuardianNeeded`` where
    one of theirs was taken back, by whomever, and nobody else has given them one since."""
    theirs = and_(Consent.person_key == person_key, Consent.account_id == reader.account_id)
    taken = session.scalar(select(func.max(Consent.revoked)).where(theirs))
    if taken is None:
        return
    given = select(Consent.id).where(
        theirs, Consent.granted >= taken, Consent.granted_by != reader.username
    )
    if session.scalar(given.limit(1)) is None:
        raise SecondGuardianNeeded("Your consent was taken back: somebody else has to give it.")


def note_refused(session: Session, *, person_key: str, reader: Reader, now: datetime) -> None:
    """Write down that a guardian asked for what was taken back from them."""
    audit.append(
        session,
        at=now,
        account=reader.username,
        action="consent.refused",
        subject=reader.username,
        person_key=person_key,
    )


def revoke(session: Session, *, person_key: str, consent_id: int, by: str, now: datetime) -> None:
    """Takes effect with this transaction. Again is no error. Raises ``NotFound``."""
    consent = session.get(Consent, consent_id)
    if consent is None or consent.person_key != person_key:
        raise NotFound("This person has no such consent.")
    if consent.revoked is not None:
        return
    consent.revoked = now
    account = session.get(Account, consent.account_id)
    audit.append(
        session,
        at=now,
        account=by,
        action="consent.revoked",
        subject=account.username if account else "",
        person_key=person_key,
    )


def consents_of(session: Session, person_key: str) -> list[tuple[Consent, str]]:
    """Every consent for a person with the account's user name, newest first."""
    rows = session.execute(
        select(Consent, Account.username)
        .join(Account, Account.id == Consent.account_id)
        .where(Consent.person_key == person_key)
        .order_by(Consent.id.desc())
    )
    return [(consent, username) for consent, username in rows]
