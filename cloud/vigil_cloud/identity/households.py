"""Households: homes, who belongs to them as what, and which devices stand in them.

What a home is called and where it is are sealed under a key of its own: erasing the household
destroys it. Memberships and devices end with a date and stay as what was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.changes import announce_rights
from vigil_cloud.identity import audit, districts, person_keys
from vigil_cloud.identity.cipher import Cipher, PersonCipher, Undecipherable
from vigil_cloud.identity.models import (
    Account,
    Household,
    HouseholdDevice,
    HouseholdMember,
    PersonKey,
)
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.identity.persons import load, name_of, require_enrolled
from vigil_cloud.identity.reader import Relation, device_at, member_at

NAME: Final = "household.name"
ADDRESS: Final = "household.address"
POSITION: Final = "household.position"


class UnknownHousehold(ApiError):
    """There is no household of this key, or no such member or device of it."""

    code: ClassVar[str] = "household-unknown"
    remedy: ClassVar[str] = "Check the key; the list of households shows all."
    status: ClassVar[int] = 404

    def __init__(self, household: str, lacks: str = "") -> None:
        super().__init__(
            f"Household {household!r} has no {lacks}."
            if lacks
            else f"There is no household {household!r}."
        )
        self.household = household


class BadHousehold(ApiError):
    """The household, or what is to belong to it, cannot be used like this."""

    code: ClassVar[str] = "bad-household"
    remedy: ClassVar[str] = "Correct what the message names."
    status: ClassVar[int] = 422


@dataclass(frozen=True, slots=True)
class Described:
    """What a household is called and where it is. ``position``: latitude, longitude, degrees."""

    name: str
    address: str = ""
    district: str | None = None
    position: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """An account or a person of a household."""

    id: int
    account: str | None
    person: str | None
    relation: Relation
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A household as it is at one moment."""

    key: str
    described: Described
    created: datetime
    members: Sequence[Member]
    devices: Sequence[tuple[str, datetime, datetime | None]]
    """Id, since, until."""


def put(
    session: Session, cipher: Cipher, key: str, wanted: Described, *, by: str, now: datetime
) -> None:
    """Add a household, or change what is said of it; its devices go along into another district.
    Idempotent. Raises ``BadHousehold``, ``PersonErased`` for the key of one that was erased,
    ``UnknownDistrict``, ``WrongSecretKey``."""
    if not wanted.name.strip():
        raise BadHousehold("a household needs a name")
    if wanted.position is not None and not _on_earth(*wanted.position):
        raise BadHousehold("a latitude lies within 90 degrees and a longitude within 180")
    if wanted.district is not None:
        districts.require(session, wanted.district)
    own = person_keys.make(session, cipher, own_key(key), now)
    row = session.get(Household, key)
    if row is not None and _described(row, own) == wanted:
        return
    values = {
        "name": own.seal(NAME, wanted.name),
        "address": own.seal(ADDRESS, wanted.address),
        "position": own.seal(POSITION, _written(wanted.position)) if wanted.position else None,
        "district": wanted.district,
    }
    before = None if row is None else row.district
    if row is None:
        _require_other_name(session, key)
        session.add(Household(key=key, created=now, **values))
    else:
        for column, value in values.items():
            setattr(row, column, value)
    session.flush()
    if wanted.district not in (None, before):
        _take_along(session, key, before, wanted.district, by=by, now=now)
    done = "household.added" if row is None else "household.changed"
    audit.append(session, at=now, account=by, action=done, subject=key)


def _on_earth(latitude: float, longitude: float) -> bool:
    """What is no number is not."""
    return abs(latitude) <= 90 and abs(longitude) <= 180


def _require_other_name(session: Session, key: str) -> None:
    """Two homes whose keys differ in capitals alone are one to whoever reads them."""
    same = select(Household.key).where(func.lower(Household.key) == key.lower())
    if (there := session.scalar(same.limit(1))) is not None:
        raise BadHousehold(f"there is a household {there!r} already, which differs in capitals")


def _take_along(
    session: Session, key: str, before: str | None, district: str | None, *, by: str, now: datetime
) -> None:
    """Devices that lie nowhere yet, or where the home lay, lie where it lies now: else a fire of
    theirs is shown to nobody of its district."""
    query = select(HouseholdDevice.device).where(HouseholdDevice.household == key, device_at(now))
    devices = sorted(session.scalars(query))
    known = districts.places(session, "device", devices)
    for device in devices:
        if known.get(device) in (None, before):
            districts.place(session, "device", device, district, by=by, now=now)


