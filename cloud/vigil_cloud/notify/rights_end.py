"""What of the platform's own ends by itself and shuts somebody out: consents, and what a home is
told until a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity import home_ends, households, persons
from vigil_cloud.identity.cipher import Cipher, Undecipherable
from vigil_cloud.identity.ends_soon import EndsSoon, Source, Window, Words
from vigil_cloud.identity.models import (
    Account,
    Consent,
    Guardian,
    HouseholdDevice,
    HouseholdMember,
)
from vigil_cloud.identity.reader import BELONG, Relation
from vigil_cloud.identity.renewals import given_at, lost_with
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope

_STAFF: Final = frozenset({Role.ADMINISTRATOR.value, Role.REGISTRAR.value})
"""Whose it is to see to consents of people whom they do not guard."""
_NOT_CALLED: Final = Words("其後您將不再收到警報。", "From then on you are not called.")
_NOT_SHOWN: Final = Words("其後您將無法查看。", "From then on you are shown nothing.")
_RENEW: Final = Words("請在家屬頁面按「續期」。", "Open the family page and press Renew.")
_ASK: Final = Words("請監護人在家屬頁面續期。", "Ask a guardian to renew it on the family page.")
_GIVEN: Final = Words(
    "這是您給予的同意；仍需要時請續期。", "You gave it: renew it if it is still wanted."
)
_HOME: Final = Words(
    "其後您不再收到該住戶的警報。若不應終止，請洽管理單位。",
    "From then on you hear of no alarm there. If that is not meant, ask whoever keeps the homes.",
)
_DEVICE: Final = Words(
    "其後它的警報不再通知這個住戶。若不應終止，請洽管理單位。",
    "From then on its alarms ring in this home no more. If that is not meant, ask whoever keeps the"
    " homes.",
)


def consents_end(
    session: Session, cipher: Cipher, window: Window, now: datetime
) -> Iterable[EndsSoon]:
    """Consents after which something is closed that is open now. Whose it is, is told, and who gave
    it as a guardian or as staff; where that is no guardian who is here, all other guardians."""
    del now
    query = select(Consent).where(
        Consent.revoked.is_(None), Consent.expires > window.first, Consent.expires <= window.last
    )
    ending = session.scalars(query).all()
    if not ending:
        return
    people = {one.person_key for one in ending}
    known = _Known.read(session, cipher, people, window)
    for one in ending:
        holder = known.accounts.get(one.account_id)
        if holder is None or Role.FAMILY.value not in holder.roles:
            continue  # it opens nothing to whoever lost the role
        standing = [each for each in known.theirs(one) if each.revoked is None]
        if lost := lost_with(one, standing):
            yield from _told(one, holder, lost, known)


@dataclass(frozen=True, slots=True)
class _Known:
    names: Mapping[str, str]
    guardians: Mapping[str, frozenset[int]]
    consents: Mapping[tuple[str, int], Sequence[Consent]]
    """Also those that somebody took back."""
    accounts: Mapping[int, Account]
    by_name: Mapping[str, Account]

    @classmethod
    def read(
        cls, session: Session, cipher: Cipher, people: Collection[str], window: Window
    ) -> _Known:
        guardians: dict[str, set[int]] = defaultdict(set)
        for row in session.scalars(select(Guardian).where(Guardian.person_key.in_(people))):
            guardians[row.person_key].add(row.account_id)
        consents: dict[tuple[str, int], list[Consent]] = defaultdict(list)
        query = select(Consent).where(
            Consent.person_key.in_(people), Consent.expires > window.first
        )
        for one in session.scalars(query):
            consents[one.person_key, one.account_id].append(one)
        accounts = session.scalars(select(Account)).all()
        persons.load(session, people)
        return cls(
            {key: _name(session, cipher, key) for key in people},
            {key: frozenset(found) for key, found in guardians.items()},
            consents,
            {one.id: one for one in accounts},
            {one.username: one for one in accounts},
        )

    def theirs(self, one: Consent) -> Sequence[Consent]:
        """All of the same person and account that have not ended long ago."""
        return self.consents.get((one.person_key, one.account_id), ())

    def giver(self, one: Consent) -> Account | None:
        """``None``: an operator, or an account that is closed or gone. Whoever was given its name
        since is somebody else."""
        found = self.by_name.get(one.granted_by)
        here = found is not None and found.active and found.created <= one.granted
        return found if here else None


def _name(session: Session, cipher: Cipher, person_key: str) -> str:
    try:
        return persons.name_of(session, cipher, person_key)
    except Undecipherable:  # the secret key was adopted without it
        return person_key


def _told(
    one: Consent, holder: Account, lost: Collection[Scope], known: _Known
) -> Iterator[EndsSoon]:
    name = known.names[one.person_key]
    guards = known.guardians.get(one.person_key, frozenset())
    closed = _NOT_CALLED if Scope.ALERTS in lost else _NOT_SHOWN
    own = Words(f"您可得知{name}情況的同意", f"The consent by which you know how {name} is")
    yield _consent(one, known, holder, own, _after(closed, _RENEW if holder.id in guards else _ASK))
    given = Words(
        f"{holder.username} 可得知{name}情況的同意",
        f"The consent by which {holder.username} knows how {name} is",
    )
    giver = known.giver(one)
    others = {giver.id} if giver is not None else set()
    if giver is None or giver.id not in guards:
        others |= guards
    for account in sorted(others - {holder.id}):
        teller = known.accounts.get(account)
        if teller is None:
            continue
        if account in guards:
            yield _consent(one, known, teller, given, _GIVEN if teller is giver else _RENEW)
        elif not _STAFF.isdisjoint(teller.roles):  # by pseudonym, and no page of a family
            staff = Words(
                f"{holder.username} 對 {one.person_key} 的同意",
                f"The consent of {holder.username} for {one.person_key}",
            )
            yield _consent(one, known, teller, staff, _GIVEN, page="/")


def _consent(
    one: Consent,
    known: _Known,
    account: Account,
    names: Words,
    remedy: Words,
    page: str | None = None,
) -> EndsSoon:
    begun = given_at(one, known.theirs(one))
    page = page or f"/family/{quote(one.person_key, safe='')}"
    what, about = f"consent {one.id}", f"person {one.person_key}"
    return EndsSoon(what, account.id, begun, one.expires, names, remedy, page, about)


def _after(first: Words, second: Words) -> Words:
    return Words(f"{first.chinese}{second.chinese}", f"{first.english} {second.english}")


def homes_end(
    session: Session, cipher: Cipher, window: Window, now: datetime
) -> Iterable[EndsSoon]:
    """Memberships of accounts, and devices of a home, that end on a day and are not followed by
    another: residents are told of devices. What is over by now may have been ended by somebody, who
    knows it."""
    members = session.scalars(
        select(HouseholdMember).where(
            HouseholdMember.account_id.is_not(None),
            HouseholdMember.until > now,
            HouseholdMember.until <= window.last,
        )
    ).all()
    devices = session.scalars(
        select(HouseholdDevice).where(
            HouseholdDevice.until > now, HouseholdDevice.until <= window.last
        )
    ).all()
    keys = {one.household for one in members} | {one.household for one in devices}
    if not keys:
        return
    names = households.names(session, cipher, keys)
    belonging, standing = _belonging(session, keys), home_ends.standing(session, devices)
    for member in members:
        own = [one for one in belonging[member.household] if one.account_id == member.account_id]
        if member.account_id is not None and member in own and not home_ends.goes_on(member, own):
            yield _member(member, member.account_id, names)
    for device in devices:
        if not home_ends.goes_on(device, standing[device.device]):
            for account in _residents(device, belonging[device.household]):
                yield _device(device, account, names)


def _member(one: HouseholdMember, account: int, names: Mapping[str, str]) -> EndsSoon:
    assert one.until is not None  # noqa: S101 - chosen by it
    home = names.get(one.household) or one.household
    said = Words(f"您與住戶「{home}」的關係", f"What you are to the home {home}")
    what, about = f"member {one.id}", f"home {one.household}"
    return EndsSoon(what, account, one.since, one.until, said, _HOME, "/homes", about)


def _device(one: HouseholdDevice, account: int, names: Mapping[str, str]) -> EndsSoon:
    assert one.until is not None  # noqa: S101 - chosen by it
    home = names.get(one.household) or one.household
    said = Words(f"裝置 {one.device} 在住戶「{home}」的登錄", f"Device {one.device} in {home}")
    what, about = f"home device {one.id}", f"{one.device} in home {one.household}"
    return EndsSoon(what, account, one.since, one.until, said, _DEVICE, "/homes", about)


def _belonging(session: Session, keys: Collection[str]) -> Mapping[str, Sequence[HouseholdMember]]:
    """By home: memberships of accounts that hold a role to which a home opens anything."""
    query = (
        select(HouseholdMember, Account.roles)
        .join(Account, Account.id == HouseholdMember.account_id)
        .where(HouseholdMember.household.in_(sorted(keys)))
    )
    found: dict[str, list[HouseholdMember]] = defaultdict(list)
    for one, roles in session.execute(query):
        if not BELONG.isdisjoint(roles):
            found[one.household].append(one)
    return found


def _residents(one: HouseholdDevice, members: Iterable[HouseholdMember]) -> Sequence[int]:
    """Accounts that live there as it ends."""
    assert one.until is not None  # noqa: S101 - chosen by it
    return sorted(
        {
            member.account_id
            for member in members
            if member.account_id is not None
            and member.relation == Relation.RESIDENT.value
            and member.since <= one.until
            and (member.until is None or member.until >= one.until)
        }
    )


PLATFORM_ENDS: Final[tuple[Source, ...]] = (consents_end, homes_end)
