"""The relational tables as lines of JSON, and back, on either kind of database.

Values keep their types: a moment, a day and bytes are written as an object of one key. What is
sealed stays sealed: whoever has the file alone reads no name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Generator, Iterable
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Integer,
    MetaData,
    Table,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DataError, IntegrityError

from vigil_cloud.backup.errors import BackupDamaged
from vigil_cloud.database.registry import metadata

TOGETHER: Final = 500
_MOMENT, _DAY, _BYTES, _JSON = "$moment", "$day", "$bytes", "$json"
_TAGGED: Final[dict[str, Callable[[str], Any]]] = {
    _MOMENT: datetime.fromisoformat,
    _DAY: date.fromisoformat,
    _BYTES: lambda word: base64.b64decode(word, validate=True),
}


def encode(value: Any) -> Any:
    """A column's value as JSON. Raises ``TypeError`` for one of a kind that no table has."""
    if isinstance(value, datetime):
        return {_MOMENT: value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {_DAY: value.isoformat()}
    if isinstance(value, bytes | memoryview):
        return {_BYTES: base64.b64encode(value).decode()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"no column holds {type(value).__name__}")


def decode(value: Any) -> Any:
    """As ``encode`` was given it. Raises ``BackupDamaged``."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {_JSON}:
        # The word null of JSON is a value; no value at all is another thing.
        return JSON.NULL if value[_JSON] is None else value[_JSON]
    for tag, read in _TAGGED.items():
        if value.keys() == {tag}:
            try:
                return read(value[tag])
            except (TypeError, ValueError) as error:
                raise BackupDamaged(f"a value that cannot be read: {error}") from error
    raise BackupDamaged("a value of an unknown kind")


def ordered() -> list[Table]:
    """Every table; what is referred to comes first."""
    return list(metadata().sorted_tables)


def lines(connection: Connection, table: Table) -> Generator[bytes, None, None]:
    """A table's rows, in the connection's transaction; close it where not all are taken."""
    # What the database computes by itself is not written.
    columns = [column for column in table.columns if column.computed is None]
    of_json = [column for column in columns if isinstance(column.type, JSON)]
    wanted = select(*columns, *(column.is_not(None) for column in of_json))
    found = connection.execute(
        wanted.order_by(*table.primary_key.columns), execution_options={"stream_results": True}
    )
    with found:
        for row in found.yield_per(TOGETHER):
            named, present = {}, iter(row[len(columns) :])
            for column, value in zip(columns, row, strict=False):
                if isinstance(column.type, JSON):
                    named[column.name] = {_JSON: value} if next(present) else None
                else:
                    named[column.name] = encode(value)
            yield json.dumps(named, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def fill(connection: Connection, table: Table, rows: Iterable[Any]) -> int:
    """Put the rows in the place of whatever the migrations left there; how many.

    Raises ``BackupDamaged`` where they do not fit the table.
    """
    connection.execute(table.delete())
    known, count = {column.name for column in table.columns}, 0
    source = iter(rows)
    while batch := list(islice(source, TOGETHER)):
        for row in batch:
            if not isinstance(row, dict) or not row.keys() <= known:
                raise BackupDamaged(f"table {table.name}: a row that does not fit it")
        values = [{name: decode(value) for name, value in row.items()} for row in batch]
        try:
            connection.execute(table.insert(), values)
        except (DataError, IntegrityError) as error:
            raise BackupDamaged(f"table {table.name}: {type(error).__name__}") from error
        count += len(batch)
    _continue_numbers(connection, table)
    return count


def _continue_numbers(connection: Connection, table: Table) -> None:
    """PostgreSQL counts in a sequence of its own, which has not seen the rows."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        if not isinstance(column.type, Integer | BigInteger):
            continue
        sequence = connection.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": f'"{table.name}"', "column": column.name},
        )
        largest = connection.scalar(select(func.max(column)))
        if sequence is not None and largest is not None:
            connection.execute(
                text("SELECT setval(CAST(:sequence AS regclass), :largest)"),
                {"sequence": sequence, "largest": largest},
            )


def as_they_stand(connection: Connection, names: Iterable[str]) -> list[Table]:
    """The tables of the database itself, in order: of an older revision they are not those of the
    models. Raises ``BackupDamaged`` for a name that it has not."""
    wanted, models = set(names), {table.name: table for table in ordered()}
    there = set(inspect(connection).get_table_names())
    if missing := sorted(wanted - there):
        raise BackupDamaged(f"no such table: {', '.join(missing[:5])}")
    reflected = MetaData()
    reflected.reflect(connection, only=sorted(wanted))
    for table in reflected.tables.values():
        model = models.get(table.name)
        for column in table.columns:
            if model is not None and column.name in model.columns:
                column.type = model.columns[column.name].type
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return list(reflected.sorted_tables)
