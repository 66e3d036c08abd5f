"""The feed: numbered changes that the event stream reads, in the order of their commits.

``lock`` comes first in every transaction that changes an alert. It serialises
them (they are rare), which rules out deadlocks between ingest, uploads and
people, and lets two sides of a join (an event and its evidence) see each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import FeedEntry, FeedHead

Kind = Literal["alert", "visit", "case"]
KEPT = timedelta(days=2)
"""How far back ``Last-Event-ID`` can reach."""
_PAGE: Final = 200


def lock(session: Session) -> None:
    """Hold the feed's end until this transaction is over."""
    _advance(session, 0)


def append(session: Session, kind: Kind, key: str, at: datetime) -> int:
    """Announce that something changed; returns its number."""
    number = _advance(session, 1)
    session.add(FeedEntry(number=number, at=at, kind=kind, key=key))
    return number


def append_all(session: Session, kind: Kind, keys: Collection[str], at: datetime) -> None:
    """Announce many changes with one number taken for each."""
    if not keys:
        return
    last = _advance(session, len(keys))
    session.add_all(
        FeedEntry(number=number, at=at, kind=kind, key=key)
        for number, key in enumerate(keys, last - len(keys) + 1)
    )


def head(session: Session) -> int:
    """The last number given out; 0 before the first."""
    return session.scalar(select(FeedHead.number)) or 0


def prune(session: Session, now: datetime) -> None:
    """Drop what nobody can resume from any more."""
    session.execute(delete(FeedEntry).where(FeedEntry.at < now - KEPT))


def after(session: Session, number: int, limit: int = 500) -> list[FeedEntry]:
    """Entries above a number, in order."""
    return list(
        session.scalars(
            select(FeedEntry)
            .where(FeedEntry.number > number)
            .order_by(FeedEntry.number)
            .limit(limit)
        )
    )


def forget(session: Session, keys: Sequence[str]) -> None:
    """Things that are erased: their keys may be somebody's."""
    for first in range(0, len(keys), _PAGE):
        some = FeedEntry.key.in_(keys[first : first + _PAGE])
        session.execute(delete(FeedEntry).where(some))


def oldest(session: Session) -> int | None:
    """The lowest number still kept."""
    return session.scalar(select(func.min(FeedEntry.number)))


def _advance(session: Session, by: int) -> int:
    step = (
        update(FeedHead)
        .where(FeedHead.id == 1)
        .values(number=FeedHead.number + by)
        .returning(FeedHead.number)
        .execution_options(synchronize_session=False)
    )
    number = session.scalar(step)
    if number is None:
        dialect = session.get_bind().dialect.name
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        session.execute(insert(FeedHead).values(id=1, number=0).on_conflict_do_nothing())
        number = session.scalar(step)
    assert number is not None  # noqa: S101 - the row was inserted just now, or by another
    return number
