"""Server-side sessions: random tokens of which only the digest is stored.

A session ends after eight idle hours or seven days, whichever comes first
(OWASP ASVS 5, 7.3), and at once when the account is closed or its password changed.
An open page follows the event stream, which is use: a dispatcher's wall screen stays.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.clock import ages_hold
from vigil_cloud.database.engine import reading, writing
from vigil_cloud.identity.errors import NotSignedIn
from vigil_cloud.identity.models import Account, AccountSession, GatewayToken
from vigil_cloud.identity.personal_records import records_of
from vigil_cloud.identity.reader import Reader, reader_of, readers_of
from vigil_cloud.services import Services

IDLE: Final = timedelta(hours=8)
ABSOLUTE: Final = timedelta(days=7)
_TOUCH: Final = timedelta(minutes=5)
"""Use is written down this coarsely, so that reading stays reading. Only ever forward: who asked
the clock first may write last."""


_HELD: Final = (
    select(AccountSession, Account)
    .join(Account, Account.id == AccountSession.account_id)
    .where(AccountSession.token_sha256 == bindparam("digest"))
)
"""Made once: every request asks it."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A valid session and whose it is."""

    token_sha256: str
    csrf: str
    account: Account
    reader: Reader


def digest(token: str) -> str:
    """What is stored of a token. Tokens carry 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def same_secret(left: str, right: str) -> bool:
    """Compare without telling by the time taken how much agrees."""
    return hmac.compare_digest(left.encode(), right.encode())


def begin(session: Session, account: Account, now: datetime) -> tuple[str, str]:
    """A new session's token and CSRF token; drops sessions that are over."""
    if ages_hold(session, now):
        session.execute(delete(AccountSession).where(AccountSession.expires <= now))
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    session.add(
        AccountSession(
            token_sha256=digest(token),
            account_id=account.id,
            csrf=csrf,
            created=now,
            used=now,
            expires=now + ABSOLUTE,
        )
    )
    return token, csrf


def resume(services: Services, token: str) -> SignedIn:
    """The session of a token. Raises ``NotSignedIn`` where it is unknown or over."""
    now = services.now()
    with reading(services.sessions) as session:
        row = session.execute(_HELD, {"digest": digest(token)}).one_or_none()
        if row is None:
            raise NotSignedIn("This session is not known (any more); sign in again.")
        held, account = row
        if _is_over(held, account, now):
            raise NotSignedIn("This session is over; sign in again.")
        reader = reader_of(session, account, now)
    if held.used + _TOUCH <= now:
        with writing(services.sessions) as session:
            session.execute(
                update(AccountSession)
                .where(AccountSession.token_sha256 == held.token_sha256, AccountSession.used < now)
                .values(used=now)
            )
    return SignedIn(held.token_sha256, held.csrf, account, reader)


def _is_over(held: AccountSession, account: Account, now: datetime) -> bool:
    return not account.active or held.expires <= now or held.used + IDLE <= now


def readers_of_sessions(services: Services, tokens: Collection[str]) -> dict[str, Reader]:
    """What the sessions of these digests may see right now, without those that are unknown or
    over. Two statements, however many, and it counts as use."""
    if not tokens:
        return {}
    now = services.now()
    with services.sessions() as session:
        rows = session.execute(
            select(AccountSession, Account)
            .join(Account, Account.id == AccountSession.account_id)
            .where(AccountSession.token_sha256.in_(tokens))
        ).all()
        living = [(held, account) for held, account in rows if not _is_over(held, account, now)]
        readers = readers_of(session, [account for _, account in living], now)
    untouched = [held.token_sha256 for held, _ in living if held.used + _TOUCH <= now]
    if untouched:
        with writing(services.sessions) as session:
            session.execute(
                update(AccountSession)
                .where(AccountSession.token_sha256.in_(untouched), AccountSession.used < now)
                .values(used=now)
            )
    return {held.token_sha256: readers[account.id] for held, account in living}


def end(services: Services, token_sha256: str) -> None:
    """Sign out."""
    with writing(services.sessions) as session:
        end_one(session, token_sha256, services.now())


def end_one(session: Session, token_sha256: str, now: datetime) -> None:
    """One session, in the caller's transaction, with what was opened in it."""
    session.execute(delete(AccountSession).where(AccountSession.token_sha256 == token_sha256))
    for room in records_of(session):
        room.signed_out(session, None, token_sha256, now)


def end_all(session: Session, account_id: int, now: datetime) -> None:
    """Every session of an account, in the caller's transaction, with what was opened in them."""
    session.execute(delete(AccountSession).where(AccountSession.account_id == account_id))
    for room in records_of(session):
        room.signed_out(session, account_id, None, now)


def gateway_of_token(services: Services, token: str) -> str | None:
    """Whose token this is."""
    with services.sessions() as session:
        return session.scalar(
            select(GatewayToken.gateway).where(GatewayToken.token_sha256 == digest(token))
        )
