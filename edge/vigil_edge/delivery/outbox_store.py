"""The outbox's tables and what is done to them; plain functions for one thread, no waiting.

Rows get their sequence number when they are first to be sent, in the order of the file, under
the epoch of this opening (``outbox_numbers``). Observations wait until then to be packed with
their neighbours of the same device. So a full outbox can drop what has no number yet and leave
no gap for the cloud to wait at.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from vigil_edge.delivery.outbox_bounds import LOSS_BYTES, THIN_SHARE, Bound, Bounds, Limits, cost
from vigil_edge.delivery.outbox_depths import lane_depths
from vigil_edge.delivery.outbox_file import connect
from vigil_edge.delivery.outbox_losses import Losses, oldest
from vigil_edge.delivery.outbox_numbers import Numbers
from vigil_edge.delivery.packing import Row, Waiting, compose, packs
from vigil_schemas.control import AnyReceipt
from vigil_schemas.envelope import Source
from vigil_schemas.errors import VigilError
from vigil_schemas.gateway import LaneDepth, ObservationLoss
from vigil_schemas.types import Lane

_PACKED_AT_ONCE: Final = 2000

__all__ = ["Limits", "OutboxFull", "Sendable", "Store"]


class OutboxFull(VigilError):
    """Alarms and events alone fill the outbox; nothing is left to thin."""

    code: ClassVar[str] = "outbox-full"
    remedy: ClassVar[str] = (
        "Restore the connection to the cloud, or raise `[outbox] max_megabytes`."
    )


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
        self.bounds = Bounds(limits)
        self.limits = limits
        self._new_epoch = new_epoch
        self._new_id = new_id
        self._now_us = now_us
        self._db = connect(path, new_epoch)
        self._losses = Losses(self._db, new_id)
        self._begun_with: tuple[str, dict[Lane, Numbers]] | None = None
        """The numbering as the open transaction found it; ``None`` between transactions."""
        self._begin_epoch()
        self.reload()

    def _begin_epoch(self) -> None:
        """Number all rows anew, from 1, under an epoch that nobody has seen."""
        self.epoch = self._new_epoch()
        self.numbers = {lane: Numbers(0) for lane in Lane}
        self._count_issued()

    def _count_issued(self) -> None:
        for lane, numbers in self.numbers.items():
            (without,) = self._db.execute(
                "SELECT COUNT(*) FROM message WHERE lane = ? AND sequence > ?",
                (lane.value, numbers.last_ordinal),
            ).fetchone()
            numbers.issued = numbers.last + without

    @property
    def issued(self) -> dict[Lane, int]:
        """The last row's number in each lane, given out or not."""
        return {lane: numbers.issued for lane, numbers in self.numbers.items()}

    def reload(self) -> None:
        """Read the running figures from disk again: at opening, and after a rollback."""
        execute = self._db.execute
        self.stale = True
        """The figures may be those of a transaction that was never written."""
        known = {name: (issued, lost) for name, issued, lost in execute("SELECT * FROM lane")}
        self.ordinals = {lane: known.get(lane, (0, 0))[0] for lane in Lane}
        """Each lane's last place in the file that was ever taken."""
        self.lost = {lane: known.get(lane, (0, 0))[1] for lane in Lane}
        counted = dict(execute("SELECT lane, COUNT(*) FROM message GROUP BY lane"))
        self.numbered: dict[Lane, int] = {lane: counted.get(lane.value, 0) for lane in Lane}
        self._count_issued()
        self.waiting: int
        overhead = (cost(0),)
        self.waiting, waiting_bytes = execute(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(body) + ?), 0) FROM waiting", overhead
        ).fetchone()
        (message_bytes,) = execute(
            "SELECT COALESCE(SUM(LENGTH(body) + ?), 0) FROM message", overhead
        ).fetchone()
        self.bytes: int = waiting_bytes + message_bytes
        (session,) = execute("SELECT value FROM meta WHERE key = 'session'").fetchone()
        self.session = int(session)
        self.stale = False

    def begin(self) -> None:
        """Begin a transaction; the numbering falls back to this point if it fails."""
        self._begun_with = self._numbering()
        self._db.execute("BEGIN")
        if self.stale:
            self.reload()

    def _numbering(self) -> tuple[str, dict[Lane, Numbers]]:
        return self.epoch, {lane: numbers.copy() for lane, numbers in self.numbers.items()}

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """What happens within a transaction either happens as a whole or not at all."""
        figures = (dict(self.ordinals), dict(self.lost), dict(self.numbered))
        sums, numbering = (self.waiting, self.bytes), self._numbering()
        self._db.execute("SAVEPOINT whole")
        try:
            yield
        except sqlite3.Error:
            raise  # the transaction itself is at its end
        except Exception:
            self._db.execute("ROLLBACK TO whole")
            self._db.execute("RELEASE whole")
            self.ordinals, self.lost, self.numbered = figures
            self.waiting, self.bytes = sums
            self.epoch, self.numbers = numbering
            raise
        self._db.execute("RELEASE whole")

    def commit(self) -> None:
        """Returns once the transaction is on the disk itself (WAL, synchronous FULL)."""
        self._db.execute("COMMIT")
        self._begun_with = None

    def rollback(self) -> None:
        """Give up a transaction; the next one begins with reading the figures again."""
        self.stale = True
        self._losses.forget()
        if self._begun_with is not None:
            # No number counts that was given to a row which is not on the disk, nor a receipt
            # whose rows still are. SQLite has rolled back by itself where the COMMIT failed.
            self.epoch, self.numbers = self._begun_with
            self._begun_with = None
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def checkpoint(self) -> None:
        """Move the journal into the file, and empty it."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def rows(self) -> int:
        """All that the cloud has not confirmed."""
        return self.waiting + sum(self.numbered.values())

    def source(self, lane: Lane) -> str:
        """A lane's source in this epoch, as messages name it."""
        return str(Source(self.gateway, lane.value, self.epoch))

    # -- taking in ---------------------------------------------------------------------------

    def add(
        self,
        rows: Sequence[tuple[Lane, Row]],
        device: str = "",
        state: Mapping[str, bytes] | None = None,
    ) -> None:
        """Facts and state. Raises ``OutboxFull`` before anything of this call is written."""
        undroppable = [(lane, row) for lane, row in rows if lane is not Lane.OBSERVATION]
        observations = [row for lane, row in rows if lane is Lane.OBSERVATION]
        if undroppable:
            self._make_room_for(undroppable)
        for lane, row in undroppable:
            self._append(lane, row)
        if observations:
            self._wait(observations)
        self._db.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?, ?)",
            [(device, key, value) for key, value in (state or {}).items()],
        )

    def _make_room_for(self, undroppable: Sequence[tuple[Lane, Row]]) -> None:
        """Thin observations; for a call that brings an alarm, give up events as well."""
        urgent = any(lane is Lane.ALARM for lane, _ in undroppable)
        bound = self.bounds.alarms if urgent else self.bounds.events
        rows, size = len(undroppable), sum(cost(len(row.body)) for _, row in undroppable)
        self._make_room(rows, size, bound)
        if urgent and not self._fits(rows, size, bound):
            over_rows, over_bytes = self.rows + rows - bound.rows, self.bytes + size - bound.bytes
            self.give_up_events(over_rows, over_bytes)
        if not self._fits(rows, size, bound):
            raise OutboxFull(
                f"the outbox is full of {'alarms' if urgent else 'alarms and events'} that the "
                "cloud has not confirmed; mend the connection or raise [outbox] max_megabytes"
            )

    def _wait(self, observations: Sequence[Row]) -> None:
        bound = self.bounds.observations
        self._make_room(len(observations), sum(cost(len(row.body)) for row in observations), bound)
        refused = []
        for row in observations:
            size = cost(len(row.body))
            if self._fits(1, size, bound):
                self._db.execute("INSERT INTO waiting VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
                self.waiting += 1
                self.bytes += size
            else:
                refused.append(row.time_us)
        if refused:
            self._record_loss(Lane.OBSERVATION, refused)

    def _append(self, lane: Lane, row: Row) -> None:
        """The next place in a lane; its number follows from that when it is sent."""
        self.ordinals[lane] += 1
        self.numbers[lane].issued += 1
        self._save_lane(lane)
        self._db.execute(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (lane.value, self.ordinals[lane], *row._replace(id=row.id or self._new_id())),
        )
        self.numbered[lane] += 1
        self.bytes += cost(len(row.body))

    def _save_lane(self, lane: Lane) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO lane VALUES (?, ?, ?)",
            (lane.value, self.ordinals[lane], self.lost[lane]),
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

    def _fits(self, rows: int, size: int, bound: Bound) -> bool:
        return self.rows + rows <= bound.rows and self.bytes + size <= bound.bytes

    def _make_room(self, rows: int, size: int, bound: Bound) -> None:
        if self._fits(rows, size, bound):
            return
        over_rows, over_bytes = self.rows + rows - bound.rows, self.bytes + size - bound.bytes
        self.thin(
            max(over_rows, int(bound.rows * THIN_SHARE) if over_rows > 0 else 0),
            max(over_bytes, int(bound.bytes * THIN_SHARE) if over_bytes > 0 else 0),
        )

    def thin(self, rows: int, size: int) -> None:
        """Drop waiting observations, oldest first, until both are freed or none is left."""
        found = oldest(
            self._db.execute("SELECT ordinal, time_us, LENGTH(body) FROM waiting ORDER BY ordinal"),
            rows,
            size,
        )
        if found.times:
            self._db.execute("DELETE FROM waiting WHERE ordinal <= ?", (found.last,))
            self.waiting -= len(found.times)
            self.bytes -= found.bytes
            self._record_loss(Lane.OBSERVATION, found.times)

    def give_up_events(self, rows: int, size: int) -> None:
        """Drop events, oldest first, until both are freed or none is left: an alarm needs room.

        Those under way have numbers for whose receipt the cloud waits: only where the others are
        not enough they go too, and what is left begins anew under another epoch.
        """
        freed_rows, freed_bytes = self._drop_events(rows, size)
        if (freed_rows < rows or freed_bytes < size) and self.numbers[Lane.EVENT].last:
            self._begin_epoch()
            self._drop_events(rows - freed_rows, size - freed_bytes)

    def _drop_events(self, rows: int, size: int) -> tuple[int, int]:
        numbers = self.numbers[Lane.EVENT]
        without_number = (
            "FROM message WHERE lane = 'event' AND sequence > ? AND sequence <= ? AND type != ?"
        )
        bounds = [numbers.last_ordinal, self.ordinals[Lane.EVENT], ObservationLoss.TYPE]
        found = oldest(
            self._db.execute(
                f"SELECT sequence, time_us, LENGTH(body) {without_number} ORDER BY sequence",
                bounds,
            ),
            rows,
            size,
        )
        if found.times:
            bounds[1] = found.last
            self._db.execute(f"DELETE {without_number}", bounds)
            self.numbered[Lane.EVENT] -= len(found.times)
            self.bytes -= found.bytes
            numbers.issued -= len(found.times)
            self._record_loss(Lane.EVENT, found.times)
        return len(found.times), found.bytes

    def _record_loss(self, lane: Lane, times: Sequence[int]) -> None:
        self._losses.record(lane, times)
        self.lost[lane] += len(times)
        self._save_lane(lane)

    # -- giving out --------------------------------------------------------------------------

    def seal(self) -> None:
        """Pack waiting observations while the window of their lane has room.

        A recorded loss becomes an event first.
        """
        room = self.limits.window - self.numbered[Lane.OBSERVATION]
        if room <= 0:
            return
        self._report_losses()
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
            self.bytes -= pack.unpacked_bytes + cost(0) * len(pack.ordinals)
            self._append(Lane.OBSERVATION, pack.row)

    def _report_losses(self) -> None:
        """One that finds no room goes on being added to, and is told once there is."""
        for loss in self._losses.untold():
            if not self._fits(1, LOSS_BYTES, self.bounds.events):
                return
            after = max(1, self.numbers[loss.lane].issued)
            self._append(Lane.EVENT, loss.row(self.gateway, after, self._now_us()))
            self._losses.told(loss)

    def fetch(self, lane: Lane, after: int, limit: int) -> list[Sendable]:
        """Messages of one lane with numbers above ``after``, in order."""
        numbers, source = self.numbers[lane], self.source(lane)
        rows = self._db.execute(
            "SELECT * FROM message WHERE lane = ? AND sequence > ? ORDER BY sequence LIMIT ?",
            (lane.value, numbers.behind(after), limit),
        )
        return [
            Sendable(lane, number, compose(Row(*row[2:]), source, number))
            for row in rows
            if (number := numbers.of(row[1]))
        ]

    def receipt(self, receipt: AnyReceipt) -> bool:
        """Let go of what is stored; false where the receipt is for another source or epoch.

        A receipt for numbers that were never given: somebody else sends under our epoch. The
        lanes begin anew, or the cloud would take what follows for repetitions.
        """
        lane = next((lane for lane in Lane if self.source(lane) == receipt.source), None)
        if lane is None:
            return False
        ranges = [(1, receipt.stored), *receipt.beyond]
        if max(last for _, last in ranges) > self.numbers[lane].last:
            self._begin_epoch()
            return True
        for first, last in ranges:
            self._delete(lane, self.numbers[lane].confirm(first, last))
        return True

    def _delete(self, lane: Lane, span: tuple[int, int] | None) -> None:
        if span is None:
            return
        gone = self._db.execute(
            "DELETE FROM message WHERE lane = ? AND sequence BETWEEN ? AND ?"
            " RETURNING LENGTH(body)",
            (lane.value, *span),
        ).fetchall()
        self.numbered[lane] -= len(gone)
        self.bytes -= sum(cost(length) for (length,) in gone)

    # -- figures -----------------------------------------------------------------------------

    def next_session(self) -> int:
        """Counts connections, across restarts."""
        self._db.execute("UPDATE meta SET value = ? WHERE key = 'session'", (self.session + 1,))
        self.session += 1
        return self.session

    def depths(self) -> list[LaneDepth]:
        """What waits, by lane."""
        rows = {**self.numbered}
        rows[Lane.OBSERVATION] += self.waiting
        return lane_depths(self._db, rows, self.lost)
