"""The outbox's file: its tables, opened, checked, put aside where it is damaged; its reserve."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from vigil_schemas.errors import VigilError

_LAYOUT: Final = 1
_KEPT_ASIDE: Final = 2
"""Damaged files that are kept for a person to look at; the disk's bound holds for them too."""
_ROW: Final = (
    "type TEXT NOT NULL, subject TEXT NOT NULL, time_us INTEGER NOT NULL, quality TEXT NOT NULL,"
    " id TEXT, records INTEGER NOT NULL, body BLOB NOT NULL"
)
_TABLES: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lane (name TEXT PRIMARY KEY, issued INTEGER NOT NULL, lost INTEGER NOT NULL)"
    " WITHOUT ROWID",
    f"CREATE TABLE message (lane TEXT NOT NULL, sequence INTEGER NOT NULL, {_ROW})",
    "CREATE UNIQUE INDEX message_in_order ON message (lane, sequence)",
    f"CREATE TABLE waiting (ordinal INTEGER PRIMARY KEY AUTOINCREMENT, {_ROW})",
    "CREATE TABLE state (device TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (device, key)) WITHOUT ROWID",
    "CREATE TABLE loss (only INTEGER PRIMARY KEY CHECK (only = 1), rows INTEGER NOT NULL,"
    " oldest_us INTEGER NOT NULL, newest_us INTEGER NOT NULL)",
)
"""Of layout 1. ``message.sequence`` is a row's place in its lane; the numbers of this version
are in memory. ``meta.epoch``, ``loss`` and ``lane.issued`` serve a vigil-edge of before that
was put back: under that epoch it goes on with numbers that nobody else has given."""
_LOST: Final = (
    "CREATE TABLE IF NOT EXISTS lost (id TEXT PRIMARY KEY, lane TEXT NOT NULL,"
    " rows INTEGER NOT NULL, oldest_us INTEGER NOT NULL, newest_us INTEGER NOT NULL) WITHOUT ROWID"
)
"""Losses that were not told yet, by the id of the event that will tell them."""


class OutboxDamaged(VigilError):
    """The outbox file is not a whole database, or is of a newer version."""

    code: ClassVar[str] = "outbox-damaged"
    remedy: ClassVar[str] = (
        "The agent sets the file aside and begins a new one; keep the old file for whoever "
        "looks into it."
    )


def connect(path: Path, new_epoch: Callable[[], str]) -> sqlite3.Connection:
    """Open the file, or make it. Raises ``OutboxDamaged``, or ``sqlite3.Error`` for the disk."""
    # The thread that works with it is not the one that opens it; they never overlap.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database, new_epoch)
    except sqlite3.DatabaseError as error:
        database.close()
        if isinstance(error, sqlite3.OperationalError):
            raise  # locked, read-only, no room: the file itself may be whole
        raise OutboxDamaged(f"{path}: {error}") from error
    except VigilError:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, new_epoch: Callable[[], str]) -> None:
    execute = database.execute
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute("PRAGMA journal_size_limit = 16777216")
    version = execute("PRAGMA user_version").fetchone()[0]
    if version > _LAYOUT:
        raise OutboxDamaged(f"outbox layout {version} was written by a newer vigil-edge")
    verdict = execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise OutboxDamaged(f"outbox fails its integrity check: {verdict}")
    if version == 0:
        execute("BEGIN")
        for statement in _TABLES:
            execute(statement)
        execute("INSERT INTO meta VALUES ('epoch', ?), ('session', '0')", (new_epoch(),))
        execute(f"PRAGMA user_version = {_LAYOUT}")
        execute("COMMIT")
    execute(_LOST)
    if execute("SELECT 1 FROM loss").fetchone():
        execute("BEGIN")
        execute(
            "INSERT INTO lost SELECT lower(hex(randomblob(16))), 'observation', rows, oldest_us,"
            " newest_us FROM loss"
        )
        execute("DELETE FROM loss")
        execute("COMMIT")


def put_aside(path: Path) -> Path:
    """Rename a damaged file and what belongs to it; the oldest of earlier ones goes for it."""
    earlier = sorted(
        (int(number), found)
        for found in path.parent.glob(f"{path.name}.damaged-*")
        if (number := found.name.rpartition("-")[2]).isdigit()
    )
    for _, found in earlier[: max(0, len(earlier) + 1 - _KEPT_ASIDE)]:
        for suffix in ("-wal", "-shm", ""):
            found.with_name(found.name + suffix).unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}.damaged-{earlier[-1][0] + 1 if earlier else 1}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


class Reserve:
    """Room on the disk that is given up when the disk is full.

    SQLite writes its journal before it can free anything: without some room at that moment
    a disk that the outbox itself has filled would stay full for ever.
    """

    _MOST: Final = 8_000_000
    _LEAST: Final = 500_000
    _SHARE: Final = 4
    """The reserve is at most this fraction of what is free when it is first laid by."""
    _AGAIN: Final = 3
    """Once given up, it is laid by again when so many times its size are free."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        self.held = False

    def hold(self) -> bool:
        """Lay it by, unless it is held; false where the disk has too little. Raises ``OSError``."""
        if not self.held:
            self.held = self._adopted() or self._laid_by()
        return self.held

    def _adopted(self) -> bool:
        """Whether an earlier run has left its own."""
        found = self._path.stat().st_size if self._path.exists() else 0
        self.size = found or self.size
        return found >= self._LEAST

    def _laid_by(self) -> bool:
        free = shutil.disk_usage(self._path.parent).free
        size = self.size or min(self._MOST, free // self._SHARE)
        if size < self._LEAST or free < self._AGAIN * size:
            return False
        with self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        self.size = size
        return True

    def release(self) -> bool:
        """Give the room to whoever needs it now; false where there was none."""
        held = self._path.exists()
        if held:
            self.size = self._path.stat().st_size
            self._path.unlink()
        self.held = False
        return held
