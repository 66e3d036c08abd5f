"""Announced changes: each commit that changes something followed takes the next number.

``announce`` only collects. The number is taken as the last step before the commit, under the
lock of the head's row, which is held until the commit is over: whoever has read number N as
committed sees every change up to N, from every process and on both databases. No time stamp
takes part, so no clock that was set, no long transaction and no second process can hide a change.
Because nothing is locked after the head, waiting for it cannot end in a deadlock.

Idempotent: a thing that was announced twice, or by a transaction that changed nothing of it, is
read once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Insert, and_, bindparam, delete, event, or_, select, update
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from sqlalchemy.orm.unitofwork import UOWTransaction

from vigil_cloud.database.models import Change, ChangeHead
from vigil_cloud.database.upsert import insert_into, insert_missing

Kind = Literal["reading", "device", "gateway", "rights", "channel"]
RIGHTS: Final[tuple[Kind, str]] = ("rights", "")
"""Who may see what has changed, for anybody."""
PLACES: Final[tuple[Kind, str]] = ("rights", "places")
"""Where a device or a gateway stands has changed."""
CHANNELS: Final[tuple[Kind, str]] = ("channel", "")
"""Which channels there are, whose they are or what they want to hear has changed."""
_PENDING: Final = "announced"
# Made once: every look for changes asks, and to make a statement costs more than to run it.
_NUMBER: Final = select(Change.number).where(
    Change.kind == bindparam("of"), Change.key == bindparam("which")
)


class Announced(NamedTuple):
    """One thing that changed, and at which number it last did."""

    number: int
    kind: str
    key: str


class Position(NamedTuple):
    """How far a reader has read: all of a number, or everything up to this thing of it."""

    number: int
    thing: tuple[str, str] | None = None


def announce(session: Session, kind: Kind, keys: Iterable[str]) -> None:
    """Tell with this transaction's commit that these changed. Costs two statements a commit."""
    session.info.setdefault(_PENDING, set()).update((kind, key) for key in keys)


def head(session: Session) -> int:
    """The last number whose changes can all be seen; 0 before the first."""
    return session.scalar(select(ChangeHead.number)) or 0


def number_of(session: Session, thing: tuple[Kind, str]) -> int:
    """At which number one thing changed last; 0 where it never was announced."""
    kind, key = thing
    return session.scalar(_NUMBER, {"of": kind, "which": key}) or 0


def announce_rights(session: Session, *, places: bool = False) -> None:
    """For statements that change many rows at once; objects announce themselves."""
    announce(session, RIGHTS[0], (RIGHTS[1], PLACES[1]) if places else (RIGHTS[1],))


def after(session: Session, position: Position, limit: int) -> list[Announced]:
    """What changed last after ``position``, in order, at most so much."""
    beyond: ColumnElement[bool] = Change.number > position.number
    if position.thing is not None:
        kind, key = position.thing
        rest = or_(Change.kind > kind, and_(Change.kind == kind, Change.key > key))
        beyond = or_(beyond, and_(Change.number == position.number, rest))
    query = (
        select(Change.number, Change.kind, Change.key)
        .where(beyond)
        .order_by(Change.number, Change.kind, Change.key)
        .limit(limit)
    )
    return [Announced(*row) for row in session.execute(query)]


def forget(session: Session, kind: Kind, keys: Iterable[str]) -> None:
    """Things that are gone for good; their names may be somebody's."""
    session.execute(delete(Change).where(Change.kind == kind, Change.key.in_(list(keys))))


def follow_commits(sessions: sessionmaker[Session]) -> None:
    """Number what the sessions of this factory announce, and what their objects do by
    themselves: a mapped class with an ``announces`` method is asked at each flush."""
    event.listen(sessions, "after_flush", _collect)
    event.listen(sessions, "before_commit", _number)
    event.listen(sessions, "after_soft_rollback", _forget_pending)


def _collect(session: Session, _context: UOWTransaction) -> None:
    for changed in (*session.new, *session.dirty, *session.deleted):
        announces = getattr(changed, "announces", None)
        if announces is not None and (found := announces()) is not None:
            kind, key = found
            announce(session, kind, (key,))


def _number(session: Session) -> None:
    if session.in_nested_transaction():
        return  # only a savepoint: the lock would be held for as long as the rest takes
    session.flush()
    pending: set[tuple[str, str]] = session.info.pop(_PENDING, set())
    if not pending:
        return
    number = _advance(session)
    session.connection().execute(
        _numbering(session.get_bind().dialect.name),
        [{"kind": kind, "key": key, "number": number} for kind, key in sorted(pending)],
    )


# Made once: for nearly every commit, and to make a statement costs more than to run it.
_STEP: Final = (
    update(ChangeHead)
    .where(ChangeHead.id == 1)
    .values(number=ChangeHead.number + 1)
    .returning(ChangeHead.number)
    .execution_options(synchronize_session=False)
)


@cache
def _numbering(dialect: str) -> Insert:
    statement = insert_into(dialect, Change)
    return statement.on_conflict_do_update(
        index_elements=["kind", "key"], set_={"number": statement.excluded.number}
    )


def _forget_pending(session: Session, undone: SessionTransaction) -> None:
    """What a savepoint alone undid may be announced in vain; what was written before it is not
    forgotten with it."""
    if undone.parent is None:
        session.info.pop(_PENDING, None)


def _advance(session: Session) -> int:
    number = session.scalar(_STEP)
    if number is None:
        insert_missing(session, ChangeHead, [{"id": 1, "number": 0}])
        number = session.scalar(_STEP)
    assert number is not None  # noqa: S101 - the row was inserted just now, or by another
    return number
