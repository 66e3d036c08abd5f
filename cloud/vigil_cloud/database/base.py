"""What every table of the relational store is declared on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from sqlalchemy import DateTime, Dialect, LargeBinary, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

SCHEDULED: Final = {"clock": "scheduled"}
"""In a column's ``info``: a moment of ours that is waited for. Where the clock of the server is
set, either way, it moves along, so that what is left of the wait stays (``database.clock``)."""
SINCE: Final = {"clock": "since"}
"""A moment that a span is counted from, or the end of a right. Set back, it moves along, so that
no span becomes longer; set forward, it stays: a right that may be over is over."""


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on both databases: SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Into the database. Raises ``ValueError`` for a naive time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time stamp cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Out of the database, aware whatever it keeps."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Sealed(TypeDecorator[bytes]):
    """Bytes that ``identity.cipher`` has sealed: under the secret key, or under a person's own.

    ``purpose`` is authenticated with each value. A change of the secret key finds what it has
    to seal anew by this type, so that no column can be forgotten.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose


class KeptHash(TypeDecorator[str]):
    """A keyed hash of what people hold in their hands or know by heart: a printed code, a link on a
    wall. ``purpose`` names its key (``identity.kept_keys``).

    A change of the secret key finds by this type which keys have to stay, so that no column can be
    forgotten.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int, purpose: str) -> None:
        super().__init__(length)
        self.purpose = purpose

    @property
    def python_type(self) -> type[str]:
        """As that of the column that it is."""
        return str


class Base(DeclarativeBase):
    """Constraint names are fixed so that migrations can address them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime}
