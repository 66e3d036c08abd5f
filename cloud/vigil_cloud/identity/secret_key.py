"""Which secret key a database is sealed with: noted at first use, asked at each start, changed.

A service that started with another key would seal new names and addresses with it and
could open none of the old: one database under two keys. So the key's fingerprint stands
in the database, and nothing that opens it starts with a key that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import Column, Engine, Table, bindparam, delete, func, inspect, select, update
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.database.base import Sealed
from vigil_cloud.database.engine import writing
from vigil_cloud.database.registry import metadata
from vigil_cloud.database.upsert import insert
from vigil_cloud.identity import audit, kept_keys
from vigil_cloud.identity.cipher import BY_SECRET_KEY, Cipher, Undecipherable
from vigil_cloud.identity.models import AccountSession, SecretKeyMark
from vigil_schemas.errors import VigilError

LOOKED_AT: Final = 100
"""So many values per column tell whose an older database is, which bears no fingerprint."""
_PAGE: Final = 500


class WrongSecretKey(VigilError):
    """The database is sealed with another secret key."""

    code: ClassVar[str] = "wrong-secret-key"
    remedy: ClassVar[str] = (
        "Start with the key that the database was sealed with; `vigil-cloud secret-key adopt` "
        "if it has never had one."
    )


@dataclass(slots=True)
class Rotation:
    """What a change of the key did; all zero where it had been done before."""

    already: bool = False
    columns: dict[str, int] = field(default_factory=dict)
    """Values sealed anew, by ``table.column``."""
    sessions_ended: int = 0
    codes_ended: dict[str, int] = field(default_factory=dict)
    """Printed codes and links that fit no more, by ``table.column``."""


def sealed_columns() -> list[tuple[Table, Column[Any], str]]:
    """Every column that the secret key seals, with its purpose, found by its type."""
    return [
        (table, column, column.type.purpose)
        for table in metadata().sorted_tables
        for column in table.columns
        if isinstance(column.type, Sealed)
    ]


def check(engine: Engine, sessions: sessionmaker[Session], secret: str, now: datetime) -> None:
    """Raises ``WrongSecretKey``; notes the key where none was noted. Does nothing before the
    tables are there."""
    if not inspect(engine).has_table(SecretKeyMark.__tablename__):
        return
    cipher = Cipher(secret)
    with sessions() as session:
        if _fits(session, cipher):
            return
    with writing(sessions) as session:
        _first_use(session, cipher, now)


def require(session: Session, cipher: Cipher) -> None:
    """For whoever is about to seal something, in their transaction: another process may have
    changed the key meanwhile. Raises ``WrongSecretKey``."""
    _fits(session, cipher)


def _first_use(session: Session, cipher: Cipher, now: datetime) -> None:
    if _fits(session, cipher):
        return
    _opens_what_is_there(session, cipher)
    session.execute(
        insert(session, SecretKeyMark)
        .values(id=1, fingerprint=cipher.fingerprint(), since=now)
        .on_conflict_do_nothing()
    )
    _fits(session, cipher)  # another process may have been first, with another key


def _fits(session: Session, cipher: Cipher) -> bool:
    """Whether it is the noted key; ``False`` where none is. Raises ``WrongSecretKey``."""
    # A change of the key waits for us, and we for it.
    noted = session.scalar(select(SecretKeyMark.fingerprint).with_for_update(read=True))
    if noted not in (None, cipher.fingerprint()):
        raise WrongSecretKey(
            "this database is sealed with another VIGIL_SECRET_KEY; start with that one, or"
            " change it with `vigil-cloud secret-key rotate`"
        )
    return noted is not None


def _opens_what_is_there(session: Session, cipher: Cipher) -> None:
    opened = failed = 0
    for table, column, purpose in sealed_columns():
        rows = session.scalars(
            select(column).select_from(table).where(column.is_not(None)).limit(LOOKED_AT)
        )
        for sealed in rows:
            if sealed[:1] != BY_SECRET_KEY:
                continue
            try:
                cipher.open_bytes(purpose, sealed)
                opened += 1
            except Undecipherable:
                failed += 1
    if failed:
        raise WrongSecretKey(
            f"{failed} of {opened + failed} sealed values cannot be opened with this"
            " VIGIL_SECRET_KEY: start with the key that sealed them; where it is lost or the"
            " database was used with several, `vigil-cloud secret-key adopt` takes this one"
        )


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a key that was taken though it does not open everything has cost."""

    lost: int
    """Sealed values that it does not open."""
    codes_ended: dict[str, int]
    """As of ``Rotation``."""


