"""The feed: numbered changes that the event stream reads, in the order of their commits.

``lock`` comes first in every transaction that changes an alert. It serialises
them (they are rare), which rules out deadlocks between ingest, uploads and
people, and lets two sides of a join (an event and its evidence) see each other.
What is announced is written just before the commit, all of it with two statements.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, event, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, SessionTransaction

from vigil_cloud.alerts.models import FeedEntry, FeedHead

Kind = str
"""``alert``, ``case``, or the name of a domain's ``FeedKind``."""
KEPT = timedelta(days=2)
"""How far back ``Last-Event-ID`` can reach."""
_PAGE: Final = 200
# Made once: for every transaction that changes an alert, and to make a statement costs more than
# to run it.
_STEP: Final = (
    update(FeedHead)
    .where(FeedHead.id == 1)
    .values(number=FeedHead.number + bindparam("by"))
    .returning(FeedHead.number)
    .execution_options(synchronize_session=False)
)
_ENTER: Final = insert(FeedEntry)
_HEAD: Final = select(FeedHead.number)


class _Announced(NamedTuple):
    kind: Kind
    key: str
    at: datetime


_Within = tuple[SessionTransaction, ...]
"""The transaction that something was done in, and those around it: it is undone with any."""


@dataclass(slots=True)
class _Pending:
    """What one session's transaction has locked and announced so far."""

    locked: _Within | None = None
    entries: list[tuple[_Announced, _Within]] = field(default_factory=list)


_PENDING: Final = "feed-pending"


def lock(session: Session) -> None:
    """Hold the feed's end until this transaction is over. Idempotent."""
    pending = _pending(session)
    if pending.locked is None:
        _advance(session, 0)
        pending.locked = _within(session)


def append(session: Session, kind: Kind, key: str, at: datetime) -> None:
    """Announce that something changed; the same twice in a transaction is announced once."""
    append_all(session, kind, (key,), at)


def append_all(session: Session, kind: Kind, keys: Collection[str], at: datetime) -> None:
    """Announce many changes."""
    if not keys:
        return
    lock(session)
    within = _within(session)
    _pending(session).entries += [(_Announced(kind, key, at), within) for key in keys]


def _pending(session: Session) -> _Pending:
    found = session.info.get(_PENDING)
    if not isinstance(found, _Pending):
        found = session.info[_PENDING] = _Pending()
    return found


def _within(session: Session) -> _Within:
    transaction = session.get_nested_transaction() or session.get_transaction()
    found = []
    while transaction is not None:
        found.append(transaction)
        transaction = transaction.parent
    return tuple(found)


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    pending = session.info.get(_PENDING)
    if pending is None or session.in_nested_transaction() or not pending.entries:
        return
    session.flush()
    unique = {(one.kind, one.key): one for one, _ in pending.entries}
    pending.entries.clear()
    last = _advance(session, len(unique))
    session.execute(
        _ENTER,
        [
            {"number": number, "at": one.at, "kind": one.kind, "key": one.key}
            for number, one in enumerate(unique.values(), last - len(unique) + 1)
        ],
    )


@event.listens_for(Session, "after_soft_rollback")
def _undo(session: Session, transaction: SessionTransaction) -> None:
    """PostgreSQL gives up locks with the savepoint that they were taken in."""
    pending = session.info.get(_PENDING)
    if pending is None:
        return
    if pending.locked is not None and transaction in pending.locked:
        pending.locked = None
    pending.entries = [one for one in pending.entries if transaction not in one[1]]


@event.listens_for(Session, "after_transaction_end")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_PENDING, None)


def head(session: Session) -> int:
    """The last number given out; 0 before the first."""
    return session.scalar(_HEAD) or 0


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
    number = session.scalar(_STEP, {"by": by})
    if number is None:
        dialect = session.get_bind().dialect.name
        begin = postgresql.insert if dialect == "postgresql" else sqlite.insert
        session.execute(begin(FeedHead).values(id=1, number=0).on_conflict_do_nothing())
        number = session.scalar(_STEP, {"by": by})
    assert number is not None  # noqa: S101 - the row was inserted just now, or by another
    return number
