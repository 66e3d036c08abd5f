"""The outbox's tables and what is done to them; plain functions for one thread, no waiting.

Alarms and events get their sequence number when they are accepted. Observations
wait without one and get it when they are first to be sent, packed with their
neighbours of the same device. So a full outbox can drop waiting observations and
leave no gap for the cloud to wait at, and what has a number is never dropped.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from vigil_edge.outbox_file import connect
from vigil_edge.packing import Row, Waiting, compose, moment, packs
from vigil_schemas.control import ReceiptV1
from vigil_schemas.envelope import Source
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import LaneDepth, ObservationLoss
from vigil_schemas.types import ClockQuality, Lane

_ROW_OVERHEAD: Final = 200
"""Bytes that a row costs besides its body, roughly; so that many small rows are bounded too."""
_LOSS_COST: Final = 600
"""What the record of a loss takes at most."""
_THIN_SHARE: Final = 0.1
"""How much of the bound one thinning frees: rare, so that losses are few and large."""
_PACKED_AT_ONCE: Final = 2000


class OutboxFull(VigilError):
    """Alarms and events alone fill the outbox; nothing is left to thin."""

    code: ClassVar[str] = "outbox-full"


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
        self.tight: tuple[int, int] | None = None
        """Bytes for observations, and for all, because the disk itself was full at the former."""
        self._db = connect(path, new_epoch)
        self.reload()

    def reload(self) -> None:
        """Read the running figures from disk again: at opening, and after a rollback."""
        execute = self._db.execute
        self.stale = True
        """The figures may be those of a transaction that was never written."""
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
        (session,) = execute("SELECT value FROM meta WHERE key = 'session'").fetchone()
        self.session = int(session)
        self.stale = False

    def begin(self) -> None:
        self._db.execute("BEGIN")
        if self.stale:
            self.reload()

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """What happens within a transaction either happens as a whole or not at all."""
        figures = (self.epoch, dict(self.issued), dict(self.lost), dict(self.numbered))
        sums = (self.waiting, self.bytes)
        self._db.execute("SAVEPOINT whole")
        try:
            yield
        except sqlite3.Error:
            raise  # the transaction itself is at its end
        except Exception:
            self._db.execute("ROLLBACK TO whole")
            self._db.execute("RELEASE whole")
            self.epoch, self.issued, self.lost, self.numbered = figures
            self.waiting, self.bytes = sums
            raise
        self._db.execute("RELEASE whole")

    def commit(self) -> None:
        """Returns once the transaction is on the disk itself (WAL, synchronous FULL)."""
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        """Give up a transaction; the next one begins with reading the figures again."""
        self.stale = True
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Move the journal into the file, and empty it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def tighten(self, reserve: int) -> None:
        """The disk is full at what lies here: half the reserve is for alarms and events.

        The other half is for the journal of what will let go of rows again.
        """
        if self.tight is None or self.bytes < self.tight[0]:
            self.tight = (self.bytes, self.bytes + reserve // 2)

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
        all_bound = min(self.limits.bytes, self.tight[1] if self.tight else self.limits.bytes)
        bound = min(all_bound, self.tight[0]) if loose and self.tight else all_bound
        self._make_room(len(rows), sum(map(_cost, (row for _, row in rows))), bound)
        if firm and not self._fits(len(firm), sum(_cost(row) for _, row in firm), all_bound):
            raise OutboxFull(
                "the outbox is full of alarms and events that the cloud has not confirmed; "
                "mend the connection or raise [outbox] max_megabytes"
            )
        for lane, row in firm:
            self._number(lane, row)
        for row in loose:
            if self._fits(1, _cost(row), bound):
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

    def keep(self, states: Mapping[tuple[str, str], bytes]) -> None:
        """What an outbox that had to be replaced remembered of every pipeline."""
        self._db.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?, ?)",
            [(device, key, value) for (device, key), value in states.items()],
        )

    def states(self) -> dict[tuple[str, str], bytes]:
        """Every pipeline's kept state, by device and key."""
        return {
            (device, key): value for device, key, value in self._db.execute("SELECT * FROM state")
        }

    # -- keeping within bounds ---------------------------------------------------------------

    def _fits(self, rows: int, size: int, bound: int | None = None) -> bool:
        bound = self.limits.bytes if bound is None else bound
        return self.rows + rows <= self.limits.rows and self.bytes + size <= bound

    def _make_room(self, rows: int, size: int, bound: int) -> None:
        if self._fits(rows, size, bound):
            return
        excess_rows = self.rows + rows - self.limits.rows
        excess_bytes = self.bytes + size - bound
        self.thin(
            max(excess_rows, int(self.limits.rows * _THIN_SHARE) if excess_rows > 0 else 0),
            max(excess_bytes, int(bound * _THIN_SHARE) if excess_bytes > 0 else 0),
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
        loss = ObservationLoss(
            first_sequence=after,
            last_sequence=after,
            rows=rows,
            oldest=moment(oldest_us),
            newest=moment(newest_us),
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

    def receipt(self, receipt: ReceiptV1) -> bool:
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
        self._db.execute("UPDATE meta SET value = ? WHERE key = 'session'", (self.session + 1,))
        self.session += 1
        return self.session

    def depths(self) -> list[LaneDepth]:
        """What waits, by lane; ``oldest`` by order of acceptance."""
        return [
            LaneDepth(
                lane=lane,
                rows=self.numbered[lane] + (self.waiting if lane is Lane.OBSERVATION else 0),
                oldest=self._oldest(lane),
                lost=self.lost[lane],
            )
            for lane in Lane
        ]

    def _oldest(self, lane: Lane) -> datetime | None:
        first = self._db.execute(
            "SELECT time_us FROM message WHERE lane = ? ORDER BY sequence LIMIT 1", (lane.value,)
        ).fetchone()
        if first is None and lane is Lane.OBSERVATION:
            first = self._db.execute(
                "SELECT time_us FROM waiting ORDER BY ordinal LIMIT 1"
            ).fetchone()
        return None if first is None else moment(first[0])


def _cost(row: Row) -> int:
    return len(row.body) + _ROW_OVERHEAD
