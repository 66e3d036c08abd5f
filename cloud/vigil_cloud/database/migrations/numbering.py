"""Numbers of rows that SQLite never gives twice.

A key that is ``INTEGER PRIMARY KEY`` alone is the largest number that is in the table, plus one: of
a queue that is worked off it begins at 1 again and again. Whoever holds a number across two
transactions (a worker that has read a row and removes it once it is done, a page, the audit log)
would then mean another row by it. PostgreSQL's sequences never go back.

A migration that makes one of these tables anew (Alembic's batch mode) calls this after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import Connection

_MADE_ANEW = "_numbered_{}"
_COMPUTED = {2, 3}
"""``hidden`` of ``PRAGMA table_xinfo``: such a column takes no values."""


def never_again(connection: Connection, tables: Iterable[str]) -> None:
    """Make ``id`` of each table ``AUTOINCREMENT`` on SQLite; rows, constraints and indexes stay.
    Nothing on PostgreSQL, nor where it is that already. Foreign keys are not enforced meanwhile
    (``migrate.without_cascades``). Raises ``ValueError`` for a table of another form."""
    if connection.dialect.name != "sqlite":
        return
    for table in tables:
        _renew(connection, table)


def _renew(connection: Connection, table: str) -> None:
    run = connection.exec_driver_sql
    made = run("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).scalar()
    if made is None:
        raise ValueError(f"there is no table {table}")
    if "AUTOINCREMENT" in made:
        return
    beside = run(
        "SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND tbl_name = ?"
        " AND sql IS NOT NULL ORDER BY rowid",
        (table,),
    ).scalars()
    again = list(beside)
    columns = ", ".join(
        f'"{row.name}"'
        for row in run(f'PRAGMA table_xinfo("{table}")')
        if row.hidden not in _COMPUTED
    )
    new = _MADE_ANEW.format(table)
    run(_numbered(made, table, new))
    run(f'INSERT INTO "{new}" ({columns}) SELECT {columns} FROM "{table}" ORDER BY id')  # noqa: S608 - names of our own tables
    run(f'DROP TABLE "{table}"')
    run(f'ALTER TABLE "{new}" RENAME TO "{table}"')
    for statement in again:
        run(statement)


def _numbered(made: str, table: str, new: str) -> str:
    """The statement that made ``table``, for one of another name whose numbers are given once."""
    key = r'(?:CONSTRAINT "?\w+"? )?PRIMARY KEY \("?id"?\)'
    for pattern, instead in (
        (rf'^CREATE TABLE "?{table}"?\s*\(', f'CREATE TABLE "{new}" ('),
        (r"\bid INTEGER NOT NULL", "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT"),
        (rf",\s*{key}|{key}\s*,", ""),
    ):
        made, count = re.subn(pattern, instead, made, count=1)
        if not count:
            raise ValueError(f"{table} is made in a way that is not known: {made}")
    return made
