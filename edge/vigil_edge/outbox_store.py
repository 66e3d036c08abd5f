"""The outbox's tables and what is done to them; plain functions for one thread, no waiting.

Alarms and events get their sequence number when they are accepted. Observations
wait without one and get it when they are first to be sent, packed with their
neighbours of the same device. So a full outbox can drop waiting observations and
leave no gap for the cloud to wait at, and what has a number is never dropped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from vigil_edge.packing import Row, Waiting, compose, packs
from vigil_schemas.control import Receipt
from vigil_schemas.envelope import Source
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import LaneDepth, ObservationLoss
from vigil_schemas.types import ClockQuality, Lane

_LAYOUT: Final = 1
_ROW_OVERHEAD: Final = 200
"""Bytes that a row costs besides its body, roughly; so that many small rows are bounded too."""
_LOSS_COST: Final = 600
"""What the record of a loss takes at most."""
_THIN_SHARE: Final = 0.1
"""How much of the bound one thinning frees: rare, so that losses are few and large."""
_PACKED_AT_ONCE: Final = 2000

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


class OutboxFull(VigilError):
    """Alarms and events alone fill the outbox; nothing is left to thin."""

    code: ClassVar[str] = "outbox-full"


class OutboxDamaged(VigilError):
    """The outbox file is not a whole database, or is of a newer version."""

    code: ClassVar[str] = "outbox-damaged"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may lie in the outbox: rows over all lanes, bytes, and messages under way."""

    rows: int
    bytes: int
    window: int


@dataclass(frozen=True, slots=True)
class Sendable:
    """One numbered message as it goes onto the wire."""

    lane: Lane
    sequence: int
    payload: bytes


