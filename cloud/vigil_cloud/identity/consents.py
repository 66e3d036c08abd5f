"""Consents and guardians: who may know where a person is, and who may decide that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal, Self

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.database.changes import announce_rights
from vigil_cloud.identity import audit, disclosures
from vigil_cloud.identity.errors import NoConsent
from vigil_cloud.identity.models import Account, Consent, Guardian
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import DEFAULT, Opening, Scope, opened_to, read, write
from vigil_schemas.types import isoformat_utc

LONGEST: Final = timedelta(days=366)


class BadConsent(ApiError):
    """The consent cannot be given like this."""

    code: ClassVar[str] = "bad-consent"
    remedy: ClassVar[str] = (
        "Name an account with the family role, an end in the future and what it opens; a"
        " beginning belongs to a footprint. To open more than a consent does, give another."
    )
    status: ClassVar[int] = 422


class SecondGuardianNeeded(ApiError):
    """Whose consent was taken back does not give it to themselves again."""

    code: ClassVar[str] = "second-guardian-needed"
    remedy: ClassVar[str] = (
        "Another guardian of the person gives it, or an administrator: `vigil-cloud consent grant`."
    )
    status: ClassVar[int] = 403


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a consent is to open. ``footprint_from``: of the footprint, nothing older."""

    scopes: frozenset[Scope] = DEFAULT
    footprint_from: datetime | None = None

    @classmethod
    def of(
        cls, scopes: Collection[Scope], begin: datetime | Literal["now"] | None, now: datetime
    ) -> Self:
        """As somebody says it: ``now`` is the moment from which it counts."""
        return cls(frozenset(scopes), now if begin == "now" else begin)

    def covers(self, scope: Scope, other: Wanted) -> bool:
        """Whether it opens this scope as far as the other does."""
        if scope not in self.scopes or scope is not Scope.FOOTPRINT or self.footprint_from is None:
            return scope in self.scopes
        return other.footprint_from is not None and self.footprint_from <= other.footprint_from

    def said(self) -> dict[str, Any]:
        """As the audit log has it."""
        begin = self.footprint_from
        return {
            "scopes": [scope.value for scope in Scope if scope in self.scopes],
            "footprint_from": None if begin is None else isoformat_utc(begin),
        }


def opens(consent: Consent) -> Wanted:
    """What a consent opens while it is valid."""
    return Wanted(read(consent.scopes), consent.footprint_from)


def require_consent(reader: Reader, person_key: str, scope: Scope) -> Opening:
    """From when on a consent opens this of the person. Raises ``NoConsent`` for anybody without a
    valid one that does, and for unknown persons."""
    opening = opened_to(reader, person_key, scope) if reader.has(Role.FAMILY) else None
    if opening is None:
        raise NoConsent("This needs the person's consent to it, given to you and still valid.")
    return opening


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
) -> bool:
    """Let an account decide for a person; whether it did not before. It opens nothing: see
    ``guardian_consents``."""
    if person_key in guarded_by(session, account.id):
        return False
    session.add(Guardian(person_key=person_key, account_id=account.id))
    audit.append(
        session,
        at=now,
        account=by,
        action="guardian.added",
        subject=account.username,
        person_key=person_key,
    )
    return True


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


def grant(  # noqa: PLR0913 - one consent's columns, all by name
    session: Session,
    *,
    person_key: str,
    account: Account | None,
    by: str,
    expires: datetime,
    now: datetime,
    wanted: Wanted | None = None,
) -> Consent:
    """``wanted``: ``DEFAULT`` where it is left out. Raises ``BadConsent`` for a past or far expiry,
    for what opens nothing, and alike for no account and for one without the role family: a
    guardian must not find out who else signs in here."""
    wanted = wanted or Wanted()
    if not now < expires <= now + LONGEST:
        raise BadConsent(f"A consent ends in the future, at most {LONGEST.days} days ahead.")
    _require_sound(wanted, expires)
    if account is None or Role.FAMILY.value not in account.roles:
        raise BadConsent("No relative has an account of this name; ask how they sign in.")
    consent = Consent(
        person_key=person_key,
        account_id=account.id,
        granted_by=by,
        granted=now,
        expires=expires,
        revoked=None,
        scopes=write(wanted.scopes),
        footprint_from=wanted.footprint_from,
    )
    session.add(consent)
    audit.append(
        session,
        at=now,
        account=by,
        action="consent.granted",
        subject=account.username,
        person_key=person_key,
        detail=wanted.said(),
    )
    return consent


def _require_sound(wanted: Wanted, expires: datetime) -> None:
    if not wanted.scopes:
        raise BadConsent("A consent opens something: name at least one scope.")
    begin = wanted.footprint_from
    if begin is not None and Scope.FOOTPRINT not in wanted.scopes:
        raise BadConsent("A beginning is a footprint's: name that scope as well.")
    if begin is not None and begin >= expires:
        raise BadConsent("The footprint would begin when the consent has ended.")


