"""Accounts and sign-in: what the command line, the seed and the routes share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from vigil_cloud.database.changes import announce_rights
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import attempts, passwords, sessions
from vigil_cloud.identity.audit import append, lock
from vigil_cloud.identity.errors import (
    AccountExists,
    LastAdministrator,
    UnknownAccount,
    WrongPassword,
)
from vigil_cloud.identity.leaving import let_go
from vigil_cloud.identity.models import Account, Consent, GatewayToken, Guardian
from vigil_cloud.identity.personal_records import lock_all, records_of
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services

_REFUSAL: Final = "User name or password is wrong."
_log = structlog.get_logger(__name__)


def find_account(session: Session, username: str) -> Account | None:
    """The account of this user name."""
    return session.scalar(select(Account).where(Account.username == username))


def account_named(session: Session, username: str) -> Account:
    """Raises ``UnknownAccount``."""
    account = find_account(session, username)
    if account is None:
        raise UnknownAccount(username)
    return account


def add_account(  # noqa: PLR0913 - columns of one account, all by name
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
    # Nor one that differs in capitals alone: who did what is told by this name.
    same = func.lower(Account.username) == username.lower()
    if (there := session.scalar(select(Account.username).where(same).limit(1))) is not None:
        raise AccountExists(there)
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


def sign_in(
    services: Services, username: str, password: str, address: str, before: str | None = None
) -> tuple[str, str]:
    """The tokens of a new session: cookie and CSRF. ``before`` is the cookie that the browser
    had; its session ends.

    Raises ``WrongPassword``; ``TooManyAttempts`` after five failures within five minutes from
    one place for one name (whether or not the name exists); ``TooBusy``.
    """
    now = services.now()
    with passwords.turn():
        account = _checked(services, username, password, address)
        renewed = _renewed(account, password)
    with writing(services.sessions) as session:
        account = _unchanged(session, account)
        attempts.forgive(session, attempts.limits(username, address))
        account.password_hash = renewed or account.password_hash
        if before:
            sessions.end_one(session, sessions.digest(before), now)
        tokens = sessions.begin(session, account, now)
        append(session, at=now, account=username, action="session.begun", subject=username)
    return tokens


def change_password(
    services: Services, username: str, current: str, new: str, address: str
) -> tuple[str, str]:
    """The tokens of the only session that is left afterwards.

    Raises what ``sign_in`` raises (a stolen session must not serve to guess the password)
    and, outside the demo, ``WeakPassword``.
    """
    now = services.now()
    if not services.settings.demo:
        passwords.check_strength(username, new)
    with passwords.turn():
        account = _checked(services, username, current, address)
        new_hash = passwords.hash_password(new)
    with writing(services.sessions) as session:
        account = _unchanged(session, account)
        attempts.forgive(session, attempts.limits(username, address))
        _replace_password(session, account, new_hash, by=username, now=now)
        return sessions.begin(session, account, now)


def change_profile(
    session: Session, username: str, display_name: str, language: str, *, now: datetime
) -> Account:
    """One's own name and language, in which one is also told of alerts. The same again changes
    nothing. Raises ``UnknownAccount``."""
    account = account_named(session, username)
    before = (account.display_name, account.language)
    account.display_name, account.language = display_name.strip() or username, language
    if before != (account.display_name, account.language):
        session.flush()
        append(session, at=now, account=username, action="account.changed", subject=username)
    return account


def set_roles(
    session: Session, account: Account, roles: Iterable[Role], *, by: str, now: datetime
) -> None:
    """Takes effect with the next request; what it may no longer act on is left to others. The same
    again changes nothing. Whoever holds the audit log and takes a role away has called
    ``lock_all`` before."""
    wanted = sorted(Role(role).value for role in roles)
    if account.roles == wanted:
        return
    fewer = not set(account.roles) <= set(wanted)
    if fewer:
        lock_all(session)
    before, account.roles = account.roles, wanted
    if fewer:
        let_go(session, account, "roles", by=by, now=now)
    append(
        session,
        at=now,
        account=by,
        action="account.roles",
        subject=account.username,
        detail={"before": before, "after": wanted},
    )


def set_password(
    session: Session, username: str, password: str, *, by: str, now: datetime, demo: bool = False
) -> None:
    """What an operator does for somebody who forgot theirs; ends the account's sessions.

    Raises ``UnknownAccount`` and, outside the demo, ``WeakPassword``.
    """
    account = account_named(session, username)
    if not demo or not password:
        passwords.check_strength(username, password)
    _replace_password(session, account, passwords.hash_password(password), by=by, now=now)


def set_active(session: Session, username: str, active: bool, *, by: str, now: datetime) -> None:
    """Close an account, which ends its sessions and notifications and leaves what it had in hand
    to others, or open it again. Whoever holds the audit log has called ``lock_all`` before.

    Raises ``UnknownAccount``.
    """
    if not active:
        lock_all(session)
    account = account_named(session, username)
    account.active = active
    if not active:
        session.flush()
        sessions.end_all(session, account.id, now)
        let_go(session, account, "closed", by=by, now=now)
    done = "account.opened" if active else "account.closed"
    append(session, at=now, account=by, action=done, subject=username)


def accounts(session: Session) -> list[Account]:
    """Everybody who may sign in or could, by user name."""
    return list(session.scalars(select(Account).order_by(Account.username)))


def remove_account(session: Session, username: str, *, by: str, now: datetime) -> None:
    """With its sessions, consents, guardianships, channels and cases that it was let in to or had
    in hand; what it did stays in the log.

    Raises ``UnknownAccount``, and ``LastAdministrator``: nobody could undo that.
    """
    rooms = records_of(session)
    lock_all(session)
    lock(session)  # two administrators who remove each other: the second one finds a last one
    account = account_named(session, username)
    if Role.ADMINISTRATOR.value in account.roles and account.active:
        left = [
            other
            for other in accounts(session)
            if other.id != account.id and other.active and Role.ADMINISTRATOR.value in other.roles
        ]
        if not left:
            raise LastAdministrator(username)
    concerned = {
        *session.scalars(select(Consent.person_key).where(Consent.account_id == account.id)),
        *session.scalars(select(Guardian.person_key).where(Guardian.account_id == account.id)),
    }
    for person_key in (None, *sorted(concerned)):
        append(
            session,
            at=now,
            account=by,
            action="account.removed",
            subject=username,
            person_key=person_key,
        )
    account.active = False
    let_go(session, account, "removed", by=by, now=now)  # before its rows go with it
    session.execute(delete(Account).where(Account.id == account.id))
    for room in rooms:
        room.account_removed(session, username, now)
    announce_rights(session)


def sign_out_everywhere(services: Services, account_id: int, username: str) -> None:
    """End every session of an account, this one too."""
    now = services.now()
    with writing(services.sessions) as session:
        sessions.end_all(session, account_id, now)
        append(session, at=now, account=username, action="sessions.ended", subject=username)


def _checked(services: Services, username: str, password: str, address: str) -> Account:
    now = services.now()
    with writing(services.sessions) as session:
        attempts.count(session, attempts.limits(username, address), now)
        account = find_account(session, username)
    # Outside any transaction: this takes long on purpose.
    fits = passwords.verify(account.password_hash if account else None, password)
    if account is None or not fits or not account.active:
        # Without the name: people type their password there.
        _log.warning("sign-in-refused", address=address)
        raise WrongPassword(_REFUSAL)
    return account


def _unchanged(session: Session, checked: Account) -> Account:
    """The account as it is now; hashing took long enough to be closed or changed meanwhile."""
    account = session.get(Account, checked.id, with_for_update=True)
    if account is None or not account.active or account.password_hash != checked.password_hash:
        raise WrongPassword(_REFUSAL)
    return account


def _renewed(account: Account, password: str) -> str | None:
    """A hash with today's parameters, where the stored one was made with weaker ones."""
    if passwords.outdated(account.password_hash):
        return passwords.hash_password(password)
    return None


def _replace_password(
    session: Session, account: Account, password_hash: str, *, by: str, now: datetime
) -> None:
    account.password_hash = password_hash
    sessions.end_all(session, account.id, now)
    append(session, at=now, account=by, action="password.changed", subject=account.username)
