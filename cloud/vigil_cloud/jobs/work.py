"""One-off heavy work: queued by a row, computed in a process of its own, stored once.

Ingest and requests only queue. The queue is bounded for each kind: what does not fit is counted
and told, never waited for. One process of several takes a piece by its lease; what it computes is
stored in the transaction that removes the row, fenced by the row's token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.database.base import UtcDateTime
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.jobs.models import WorkDropped, WorkRow
from vigil_cloud.jobs.port import LeaseLost
from vigil_cloud.services import Services

URGENT: Final = 0
"""Somebody waits for it."""
SOON: Final = 5
LATER: Final = 9
ATTEMPTS: Final = 3
"""So often it is begun; a piece that ends its process each time is given up."""
AGAIN_AFTER: Final = timedelta(minutes=1)
GIVEN_UP_KEPT: Final = timedelta(days=7)
_ERROR: Final = 400

Payload = Mapping[str, Any]
_TABLE: Final = table_of(WorkRow)
# Made once: ingest asks for every batch of late readings, and to make a statement costs more than
# to run it.
_WAITING: Final = (
    select(
        _TABLE.c.id,
        _TABLE.c.key,
        _TABLE.c.payload,
        _TABLE.c.priority,
        _TABLE.c.attempts,
        _TABLE.c.due,
    )
    .where(
        _TABLE.c.kind == bindparam("of"),
        _TABLE.c.key.in_(bindparam("keys", expanding=True)),
        _TABLE.c.leased_until.is_(None),
    )
    .order_by(_TABLE.c.id)
    .with_for_update()
)
_MERGE: Final = (
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("id_now"))
    .values(
        payload=bindparam("payload_now", type_=_TABLE.c.payload.type),
        priority=bindparam("priority_now"),
        attempts=bindparam("attempts_now"),
        due=bindparam("due_now", type_=_TABLE.c.due.type),
    )
)
_COUNT: Final = select(func.count()).select_from(_TABLE).where(_TABLE.c.kind == bindparam("of"))
_IS_DUE: Final = and_(
    WorkRow.kind.in_(bindparam("kinds", expanding=True)),
    WorkRow.due <= bindparam("now", type_=UtcDateTime()),
    WorkRow.attempts < ATTEMPTS,
    or_(
        WorkRow.leased_until.is_(None),
        WorkRow.leased_until <= bindparam("now", type_=UtcDateTime()),
    ),
)
_ANY_DUE: Final = select(WorkRow.id).where(_IS_DUE).limit(1)
_MOST_URGENT: Final = (
    select(WorkRow)
    .where(_IS_DUE)
    .order_by(WorkRow.priority, WorkRow.queued, WorkRow.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_DONE: Final = (
    delete(_TABLE)
    .where(_TABLE.c.id == bindparam("id_now"), _TABLE.c.token == bindparam("held"))
    .returning(_TABLE.c.id)
)


class _Waiting(NamedTuple):
    """A row that may still be merged with what is asked for now."""

    id: int
    key: str
    payload: Payload
    priority: int
    attempts: int
    due: datetime


def newer(_waiting: Payload, new: Payload) -> Payload:
    """The usual merge: what was asked last."""
    return new


@dataclass(frozen=True, slots=True)
class WorkKind:
    """Work of one kind, handed in by a domain.

    ``load`` and ``store`` run in the asking process; ``compute`` runs in a process of its own at
    low priority, so it is a function of a module and takes and gives what can be pickled.
    """

    name: str
    load: Callable[[Services, Payload], Any]
    compute: Callable[[Any], Any]
    store: Callable[[Session, Payload, Any, datetime], None]
    merge: Callable[[Payload, Payload], Payload] = newer
    """What is asked where the same key waits already: of the waiting and the new payload."""
    settle: timedelta = timedelta()
    """So long it waits after it was asked for first, for more of the same key to come."""
    most_waiting: int = 2_000
    longest: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of work that this process has taken."""

    id: int
    kind: str
    key: str
    payload: Payload
    token: int


def enqueue(
    session: Session,
    kind: WorkKind,
    key: str,
    payload: Payload,
    *,
    now: datetime,
    priority: int = SOON,
) -> bool:
    """Ask for work with this transaction's commit. The same key waits once: its payloads are
    merged, its priority is the more urgent. ``False`` where the queue of the kind is full: the
    work is dropped, which is counted and told."""
    return not enqueue_all(session, kind, {key: payload}, now=now, priority=priority)


