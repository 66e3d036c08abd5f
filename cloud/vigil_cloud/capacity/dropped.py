"""Counting what was dropped, so that it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.capacity.models import Dropped
from vigil_cloud.database.upsert import insert, table_of

Kind = Literal[
    "dead-letters",
    "alarm-dead-letters",
    "evidence",
    "devices",
    "parameters",
    "alerts-joined",
    "alarms-put-off",
]


def count_dropped(
    session: Session, gateway: str, kind: Kind, count: int, size: int, now: datetime
) -> None:
    """In the caller's transaction."""
    table = table_of(Dropped)
    session.execute(
        insert(session, Dropped)
        .values(gateway=gateway, kind=kind, count=count, bytes=size, last=now)
        .on_conflict_do_update(
            index_elements=["gateway", "kind"],
            set_={
                "count": table.c.count + count,
                "bytes": table.c.bytes + size,
                "last": now,
            },
        )
    )


def count_all_dropped(
    session: Session, kind: Kind, counts: Mapping[str, tuple[int, datetime]]
) -> None:
    """The same of several gateways, with one statement: how many, and when the last of them."""
    if not counts:
        return
    table, adding = table_of(Dropped), insert(session, Dropped)
    session.execute(
        adding.on_conflict_do_update(
            index_elements=["gateway", "kind"],
            set_={"count": table.c.count + adding.excluded.count, "last": adding.excluded.last},
        ),
        [
            {"gateway": gateway, "kind": kind, "count": count, "bytes": 0, "last": last}
            for gateway, (count, last) in sorted(counts.items())
        ],
    )


def dropped_of(
    session: Session, gateways: Iterable[str] | None = None
) -> dict[str, dict[str, int]]:
    """Counts by gateway and kind; of all gateways where none are named."""
    query = select(Dropped.gateway, Dropped.kind, Dropped.count)
    if gateways is not None:
        query = query.where(Dropped.gateway.in_(sorted(set(gateways))))
    found: dict[str, dict[str, int]] = {}
    for gateway, kind, count in session.execute(query.order_by(Dropped.gateway, Dropped.kind)):
        found.setdefault(gateway, {})[kind] = count
    return found
