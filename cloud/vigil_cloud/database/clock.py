"""Stored moments of this platform move along where the clock of the server is set.

A wall clock is set by hours in one step: a virtual machine that is restored, a time server that
is reached at last, a hand. What waits for a stored moment would wait for so long, and a call of a
fire among it. So the columns that say of themselves that they are waited for
(``base.SCHEDULED``, ``base.SINCE``) are moved by the same step, in one transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import DateTime, Table, bindparam, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.base import Base, UtcDateTime
from vigil_cloud.database.models import ClockMark

UNSEEN: Final = timedelta(minutes=2)
"""Every process looks at the clock each second, and the mark is kept every few: what is later by
so much is a step that nobody has noticed yet, or a city that has just been started."""


def moved_columns(table: Table, step: timedelta) -> list[str]:
    """Names of the columns that a step of the clock moves."""
    kinds = {"scheduled", "since"} if step < timedelta() else {"scheduled"}
    return [column.name for column in table.columns if column.info.get("clock") in kinds]


def move(session: Session, step: timedelta, before: datetime) -> int:
    """Move what lies ahead by ``step`` (negative: the clock was set back). ``before``: what the
    clock would show without the step. Returns how many moments were moved."""
    # Set back, what lay behind the old clock is due by the new one only if it moves, too.
    ahead = min(before, before + step)
    moved = 0
    for table in Base.metadata.sorted_tables:
        keys = list(table.primary_key.columns)
        for name in moved_columns(table, step):
            column = table.c[name]
            rows = session.execute(select(*keys, column).where(column > ahead)).all()
            if not rows:
                continue
            statement = (
                update(table)
                .where(
                    *(key == bindparam(f"key_{n}") for n, key in enumerate(keys)),
                    column == bindparam("was"),
                )
                .values({name: bindparam("is_now")})
            )
            session.connection().execute(
                statement,
                [
                    {f"key_{n}": value for n, value in enumerate(row[:-1])}
                    | {"was": row[-1], "is_now": row[-1] + step}
                    for row in rows
                ],
            )
            moved += len(rows)
    return moved


def is_moment(column: object) -> bool:
    """Whether a column's type holds moments."""
    return isinstance(column, UtcDateTime | DateTime)


def jumped_ahead(session: Session) -> bool:
    """Whether the clock was set forward lately: then nothing is as old as it seems."""
    return ahead_since(session) is not None


def ahead_since(session: Session) -> datetime | None:
    """When that was noticed; ``None``: it was not, or is long ago."""
    mark = session.get(ClockMark, 1)
    return mark.stepped if mark is not None and mark.step_s > 0 else None


def step_unnoticed(session: Session, now: datetime, within: timedelta = UNSEEN) -> bool:
    """Whether the clock may have been set forward by more than that, and no process has looked."""
    mark = session.get(ClockMark, 1)
    return mark is not None and now - mark.latest > within


def ages_hold(session: Session, now: datetime, within: timedelta = timedelta()) -> bool:
    """Whether anything may be removed for good because it is old by ``now``: not after a step
    forward, nor before anybody has looked whether there was one. ``within``: a step of so much is
    no matter."""
    mark = session.get(ClockMark, 1)
    if mark is None:
        return True
    ahead = mark.stepped is not None and mark.step_s > within.total_seconds()
    return not ahead and not step_unnoticed(session, now, max(UNSEEN, within))