def require_not_taken_back(
    session: Session, *, person_key: str, reader: Reader, wanted: Wanted
) -> None:
    """For a consent that a guardian gives to themselves. Raises ``SecondGuardianNeeded`` where
    ``taken_back`` says so."""
    if taken_back(session, person_key, reader.account_id, reader.username, wanted):
        raise SecondGuardianNeeded("Your consent was taken back: somebody else has to give it.")


def taken_back(
    session: Session, person_key: str, account_id: int, username: str, wanted: Wanted
) -> bool:
    """Whether something of it was taken back from the account, by whomever, and nobody else has
    given it as much of it since. What is left of one that was narrowed was not taken."""
    theirs = session.scalars(
        select(Consent).where(Consent.person_key == person_key, Consent.account_id == account_id)
    ).all()
    for scope in wanted.scopes:
        taken = max(
            (one.revoked for one in theirs if one.revoked and scope in opens(one).scopes),
            default=None,
        )
        if taken is not None and not any(
            one.granted >= taken
            and (one.granted_by != username or (not one.revoked and narrowed_from(one, theirs)))
            and opens(one).covers(scope, wanted)
            for one in theirs
        ):
            return True
    return False


def narrowed_from(one: Consent, theirs: Collection[Consent]) -> Consent | None:
    """The one of which it is what was left, as ``narrow`` writes both; ``None``: it was given so.
    ``theirs``: of the same person and account, also what was taken back."""
    same = (one.granted, one.expires)
    left = (other for other in theirs if (other.revoked, other.expires) == same)
    return next((other for other in left if other.id < one.id), None)


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
    """Takes effect with this transaction; again is no error. Where it was narrowed, what is left of
    it goes: whoever takes a consent back may look at a page from before that. Raises
    ``NotFound``."""
    consent = locked(session, person_key, consent_id)
    standing = _left_of(session, consent)
    if standing is None:
        return
    standing.revoked = now
    account = session.get(Account, standing.account_id)
    audit.append(
        session,
        at=now,
        account=by,
        action="consent.revoked",
        subject=account.username if account else "",
        person_key=person_key,
    )


def locked(session: Session, person_key: str, consent_id: int) -> Consent:
    """Whoever narrows it and whoever takes it back see what the other has done. Raises
    ``NotFound``."""
    audit.lock(session)  # before the row, as whoever removes an account or erases somebody
    consent = session.get(Consent, consent_id, with_for_update=True, populate_existing=True)
    if consent is None or consent.person_key != person_key:
        raise NotFound("This person has no such consent.")
    return consent


def _left_of(session: Session, consent: Consent) -> Consent | None:
    """Itself, or what it was narrowed to, however often; ``None``: it was taken back."""
    left: Consent | None = consent
    while left is not None and left.revoked is not None:
        narrowed = select(Consent).where(
            Consent.person_key == left.person_key,
            Consent.account_id == left.account_id,
            Consent.granted == left.revoked,  # as ``narrow`` writes both
            Consent.expires == left.expires,
            Consent.id > left.id,
        )
        query = narrowed.order_by(Consent.id).limit(1).with_for_update()
        left = session.scalars(query.execution_options(populate_existing=True)).first()
    return left


def narrow(
    session: Session,
    *,
    person_key: str,
    consent_id: int,
    wanted: Wanted,
    by: str,
    now: datetime,
) -> Consent:
    """The consent opens only this from now on, until it ended anyway. What it opened before stays
    in the list as taken back: the new one has a row of its own. As it is already is no error.
    Raises ``NotFound``, and ``BadConsent`` for what is over or would open more."""
    consent = locked(session, person_key, consent_id)
    before = opens(consent)
    if consent.revoked is not None or consent.expires <= now:
        raise BadConsent("This consent is over.")
    if wanted == before:
        return consent
    _require_sound(wanted, consent.expires)
    if not all(before.covers(scope, wanted) for scope in wanted.scopes):
        raise BadConsent("This would open more than the consent does.")
    consent.revoked = now
    narrowed = Consent(
        person_key=person_key,
        account_id=consent.account_id,
        granted_by=by,
        granted=now,
        expires=consent.expires,
        revoked=None,
        scopes=write(wanted.scopes),
        footprint_from=wanted.footprint_from,
    )
    session.add(narrowed)
    session.flush()
    account = session.get(Account, consent.account_id)
    audit.append(
        session,
        at=now,
        account=by,
        action="consent.narrowed",
        subject=account.username if account else "",
        person_key=person_key,
        detail=wanted.said(),
    )
    return narrowed


def consents_of(session: Session, person_key: str) -> list[tuple[Consent, str]]:
    """Every consent for a person with the account's user name, newest first."""
    rows = session.execute(
        select(Consent, Account.username)
        .join(Account, Account.id == Consent.account_id)
        .where(Consent.person_key == person_key)
        .order_by(Consent.id.desc())
    )
    return [(consent, username) for consent, username in rows]
