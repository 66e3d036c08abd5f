"""Accounts and sign-in: what the command line, the seed and the routes share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.identity import passwords, sessions
from vigil_cloud.identity.audit import append
from vigil_cloud.identity.errors import (
    AccountExists,
    TooManyAttempts,
    UnknownAccount,
    WrongPassword,
)
from vigil_cloud.identity.models import Account, GatewayToken, LoginAttempt
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services

MAX_FAILURES: Final = 5
WINDOW: Final = timedelta(minutes=5)


def account_named(session: Session, username: str) -> Account:
    """Raises ``UnknownAccount``."""
    account = session.scalar(select(Account).where(Account.username == username))
    if account is None:
        raise UnknownAccount(f"There is no account {username!r}.")
    return account


def add_account(
    session: Session,
    *,
    username: str,
    roles: Iterable[Role],
    now: datetime,
    password: str = "",
    password_hash: str = "",
    display_name: str = "",
    email: str = "",
    language: str = "zh-TW",
    demo: bool = False,
) -> Account:
    """Give a password, or the hash of one that was checked elsewhere.

    Raises ``AccountExists`` and, outside the demo, ``WeakPassword``.
    """
    if session.scalar(select(Account.id).where(Account.username == username)) is not None:
        raise AccountExists(f"The user name {username!r} is taken.")
    if not password_hash and (not demo or not password):
        passwords.check_strength(username, password)
    account = Account(
        username=username,
        display_name=display_name or username,
        email=email,
        language=language,
        roles=sorted(Role(role).value for role in roles),
        password_hash=password_hash or passwords.hash_password(password),
        active=True,
        created=now,
    )
    session.add(account)
    session.flush()
    append(session, at=now, account=username, action="account.added", subject=username)
    return account


def set_gateway_token(session: Session, gateway: str, token: str, now: datetime) -> None:
    """Give a gateway its token, in place of an older one."""
    session.execute(delete(GatewayToken).where(GatewayToken.gateway == gateway))
    session.add(GatewayToken(gateway=gateway, token_sha256=sessions.digest(token), created=now))


def sign_in(services: Services, username: str, password: str, address: str) -> tuple[str, str]:
    """The tokens of a new session: cookie and CSRF.

    Raises ``WrongPassword``, or ``TooManyAttempts`` after five failures within five
    minutes from one address for one name (whether or not the name exists).
    """
    now = services.now()
    key = hashlib.sha256(f"{username.lower()}\0{address}".encode()).hexdigest()
    with services.sessions() as session:
        _refuse_if_blocked(session.get(LoginAttempt, key), now)
        account = session.scalar(select(Account).where(Account.username == username))
    # Outside any transaction: this takes long on purpose.
    fits = passwords.verify(account.password_hash if account else None, password)
    with writing(services.sessions) as session:
        if account is None or not fits or not account.active:
            _count_failure(session, key, now)
        else:
            session.execute(delete(LoginAttempt).where(LoginAttempt.key == key))
            if passwords.outdated(account.password_hash):
                session.merge(account).password_hash = passwords.hash_password(password)
            tokens = sessions.begin(services, session, account)
            append(session, at=now, account=username, action="session.begun", subject=username)
            return tokens
    raise WrongPassword("User name or password is wrong.")


def _refuse_if_blocked(attempt: LoginAttempt | None, now: datetime) -> None:
    if attempt is None or attempt.failures < MAX_FAILURES:
        return
    left = attempt.window_started + WINDOW - now
    if left > timedelta(0):
        seconds = math.ceil(left.total_seconds())
        raise TooManyAttempts(
            f"Too many failed attempts; wait {seconds} seconds.", {"Retry-After": str(seconds)}
        )


def _count_failure(session: Session, key: str, now: datetime) -> None:
    session.execute(delete(LoginAttempt).where(LoginAttempt.window_started <= now - WINDOW))
    attempt = session.get(LoginAttempt, key, with_for_update=True)
    if attempt is None:
        session.add(LoginAttempt(key=key, failures=1, window_started=now))
    else:
        attempt.failures += 1
