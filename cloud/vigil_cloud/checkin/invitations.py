"""Invitations: a link, also as a QR code, by which a family joins without a technician.

A guardian invites a relative; staff of the health bureau, with a reason, whoever is to enrol a new
person and guard them. A link serves once, ends by itself, can be withdrawn, and opens nothing by
itself: a relative sees nothing until the guardian consents. It is over as well as soon as whoever
made it may no longer invite.

To strangers an invitation that never was and one that is over look alike: one refusal, after the
same questions.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.checkin import amulets, notice
from vigil_cloud.checkin.models import Invitation, PurposeConsent
from vigil_cloud.identity import audit, consents, persons
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.guardian_consents import make_guardian
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import add_account, find_account, set_roles
from vigil_cloud.identity.sessions import digest, same_secret
from vigil_cloud.identity.whereabouts import Scope

Capacity = Literal["self", "representative"]
State = Literal["open", "used", "revoked", "over"]
MAY_ENROL: Final = (Role.REGISTRAR, Role.ADMINISTRATOR)
VALID: Final = timedelta(days=7)
MOST_OPEN: Final = 20
"""Of one guardian for one person, or of one of the staff in an hour."""
NOTE: Final = "invitation.note"
NONCE_BYTES: Final = 16
_PURPOSE: Final = "invitation v1"
_NOBODYS_NONCE: Final = "0" * (2 * NONCE_BYTES)


class InvitationNotValid(ApiError):
    """Used, over, withdrawn, somebody else's, or never made. Which of these is not told."""

    code: ClassVar[str] = "invitation-not-valid"
    remedy: ClassVar[str] = (
        "Ask for a new one. If you have made an account with it, sign in and open the link again."
    )
    status: ClassVar[int] = 404

    def __init__(self) -> None:
        super().__init__("This invitation is not valid.")


class OwnInvitation(ApiError):
    """Whoever made it cannot use it."""

    code: ClassVar[str] = "own-invitation"
    remedy: ClassVar[str] = "Give the link to whom it is for; it was not used up."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("You have made this invitation yourself; it is for somebody else.")


class TooManyInvitations(ApiError):
    """More stand open than anybody has relatives."""

    code: ClassVar[str] = "too-many-invitations"
    remedy: ClassVar[str] = "Withdraw some that nobody needs, or come back in an hour."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__(f"{MOST_OPEN} invitations stand open already.")


