"""A real small write to the database: one that can only be read is not ready."""

from __future__ import annotations

from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.capacity.models import WriteProbe
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert, table_of

_ONE = 1


def probe(sessions: sessionmaker[Session]) -> None:
    """Commit one row. Raises SQLAlchemy's errors where that is impossible."""
    with writing(sessions) as session:
        table = table_of(WriteProbe)
        session.execute(
            insert(session, WriteProbe)
            .values(id=_ONE, number=1)
            .on_conflict_do_update(index_elements=["id"], set_={"number": table.c.number + 1})
        )
