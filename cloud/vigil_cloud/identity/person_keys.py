"""Each person's own key: what is sealed for them can be made unreadable, copies and all.

Names are sealed under the person's key, and that key under the secret key (envelope
encryption). Erasing a person destroys the key; what a backup or the audit log still
holds of them is noise from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.identity import secret_key
from vigil_cloud.identity.cipher import Cipher, PersonCipher
from vigil_cloud.identity.models import PersonKey

PURPOSE: Final = "person.key"
_KEPT: Final = "loaded-with-person-keys"


class PersonErased(ApiError):
    """This person was erased; their pseudonym is never given again."""

    code: ClassVar[str] = "person-erased"
    remedy: ClassVar[str] = "Enrol under another key."
    status: ClassVar[int] = 409

    def __init__(self, person: str) -> None:
        super().__init__(f"Person {person!r} was erased; take another key for a new person.")
        self.person = person


def make(session: Session, cipher: Cipher, person_key: str, now: datetime) -> PersonCipher:
    """What seals for this person; a key is made for one who has none.

    Raises ``PersonErased``, ``WrongSecretKey``.
    """
    secret_key.require(session, cipher)
    row = session.get(PersonKey, person_key)
    if row is None:
        key = PersonCipher.new_key()
        sealed = cipher.seal_bytes(PURPOSE, key)
        session.add(PersonKey(person_key=person_key, sealed=sealed, created=now))
        session.flush()
        return PersonCipher(cipher, key)
    if row.sealed is None:
        raise PersonErased(person_key)
    return PersonCipher(cipher, cipher.open_bytes(PURPOSE, row.sealed))


def of(session: Session, cipher: Cipher, person_key: str) -> PersonCipher:
    """What opens this person's names. Raises ``Undecipherable``."""
    row = session.get(PersonKey, person_key)
    sealed = row.sealed if row is not None else None
    return PersonCipher(cipher, cipher.open_bytes(PURPOSE, sealed) if sealed else None)


def load(session: Session, person_keys: Iterable[str]) -> None:
    """Read many at once, so that ``of`` asks the database nothing afterwards."""
    wanted = sorted(set(person_keys))
    if wanted:
        query = select(PersonKey).where(PersonKey.person_key.in_(wanted))
        keep(session, session.scalars(query).all())


def keep(session: Session, rows: Iterable[object]) -> None:
    """As long as the session, which forgets at once what nobody else holds."""
    session.info.setdefault(_KEPT, []).extend(rows)


def renew(session: Session, cipher: Cipher, person_key: str, now: datetime) -> None:
    """Another key; what was sealed under the old one must be sealed anew in this transaction.

    Raises ``PersonErased``, ``WrongSecretKey``.
    """
    make(session, cipher, person_key, now)
    row = session.get_one(PersonKey, person_key)
    row.sealed = cipher.seal_bytes(PURPOSE, PersonCipher.new_key())
    session.flush()


def erased(session: Session, person_keys: Iterable[str]) -> set[str]:
    """Those whose key was destroyed."""
    query = select(PersonKey.person_key).where(
        PersonKey.person_key.in_(sorted(set(person_keys))), PersonKey.destroyed.is_not(None)
    )
    return set(session.scalars(query))


def destroy(session: Session, person_key: str, now: datetime) -> bool:
    """Whether there was a key. The pseudonym stays taken."""
    row = session.get(PersonKey, person_key, with_for_update=True)
    if row is None:
        session.add(PersonKey(person_key=person_key, sealed=None, created=now, destroyed=now))
        return False
    there = row.sealed is not None
    row.sealed, row.destroyed = None, row.destroyed or now
    return there
