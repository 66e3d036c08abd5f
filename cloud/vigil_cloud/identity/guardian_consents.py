"""What guardians see and are told of whom they guard: by guardianship alone, nothing.

Whoever makes somebody a guardian says what is opened to them; and guardians whom no alert reaches
are listed, so that nobody who answers for a person misses that silently.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from vigil_cloud.identity.consents import Wanted, add_guardian, grant, taken_back
from vigil_cloud.identity.models import Account, Consent, Guardian
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import EVERYTHING, Scope, read

GUARDIAN_FOR: Final = timedelta(days=365)
"""How long it is open what was chosen with the guardianship."""
CHOSEN_BEFOREHAND: Final = tuple(one.value for one in Scope if one in EVERYTHING)
"""What forms and commands offer a new guardian, all of it chosen."""
_AT_ONCE: Final = 500
"""Persons of one statement."""


@dataclass(frozen=True, slots=True, order=True)
class NotCalled:
    """A guardian whom nothing tells of alerts about whom they guard."""

    person: str
    account: str


def make_guardian(
    session: Session,
    *,
    person_key: str,
    account: Account,
    by: str,
    now: datetime,
    scopes: Collection[Scope],
) -> bool:
    """As ``add_guardian``, and open to whoever is new what was chosen for them. Nothing that was
    taken back from the account is opened by this: another guardian or an administrator gives it."""
    if not add_guardian(session, person_key=person_key, account=account, by=by, now=now):
        return False
    wanted = Wanted(frozenset(scopes))
    if scopes and not taken_back(session, person_key, account.id, account.username, wanted):
        grant(
            session,
            person_key=person_key,
            account=account,
            by=by,
            expires=now + GUARDIAN_FOR,
            now=now,
            wanted=wanted,
        )
    return True


def not_called(
    session: Session, now: datetime, persons: Collection[str] | None = None
) -> list[NotCalled]:
    """Guardians (of these persons) to whom no valid consent opens alerts; consents count for the
    role family alone, and a closed account is called for nothing. By person and account."""
    session.flush()
    if persons is None:
        return sorted(_not_called(session, now, None))
    named = sorted(set(persons))
    return sorted(
        one
        for begin in range(0, len(named), _AT_ONCE)
        for one in _not_called(session, now, named[begin : begin + _AT_ONCE])
    )


def _not_called(session: Session, now: datetime, persons: Collection[str] | None) -> set[NotCalled]:
    valid = and_(
        Consent.person_key == Guardian.person_key,
        Consent.account_id == Guardian.account_id,
        Consent.revoked.is_(None),
        Consent.expires > now,
    )
    query = (
        select(Guardian.person_key, Account, Consent.scopes)
        .join(Account, Account.id == Guardian.account_id)
        .outerjoin(Consent, valid)
    )
    if persons is not None:
        query = query.where(Guardian.person_key.in_(persons))
    all_of_them, called = set(), set()
    for person, account, scopes in session.execute(query):
        one = NotCalled(person, account.username)
        all_of_them.add(one)
        may = account.active and Role.FAMILY.value in account.roles
        if may and Scope.ALERTS in read(scopes or ""):
            called.add(one)
    return all_of_them - called
