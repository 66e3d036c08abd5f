"""One-time codes: made, shown once, kept as a keyed hash, looked up.

Twelve letters and digits (60 random bits) that a person can read out and type. Guesses are
counted per network before anything is looked at (``identity.attempts``).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud import typed_codes
from vigil_cloud.broker_rules import CLOUD
from vigil_cloud.certificates import issued
from vigil_cloud.database.clock import ages_hold
from vigil_cloud.devices.models import GatewayRevocation
from vigil_cloud.devices.removal import GatewayRevoked
from vigil_cloud.enrolment.errors import EnrolmentCodeUnknown, GatewayEnrolled, GatewayNameReserved
from vigil_cloud.enrolment.models import EnrolmentCode
from vigil_cloud.identity import audit
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import GatewayToken
from vigil_cloud.typed_codes import LETTERS

CHARACTERS: Final = 12
GROUP: Final = 4
LASTS: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=7)
REMEMBERED: Final = timedelta(days=7)
"""So long after its end it is still told that a code expired or was used, and by when."""
_PURPOSE: Final = "enrolment code v1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a code is asked for."""

    gateway: str
    name: str = ""
    latitude: float | None = None
    longitude: float | None = None
    replaces: bool = False
    lasts: timedelta = LASTS


@dataclass(frozen=True, slots=True)
class ShownOnce:
    """A code in clear, which nobody can be shown again."""

    gateway: str
    code: str
    expires: datetime


def new_code(
    session: Session, cipher: Cipher, wanted: Wanted, *, by: str, now: datetime
) -> ShownOnce:
    """A code for this gateway; an earlier one that nobody used ends with it.

    Raises ``GatewayNameReserved``; ``GatewayEnrolled`` and ``GatewayRevoked`` where the name has a
    box (a certificate or a token) or was thrown out and nothing was said of replacing it.
    """
    if wanted.gateway == CLOUD:  # a broker may know the cloud by its name alone
        raise GatewayNameReserved(wanted.gateway)
    if not wanted.replaces:
        _refuse_taken(session, wanted.gateway, now)
    withdraw(session, wanted.gateway)
    if ages_hold(session, now):
        session.execute(delete(EnrolmentCode).where(EnrolmentCode.expires < now - REMEMBERED))
    plain = "".join(secrets.choice(LETTERS) for _ in range(CHARACTERS))
    row = EnrolmentCode(
        code_hash=_hashed(cipher, plain),
        gateway=wanted.gateway,
        name=wanted.name,
        latitude=wanted.latitude,
        longitude=wanted.longitude,
        replaces=wanted.replaces,
        account=by,
        created=now,
        expires=now + min(wanted.lasts, LONGEST),
    )
    session.add(row)
    audit.append(
        session,
        at=now,
        account=by,
        action="gateway.code-made",
        subject=wanted.gateway,
        detail={"replaces": wanted.replaces, "expires": row.expires.isoformat()},
    )
    return ShownOnce(wanted.gateway, _printed(plain), row.expires)


def withdraw(session: Session, gateway: str) -> bool:
    """End a code that nobody has used; whether there was one."""
    unused = delete(EnrolmentCode).where(
        EnrolmentCode.gateway == gateway, EnrolmentCode.used.is_(None)
    )
    ended = session.execute(unused.returning(EnrolmentCode.id)).all()
    return bool(ended)


def waiting(session: Session, now: datetime) -> dict[str, datetime]:
    """Gateways that somebody made a code for which nobody has used, with its end."""
    thrown_out = (
        select(GatewayRevocation.gateway)
        .where(
            GatewayRevocation.gateway == EnrolmentCode.gateway,
            GatewayRevocation.at > EnrolmentCode.created,
        )
        .exists()
    )
    rows = session.execute(
        select(EnrolmentCode.gateway, EnrolmentCode.expires).where(
            EnrolmentCode.used.is_(None), EnrolmentCode.expires > now, ~thrown_out
        )
    )
    return {row.gateway: row.expires for row in rows}


def find(session: Session, cipher: Cipher, typed: str, *, lock: bool = False) -> EnrolmentCode:
    """The row of a code as somebody typed it. Raises ``EnrolmentCodeUnknown``."""
    plain = typed_codes.plain(typed[:100])
    if len(plain) != CHARACTERS or not set(plain) <= set(LETTERS):
        raise EnrolmentCodeUnknown
    query = select(EnrolmentCode).where(EnrolmentCode.code_hash == _hashed(cipher, plain))
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise EnrolmentCodeUnknown
    return row


def refuse_outlived(session: Session, row: EnrolmentCode) -> None:
    """A code does not let in again who was thrown out after it was made, and one that replaces
    nobody no one who was thrown out at all. Raises ``EnrolmentCodeUnknown``, as for a code that was
    withdrawn: whoever types one is told nothing of the accounts here."""
    thrown_out = session.get(GatewayRevocation, row.gateway)
    if thrown_out is not None and (not row.replaces or thrown_out.at > row.created):
        raise EnrolmentCodeUnknown


def _refuse_taken(session: Session, gateway: str, now: datetime) -> None:
    thrown_out = session.get(GatewayRevocation, gateway)
    if thrown_out is not None:
        raise GatewayRevoked(gateway, thrown_out.at, thrown_out.account)
    there = issued.valid(session, gateway, now)
    if there:
        raise GatewayEnrolled(gateway, there[0].ends)
    if session.get(GatewayToken, gateway) is not None:  # its box is not of our authority
        raise GatewayEnrolled(gateway, None)


def _hashed(cipher: Cipher, plain: str) -> str:
    return cipher.keyed_hash(_PURPOSE, plain.encode()).hex()


def _printed(plain: str) -> str:
    return "-".join(plain[at : at + GROUP] for at in range(0, len(plain), GROUP))