def adopt(session: Session, cipher: Cipher, *, by: str, now: datetime) -> Adoption:
    """Take this key as the database's though it may not open everything: what it does not
    open stays unreadable until it is written anew, and printed codes whose key it does not open
    have to be printed anew."""
    lost = 0
    noted = session.scalar(select(SecretKeyMark.fingerprint).with_for_update())
    for table, column, purpose in sealed_columns():
        for rows in _pages(session, table, column):
            for row in rows:
                try:
                    cipher.open_bytes(purpose, row[-1])
                except Undecipherable:
                    lost += 1
    another = noted not in (None, cipher.fingerprint())
    ended = kept_keys.give_up_lost(session, cipher, now, other_key=another)
    _note(session, cipher, now)
    detail = {"lost": lost, "codes": sum(ended.values())}
    audit.append(
        session, at=now, account=by, action="secret-key.adopted", subject="", detail=detail
    )
    return Adoption(lost, ended)


def rotate(
    session: Session,
    old: Cipher,
    new: Cipher,
    *,
    by: str,
    now: datetime,
    end_codes: bool = False,
) -> Rotation:
    """Seal everything anew, in the caller's transaction: all of it or nothing.

    Sessions end: a key is changed when somebody may have had it. Values under a person's own
    key stay as they are; that key is sealed anew. Printed codes and links go on fitting, unless
    ``end_codes``. Raises ``WrongSecretKey``, ``Undecipherable``.
    """
    done = Rotation()
    noted = session.scalar(select(SecretKeyMark.fingerprint).with_for_update())
    if noted == new.fingerprint():
        done.already = True
        return done
    _first_use(session, old, now)
    for table, column, purpose in sealed_columns():
        count = 0
        for rows in _pages(session, table, column):
            _seal_anew(session, table, column, purpose, rows, old, new)
            count += len(rows)
        done.columns[f"{table.name}.{column.name}"] = count
    kept_keys.keep(session, old, new, now)
    if end_codes:
        done.codes_ended = kept_keys.give_up(session, new, now)
    done.sessions_ended = session.scalar(select(func.count()).select_from(AccountSession)) or 0
    session.execute(delete(AccountSession))
    _note(session, new, now)
    audit.append(
        session,
        at=now,
        account=by,
        action="secret-key.rotated",
        subject="",
        detail={
            "sealed": sum(done.columns.values()),
            "sessions": done.sessions_ended,
            "codes": sum(done.codes_ended.values()),
        },
    )
    return done


def _note(session: Session, cipher: Cipher, now: datetime) -> None:
    values = {"fingerprint": cipher.fingerprint(), "since": now}
    session.execute(
        insert(session, SecretKeyMark)
        .values(id=1, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


def _pages(session: Session, table: Table, column: Column[Any]) -> Iterator[list[Any]]:
    """The rows with a value under the secret key: primary key, then value; page by page."""
    keys = list(table.primary_key.columns)
    after: Any = None
    while True:
        query = select(*keys, column).where(column.is_not(None)).order_by(*keys).limit(_PAGE)
        if after is not None:
            query = query.where(keys[0] > after)
        rows = session.execute(query).all()
        yield [row for row in rows if row[-1][:1] == BY_SECRET_KEY]
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def _seal_anew(  # noqa: PLR0913 - a column, its rows, from which key to which
    session: Session,
    table: Table,
    column: Column[Any],
    purpose: str,
    rows: list[Any],
    old: Cipher,
    new: Cipher,
) -> None:
    if not rows:
        return
    key = next(iter(table.primary_key.columns))
    statement = update(table).where(key == bindparam("which"))
    session.connection().execute(
        statement.values({column: bindparam("sealed_anew")}),
        [
            {
                "which": row[0],
                "sealed_anew": new.seal_bytes(purpose, old.open_bytes(purpose, row[-1])),
            }
            for row in rows
        ],
    )
