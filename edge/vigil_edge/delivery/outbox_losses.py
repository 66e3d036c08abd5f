"""What a full outbox gave up: recorded beside the rows, until an event tells of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from vigil_edge.delivery.outbox_bounds import cost
from vigil_edge.delivery.packing import Row, moment
from vigil_schemas.gateway import ObservationLoss
from vigil_schemas.types import ClockQuality, Lane


class Loss(NamedTuple):
    """Rows of one lane that were given up and not told of yet."""

    id: str
    """Of the event that will tell it: the same from a file that was put back, which the cloud
    then takes once."""
    lane: Lane
    rows: int
    oldest_us: int
    newest_us: int

    def row(self, gateway: str, after: int, now_us: int) -> Row:
        """The event that tells it; ``after`` is the number that the lane had reached."""
        loss = ObservationLoss(
            first_sequence=after,
            last_sequence=after,
            rows=self.rows,
            oldest=moment(self.oldest_us),
            newest=moment(self.newest_us),
            lane=None if self.lane is Lane.OBSERVATION else self.lane,
        )
        body = loss.model_dump_json(exclude_none=True).encode()
        quality = ClockQuality.UNSYNCHRONISED.value
        return Row(ObservationLoss.TYPE, gateway, now_us, quality, self.id, 0, body)


class Losses:
    """The table ``lost`` of one opening of the file.

    Only records of this opening are added to. One that an earlier opening began may have been
    told already where the file fell back in time: what is lost now would go under with it.
    """

    def __init__(self, database: sqlite3.Connection, new_id: Callable[[], str]) -> None:
        self._db = database
        self._new_id = new_id
        self._open: dict[Lane, str] = {}

    def record(self, lane: Lane, times: Sequence[int]) -> None:
        """Rows with these times (microseconds since 1970) were given up."""
        record = self._open.setdefault(lane, self._new_id())
        self._db.execute(
            "INSERT INTO lost VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " rows = rows + excluded.rows, oldest_us = MIN(oldest_us, excluded.oldest_us),"
            " newest_us = MAX(newest_us, excluded.newest_us)",
            (record, lane.value, len(times), min(times), max(times)),
        )

    def untold(self) -> list[Loss]:
        """Losses that no event has told of, oldest first."""
        return [
            Loss(record, Lane(lane), *figures)
            for record, lane, *figures in self._db.execute("SELECT * FROM lost ORDER BY oldest_us")
        ]

    def told(self, loss: Loss) -> None:
        """Its event lies in the outbox."""
        self._db.execute("DELETE FROM lost WHERE id = ?", (loss.id,))
        if self._open.get(loss.lane) == loss.id:
            del self._open[loss.lane]

    def forget(self) -> None:
        """The transaction was rolled back: begin new records."""
        self._open.clear()


class Oldest(NamedTuple):
    """The rows that are given up: their times, how many bytes that frees, the last one's place."""

    times: list[int]
    bytes: int
    last: int


def oldest(rows: Iterable[tuple[int, int, int]], most: int, size: int) -> Oldest:
    """The first of (place, time, length of the body) that make so many rows and bytes."""
    times: list[int] = []
    freed = last = 0
    for place, time_us, length in rows:
        if len(times) >= most and freed >= size:
            break
        last = place
        times.append(time_us)
        freed += cost(length)
    return Oldest(times, freed, last)
