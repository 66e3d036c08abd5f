"""Who reads: an account's roles, the persons whose whereabouts it may know right now, the homes
it belongs to and the districts it covers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    literal_column,
    or_,
    select,
    union_all,
)
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
from vigil_cloud.identity.whereabouts import Granted, granted, read, together

Moment = datetime | BindParameter[datetime]
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
    consented: frozenset[Granted] = frozenset()
    """What consents open, one entry for each person; asked through ``whereabouts.opened_to``."""
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


def granted_by(
    session: Session, persons: Collection[str], at: datetime, accounts: Collection[int] = ()
) -> dict[str, dict[int, Granted]]:
    """What these persons' valid consents open, by person and account (all accounts, or these
    alone). It counts for whoever holds the role family. One statement."""
    found: dict[tuple[int, str], list[Granted]] = defaultdict(list)
    if not persons:
        return {}
    query = select(
        Consent.account_id,
        Consent.person_key,
        Consent.scopes,
        Consent.footprint_from,
        Consent.granted,
    ).where(
        Consent.person_key.in_(sorted(persons)), Consent.revoked.is_(None), Consent.expires > at
    )
    if accounts:
        query = query.where(Consent.account_id.in_(sorted(accounts)))
    for account, person, scopes, begin, given in session.execute(query):
        found[account, person].append(granted(person, read(scopes), begin, given))
    by_person: dict[str, dict[int, Granted]] = defaultdict(dict)
    for (account, person), own in found.items():
        (by_person[person][account],) = together(own)
    return by_person


def reader_of(session: Session, account: Account, at: datetime) -> Reader:
    """The account's rights at one moment. Consents count only for the role family, homes for it
    and for hosts."""
    return readers_of(session, [account], at)[account.id]


def readers_of(session: Session, accounts: Collection[Account], at: datetime) -> dict[int, Reader]:
    """The same of several accounts, by their ids. One statement however many (and one more where
    somebody is limited to districts): it is asked with every request."""
    known = _known(session, accounts, at)
    districts = {account for account, found in known.items() if found.districts}
    places = number_of(session, PLACES) if districts else 0
    return {
        account.id: Reader(
            account.id,
            account.username,
            frozenset(Role(role) for role in account.roles),
            together(known[account.id].consented),
            frozenset(known[account.id].homes()),
            frozenset(known[account.id].districts),
            places if account.id in districts else 0,
            frozenset(known[account.id].disclosed),
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


def member_at(at: Moment) -> ColumnElement[bool]:
    """Members of a household at this moment."""
    ended = HouseholdMember.until
    return and_(HouseholdMember.since <= at, or_(ended.is_(None), ended > at))


def device_at(at: Moment) -> ColumnElement[bool]:
    """Devices of a household at this moment."""
    ended = HouseholdDevice.until
    return and_(HouseholdDevice.since <= at, or_(ended.is_(None), ended > at))


@dataclass(slots=True)
class _Known:
    """What the tables say of one account at one moment."""

    consented: list[Granted] = field(default_factory=list)
    disclosed: set[str] = field(default_factory=set)
    districts: set[str] = field(default_factory=set)
    devices: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of each household and relation."""

    def homes(self) -> set[Home]:
        return {
            Home(household, Relation(relation), frozenset(own))
            for (household, relation), own in self.devices.items()
        }


_EVERYONE: Final[BindParameter[Any]] = bindparam("everyone", expanding=True)
_FAMILY: Final[BindParameter[Any]] = bindparam("family", expanding=True)
_MEMBERS: Final[BindParameter[Any]] = bindparam("members", expanding=True)
_AT: Final = bindparam("at", type_=Consent.expires.type)


def _at_home(members: Any, at: Moment, *first: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Of these accounts: the homes that each belongs to, as what, and a row for each device that
    stands there, or one without. ``first``: columns before these."""
    return (
        select(
            *first,
            HouseholdMember.account_id,
            HouseholdMember.household,
            HouseholdMember.relation,
            HouseholdDevice.device,
        )
        .outerjoin(
            HouseholdDevice,
            and_(HouseholdDevice.household == HouseholdMember.household, device_at(at)),
        )
        .where(HouseholdMember.account_id.in_(members), member_at(at))
    )


def _statement() -> CompoundSelect[Any]:
    """Rows of what kind, whose, and up to three words and two moments: persons who consented (to
    what, the footprint from when on, and when), cases that disclose where theirs are (and to which
    role), districts, and homes with what stands in them."""
    nothing: ColumnElement[Any] = literal_column("NULL")
    # The first of them: its columns say of what type those are that the others leave empty.
    by_consent = select(
        literal_column("'consent'"),
        Consent.account_id,
        Consent.person_key,
        Consent.scopes,
        nothing,
        Consent.footprint_from,
        Consent.granted,
    ).where(Consent.account_id.in_(_FAMILY), Consent.revoked.is_(None), Consent.expires > _AT)
    by_case = select(
        literal_column("'case'"),
        Disclosure.account_id,
        Disclosure.case_id,
        Disclosure.role,
        nothing,
        nothing,
        nothing,
    ).where(Disclosure.account_id.in_(_EVERYONE), Disclosure.given <= _AT, Disclosure.until > _AT)
    by_district = select(
        literal_column("'district'"),
        AccountDistrict.account_id,
        AccountDistrict.district,
        nothing,
        nothing,
        nothing,
        nothing,
    ).where(AccountDistrict.account_id.in_(_EVERYONE))
    by_home = _at_home(_MEMBERS, _AT, literal_column("'home'")).add_columns(nothing, nothing)
    return union_all(by_consent, by_case, by_district, by_home)


_STATEMENT: Final = _statement()
"""Made once: to make it costs more than to answer it."""


def _known(session: Session, accounts: Collection[Account], at: datetime) -> dict[int, _Known]:
    """By account, for each of them. A case discloses to a role that the account still holds."""
    roles = {account.id: frozenset(account.roles) for account in accounts}
    found = {account: _Known() for account in roles}
    given = {
        "everyone": sorted(roles),
        "family": sorted(one for one, held in roles.items() if Role.FAMILY.value in held),
        "members": sorted(one for one, held in roles.items() if not BELONG.isdisjoint(held)),
        "at": at,
    }
    for kind, account, first, second, third, begin, at_ in session.execute(_STATEMENT, given):
        own = found[account]
        if kind == "consent":
            own.consented.append(granted(first, read(second), begin, at_))
        elif kind == "case":
            if second in roles[account]:
                own.disclosed.add(first)
        elif kind == "district":
            own.districts.add(first)
        else:
            devices = own.devices[first, second]
            if third is not None:
                devices.add(third)
    return found


def homes_of(session: Session, account_ids: Collection[int], at: datetime) -> dict[int, set[Home]]:
    """By account: the homes that each belongs to at this moment. One statement."""
    found: dict[int, set[Home]] = defaultdict(set)
    if not account_ids:
        return found
    devices: dict[tuple[int, str, str], set[str]] = defaultdict(set)
    for row in session.execute(_at_home(account_ids, at)):
        own = devices[row.account_id, row.household, row.relation]
        if row.device is not None:
            own.add(row.device)
    for (account_id, household, relation), own in devices.items():
        found[account_id].add(Home(household, Relation(relation), frozenset(own)))
    return found
