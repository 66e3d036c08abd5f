"""Marks of outbox openings that are over are folded away.

A gateway draws a new epoch at each opening of its outbox, and each has a mark for each lane. An
epoch that another superseded never gets another number; once it is drained its marks are of no
use: a late repetition of one of its messages is known by its event's id, and a reading that is
written again is the same reading. No epoch is ever refused for their number.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import String, and_, case, cast, delete, func, literal, select
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import table_of
from vigil_cloud.devices.models import Gateway
from vigil_cloud.ingest.models import Watermark
from vigil_schemas.envelope import Source
from vigil_schemas.types import Lane

QUIET: Final = timedelta(days=1)
"""A superseded and drained epoch is folded when nothing came for so long."""
_MOST_AT_ONCE: Final = 200
"""Gateways of one transaction: alarms wait for it."""
_LANES: Final = len(Lane)


def compact(session: Session, most: int, now: datetime) -> int:
    """Fold what is over; of a gateway with more than ``most`` openings a lane, also the oldest
    that are not drained. Never the current one's. Returns how many marks went."""
    columns = table_of(Watermark).c
    foldable = and_(
        columns.updated < now - QUIET,
        cast(columns.beyond, String) == "[]",
        columns.source.not_like(literal("%/") + Gateway.epoch),
    )
    # Asked so that it names nobody of whom nothing can be folded: this is a write transaction.
    many = session.execute(
        select(columns.gateway)
        .outerjoin(Gateway, Gateway.gateway == columns.gateway)
        .group_by(columns.gateway)
        .having((func.count() > most * _LANES) | (func.sum(case((foldable, 1), else_=0)) > 0))
        .limit(_MOST_AT_ONCE)
    ).scalars()
    return sum(_compact(session, gateway, most, now) for gateway in many.all())


def _compact(session: Session, gateway: str, most: int, now: datetime) -> int:
    columns = table_of(Watermark).c
    current = session.scalar(select(Gateway.epoch).where(Gateway.gateway == gateway))
    rows = session.execute(
        select(columns.source, columns.beyond, columns.updated)
        .where(columns.gateway == gateway)
        .order_by(columns.updated.desc(), columns.source)
    ).all()
    kept = current or next((Source.parse(row.source).epoch for row in rows), None)
    over: list[str] = []
    seen: dict[str, int] = {}
    for source, beyond, updated in rows:
        parsed = Source.parse(source)
        if parsed.epoch == kept:
            continue
        seen[parsed.lane] = seen.get(parsed.lane, 0) + 1
        drained = current is not None and not beyond and updated < now - QUIET
        if drained or seen[parsed.lane] >= most:
            over.append(source)
    for start in range(0, len(over), 500):
        some = columns.source.in_(over[start : start + 500])
        session.execute(delete(table_of(Watermark)).where(some))
    return len(over)
