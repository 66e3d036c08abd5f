"""Who reads: an account's roles and the persons whose whereabouts it may know right now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity.models import Account, Consent
from vigil_cloud.identity.roles import Role


@dataclass(frozen=True, slots=True)
class Reader:
    """Everything that rights are decided on. ``consented`` holds person keys valid at loading."""

    account_id: int
    username: str
    roles: frozenset[Role]
    consented: frozenset[str] = frozenset()

    def has(self, *roles: Role) -> bool:
        """Whether the reader holds one of the roles."""
        return not self.roles.isdisjoint(roles)


def consented_persons(session: Session, account_id: int, at: datetime) -> frozenset[str]:
    """Persons for whom the account holds a consent that is neither expired nor revoked."""
    rows = session.scalars(
        select(Consent.person_key).where(
            Consent.account_id == account_id, Consent.revoked.is_(None), Consent.expires > at
        )
    )
    return frozenset(rows)


def consented_accounts(session: Session, person_key: str, at: datetime) -> frozenset[int]:
    """Accounts that hold a valid consent of this person."""
    rows = session.scalars(
        select(Consent.account_id).where(
            Consent.person_key == person_key, Consent.revoked.is_(None), Consent.expires > at
        )
    )
    return frozenset(rows)


def reader_of(session: Session, account: Account, at: datetime) -> Reader:
    """The account's rights at one moment. Consents count only for the role family."""
    roles = frozenset(Role(role) for role in account.roles)
    consented = (
        consented_persons(session, account.id, at) if Role.FAMILY in roles else frozenset[str]()
    )
    return Reader(account.id, account.username, roles, consented)


def readers_of(session: Session, accounts: Collection[Account], at: datetime) -> dict[int, Reader]:
    """The same of several accounts, by their ids, with one statement."""
    family = [account.id for account in accounts if Role.FAMILY.value in account.roles]
    consented: dict[int, set[str]] = {account.id: set() for account in accounts}
    if family:
        query = select(Consent.account_id, Consent.person_key).where(
            Consent.account_id.in_(family), Consent.revoked.is_(None), Consent.expires > at
        )
        for account_id, person_key in session.execute(query):
            consented[account_id].add(person_key)
    return {
        account.id: Reader(
            account.id,
            account.username,
            frozenset(Role(role) for role in account.roles),
            frozenset(consented[account.id]),
        )
        for account in accounts
    }
