"""A restore whose tables are there and whose last steps are not.

It is noted in the database itself, in the transaction that puts the tables: whatever ends the
program afterwards, the same command given again finds the note and does what is left. The table is
none of the city's: it is there in between alone, and no backup copies it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select

from vigil_cloud.backup.archive import Manifest
from vigil_cloud.backup.errors import RestoreNotEmpty

_NOTE: Final = Table(
    "restore_unfinished",
    MetaData(),
    Column("digest", String(64), nullable=False),
    Column("made", String(64), nullable=False),
    Column("filled", String(64), nullable=False),
)


def begin(connection: Connection, manifest: Manifest, now: datetime) -> None:
    """In the transaction that puts the tables."""
    _NOTE.create(connection)
    note = {"digest": _digest(manifest), "made": manifest.made, "filled": now.isoformat()}
    connection.execute(_NOTE.insert(), note)


def since(engine: Engine, manifest: Manifest) -> datetime | None:
    """When this backup's tables were put, where what follows was not done.

    Raises ``RestoreNotEmpty`` where it is another backup's.
    """
    with engine.connect() as connection:
        if not inspect(connection).has_table(_NOTE.name):
            return None
        digest, made, filled = connection.execute(select(_NOTE)).one()
    if digest != _digest(manifest):
        raise RestoreNotEmpty(
            f"a restore of the backup of {made} into this database was interrupted: give that one"
            " again, or take an empty database"
        )
    return datetime.fromisoformat(filled)


def end(connection: Connection) -> None:
    """In the transaction that does the last step."""
    _NOTE.drop(connection)


def _digest(manifest: Manifest) -> str:
    """The same for each copy of a backup."""
    members = sorted((one.name, one.sha256) for one in manifest.members)
    whole = json.dumps([manifest.made, manifest.revision, members])
    return hashlib.sha256(whole.encode()).hexdigest()