class Store:
    """One open outbox file. Whatever reads or writes rows runs between ``begin`` and ``commit``."""

    def __init__(
        self,
        path: Path,
        gateway: str,
        limits: Limits,
        *,
        new_epoch: Callable[[], str],
        new_id: Callable[[], str],
        now_us: Callable[[], int],
    ) -> None:
        self.gateway = gateway
        self.limits = limits
        self._new_epoch = new_epoch
        self._new_id = new_id
        self._now_us = now_us
        # The thread that works here is not the one that opens; they never overlap.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked, read-only, no room: the file itself may be whole
            raise OutboxDamaged(f"{path}: {error}") from error
        except VigilError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        execute = self._db.execute
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
            execute("INSERT INTO meta VALUES ('epoch', ?), ('session', '0')", (self._new_epoch(),))
            execute(f"PRAGMA user_version = {_LAYOUT}")
            execute("COMMIT")
        self.reload()

    def reload(self) -> None:
        """Read the running figures from disk again: at opening, and after a rollback."""
        execute = self._db.execute
        self.epoch: str = execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
        known = {name: (issued, lost) for name, issued, lost in execute("SELECT * FROM lane")}
        self.issued = {lane: known.get(lane, (0, 0))[0] for lane in Lane}
        self.lost = {lane: known.get(lane, (0, 0))[1] for lane in Lane}
        counted = dict(execute("SELECT lane, COUNT(*) FROM message GROUP BY lane"))
        self.numbered: dict[Lane, int] = {lane: counted.get(lane.value, 0) for lane in Lane}
        self.waiting: int
        self.waiting, waiting_bytes = execute(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(body) + ?), 0) FROM waiting", (_ROW_OVERHEAD,)
        ).fetchone()
        (message_bytes,) = execute(
            "SELECT COALESCE(SUM(LENGTH(body) + ?), 0) FROM message", (_ROW_OVERHEAD,)
        ).fetchone()
        self.bytes: int = waiting_bytes + message_bytes

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def commit(self) -> None:
        """Returns once the transaction is on the disk itself (WAL, synchronous FULL)."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self.reload()

    def close(self) -> None:
        self._db.close()

    @property
    def rows(self) -> int:
        return self.waiting + sum(self.numbered.values())

    def source(self, lane: Lane) -> str:
        return str(Source(self.gateway, lane.value, self.epoch))

    # -- taking in ---------------------------------------------------------------------------

    def add(
        self,
        rows: Sequence[tuple[Lane, Row]],
        device: str = "",
        state: Mapping[str, bytes] | None = None,
    ) -> None:
        """Facts and state. Raises ``OutboxFull`` before anything of this call is written."""
        firm = [(lane, row) for lane, row in rows if lane is not Lane.OBSERVATION]
        loose = [row for lane, row in rows if lane is Lane.OBSERVATION]
        self._make_room(len(rows), sum(map(_cost, (row for _, row in rows))))
        if firm and not self._fits(len(firm), sum(_cost(row) for _, row in firm)):
            raise OutboxFull(
                "the outbox is full of alarms and events that the cloud has not confirmed; "
                "mend the connection or raise [outbox] max_megabytes"
            )
        for lane, row in firm:
            self._number(lane, row)
        for row in loose:
            if self._fits(1, _cost(row)):
                self._db.execute("INSERT INTO waiting VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
                self.waiting += 1
                self.bytes += _cost(row)
            else:
                self._record_loss([row.time_us])
        self._db.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?, ?)",
            [(device, key, value) for key, value in (state or {}).items()],
        )

    def _number(self, lane: Lane, row: Row) -> None:
        self.issued[lane] += 1
        self._save_lane(lane)
        self._db.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (lane.value, self.issued[lane], *row._replace(id=row.id or self._new_id())),
        )
        self.numbered[lane] += 1
        self.bytes += _cost(row)

    def _save_lane(self, lane: Lane) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO lane VALUES (?, ?, ?)",
            (lane.value, self.issued[lane], self.lost[lane]),
        )

    def states(self) -> dict[tuple[str, str], bytes]:
        """Every pipeline's kept state, by device and key."""
        return {
            (device, key): value for device, key, value in self._db.execute("SELECT * FROM state")
        }

    # -- keeping within bounds ---------------------------------------------------------------

    def _fits(self, rows: int, size: int) -> bool:
        return self.rows + rows <= self.limits.rows and self.bytes + size <= self.limits.bytes

    def _make_room(self, rows: int, size: int) -> None:
        if self._fits(rows, size):
            return
        excess_rows = self.rows + rows - self.limits.rows
        excess_bytes = self.bytes + size - self.limits.bytes
        self.thin(
            max(excess_rows, int(self.limits.rows * _THIN_SHARE) if excess_rows > 0 else 0),
            max(excess_bytes, int(self.limits.bytes * _THIN_SHARE) if excess_bytes > 0 else 0),
        )

    def thin(self, rows: int, size: int) -> None:
        """Drop waiting observations, oldest first, until both are freed or none is left."""
        times: list[int] = []
        freed = 0
        last = 0
        for ordinal, time_us, length in self._db.execute(
            "SELECT ordinal, time_us, LENGTH(body) FROM waiting ORDER BY ordinal"
        ):
            if len(times) >= rows and freed >= size:
                break
            last = ordinal
            times.append(time_us)
            freed += length + _ROW_OVERHEAD
        if times:
            self._db.execute("DELETE FROM waiting WHERE ordinal <= ?", (last,))
            self.waiting -= len(times)
            self.bytes -= freed
            self._record_loss(times)

    def _record_loss(self, times: Sequence[int]) -> None:
        self._db.execute(
            "INSERT INTO loss VALUES (1, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET"
            " rows = rows + excluded.rows, oldest_us = MIN(oldest_us, excluded.oldest_us),"
            " newest_us = MAX(newest_us, excluded.newest_us)",
            (len(times), min(times), max(times)),
        )
        self.lost[Lane.OBSERVATION] += len(times)
        self._save_lane(Lane.OBSERVATION)

    # -- giving out --------------------------------------------------------------------------

    def seal(self) -> None:
        """Number waiting observations while the window of their lane has room.

        A recorded loss becomes an event first: it lies right behind the last number given.
        """
        room = self.limits.window - self.numbered[Lane.OBSERVATION]
        if room <= 0:
            return
        self._report_loss()
        if not self.waiting:
            return
        rows = self._db.execute(
            "SELECT * FROM waiting ORDER BY ordinal LIMIT ?", (_PACKED_AT_ONCE,)
        )
        taken = packs((Waiting(row[0], Row(*row[1:])) for row in rows), room)
        for pack in taken:
            self._db.executemany(
                "DELETE FROM waiting WHERE ordinal = ?", [(ordinal,) for ordinal in pack.ordinals]
            )
            self.waiting -= len(pack.ordinals)
            self.bytes -= pack.unpacked_bytes + _ROW_OVERHEAD * len(pack.ordinals)
            self._number(Lane.OBSERVATION, pack.row)

    def _report_loss(self) -> None:
        found = self._db.execute("SELECT rows, oldest_us, newest_us FROM loss").fetchone()
        if found is None or not self._fits(1, _LOSS_COST):
            return  # it goes on being added to, and is told once there is room
        self._db.execute("DELETE FROM loss")
        after = max(1, self.issued[Lane.OBSERVATION])
        rows, oldest_us, newest_us = found
        loss = ObservationLoss.model_validate(
            {
                "first_sequence": after,
                "last_sequence": after,
                "rows": rows,
                "oldest": oldest_us / 1e6,
                "newest": newest_us / 1e6,
            }
        )
        row = Row(
            ObservationLoss.TYPE,
            self.gateway,
            self._now_us(),
            ClockQuality.UNSYNCHRONISED.value,
            None,
            0,
            loss.model_dump_json(exclude_none=True).encode(),
        )
        self._number(Lane.EVENT, row)

    def fetch(self, lane: Lane, after: int, limit: int) -> list[Sendable]:
        """Numbered messages of one lane above ``after``, in order."""
        rows = self._db.execute(
            "SELECT * FROM message WHERE lane = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (lane.value, after, limit),
        )
        source = self.source(lane)
        return [Sendable(lane, row[1], compose(Row(*row[2:]), source, row[1])) for row in rows]

    def receipt(self, receipt: Receipt) -> bool:
        """Let go of what is stored; false where the receipt is for another source or epoch.

        A receipt for numbers that were never given means that this file is an old copy:
        the lanes then begin anew under another epoch, or the cloud would take what follows
        for repetitions.
        """
        lane = next((lane for lane in Lane if self.source(lane) == receipt.source), None)
        if lane is None:
            return False
        if max([receipt.stored, *(last for _, last in receipt.beyond)]) > self.issued[lane]:
            self._renew_epoch()
            return True
        self._delete(lane, [(1, receipt.stored), *receipt.beyond])
        return True

    def _delete(self, lane: Lane, ranges: Iterable[tuple[int, int]]) -> None:
        for first, last in ranges:
            if last < first:
                continue
            gone = self._db.execute(
                "DELETE FROM message WHERE lane = ? AND sequence BETWEEN ? AND ?"
                " RETURNING LENGTH(body)",
                (lane.value, first, last),
            ).fetchall()
            self.numbered[lane] -= len(gone)
            self.bytes -= sum(length + _ROW_OVERHEAD for (length,) in gone)

    def _renew_epoch(self) -> None:
        self.epoch = self._new_epoch()
        self._db.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (self.epoch,))
        for lane in Lane:
            kept = self._db.execute(
                "SELECT rowid FROM message WHERE lane = ? ORDER BY sequence", (lane.value,)
            ).fetchall()
            # Ascending, each number at or below the old one: never two rows with one number.
            self._db.executemany(
                "UPDATE message SET sequence = ? WHERE rowid = ?",
                [(number, rowid) for number, (rowid,) in enumerate(kept, start=1)],
            )
            self.issued[lane] = len(kept)
            self._save_lane(lane)

    # -- figures -----------------------------------------------------------------------------

    def next_session(self) -> int:
        """Counts connections, across restarts."""
        self._db.execute("UPDATE meta SET value = value + 1 WHERE key = 'session'")
        (session,) = self._db.execute("SELECT value FROM meta WHERE key = 'session'").fetchone()
        return int(session)

    def depths(self) -> list[LaneDepth]:
        """What waits, by lane; ``oldest`` by order of acceptance."""
        return [
            LaneDepth.model_validate(
                {
                    "lane": lane,
                    "rows": self.numbered[lane] + (self.waiting if lane is Lane.OBSERVATION else 0),
                    "oldest": next(self._oldest(lane), None),
                    "lost": self.lost[lane],
                }
            )
            for lane in Lane
        ]

    def _oldest(self, lane: Lane) -> Iterator[float]:
        first = self._db.execute(
            "SELECT time_us FROM message WHERE lane = ? ORDER BY sequence LIMIT 1", (lane.value,)
        ).fetchall()
        if not first and lane is Lane.OBSERVATION:
            first = self._db.execute(
                "SELECT time_us FROM waiting ORDER BY ordinal LIMIT 1"
            ).fetchall()
        for (time_us,) in first:
            yield time_us / 1e6


def _cost(row: Row) -> int:
    return len(row.body) + _ROW_OVERHEAD
