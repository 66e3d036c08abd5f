"""The home's code: with it whoever lives there says that nothing burns.

Kept as argon2id of a keyed hash, so that neither a copy of the database nor a short code tells it.
A guess is counted before it is looked at; after ``MOST_WRONG`` the code is locked for a while, the
home is told of it, and until then nothing takes an alarm back: 119 is called as if nobody had
answered. A code that was set after a fire began does not count for that fire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.at_home import Proof
from vigil_cloud.identity import audit, kept_keys, passwords
from vigil_cloud.identity.cipher import Cipher, hash_under
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.services import Services
from vigil_cloud.smoke import homes
from vigil_cloud.smoke.models import Fire, HomeSafety

MOST_WRONG: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)
DIGITS: Final = r"^[0-9]{4,12}$"
_PURPOSE: Final = "home safety code v1"


class CodeWrong(ApiError):
    """It is another code. ``left``: guesses until it is locked."""

    code: ClassVar[str] = "fire-code-wrong"
    remedy: ClassVar[str] = "Enter the home's code. If it burns, say so and get out."
    status: ClassVar[int] = 403

    def __init__(self, left: int) -> None:
        super().__init__("This is not the home's code.")
        self.left = left


class CodeLocked(ApiError):
    """Guessed too often. ``until``: when it counts again."""

    code: ClassVar[str] = "fire-code-locked"
    remedy: ClassVar[str] = "Get out, and call 119 by telephone if there is no fire."
    status: ClassVar[int] = 429

    def __init__(self, until: datetime, now: datetime) -> None:
        seconds = max(1, round((until - now).total_seconds()))
        super().__init__("The home's code is locked.", {"Retry-After": str(seconds)})
        self.until = until.isoformat()


class CodeNotSet(ApiError):
    """The home has set no code, or only after this fire began."""

    code: ClassVar[str] = "fire-code-not-set"
    remedy: ClassVar[str] = "Call 119 by telephone if there is no fire; set a code afterwards."
    status: ClassVar[int] = 409


class CodeWeak(ApiError):
    """Anybody would guess it."""

    code: ClassVar[str] = "fire-code-weak"
    remedy: ClassVar[str] = "Take 4 to 12 digits that are neither alike nor in a row."
    status: ClassVar[int] = 422


@dataclass(frozen=True, slots=True)
class Verified:
    """Says that the code of this household was given, and right."""

    household: str


def key_of(session: Session, cipher: Cipher) -> bytes:
    """Of the keyed hash: people know their code by heart, so it outlives the secret key."""
    return kept_keys.key_of(session, cipher, _PURPOSE)


def hashed(key: bytes, household: str, code: str) -> str:
    """As it is kept, under ``key_of``; takes long on purpose, so outside of transactions. Raises
    ``CodeWeak``."""
    if not re.fullmatch(DIGITS, code) or len(set(code)) < 2 or code in "0123456789876543210":
        raise CodeWeak("This code is easily guessed.")
    with passwords.turn():
        return passwords.hash_password(_keyed(key, household, code))


def put(session: Session, household: str, code_hash: str, *, by: str, now: datetime) -> None:
    """Set it (``hashed``), or another one. Who may has been checked."""
    row = homes.safety(session, household, lock=True)
    homes.end_lock(session, row, now, now)
    row.code_hash = code_hash
    row.code_set, row.code_set_by = now, by[:64]
    row.wrong, row.locked_until = 0, None
    session.flush()
    audit.append(session, at=now, account=by, action="home.code-set", subject=household)


def remove(session: Session, household: str, *, by: str, now: datetime) -> None:
    """Nobody can take an alarm back until another one is set. Idempotent."""
    row = homes.safety(session, household)
    if row.code_hash is None:
        return
    homes.end_lock(session, row, now, now)
    row.code_hash = row.code_set = row.code_set_by = row.locked_until = None
    row.wrong = 0
    session.flush()
    audit.append(session, at=now, account=by, action="home.code-removed", subject=household)


def needed(session: Session, fire: Fire) -> bool:
    """Whether this home has a code that counts for this fire."""
    row = session.get(HomeSafety, fire.household) if fire.household is not None else None
    return row is not None and row.code_hash is not None and _counts(row, fire.opened)


def check(
    services: Services, household: str, code: str, *, who: str, began: datetime | None
) -> Verified:
    """Whether it is the home's code. In transactions of its own, as looking takes long. ``began``:
    of the fire that it is to take back.

    Raises ``CodeNotSet``, ``CodeLocked``, ``CodeWrong``.
    """
    now, cipher = services.now(), Cipher(services.settings.secret)
    with writing(services.sessions) as session:
        row = homes.safety(session, household, lock=True)
        if row.code_hash is None or not _counts(row, began):
            raise CodeNotSet("This home had set no code as its alarm rang.")
        refused: ApiError | None = None
        if row.locked_until is not None and row.locked_until > now:
            refused = CodeLocked(row.locked_until, now)
            _audit(session, who, "home.code-locked", household, now)
        else:
            row.wrong += 1
        code_hash, wrong, key = row.code_hash, row.wrong, key_of(session, cipher)
    if refused is not None:
        raise refused
    with passwords.turn():
        right = passwords.verify(code_hash, _keyed(key, household, code))
    with writing(services.sessions) as session:
        row = homes.safety(session, household, lock=True)
        locked = row.locked_until is not None and row.locked_until > now
        if right and not locked and row.code_hash == code_hash and wrong <= MOST_WRONG:
            row.wrong = 0
            return Verified(household)
        _audit(session, who, "home.code-wrong", household, now)
        if wrong >= MOST_WRONG and not locked:
            homes.lock_code(session, row, now + LOCKED_FOR, now)
        if row.locked_until is not None and row.locked_until > now:
            refused = CodeLocked(row.locked_until, now)
        else:
            refused = CodeWrong(MOST_WRONG - wrong)
    services.changed.announce()
    raise refused


def require(verified: Proof, household: str | None) -> None:
    """Raises ``Forbidden`` where the proof is of another home."""
    if verified.household != household:
        raise Forbidden("This is the code of another home.")


def _audit(session: Session, who: str, action: str, household: str, now: datetime) -> None:
    audit.append(session, at=now, account=who[:64], action=action, subject=household)


def _counts(row: HomeSafety, began: datetime | None) -> bool:
    return began is None or (row.code_set is not None and row.code_set < began)


def _keyed(key: bytes, household: str, code: str) -> str:
    """Of no use without the key, and in no other home."""
    return hash_under(key, f"{household}\0{code}".encode()).hex()
