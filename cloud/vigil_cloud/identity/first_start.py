"""The first account, made in a browser: only while there is none, only with the setup code.

The code is made as a service starts on a database without accounts, and stands in its log alone:
whoever reads that could make an account on the command line as well. Of the code only a keyed
hash is kept, one row, so that every process of the API knows the same. It ends with the first
account, however that was made.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import ClassVar, Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert
from vigil_cloud.identity import audit, passwords
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import Account, SetupCode
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import add_account
from vigil_cloud.identity.sessions import same_secret
from vigil_cloud.services import Services
from vigil_cloud.typed_codes import LETTERS, plain

CHARACTERS: Final = 16
ROLES: Final = (Role.ADMINISTRATOR, Role.MAINTAINER)
_PURPOSE: Final = "setup code v1"
_log = structlog.get_logger(__name__)


class SetupClosed(ApiError):
    """There is an account already."""

    code: ClassVar[str] = "setup-closed"
    remedy: ClassVar[str] = "Sign in; an administrator makes further accounts."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("This cloud has been set up: somebody has an account.")


class SetupCodeWrong(ApiError):
    """It is not the one in the log of the service."""

    code: ClassVar[str] = "setup-code-wrong"
    remedy: ClassVar[str] = (
        "Copy the setup code from the newest start in the service's log (`journalctl -u"
        " vigil-cloud`)."
    )
    status: ClassVar[int] = 403

    def __init__(self) -> None:
        super().__init__("This is not the setup code; the newest one is in the service's log.")


def is_open(session: Session) -> bool:
    """Whether nobody has an account."""
    return session.scalar(select(Account.id).limit(1)) is None


def offer(sessions: sessionmaker[Session], cipher: Cipher, now: datetime) -> str | None:
    """A new setup code, in the log, where nobody has an account; it takes the place of an earlier
    one. ``None`` where somebody has."""
    with sessions() as session:
        if not is_open(session):
            return None
    code = "".join(secrets.choice(LETTERS) for _ in range(CHARACTERS))
    values = {"code_hash": _hashed(cipher, code), "made": now}
    with writing(sessions) as session:
        session.execute(
            insert(session, SetupCode)
            .values(id=1, **values)
            .on_conflict_do_update(index_elements=["id"], set_=values)
        )
    printed = "-".join(code[at : at + 4] for at in range(0, CHARACTERS, 4))
    _log.warning("setup-code", code=printed, use="open the cloud's address in a browser")
    return printed


def make_administrator(
    services: Services, typed: str, username: str, password: str, language: str
) -> None:
    """The first account. Raises ``SetupClosed``, ``SetupCodeWrong``, ``WeakPassword``,
    ``TooBusy``."""
    now = services.now()
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        _require(session, cipher, typed)
    passwords.check_strength(username, password)
    with passwords.turn():
        hashed = passwords.hash_password(password)
    with writing(services.sessions) as session:
        _require(session, cipher, typed)  # another browser may have been quicker
        add_account(
            session,
            username=username,
            roles=ROLES,
            now=now,
            password_hash=hashed,
            language=language,
        )
        session.execute(delete(SetupCode))
        audit.append(session, at=now, account=username, action="account.first", subject=username)


def _require(session: Session, cipher: Cipher, typed: str) -> None:
    kept = session.scalar(select(SetupCode.code_hash).with_for_update())
    if not is_open(session):
        raise SetupClosed
    if kept is None or not same_secret(kept, _hashed(cipher, plain(typed))):
        raise SetupCodeWrong


def _hashed(cipher: Cipher, code: str) -> str:
    return cipher.keyed_hash(_PURPOSE, code.encode()).hex()