def page(
    session: Session, cipher: Cipher, now: datetime, *, after: str | None = None, limit: int = 500
) -> list[Kept]:
    """Homes by key, beyond ``after``, with who and what belongs to them now or will. The same few
    statements however many."""
    query = select(Household).order_by(Household.key).limit(limit)
    return _kept(
        session, cipher, now, query if after is None else query.where(Household.key > after)
    )


def find(session: Session, cipher: Cipher, now: datetime, key: str) -> Kept:
    """One home as ``page`` shows it. Raises ``UnknownHousehold``."""
    require(session, key)
    return _kept(session, cipher, now, select(Household).where(Household.key == key))[0]


def _kept(session: Session, cipher: Cipher, now: datetime, query: Select[Household]) -> list[Kept]:
    rows = session.scalars(query).all()
    keys = [row.key for row in rows]
    person_keys.load(session, map(own_key, keys))
    members, devices = _members(session, keys, now), _devices(session, keys, now)
    return [
        Kept(
            row.key,
            _described(row, person_keys.of(session, cipher, own_key(row.key))),
            row.created,
            members[row.key],
            devices[row.key],
        )
        for row in rows
    ]


def names(session: Session, cipher: Cipher, keys: Collection[str]) -> dict[str, str]:
    """What these homes are called."""
    rows = session.scalars(select(Household).where(Household.key.in_(sorted(keys)))).all()
    person_keys.load(session, (own_key(row.key) for row in rows))
    return {
        row.key: _described(row, person_keys.of(session, cipher, own_key(row.key))).name
        for row in rows
    }


def shown_members(
    session: Session, cipher: Cipher, keys: Collection[str], now: datetime
) -> dict[str, list[tuple[str, Relation]]]:
    """Who belongs to these homes right now, by name, for those who live there. The caller has
    checked that."""
    found: dict[str, list[tuple[str, Relation]]] = defaultdict(list)
    query = (
        select(HouseholdMember, Account.display_name)
        .outerjoin(Account, Account.id == HouseholdMember.account_id)
        .where(HouseholdMember.household.in_(sorted(keys)), member_at(now))
        .order_by(HouseholdMember.id)
    )
    rows = session.execute(query).all() if keys else []
    load(session, [row.person_key for row, _ in rows if row.person_key is not None])
    for row, display_name in rows:
        name = display_name or ""
        if row.person_key is not None:
            try:
                name = name_of(session, cipher, row.person_key)
            except Undecipherable:  # the secret key was adopted without it
                name = row.person_key
        found[row.household].append((name, Relation(row.relation)))
    return found


def add_member(  # noqa: PLR0913 - columns of one membership, by name
    session: Session,
    key: str,
    *,
    by: str,
    now: datetime,
    account: Account | None = None,
    person: str | None = None,
    relation: Relation = Relation.RESIDENT,
    until: datetime | None = None,
) -> int:
    """An account or a person belongs to it from now on; who belonged to it as something else
    does so no more. Idempotent. Returns the membership's number.

    Raises ``UnknownHousehold``, ``BadHousehold``, ``NotFound`` for a person.
    """
    require(session, key)
    if (account is None) == (person is None):
        raise BadHousehold("a member is either an account or a person")
    if person is not None:
        require_enrolled(session, person)
        if relation is not Relation.RESIDENT:
            raise BadHousehold("a person of a household is a resident; others need an account")
    if until is not None and until <= now:
        raise BadHousehold("a membership ends in the future")
    whose = HouseholdMember.person_key == person
    if account is not None:
        whose = HouseholdMember.account_id == account.id
    query = select(HouseholdMember).where(HouseholdMember.household == key, whose, member_at(now))
    for row in session.scalars(query):
        if (row.relation, row.until) == (relation.value, until):
            return row.id
        row.until = now
    added = HouseholdMember(
        household=key,
        account_id=account.id if account else None,
        person_key=person,
        relation=relation.value,
        since=now,
        until=until,
    )
    session.add(added)
    session.flush()
    detail = {"member": account.username if account else None, "relation": relation.value}
    _audit(session, by, now, "household.member-added", key, person, detail)
    return added.id


def remove_member(session: Session, key: str, number: int, *, by: str, now: datetime) -> None:
    """From now on they belong to it no more. Idempotent. Raises ``UnknownHousehold``."""
    row = session.get(HouseholdMember, number)
    if row is None or row.household != key:
        raise UnknownHousehold(key, f"member {number}")
    if row.until is not None and row.until <= now:
        return
    row.until = max(now, row.since)
    account = session.get(Account, row.account_id) if row.account_id else None
    detail = {"member": account.username if account else None, "relation": row.relation}
    _audit(session, by, now, "household.member-removed", key, row.person_key, detail)


