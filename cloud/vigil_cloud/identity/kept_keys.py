"""Keyed hashes that outlive a change of the secret key.

What is printed on an amulet, hangs on a wall as a QR code or is known by heart cannot be changed
together with the secret key. Its hashes are made under a key of their own: that which follows from
the first secret key, until that is changed; from then on it is kept, sealed like everything else.

Whoever has had a secret key and a copy of the database can find out short codes, now and after
the change: ``rotate`` with ``end_codes`` gives all of them up. So does ``adopt`` with those whose
key cannot be opened. What then no longer fits counts by its ``number`` and is told to whoever can
mend it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Table, func, select
from sqlalchemy.orm import Session, object_session

from vigil_cloud.database.base import Base, KeptHash
from vigil_cloud.database.registry import metadata
from vigil_cloud.identity.cipher import Cipher, Undecipherable, hash_under
from vigil_cloud.identity.models import KeptKey

KEY: Final = "kept.key"
FIRST: Final = 1
_KEY_BYTES: Final = 32


def kept_hash(session: Session, cipher: Cipher, purpose: str, content: bytes) -> bytes:
    """As ``Cipher.keyed_hash``, under the purpose's own key. Raises ``Undecipherable``."""
    return hash_under(key_of(session, cipher, purpose), content)


def key_of(session: Session, cipher: Cipher, purpose: str) -> bytes:
    """The key that counts now. Raises ``Undecipherable``."""
    row = session.get(KeptKey, purpose)
    return cipher.hash_key(purpose) if row is None else bytes.fromhex(cipher.open(KEY, row.key))


def session_of(row: Base) -> Session:
    """In which a row was read: its hash needs another row."""
    session = object_session(row)
    if session is None:
        raise ValueError("the row belongs to no session")
    return session


def number_of(session: Session, purpose: str) -> int:
    """Of the key that counts now: what was hashed under an earlier one fits no more."""
    row = session.get(KeptKey, purpose)
    return FIRST if row is None else row.number


def columns() -> list[tuple[Table, Column[Any], str]]:
    """Every column of such hashes, with its purpose, found by its type."""
    return [
        (table, column, column.type.purpose)
        for table in metadata().sorted_tables
        for column in table.columns
        if isinstance(column.type, KeptHash)
    ]


def keep(session: Session, old: Cipher, new: Cipher, now: datetime) -> None:
    """The secret key is about to be changed: whatever was hashed under it goes on fitting."""
    for purpose, many in _hashed(session).items():
        if many and session.get(KeptKey, purpose) is None:
            _put(session, new, purpose, FIRST, old.hash_key(purpose), now)


def give_up(session: Session, cipher: Cipher, now: datetime) -> dict[str, int]:
    """None of what was hashed fits any more; how many values that is, by ``table.column``."""
    for purpose, many in _hashed(session).items():
        if many or session.get(KeptKey, purpose) is not None:
            _renew(session, cipher, purpose, now)
    ended = {
        f"{table.name}.{column.name}": _count(session, column) for table, column, _ in columns()
    }
    return {name: many for name, many in ended.items() if many}


def give_up_lost(
    session: Session, cipher: Cipher, now: datetime, *, other_key: bool
) -> dict[str, int]:
    """What was hashed under keys that cannot be opened fits no more; how many values that is, by
    ``table.column``. ``other_key``: the database was under another secret key until now."""
    lost: dict[str, int] = {}
    for purpose, many in _hashed(session).items():
        row = session.get(KeptKey, purpose)
        fits = _opens(cipher, row) if row is not None else not (many and other_key)
        if fits:
            continue
        _renew(session, cipher, purpose, now)
        for table, column in _of(purpose):
            lost[f"{table.name}.{column.name}"] = _count(session, column)
    return {name: many for name, many in lost.items() if many}


def _of(purpose: str) -> Iterator[tuple[Table, Column[Any]]]:
    return ((table, column) for table, column, said in columns() if said == purpose)


def _hashed(session: Session) -> dict[str, int]:
    """How many values there are, by purpose."""
    found: dict[str, int] = {}
    for _, column, purpose in columns():
        found[purpose] = found.get(purpose, 0) + _count(session, column)
    return found


def _count(session: Session, column: Column[Any]) -> int:
    query = select(func.count()).select_from(column.table).where(column.is_not(None))
    return session.scalar(query) or 0


def _opens(cipher: Cipher, row: KeptKey) -> bool:
    try:
        cipher.open(KEY, row.key)
    except Undecipherable:
        return False
    return True


def _renew(session: Session, cipher: Cipher, purpose: str, now: datetime) -> None:
    number = number_of(session, purpose) + 1
    _put(session, cipher, purpose, number, os.urandom(_KEY_BYTES), now)


def _put(
    session: Session, cipher: Cipher, purpose: str, number: int, key: bytes, now: datetime
) -> None:
    sealed = cipher.seal(KEY, key.hex())
    session.merge(KeptKey(purpose=purpose, number=number, key=sealed, since=now))
    session.flush()
