"""How much waits in an outbox, and since when."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from vigil_edge.delivery.packing import moment
from vigil_schemas.gateway import LaneDepth
from vigil_schemas.types import Lane


def lane_depths(
    database: sqlite3.Connection, rows: Mapping[Lane, int], lost: Mapping[Lane, int]
) -> list[LaneDepth]:
    """Each lane; ``oldest`` by order of acceptance."""
    return [
        LaneDepth(lane=lane, rows=rows[lane], oldest=_oldest(database, lane), lost=lost[lane])
        for lane in Lane
    ]


def _oldest(database: sqlite3.Connection, lane: Lane) -> datetime | None:
    first = database.execute(
        "SELECT time_us FROM message WHERE lane = ? ORDER BY sequence LIMIT 1", (lane.value,)
    ).fetchone()
    if first is None and lane is Lane.OBSERVATION:
        first = database.execute("SELECT time_us FROM waiting ORDER BY ordinal LIMIT 1").fetchone()
    return None if first is None else moment(first[0])
