"""How far each source is stored: read and locked as a batch begins, moved with what it stores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.ingest.models import Watermark
from vigil_cloud.ingest.progress import Progress


def lock(session: Session, gateways: Mapping[str, str], now: datetime) -> dict[str, Progress]:
    """A batch's sources, each with its gateway, locked in one order so that two processes wait and
    do not deadlock."""
    if not gateways:
        return {}
    sources = sorted(gateways)
    found = _read(session, sources)
    missing = [source for source in sources if source not in found]
    if missing:
        insert_missing(
            session,
            Watermark,
            [
                {
                    "source": source,
                    "gateway": gateways[source],
                    "stored": 0,
                    "beyond": [],
                    "refused": 0,
                    "updated": now,
                }
                for source in missing
            ],
        )
        found = _read(session, sources)
    return found


_MARKS: Final = table_of(Watermark)
# Made once: to make a statement costs more than to run it.
_READ_MARKS: Final = (
    select(_MARKS.c.source, _MARKS.c.stored, _MARKS.c.beyond, _MARKS.c.refused)
    .where(_MARKS.c.source.in_(bindparam("sources", expanding=True)))
    .order_by(_MARKS.c.source)
    .with_for_update()
)
_MOVE_MARKS: Final = (
    update(_MARKS)
    .where(_MARKS.c.source == bindparam("which"))
    .values(
        stored=bindparam("stored_now"),
        beyond=bindparam("beyond_now", type_=_MARKS.c.beyond.type),
        refused=bindparam("refused_now"),
        updated=bindparam("now", type_=_MARKS.c.updated.type),
    )
)


def _read(session: Session, sources: list[str]) -> dict[str, Progress]:
    rows = session.connection().execute(_READ_MARKS, {"sources": sources})
    return {
        source: Progress(stored, ((first, last) for first, last in beyond), refused)
        for source, stored, beyond, refused in rows
    }


def move(session: Session, moved: Mapping[str, Progress], now: datetime) -> None:
    """Write down how far each source is stored now."""
    if not moved:
        return
    session.connection().execute(
        _MOVE_MARKS,
        [
            {
                "which": source,
                "stored_now": progress.stored,
                "beyond_now": [list(pair) for pair in progress.beyond],
                "refused_now": progress.refused,
                "now": now,
            }
            for source, progress in sorted(moved.items())
        ],
    )
