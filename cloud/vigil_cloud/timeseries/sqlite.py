"""Readings in one SQLite file: the embedded default.

A series is a small number; a point's key is (series, microsecond), so that writing
it again replaces it. Every commit is synced before ``write`` returns.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from vigil_cloud.database.wal import write_ahead
from vigil_cloud.timeseries.port import Point, Sample, Series, TimeSeriesUnavailable
from vigil_schemas.senml import microseconds

_TABLES = """
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL, gateway TEXT NOT NULL, device TEXT NOT NULL, parameter TEXT NOT NULL,
  UNIQUE (device, parameter, gateway, domain)
);
CREATE TABLE IF NOT EXISTS point (
  series INTEGER NOT NULL REFERENCES series (id),
  time_us INTEGER NOT NULL,
  value REAL,
  flag INTEGER NOT NULL,
  PRIMARY KEY (series, time_us)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, at REAL NOT NULL);
"""
_WINDOWED = """
SELECT max(time_us - (time_us % :window), :start) AS at,
       avg(CASE WHEN flag NOT IN (4, 9) THEN value END),
       coalesce(max(CASE WHEN flag NOT IN (4, 9) THEN flag END), max(flag))
FROM point WHERE series = :series AND time_us >= :start AND time_us < :stop
GROUP BY time_us / :window ORDER BY at
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMPACT_UP_TO: Final = 256 * 1024 * 1024
"""A file of so many bytes is written anew after a deletion; for a larger one all writers would
have to wait. What was deleted is overwritten with zeros either way."""
DELETED_AT_ONCE: Final = 5_000
JOURNAL_BYTES: Final = 4 * 1024 * 1024
"""A journal that grew beyond this gives the room back."""
TOGETHER: Final = 5_000
"""Points of one transaction: what is written again is the same, and a small disk is not filled
by one journal."""
KEPT_OPEN: Final = 8
"""Connections that wait for the next call; more than that only exist while they are in use."""