def give_device(
    session: Session,
    key: str,
    device: str,
    *,
    by: str,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """It stands in this home from now on, and in no other. Its open alerts are this home's, where
    they were nobody's or last; it takes the home's district, where it has none. Idempotent.

    Raises ``UnknownHousehold``, ``BadHousehold``.
    """
    home = require(session, key)
    if until is not None and until <= now:
        raise BadHousehold("a device is given until a moment in the future")
    query = select(HouseholdDevice).where(HouseholdDevice.device == device, device_at(now))
    for row in session.scalars(query):
        if (row.household, row.until) == (key, until):
            return
        row.until = now
    session.add(HouseholdDevice(household=key, device=device, since=now, until=until))
    session.flush()
    for room in records_of(session):
        room.given_home(session, device, key, now)
    if home.district is not None and not districts.places(session, "device", [device]):
        districts.place(session, "device", device, home.district, by=by, now=now)
    _audit(session, by, now, "household.device-given", key, None, {"device": device})


def take_device(session: Session, key: str, device: str, *, by: str, now: datetime) -> None:
    """It stands there no more; what happened meanwhile stays the home's. Raises
    ``UnknownHousehold``."""
    query = select(HouseholdDevice).where(
        HouseholdDevice.household == key, HouseholdDevice.device == device, device_at(now)
    )
    row = session.scalar(query)
    if row is None:
        raise UnknownHousehold(key, f"device {device!r}")
    row.until = now
    _audit(session, by, now, "household.device-taken", key, None, {"device": device})


def erase(session: Session, key: str, *, by: str, now: datetime) -> None:
    """Destroy the household's key and forget who and what belonged to it; alerts are nobody's
    home's then. The key is never given again. Raises ``UnknownHousehold``."""
    if session.get(Household, key) is None and session.get(PersonKey, own_key(key)) is None:
        raise UnknownHousehold(key)
    for room in records_of(session):
        room.home_erased(session, key)
    for model in (HouseholdMember, HouseholdDevice):
        session.execute(delete(model).where(model.household == key))
    session.execute(delete(Household).where(Household.key == key))
    person_keys.destroy(session, own_key(key), now)
    announce_rights(session)
    audit.append(session, at=now, account=by, action="household.erased", subject=key)


def require(session: Session, key: str) -> Household:
    """Raises ``UnknownHousehold``."""
    row = session.get(Household, key)
    if row is None:
        raise UnknownHousehold(key)
    return row


def own_key(key: str) -> str:
    """Under which its key is kept: no pseudonym of a person has a colon."""
    return f"household:{key}"


def _written(position: tuple[float, float]) -> str:
    return f"{position[0]!r},{position[1]!r}"


def _described(row: Household, own: PersonCipher) -> Described:
    try:
        position = None
        if row.position is not None:
            latitude, longitude = own.open(POSITION, row.position).split(",")
            position = (float(latitude), float(longitude))
        name, address = own.open(NAME, row.name), own.open(ADDRESS, row.address)
    except Undecipherable:  # the secret key was adopted without it: it is written anew
        return Described(row.key, "", row.district, None)
    return Described(name, address, row.district, position)


def _members(session: Session, keys: Sequence[str], now: datetime) -> dict[str, list[Member]]:
    found: dict[str, list[Member]] = defaultdict(list)
    query = (
        select(HouseholdMember, Account.username)
        .outerjoin(Account, Account.id == HouseholdMember.account_id)
        .where(
            HouseholdMember.household.in_(keys),
            HouseholdMember.until.is_(None) | (HouseholdMember.until > now),
        )
        .order_by(HouseholdMember.id)
    )
    for row, username in session.execute(query):
        member = Member(
            row.id, username, row.person_key, Relation(row.relation), row.since, row.until
        )
        found[row.household].append(member)
    return found


def _devices(
    session: Session, keys: Sequence[str], now: datetime
) -> dict[str, list[tuple[str, datetime, datetime | None]]]:
    found: dict[str, list[tuple[str, datetime, datetime | None]]] = defaultdict(list)
    query = (
        select(HouseholdDevice)
        .where(
            HouseholdDevice.household.in_(keys),
            HouseholdDevice.until.is_(None) | (HouseholdDevice.until > now),
        )
        .order_by(HouseholdDevice.device)
    )
    for row in session.scalars(query):
        found[row.household].append((row.device, row.since, row.until))
    return found


def _audit(  # noqa: PLR0913 - columns of one line of the log
    session: Session,
    by: str,
    now: datetime,
    action: str,
    key: str,
    person: str | None,
    detail: dict[str, str | None],
) -> None:
    told = {name: value for name, value in detail.items() if value is not None}
    audit.append(
        session, at=now, account=by, action=action, subject=key, person_key=person, detail=told
    )
