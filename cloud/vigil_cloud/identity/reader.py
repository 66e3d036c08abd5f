"""Who reads: an account's roles, the persons whose whereabouts it may know right now, the homes
it belongs to and the districts it covers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, literal, or_, select, union_all
from sqlalchemy.orm import Session

from vigil_cloud.database.changes import PLACES, number_of
from vigil_cloud.identity.models import (
    Account,
    AccountDistrict,
    Consent,
    Disclosure,
    HouseholdDevice,
    HouseholdMember,
)
from vigil_cloud.identity.roles import Role

BELONG: Final = frozenset({Role.FAMILY.value, Role.HOST.value})
"""Whose households count: a home's people, and hosts of what stands at their place."""


class Relation(StrEnum):
    """What an account is to a household."""

    RESIDENT = "resident"
    CONTACT = "contact"
    """Told of what happens there, and answers."""
    GUARDIAN = "guardian"


@dataclass(frozen=True, slots=True)
class Home:
    """A household that the account belongs to right now, and what stands in it right now."""

    household: str
    relation: Relation
    devices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reader:
    """Everything that rights are decided on, as valid at loading; see ``identity.rights``."""

    account_id: int
    username: str
    roles: frozenset[Role]
    consented: frozenset[str] = frozenset()
    """Person keys."""
    homes: frozenset[Home] = frozenset()
    districts: frozenset[str] = frozenset()
    """Empty: the whole city."""
    places: int = 0
    """Of who is limited to districts: when a place was last changed, as a number. What lies in
    the districts is other than before where it differs."""
    disclosed: frozenset[str] = frozenset()
    """Cases that let the account know what they tell of where somebody is."""

    def has(self, *roles: Role) -> bool:
        """Whether the reader holds one of the roles."""
        return not self.roles.isdisjoint(roles)

    def covers(self, district: str | None) -> bool:
        """Whether the reader's roles count there."""
        return not self.districts or district in self.districts


def consented_accounts(session: Session, person_key: str, at: datetime) -> frozenset[int]:
    """Accounts that hold a valid consent of this person."""
    rows = session.scalars(
        select(Consent.account_id).where(
            Consent.person_key == person_key, Consent.revoked.is_(None), Consent.expires > at
        )
    )
    return frozenset(rows)


def reader_of(session: Session, account: Account, at: datetime) -> Reader:
    """The account's rights at one moment. Consents count only for the role family, homes for it
    and for hosts."""
    return readers_of(session, [account], at)[account.id]


def readers_of(session: Session, accounts: Collection[Account], at: datetime) -> dict[int, Reader]:
    """The same of several accounts, by their ids. The same few statements however many."""
    everyone = sorted(account.id for account in accounts)
    roles = {account.id: frozenset(account.roles) for account in accounts}
    family = sorted(account.id for account in accounts if Role.FAMILY.value in account.roles)
    consented, disclosed = _known(session, family, roles, at)
    belong = sorted(account.id for account in accounts if not BELONG.isdisjoint(account.roles))
    homes = homes_of(session, belong, at)
    districts = districts_of(session, everyone)
    places = number_of(session, PLACES) if districts else 0
    return {
        account.id: Reader(
            account.id,
            account.username,
            frozenset(Role(role) for role in account.roles),
            frozenset(consented[account.id]),
            frozenset(homes[account.id]),
            frozenset(districts.get(account.id, ())),
            places if account.id in districts else 0,
            frozenset(disclosed[account.id]),
        )
        for account in accounts
    }


def districts_of(session: Session, account_ids: Collection[int]) -> dict[int, set[str]]:
    """Of those that are limited to some."""
    found: dict[int, set[str]] = defaultdict(set)
    query = select(AccountDistrict.account_id, AccountDistrict.district)
    for row in session.execute(query.where(AccountDistrict.account_id.in_(account_ids))):
        found[row.account_id].add(row.district)
    return dict(found)


def member_at(at: datetime) -> ColumnElement[bool]:
    """Members of a household at this moment."""
    ended = HouseholdMember.until
    return and_(HouseholdMember.since <= at, or_(ended.is_(None), ended > at))


def device_at(at: datetime) -> ColumnElement[bool]:
    """Devices of a household at this moment."""
    ended = HouseholdDevice.until
    return and_(HouseholdDevice.since <= at, or_(ended.is_(None), ended > at))


def _known(
    session: Session, family: Collection[int], roles: Mapping[int, Collection[str]], at: datetime
) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    """By account: persons who consented, and cases that disclose where theirs are to a role that
    the account holds. One statement."""
    consented: dict[int, set[str]] = defaultdict(set)
    disclosed: dict[int, set[str]] = defaultdict(set)
    by_consent = select(Consent.account_id, Consent.person_key, literal("")).where(
        Consent.account_id.in_(family), Consent.revoked.is_(None), Consent.expires > at
    )
    by_case = select(Disclosure.account_id, Disclosure.case_id, Disclosure.role).where(
        Disclosure.account_id.in_(sorted(roles)), Disclosure.given <= at, Disclosure.until > at
    )
    for account_id, known, role in session.execute(union_all(by_consent, by_case)):
        if not role:
            consented[account_id].add(known)
        elif role in roles[account_id]:
            disclosed[account_id].add(known)
    return consented, disclosed


def homes_of(session: Session, account_ids: Collection[int], at: datetime) -> dict[int, set[Home]]:
    """By account: the homes that each belongs to at this moment. One statement."""
    found: dict[int, set[Home]] = defaultdict(set)
    if not account_ids:
        return found
    query = (
        select(
            HouseholdMember.account_id,
            HouseholdMember.household,
            HouseholdMember.relation,
            HouseholdDevice.device,
        )
        .outerjoin(
            HouseholdDevice,
            and_(HouseholdDevice.household == HouseholdMember.household, device_at(at)),
        )
        .where(HouseholdMember.account_id.in_(account_ids), member_at(at))
    )
    devices: dict[tuple[int, str, str], set[str]] = defaultdict(set)
    for row in session.execute(query):
        own = devices[row.account_id, row.household, row.relation]
        if row.device is not None:
            own.add(row.device)
    for (account_id, household, relation), own in devices.items():
        found[account_id].add(Home(household, Relation(relation), frozenset(own)))
    return found
