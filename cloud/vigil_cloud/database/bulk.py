"""Rows that a session holds, written with one statement for all that are alike.

The ORM writes rows with a version, and rows whose number the database draws, one by one. Of
hundreds that change together that is most of what they cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import bindparam, inspect, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from vigil_cloud.database.upsert import table_of

_WHICH: Final = "which_row"
_READ: Final = "version_read"
_FIRST_VERSION: Final = 1
"""As the ORM counts."""


def insert_pending(session: Session, model: type[DeclarativeBase], *, ordered: bool = True) -> None:
    """Insert what waits of this model, in the order in which it was added, and let go of it: the
    rows' numbers are not known to the session afterwards. ``ordered`` false: of rows that nothing
    but their own keys puts into an order, each shape with one statement."""
    mapper = inspect(model)
    pending = [one for one in session.new if isinstance(one, model)]
    pending.sort(key=lambda one: inspect(one).insert_order or 0)
    rows: list[dict[str, Any]] = []
    counted = mapper.version_id_col
    first_version = {} if counted is None else {counted.name: _FIRST_VERSION}
    for one in pending:
        given = inspect(one).dict
        row = {each.key: given[each.key] for each in mapper.column_attrs if each.key in given}
        rows.append({**row, **first_version})
        session.expunge(one)
    if not ordered:
        rows.sort(key=lambda row: sorted(row))
    first = 0
    for end in range(1, len(rows) + 1):  # runs alike, so that the order stays
        if end == len(rows) or rows[end].keys() != rows[first].keys():
            session.execute(table_of(model).insert(), rows[first:end])
            first = end


def update_changed(session: Session, rows: Iterable[DeclarativeBase]) -> None:
    """Update those of ``rows`` that have changed, whose key is ``id`` and which count their changes
    in ``version``. Raises ``StaleDataError`` where another has changed one meanwhile."""
    alike: dict[tuple[type[DeclarativeBase], tuple[str, ...]], list[Any]] = defaultdict(list)
    for row in rows:
        changed = sorted(each.key for each in inspect(row).attrs if each.history.has_changes())
        if changed:
            alike[type(row), tuple(changed)].append(row)
    for (model, names), some in alike.items():
        table = table_of(model)
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        statement = (
            update(table)
            .where(table.c.id == bindparam(_WHICH), table.c.version == bindparam(_READ))
            .values(**values, version=table.c.version + 1)
        )
        told = [
            {_WHICH: row.id, _READ: row.version} | {name: getattr(row, name) for name in names}
            for row in some
        ]
        with session.no_autoflush:
            result = session.execute(statement, told)
        assert isinstance(result, CursorResult)  # noqa: S101 - an UPDATE has one
        if result.rowcount != len(some):
            raise StaleDataError(f"{len(some) - result.rowcount} rows of {table.name} had changed")
        for row in some:
            for name in names:
                set_committed_value(row, name, getattr(row, name))
            set_committed_value(row, "version", row.version + 1)