class SqliteTimeSeries:
    """The ``TimeSeries`` port over one file; several processes may share it."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 30.0) -> None:
        """Raises ``TimeSeriesUnavailable`` where the file cannot be opened."""
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._ids: dict[Series, int] = {}
        self._generation = 0
        self._writing = threading.Lock()
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        with self._connection() as connection:
            connection.executescript(_TABLES)

    def __reduce__(self) -> tuple[object, ...]:
        return _opened, (self._path, self._busy_timeout_s)

    def write(self, points: Sequence[Point]) -> None:
        with self._writing, self._connection() as connection:
            for start in range(0, len(points), TOGETHER):
                self._write_together(connection, points[start : start + TOGETHER])

    def _write_together(self, connection: sqlite3.Connection, points: Sequence[Point]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        new: dict[Series, int] = {}
        try:
            self._follow_deletions(connection)
            rows = []
            ids = self._ids
            for series, time_us, value, flag in points:
                number = ids.get(series) or new.get(series)
                if number is None:
                    number = new[series] = self._enter(connection, series)
                rows.append((number, time_us, value, flag))
            connection.executemany(
                "INSERT INTO point (series, time_us, value, flag) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET value = excluded.value, flag = excluded.flag",
                rows,
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        ids.update(new)  # only now: a rolled-back id would point nowhere

    def _follow_deletions(self, connection: sqlite3.Connection) -> None:
        """Forget remembered numbers after somebody, here or elsewhere, has deleted a series."""
        generation = connection.execute("PRAGMA user_version").fetchone()[0]
        if generation != self._generation:
            self._ids = {}
            self._generation = generation

    @staticmethod
    def _enter(connection: sqlite3.Connection, series: Series) -> int:
        connection.execute(
            "INSERT INTO series (domain, gateway, device, parameter) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            series,
        )
        row = connection.execute(
            "SELECT id FROM series WHERE domain = ? AND gateway = ? AND device = ?"
            " AND parameter = ?",
            series,
        ).fetchone()
        return int(row[0])

    def read(
        self, series: Series, start: datetime, stop: datetime, *, window_s: float | None = None
    ) -> list[Sample]:
        number = self._number(series)
        if number is None:
            return []
        with self._connection() as connection:
            return _samples(connection, number, start, stop, window_s)

    def read_all(
        self, device: str, start: datetime, stop: datetime, *, window_s: float | None = None
    ) -> dict[Series, list[Sample]]:
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, domain, gateway, device, parameter FROM series WHERE device = ?"
                " ORDER BY parameter, gateway",
                (device,),
            ).fetchall()
            found = {
                Series(*row[1:]): _samples(connection, row[0], start, stop, window_s)
                for row in rows
            }
        return {series: samples for series, samples in found.items() if samples}

    def series(self, device: str) -> list[Series]:
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT domain, gateway, device, parameter FROM series WHERE device = ?"
                " ORDER BY parameter, gateway",
                (device,),
            ).fetchall()
        return [Series(*row) for row in rows]

    def oldest(self, device: str, start: datetime, stop: datetime) -> datetime | None:
        with self._connection() as connection:
            row = connection.execute(
                "SELECT min((SELECT min(time_us) FROM point WHERE series = s.id"
                " AND time_us >= ? AND time_us < ?)) FROM series s WHERE s.device = ?",
                (microseconds(start), microseconds(stop), device),
            ).fetchone()
        return None if row[0] is None else _EPOCH + timedelta(microseconds=row[0])

    def latest(self, device: str) -> dict[str, Sample]:
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT s.parameter, p.time_us, p.value, p.flag FROM series s JOIN point p"
                " ON p.series = s.id AND p.time_us ="
                " (SELECT max(time_us) FROM point WHERE series = s.id)"
                " WHERE s.device = ? ORDER BY p.time_us",
                (device,),
            ).fetchall()
        return {row[0]: _sample(*row[1:]) for row in rows}

    def count(self, series: Series, start: datetime, stop: datetime) -> int:
        number = self._number(series)
        if number is None:
            return 0
        with self._connection() as connection:
            row = connection.execute(
                "SELECT count(*) FROM point WHERE series = ? AND time_us >= ? AND time_us < ?",
                (number, microseconds(start), microseconds(stop)),
            ).fetchone()
        return int(row[0])

    def everything(self) -> Iterator[list[Point]]:
        with self._connection() as connection:
            named = [
                (row[0], Series(*row[1:]))
                for row in connection.execute(
                    "SELECT id, domain, gateway, device, parameter FROM series ORDER BY id"
                )
            ]
        for number, series in named:
            after = -(2**63)
            while rows := self._page_of(number, after):
                after = rows[-1][0]
                yield [Point(series, *row) for row in rows]

    def _page_of(self, number: int, after: int) -> list[tuple[int, float | None, int]]:
        with self._connection() as connection:
            return connection.execute(
                "SELECT time_us, value, flag FROM point WHERE series = ? AND time_us > ?"
                " ORDER BY time_us LIMIT ?",
                (number, after, TOGETHER),
            ).fetchall()

    def delete(self, device: str) -> None:
        with self._writing:
            for series in self.series(device):
                number = self._number(series)
                while self._thinned("WHERE series = ?", (number,)):
                    pass
            with self._connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    connection.execute("DELETE FROM series WHERE device = ?", (device,))
                    # Other processes remember numbers, which may be given again.
                    _next_generation(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    connection.rollback()
                    raise
                pages = connection.execute("PRAGMA page_count").fetchone()[0]
                size = pages * connection.execute("PRAGMA page_size").fetchone()[0]
                if size <= COMPACT_UP_TO:
                    connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def expire(self, domain: str, before: datetime) -> int:
        with self._connection() as connection:
            numbers = [
                row[0]
                for row in connection.execute("SELECT id FROM series WHERE domain = ?", (domain,))
            ]
        for number in numbers:
            with self._writing:
                where = ("WHERE series = ? AND time_us < ?", (number, microseconds(before)))
                if thinned := self._thinned(*where):
                    return thinned
        return 0

    def _thinned(self, where: str, values: tuple[int | None, ...]) -> int:
        """Delete a bounded number of points in a transaction of its own; how many."""
        with self._connection() as connection:
            return connection.execute(
                "DELETE FROM point WHERE (series, time_us) IN"  # noqa: S608 - written here
                f" (SELECT series, time_us FROM point {where} LIMIT {DELETED_AT_ONCE})",
                values,
            ).rowcount

    def ping(self) -> None:
        with self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO probe (id, at) VALUES (1, julianday())")

    def close(self) -> None:
        with self._writing:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def _number(self, series: Series) -> int | None:
        with self._connection() as connection:
            row = connection.execute(
                "SELECT id FROM series WHERE domain = ? AND gateway = ? AND device = ?"
                " AND parameter = ?",
                series,
            ).fetchone()
        return int(row[0]) if row else None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call; SQLite's errors become the port's.

        Not one per thread: the API's threads come and go, and each would leave its own behind.
        """
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._open()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            if self._closed or len(self._idle) >= KEPT_OPEN:
                connection.close()
            else:
                self._idle.append(connection)
        except (sqlite3.Error, OSError) as error:
            raise TimeSeriesUnavailable(f"time series {self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,  # one thread after the other, never two at once
        )
        write_ahead(connection.cursor(), self._busy_timeout_s)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        return connection


@lru_cache(maxsize=1)
def _opened(path: Path, busy_timeout_s: float) -> SqliteTimeSeries:
    """Of a process that is handed the store again and again, once."""
    return SqliteTimeSeries(path, busy_timeout_s=busy_timeout_s)


def _next_generation(connection: sqlite3.Connection) -> None:
    generation = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {(generation + 1) % 2**31}")


def _samples(
    connection: sqlite3.Connection,
    number: int,
    start: datetime,
    stop: datetime,
    window_s: float | None,
) -> list[Sample]:
    """Of the series of this number."""
    bounds = {"series": number, "start": microseconds(start), "stop": microseconds(stop)}
    if window_s is None:
        rows = connection.execute(
            "SELECT time_us, value, flag FROM point WHERE series = :series"
            " AND time_us >= :start AND time_us < :stop ORDER BY time_us",
            bounds,
        ).fetchall()
    else:
        bounds["window"] = max(1, round(window_s * 1e6))
        rows = connection.execute(_WINDOWED, bounds).fetchall()
    return [_sample(*row) for row in rows]


def _sample(time_us: int, value: float | None, flag: int) -> Sample:
    return Sample(_EPOCH + timedelta(microseconds=time_us), value, flag)