@dataclass(frozen=True, slots=True)
class Agreed:
    """That the notice of this version was read and agreed to, in which language and for whom."""

    notice: str
    language: str
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class NewAccount:
    """As whom somebody joins who had no account."""

    username: str
    password_hash: str
    display_name: str
    language: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Whom somebody enrols with an invitation."""

    name: str
    agreed: Agreed
    amulet: str = ""
    """What was scanned or typed; empty: later."""
    own: frozenset[Scope] = frozenset()
    """What whoever enrols is to see and be told of."""


def invite_relative(
    session: Session, cipher: Cipher, reader: Reader, person_key: str, note: str, now: datetime
) -> Invitation:
    """For a relative of somebody whom the reader guards. Raises ``NoConsent``."""
    consents.require_guardian(session, reader, person_key)
    return _make(session, cipher, reader, person_key, note, now)


def invite_family(
    session: Session, cipher: Cipher, reader: Reader, reason: str, now: datetime
) -> Invitation:
    """To enrol a new person. The caller has asked the role."""
    return _make(session, cipher, reader, None, reason, now)


def _make(
    session: Session,
    cipher: Cipher,
    reader: Reader,
    person_key: str | None,
    note: str,
    now: datetime,
) -> Invitation:
    audit.lock(session)  # of one at a time, so that the bound holds
    open_ones = select(Invitation.id).where(
        Invitation.used.is_(None), Invitation.revoked.is_(None), Invitation.expires > now
    )
    if person_key is not None:
        bound = open_ones.where(Invitation.person_key == person_key)
    else:
        since = now - timedelta(hours=1)
        bound = open_ones.where(Invitation.made_by == reader.username, Invitation.made > since)
    if len(session.scalars(bound.limit(MOST_OPEN)).all()) >= MOST_OPEN:
        raise TooManyInvitations
    nonce = secrets.token_hex(NONCE_BYTES)
    row = Invitation(
        id=str(uuid.uuid4()),
        kind="enrol" if person_key is None else "relative",
        person_key=person_key,
        token_sha256=digest(_token(cipher, nonce)),
        nonce=nonce,
        note=cipher.seal(NOTE, note),
        made_by=reader.username,
        made=now,
        expires=now + VALID,
    )
    session.add(row)
    session.flush()
    _tell(session, row, "made", reader.username, now)
    return row


def of_person(session: Session, reader: Reader, person_key: str) -> Sequence[Invitation]:
    """Newest first, for a guardian. Raises ``NoConsent``."""
    consents.require_guardian(session, reader, person_key)
    query = select(Invitation).where(
        Invitation.person_key == person_key, Invitation.kind == "relative"
    )
    return session.scalars(query.order_by(Invitation.made.desc(), Invitation.id)).all()


def of_staff(session: Session, reader: Reader) -> Sequence[Invitation]:
    """Newest first: one's own, and an administrator's view of all."""
    query = select(Invitation).where(Invitation.kind == "enrol")
    if not reader.has(Role.ADMINISTRATOR):
        query = query.where(Invitation.made_by == reader.username)
    return session.scalars(query.order_by(Invitation.made.desc(), Invitation.id).limit(200)).all()


def own(session: Session, reader: Reader, invitation: str) -> Invitation:
    """One that the reader may show or withdraw: a guardian of its person those of the person, and
    staff those of ``of_staff``. Raises ``NotFound``."""
    row = session.get(Invitation, invitation)
    if row is not None:
        if row.kind == "relative":
            mine = row.person_key in consents.guarded_by(session, reader.account_id)
        else:
            maker = row.made_by == reader.username and reader.has(*MAY_ENROL)
            mine = maker or reader.has(Role.ADMINISTRATOR)
        if mine:
            return row
    raise NotFound("There is no such invitation of yours.")


def revoke(session: Session, reader: Reader, invitation: str, now: datetime) -> None:
    """Nobody joins with it any more. Idempotent. Raises ``NotFound``."""
    audit.lock(session)  # before the row, as everybody who writes one takes them
    row = own(session, reader, invitation)
    if row.used is None and row.revoked is None:
        row.revoked = now
        _tell(session, row, "revoked", reader.username, now)


def state_of(row: Invitation, now: datetime) -> State:
    """Where it stands."""
    if row.used is not None:
        return "used"
    if row.revoked is not None:
        return "revoked"
    gone = row.claimed and row.account_id is None  # and with it whoever it was for
    return "open" if row.expires > now and not gone else "over"


def path_of(cipher: Cipher, row: Invitation, now: datetime) -> str | None:
    """Beneath the city's address. The token stands behind ``#``: no server and no log of one on
    the way is told it."""
    token = _token(cipher, row.nonce)
    # Not after the secret key was changed: then another one is made.
    fits = same_secret(digest(token), row.token_sha256)
    return f"/join#{token}" if fits and state_of(row, now) == "open" else None


def find(
    session: Session, cipher: Cipher, token: str, now: datetime, account: int | None = None
) -> Invitation:
    """The open invitation of a token, for this account. Raises ``InvitationNotValid``."""
    row = session.scalar(
        select(Invitation).where(Invitation.token_sha256 == digest(token)).with_for_update()
    )
    # The same work whether there is one or not, and also against whoever can write to the table.
    known = _token(cipher, row.nonce if row is not None else _NOBODYS_NONCE)
    maker = find_account(session, row.made_by if row is not None else "")
    guarded = consents.guarded_by(session, maker.id if maker is not None else 0)
    fits = same_secret(known, token)
    if row is None or not fits or state_of(row, now) != "open":
        raise InvitationNotValid
    if maker is None or not maker.active or not _may_invite(row, maker, guarded):
        raise InvitationNotValid
    if row.account_id is not None and row.account_id != account:
        raise InvitationNotValid
    return row


def make_account(session: Session, row: Invitation, wanted: NewAccount, now: datetime) -> Account:
    """One account for each invitation, which is that account's from then on. Raises
    ``AccountExists``, ``InvitationNotValid``."""
    account = add_account(
        session,
        username=wanted.username,
        roles=[Role.FAMILY],
        now=now,
        password_hash=wanted.password_hash,
        display_name=wanted.display_name,
        language=wanted.language,
    )
    _take(session, row, Invitation.claimed.is_(False), account_id=account.id)
    _tell(session, row, "account", wanted.username, now)
    return account


def joined_before(
    session: Session, cipher: Cipher, token: str, reader: Reader, wanted: Enrolment | None
) -> Invitation | None:
    """The invitation that this account has used, where the same is asked again: its answer was
    lost on the way, and nobody is enrolled twice. ``None``: anything else."""
    row = session.scalar(
        select(Invitation).where(
            Invitation.token_sha256 == digest(token),
            Invitation.account_id == reader.account_id,
            Invitation.used.is_not(None),
        )
    )
    if row is None or not same_secret(_token(cipher, row.nonce), token):
        return None
    return row if _same_again(session, cipher, row, reader, wanted) else None


def _same_again(
    session: Session, cipher: Cipher, row: Invitation, reader: Reader, wanted: Enrolment | None
) -> bool:
    key = row.person_key
    if wanted is None or row.kind == "relative":
        return wanted is None and row.kind == "relative" and key is not None
    if key is None or key not in consents.guarded_by(session, reader.account_id):
        return False
    if persons.name_of(session, cipher, key) != wanted.name:
        return False
    return not wanted.amulet or amulets.wears(session, cipher, wanted.amulet, key)


def accept(
    session: Session,
    cipher: Cipher,
    row: Invitation,
    reader: Reader,
    enrolment: Enrolment | None,
    now: datetime,
) -> str:
    """Become a relative, or enrol a person and guard them; the person's key. Raises what the
    refusals of this file and of ``amulets`` say, and then nothing was used up."""
    if row.made_by == reader.username:
        raise OwnInvitation
    mine = or_(Invitation.claimed.is_(False), Invitation.account_id == reader.account_id)
    _take(session, row, mine, account_id=reader.account_id, used=now)
    account = session.get_one(Account, reader.account_id)
    if Role.FAMILY.value not in account.roles:
        roles = [*(Role(role) for role in account.roles), Role.FAMILY]
        set_roles(session, account, roles, by=reader.username, now=now)
    if row.kind == "relative":
        if enrolment is not None or row.person_key is None:
            raise InvitationNotValid  # it is for a person who is enrolled already
        _tell(session, row, "accepted", reader.username, now)
        return row.person_key
    if enrolment is None:
        raise InvitationNotValid
    key = _enrol(session, cipher, account, enrolment, now)
    row.person_key = key
    _tell(session, row, "accepted", reader.username, now)
    return key


def _enrol(
    session: Session, cipher: Cipher, account: Account, wanted: Enrolment, now: datetime
) -> str:
    key = f"p-{secrets.token_hex(8)}"
    persons.enrol(session, cipher, key=key, name=wanted.name, now=now)
    by = account.username
    audit.append(session, at=now, account=by, action="person.enrolled", subject=key, person_key=key)
    agree(session, key, wanted.agreed, by=by, now=now)
    make_guardian(session, person_key=key, account=account, by=by, now=now, scopes=wanted.own)
    if wanted.amulet:
        amulets.register(session, cipher, wanted.amulet, key, by=by, now=now)
    return key


def agree(session: Session, person_key: str, said: Agreed, *, by: str, now: datetime) -> None:
    """Write it down. Raises ``NoticeChanged``."""
    notice.require_current(said.notice)
    columns = {"language": said.language, "capacity": said.capacity}
    session.add(
        PurposeConsent(person_key=person_key, version=said.notice, account=by, at=now, **columns)
    )
    audit.append(
        session,
        at=now,
        account=by,
        action="purpose.agreed",
        subject=said.notice,
        person_key=person_key,
        detail=columns,
    )


def refused(session: Session, token: str, account: str, now: datetime) -> None:
    """Write a refusal down: of which invitation, where it was one."""
    found = session.execute(
        select(Invitation.id, Invitation.person_key).where(Invitation.token_sha256 == digest(token))
    ).one_or_none()
    audit.append(
        session,
        at=now,
        account=account,
        action="invitation.refused",
        subject="" if found is None else found.id,
        person_key=None if found is None else found.person_key,
    )


def revoke_all(session: Session, now: datetime, *, by: str, person_key: str | None = None) -> None:
    """Those that stand open of somebody who may no longer invite: for one person, or at all."""
    open_ones = and_(
        Invitation.made_by == by, Invitation.used.is_(None), Invitation.revoked.is_(None)
    )
    if person_key is not None:
        open_ones = and_(open_ones, Invitation.person_key == person_key)
    session.execute(
        update(Invitation)
        .where(open_ones)
        .values(revoked=now)
        .execution_options(synchronize_session=False)
    )


def _take(session: Session, row: Invitation, mine: Any, **values: Any) -> None:
    """One of several who come at once. Raises ``InvitationNotValid``."""
    taken = session.scalar(
        update(Invitation)
        .where(Invitation.id == row.id, Invitation.used.is_(None), mine)
        .values(claimed=True, **values)
        .returning(Invitation.id)
        .execution_options(synchronize_session=False)
    )
    if taken is None:
        raise InvitationNotValid
    session.refresh(row)


def _may_invite(row: Invitation, maker: Account, guarded: frozenset[str]) -> bool:
    if row.kind == "relative":
        return row.person_key in guarded
    return not {role.value for role in MAY_ENROL}.isdisjoint(maker.roles)


def _tell(session: Session, row: Invitation, what: str, by: str, now: datetime) -> None:
    audit.append(
        session,
        at=now,
        account=by,
        action=f"invitation.{what}",
        subject=row.id,
        person_key=row.person_key,
    )


def _token(cipher: Cipher, nonce: str) -> str:
    made = cipher.keyed_hash(_PURPOSE, nonce.encode())
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
