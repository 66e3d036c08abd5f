"""What the simulated devices really produced: the truth that a test counts against.

One SQLite file in WAL mode, appended by the simulators and read by anyone at
the same time. Appends are gathered and written in batches.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

_SCHEMA = """
CREATE TABLE IF NOT EXISTS produced (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    gateway TEXT NOT NULL,
    device TEXT NOT NULL,
    parameter TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    value REAL,
    id TEXT NOT NULL
)
"""
_INSERT = (
    "INSERT INTO produced (kind, gateway, device, parameter, time_us, value, id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_COLUMNS = "kind, gateway, device, parameter, time_us, value, id"


class Entry(NamedTuple):
    """One produced thing.

    ``kind``: ``reading`` (a logger's value), ``sample`` (a polled sonde's measurement),
    ``excursion-onset``/``excursion-end``, ``advert``, ``tag-read``, ``smoke``, …
    ``time_us`` is the device's own time stamp, µs since 1970 UTC.
    """

    kind: str
    gateway: str
    device: str
    parameter: str
    time_us: int
    value: float | None
    id: str


class Ledger:
    """Appends entries from any thread; ``flush`` (also ``close``) makes them readable.

    They become readable by themselves within ``batch`` appends, or with the first
    append after ``flush_after_s``.
    """

    def __init__(self, path: Path, *, batch: int = 1000, flush_after_s: float = 0.5) -> None:
        self.path = path
        self._batch = batch
        self._flush_after_s = flush_after_s
        self._pending: list[Entry] = []
        self._flushed_at = time.monotonic()
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA busy_timeout=10000")
        self._database.execute(_SCHEMA)

    def append(  # noqa: PLR0913 - columns of one line
        self,
        kind: str,
        gateway: str,
        device: str,
        parameter: str,
        time_us: int,
        value: float | None = None,
        id: str = "",
    ) -> None:
        """Note one produced thing."""
        with self._lock:
            self._pending.append(Entry(kind, gateway, device, parameter, time_us, value, id))
            due = time.monotonic() - self._flushed_at > self._flush_after_s
            if due or len(self._pending) >= self._batch:
                self._write()

    def flush(self) -> None:
        """Everything appended so far is readable once this returns."""
        with self._lock:
            self._write()

    def close(self) -> None:
        """Flush and let go of the file."""
        with self._lock:
            try:
                self._write()
            finally:
                self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self) -> None:
        self._flushed_at = time.monotonic()
        if not self._pending:
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(_INSERT, self._pending)
            self._database.execute("COMMIT")
        except BaseException:
            # Nothing of it is noted, and all of it is tried again with the next.
            self._database.rollback()
            raise
        self._pending.clear()


class LedgerReader:
    """Counts and lists a ledger that another process may still be writing."""

    def __init__(self, path: Path) -> None:
        # Escaped: a folder's name may have a question mark in it.
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)

    def count(
        self, kind: str | None = None, device: str | None = None, gateway: str | None = None
    ) -> int:
        """How many entries match."""
        where, values = _where(kind, device, gateway)
        row = self._database.execute(f"SELECT count(*) FROM produced{where}", values).fetchone()  # noqa: S608  # the clause is built from constants below
        return int(row[0])

    def entries(
        self, kind: str | None = None, device: str | None = None, gateway: str | None = None
    ) -> Iterator[Entry]:
        """The matching entries in the order in which they were produced."""
        where, values = _where(kind, device, gateway)
        query = f"SELECT {_COLUMNS} FROM produced{where} ORDER BY number"  # noqa: S608  # as above
        for row in self._database.execute(query, values):
            yield Entry(*row)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _where(kind: str | None, device: str | None, gateway: str | None) -> tuple[str, list[str]]:
    asked = {"kind": kind, "device": device, "gateway": gateway}
    chosen = {column: value for column, value in asked.items() if value is not None}
    if not chosen:
        return "", []
    return " WHERE " + " AND ".join(f"{column} = ?" for column in chosen), list(chosen.values())
