"""Engines and sessions for SQLite and PostgreSQL, set so that both promise the same.

SQLite: WAL, every commit synced (a receipt says "stored for good"), foreign keys
enforced, and writers take their lock at the beginning, so that two of them wait for
each other instead of failing in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from vigil_cloud.database.changes import follow_commits
from vigil_cloud.database.gate import WriteGate
from vigil_cloud.database.idle import ask_those_that_rested
from vigil_cloud.database.wal import write_ahead

BUSY_TIMEOUT_S = 30.0
JOURNAL_BYTES: Final = 4 * 1024 * 1024
"""A journal that grew beyond this gives the room back."""
CONNECT_TIMEOUT_S = 5
URGENT: Final = "urgent"
"""In a session's ``info``: what it writes goes before everything else that this process writes."""
_GATE: Final = "write-gate"
_INSIDE: Final = "inside-write-gate"
_PATIENCE: Final = {
    "sqlite": {"patience_s": BUSY_TIMEOUT_S, "urgent_patience_s": BUSY_TIMEOUT_S},
    "postgresql": {"patience_s": 5.0, "urgent_patience_s": 0.2},
}
"""How long a writer waits for its turn in the queue of its process; see ``gate``."""
_RACES: Final = frozenset(
    {
        *("23505", "23503"),  # PostgreSQL: unique, foreign key
        "SQLITE_CONSTRAINT_UNIQUE",
        "SQLITE_CONSTRAINT_PRIMARYKEY",
        "SQLITE_CONSTRAINT_ROWID",
        "SQLITE_CONSTRAINT_FOREIGNKEY",
    }
)
_POSTGRESQL: Final = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    # A server that lost its power says nothing any more: without these, a thread that asked it
    # something waits for as long as the kernel does, a quarter of an hour or two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


def build_engine(url: str) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql+psycopg://…``; no connection is made yet.

    Its errors tell no values: they are logged, and values may be people's.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if address.database and address.database != ":memory:":
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            address,
            connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
            hide_parameters=True,
        )
        _set_up_sqlite(engine)
        return engine
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(
        address, hide_parameters=True, pool_size=10, max_overflow=10, connect_args=_POSTGRESQL
    )
    ask_those_that_rested(engine)
    return engine


def build_sessions(engine: Engine, **info: Any) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after a commit; ``info`` is for whoever they are
    handed to. Their writers take turns (``gate``), and what they change is announced
    (``changes``)."""
    gate = WriteGate(**_PATIENCE[engine.dialect.name])
    sessions = sessionmaker(engine, expire_on_commit=False, info={_GATE: gate, **info})
    follow_commits(sessions)
    return sessions


def database_is_away(error: BaseException) -> bool:
    """Whether the same transaction may succeed later: no connection, a lock, a deadlock.

    Tables that are not there yet count as well (``ProgrammingError`` on PostgreSQL).
    """
    if isinstance(error, DataError | IntegrityError):
        return False
    return isinstance(error, DBAPIError | PoolTimeout)


def lost_a_race(error: BaseException) -> bool:
    """Whether somebody else wrote first what this transaction meant to write (a row of the same
    key), or removed what it hangs on. What it wanted was decided on what is no longer so."""
    if not isinstance(error, IntegrityError):
        return False
    said = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", "")
    return said in _RACES


def lock_for_writing(session: Session) -> None:
    """Begin the session's transaction as a writer, when it is this session's turn.

    On SQLite a transaction that reads first and writes later fails with "database
    is locked" when another wrote in between; taking the lock first makes it wait.
    On PostgreSQL rows are locked where they are read.
    """
    _await_turn(session)
    if session.get_bind().dialect.name == "sqlite":
        session.connection(execution_options={"vigil_begin": "IMMEDIATE"})


def _await_turn(session: Session) -> None:
    gate = session.info.get(_GATE)
    if gate is None or _INSIDE in session.info:
        return
    if not session.in_transaction():
        session.begin()  # its end gives the turn to the next
    if gate.enter(urgent=bool(session.info.get(URGENT))):
        session.info[_INSIDE] = True


@event.listens_for(Session, "after_transaction_end")
def _give_up_turn(session: Session, transaction: SessionTransaction) -> None:
    """After the commit and after the connection was given back, however it ended."""
    if transaction.parent is None and _INSIDE in session.info:
        del session.info[_INSIDE]
        session.info[_GATE].leave()


@contextmanager
def writing(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One transaction that means to write from its beginning; commits at the end."""
    with sessions() as session, session.begin():
        lock_for_writing(session)
        yield session


@contextmanager
def reading(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A session that only reads.

    On PostgreSQL each statement sees what was committed when it began, in a transaction or not
    (READ COMMITTED); without one there is none to begin and to roll back, a round trip each, and
    what was prepared stays so (psycopg forgets it at every rollback).
    """
    with sessions() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


def forget_deleted(engine: Engine, *, compact_up_to: int = 0) -> bool:
    """Empty SQLite's write-ahead log, which holds pages as they were; with ``compact_up_to`` a
    file of at most so many bytes is also written anew, which leaves no old page at all.

    Whether all of it was done: a reader in the middle of its transaction keeps the log, and a
    larger file is not written anew because every writer would have to wait for it. PostgreSQL
    does both by itself (VACUUM, recycled WAL) in its own time.
    """
    if engine.dialect.name != "sqlite":
        return True
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - just connected
        pages = driver.execute("PRAGMA page_count").fetchone()[0]
        size = pages * driver.execute("PRAGMA page_size").fetchone()[0]
        compact = 0 < size <= compact_up_to
        if compact:
            driver.execute("VACUUM")
        busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    return not busy and (compact or not compact_up_to)


def ping(engine: Engine) -> None:
    """Raises an SQLAlchemy error where the database does not answer."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver must not open transactions by itself: BEGIN is sent below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
        write_ahead(cursor, BUSY_TIMEOUT_S)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        cursor.execute("PRAGMA foreign_keys = ON")
        # What is deleted is overwritten with zeros: erasing somebody means the file as well.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        mode = connection.get_execution_options().get("vigil_begin", "")
        connection.exec_driver_sql(f"BEGIN {mode}")
