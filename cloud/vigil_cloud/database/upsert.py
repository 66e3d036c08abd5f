"""INSERT … ON CONFLICT on both databases, whose dialects spell it alike but apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session


def table_of(model: type[DeclarativeBase]) -> Table:
    """The one table that a model maps."""
    table = inspect(model).local_table
    assert isinstance(table, Table)  # noqa: S101 - none of our models maps anything else
    return table


def insert(session: Session, model: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return insert_into(session.get_bind().dialect.name, model)


def insert_into(dialect: str, model: type[DeclarativeBase]) -> postgresql.Insert | sqlite.Insert:
    """The same where only the dialect's name is known."""
    if dialect == "postgresql":
        return postgresql.insert(table_of(model))
    return sqlite.insert(table_of(model))


def insert_missing(
    session: Session, model: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows and leave those alone that exist."""
    if rows:
        session.execute(insert(session, model).on_conflict_do_nothing(), [dict(r) for r in rows])