def enqueue_all(
    session: Session,
    kind: WorkKind,
    payloads: Mapping[str, Payload],
    *,
    now: datetime,
    priority: int = SOON,
    settle: timedelta | None = None,
) -> int:
    """``enqueue`` for several keys, with as many statements as for one. ``settle``: so long they
    wait for more of the same key, instead of what the kind says. How many were dropped."""
    waiting = _waiting(session, kind.name, payloads)
    changed = []
    for row in waiting:
        payload = dict(kind.merge(row.payload, payloads[row.key]))
        given_up = row.attempts >= ATTEMPTS  # and wanted anew
        after = _Waiting(
            row.id,
            row.key,
            payload,
            min(row.priority, priority),
            0 if given_up else row.attempts,
            now if given_up else row.due,
        )
        if after != row:
            changed.append({f"{name}_now": value for name, value in after._asdict().items()})
    if changed:
        session.connection().execute(_MERGE, changed)
    new = [key for key in payloads if key not in {row.key for row in waiting}]
    if not new:
        return 0
    connection = session.connection()
    free = max(0, kind.most_waiting - (connection.scalar(_COUNT, {"of": kind.name}) or 0))
    for _ in new[free:]:
        _count_dropped(session, kind.name, now)
    due = now + (kind.settle if settle is None else settle)
    rows = [
        {
            "kind": kind.name,
            "key": key,
            "payload": dict(payloads[key]),
            "priority": priority,
            "queued": now,
            "due": due,
            "attempts": 0,
            "token": 0,
        }
        for key in new[:free]
    ]
    if rows:
        connection.execute(insert(_TABLE), rows)
    return len(new[free:])


def _waiting(session: Session, kind: str, keys: Collection[str]) -> list[_Waiting]:
    rows = session.connection().execute(_WAITING, {"of": kind, "keys": list(keys)})
    return [_Waiting(*row) for row in rows]


def take(
    sessions: sessionmaker[Session],
    kinds: Mapping[str, WorkKind],
    holder: str,
    now: datetime,
    most: int = 1,
) -> list[Piece]:
    """The most urgent pieces that are due, the longest waiting first; of one key one alone."""
    asked = {"kinds": list(kinds), "now": now}
    with sessions() as session:
        if session.connection().scalar(_ANY_DUE, asked) is None:
            return []
    found: dict[tuple[str, str], Piece] = {}
    with writing(sessions) as session:
        for row in session.scalars(_MOST_URGENT, {**asked, "most": most}).all():
            if (row.kind, row.key) in found:  # each goes on from what the other has stored
                continue
            row.attempts, row.token, row.holder = row.attempts + 1, row.token + 1, holder
            row.leased_until = now + kinds[row.kind].longest + timedelta(seconds=30)
            piece = Piece(row.id, row.kind, row.key, row.payload, row.token)
            found[row.kind, row.key] = piece
    return list(found.values())


def finish(
    sessions: sessionmaker[Session], kind: WorkKind, piece: Piece, result: Any, now: datetime
) -> None:
    """Store what came out and take the row away, both or neither. Raises ``LeaseLost``."""
    with writing(sessions) as session:
        mine = {"id_now": piece.id, "held": piece.token}
        if session.connection().execute(_DONE, mine).one_or_none() is None:
            raise LeaseLost(f"{piece.kind} {piece.key}")
        kind.store(session, piece.payload, result, now)


def fail(sessions: sessionmaker[Session], piece: Piece, error: str, now: datetime) -> None:
    """It is begun again after a while, ``ATTEMPTS`` times in all; then it is left and shown."""
    with writing(sessions) as session:
        session.execute(
            update(WorkRow)
            .where(WorkRow.id == piece.id, WorkRow.token == piece.token)
            .values(leased_until=None, due=now + AGAIN_AFTER, error=error[:_ERROR])
        )


def release(sessions: sessionmaker[Session], piece: Piece, now: datetime) -> None:
    """Its worker was stopped under it: another begins it at once, and it has not failed."""
    with writing(sessions) as session:
        session.execute(
            update(WorkRow)
            .where(WorkRow.id == piece.id, WorkRow.token == piece.token)
            .values(leased_until=None, due=now, attempts=WorkRow.attempts - 1)
        )


def _count_dropped(session: Session, kind: str, now: datetime) -> None:
    insert_missing(session, WorkDropped, [{"kind": kind, "count": 0, "last": now}])
    session.execute(
        update(WorkDropped)
        .where(WorkDropped.kind == kind)
        .values(count=WorkDropped.count + 1, last=now)
        .execution_options(synchronize_session=False)
    )
