"""What of the platform's own ends by itself and shuts somebody out: consents, and what a home is
told until a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity import households, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.ends_soon import EndsSoon, Source, Window, Words
from vigil_cloud.identity.models import (
    Account,
    Consent,
    Guardian,
    HouseholdDevice,
    HouseholdMember,
)
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.renewals import lost_with
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope

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
    it; where that is nobody who could give it anew, the person's other guardians."""
    del now
    query = select(Consent).where(
        Consent.revoked.is_(None), Consent.expires > window.first, Consent.expires <= window.last
    )
    ending = session.scalars(query).all()
    if not ending:
        return
    people = {one.person_key for one in ending}
    known = _Known.read(session, cipher, people)
    for one in ending:
        holder = known.accounts.get(one.account_id)
        if holder is None or Role.FAMILY.value not in holder.roles:
            continue  # it opens nothing to whoever lost the role
        lost = lost_with(one, known.consents.get((one.person_key, one.account_id), ()))
        if lost:
            yield from _told(one, holder, lost, known)


@dataclass(frozen=True, slots=True)
class _Known:
    names: Mapping[str, str]
    guardians: Mapping[str, frozenset[int]]
    consents: Mapping[tuple[str, int], Sequence[Consent]]
    """Those that nobody took back."""
    accounts: Mapping[int, Account]
    by_name: Mapping[str, Account]

    @classmethod
    def read(cls, session: Session, cipher: Cipher, people: Collection[str]) -> _Known:
        guardians: dict[str, set[int]] = {}
        for row in session.scalars(select(Guardian).where(Guardian.person_key.in_(people))):
            guardians.setdefault(row.person_key, set()).add(row.account_id)
        consents: dict[tuple[str, int], list[Consent]] = {}
        standing = select(Consent).where(Consent.person_key.in_(people), Consent.revoked.is_(None))
        for one in session.scalars(standing):
            consents.setdefault((one.person_key, one.account_id), []).append(one)
        accounts = session.scalars(select(Account)).all()
        return cls(
            {key: persons.name_of(session, cipher, key) for key in people},
            {key: frozenset(found) for key, found in guardians.items()},
            consents,
            {one.id: one for one in accounts},
            {one.username: one for one in accounts},
        )


def _told(
    one: Consent, holder: Account, lost: Collection[Scope], known: _Known
) -> Iterator[EndsSoon]:
    name = known.names[one.person_key]
    guards = known.guardians.get(one.person_key, frozenset())
    closed = _NOT_CALLED if Scope.ALERTS in lost else _NOT_SHOWN
    own = Words(f"您可得知{name}情況的同意", f"The consent by which you know how {name} is")
    yield _consent(one, holder, own, _after(closed, _RENEW if holder.id in guards else _ASK))
    given = Words(
        f"{holder.username} 可得知{name}情況的同意",
        f"The consent by which {holder.username} knows how {name} is",
    )
    giver = known.by_name.get(one.granted_by)
    others = {giver.id} if giver is not None else set()
    if giver is None or giver.id not in guards:
        others |= guards
    for account in sorted(others - {holder.id}):
        teller = known.accounts.get(account)
        if teller is None:
            continue
        if account in guards:
            yield _consent(one, teller, given, _GIVEN if teller is giver else _RENEW)
        else:  # staff: a pseudonym, and no page of a family
            staff = Words(
                f"{holder.username} 對 {one.person_key} 的同意",
                f"The consent of {holder.username} for {one.person_key}",
            )
            yield _consent(one, teller, staff, _GIVEN, page="/")


def _consent(
    one: Consent, account: Account, names: Words, remedy: Words, page: str | None = None
) -> EndsSoon:
    page = page or f"/family/{quote(one.person_key, safe='')}"
    return EndsSoon(f"consent {one.id}", account.id, one.granted, one.expires, names, remedy, page)


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
    for member in members:
        if member.account_id is not None and not _member_again(session, member):
            yield _member(member, member.account_id, names)
    for device in devices:
        if not _device_again(session, device):
            for account in _residents(session, device):
                yield _device(device, account, names)


def _member(one: HouseholdMember, account: int, names: Mapping[str, str]) -> EndsSoon:
    assert one.until is not None  # noqa: S101 - chosen by it
    home = names.get(one.household) or one.household
    said = Words(f"您與住戶「{home}」的關係", f"What you are to the home {home}")
    return EndsSoon(f"member {one.id}", account, one.since, one.until, said, _HOME, "/homes")


def _device(one: HouseholdDevice, account: int, names: Mapping[str, str]) -> EndsSoon:
    assert one.until is not None  # noqa: S101 - chosen by it
    home = names.get(one.household) or one.household
    said = Words(f"裝置 {one.device} 在住戶「{home}」的登錄", f"Device {one.device} in {home}")
    return EndsSoon(f"home device {one.id}", account, one.since, one.until, said, _DEVICE, "/homes")


def _member_again(session: Session, one: HouseholdMember) -> bool:
    query = select(HouseholdMember.id).where(
        HouseholdMember.household == one.household,
        HouseholdMember.account_id == one.account_id,
        HouseholdMember.id != one.id,
        HouseholdMember.until.is_(None) | (HouseholdMember.until > one.until),
    )
    return session.scalar(query.limit(1)) is not None


def _device_again(session: Session, one: HouseholdDevice) -> bool:
    """Also where it stands in another home by then: that is no end, it was moved."""
    query = select(HouseholdDevice.id).where(
        HouseholdDevice.device == one.device,
        HouseholdDevice.id != one.id,
        HouseholdDevice.until.is_(None) | (HouseholdDevice.until > one.until),
    )
    return session.scalar(query.limit(1)) is not None


def _residents(session: Session, one: HouseholdDevice) -> Sequence[int]:
    query = select(HouseholdMember.account_id).where(
        HouseholdMember.household == one.household,
        HouseholdMember.account_id.is_not(None),
        HouseholdMember.relation == Relation.RESIDENT.value,
        HouseholdMember.since <= one.until,
        HouseholdMember.until.is_(None) | (HouseholdMember.until >= one.until),
    )
    return sorted({found for found in session.scalars(query) if found is not None})


PLATFORM_ENDS: Final[tuple[Source, ...]] = (consents_end, homes_end)
