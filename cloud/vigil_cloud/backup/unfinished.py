"""A restore that has begun and has not ended.

It is noted in the database itself: before the first store is written that it is under way, and in
the transaction that puts the tables that these are there. Whatever ends the program, the same
command given again finds the note and does what is left, and no process of the city starts
meanwhile (``preparation``): on a database that is still empty it would begin another city beside
the readings and objects of this one. The table is none of the city's: it is there in between
alone, and no backup copies it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, delete, inspect, select

from vigil_cloud.backup.errors import RestoreNotEmpty, RestoreUnfinished

if TYPE_CHECKING:
    from vigil_cloud.backup.archive import Manifest

_NOTE: Final = Table(
    "restore_unfinished",
    MetaData(),
    Column("digest", String(64), nullable=False),
    Column("made", String(64), nullable=False),
    Column("filled", String(64), nullable=False),
)
"""``filled``: when the tables were put; empty before."""


def require_none(engine: Engine) -> None:
    """For whoever is about to use the database. Raises ``RestoreUnfinished``."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(_NOTE.name):
            return
        made = connection.scalar(select(_NOTE.c.made))
    raise RestoreUnfinished(
        f"the restore of the backup of {made} into this database is under way or was interrupted"
    )


def begin(engine: Engine, manifest: Manifest) -> None:
    """Before anything is written. One that was begun before, of which no tables are there, gives
    way: what the stores hold of it was looked at."""
    with engine.begin() as connection:
        _NOTE.create(connection, checkfirst=True)
        connection.execute(delete(_NOTE))
        note = {"digest": _digest(manifest), "made": manifest.made, "filled": ""}
        connection.execute(_NOTE.insert(), note)


def fill(connection: Connection, now: datetime) -> None:
    """In the transaction that puts the tables."""
    connection.execute(_NOTE.update().values(filled=now.isoformat()))


def since(engine: Engine, manifest: Manifest) -> datetime | None:
    """When this backup's tables were put, where what follows was not done.

    Raises ``RestoreNotEmpty`` where they are another backup's.
    """
    with engine.connect() as connection:
        if not inspect(connection).has_table(_NOTE.name):
            return None
        found = connection.execute(select(_NOTE)).one_or_none()
    if found is None or not found.filled:
        return None
    if found.digest != _digest(manifest):
        raise RestoreNotEmpty(
            f"a restore of the backup of {found.made} into this database was interrupted: give that"
            " one again, or take an empty database"
        )
    return datetime.fromisoformat(found.filled)


def end(connection: Connection) -> None:
    """In the transaction that does the last step."""
    _NOTE.drop(connection)


def _digest(manifest: Manifest) -> str:
    """The same for each copy of a backup."""
    members = sorted((one.name, one.sha256) for one in manifest.members)
    whole = json.dumps([manifest.made, manifest.revision, members])
    return hashlib.sha256(whole.encode()).hexdigest()
