"""Bring a database to the tables that this version needs.

Several processes may start at once: the first migrates, the others wait for its lock
and then find nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from vigil_cloud.database.registry import metadata
from vigil_schemas.errors import VigilError

FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x5649_4749_4C
"""Key of PostgreSQL's advisory lock: "VIGIL"."""


class DatabaseOutdated(VigilError):
    """The tables are not those of this version."""

    code: ClassVar[str] = "database-outdated"
    remedy: ClassVar[str] = "Run `vigil-cloud migrate` with this version."


class DatabaseNewer(VigilError):
    """The tables were made by a later version than the one that was started."""

    code: ClassVar[str] = "database-newer"
    remedy: ClassVar[str] = (
        "Start the later version again, or restore the backup that was made before the upgrade."
    )


def configuration(connection: Connection) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def head() -> str | None:
    """The newest revision that this version knows."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return ScriptDirectory.from_config(config).get_current_head()


def current(engine: Engine) -> str | None:
    """The database's revision; ``None`` for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _require_known(found: str | None) -> None:
    """Raises ``DatabaseNewer``: what is not known can be neither used nor taken back."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseNewer(
            f"the database is at revision {found[:40]}, which this version does not know; it knows"
            f" those up to {head()}"
        )


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run what is missing, all of it in one transaction. Raises ``DatabaseNewer`` and SQLAlchemy's
    errors."""
    with engine.connect() as plain, without_cascades(plain):
        connection = plain.execution_options(vigil_begin="IMMEDIATE")
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _require_known(MigrationContext.configure(connection).get_current_revision())
            command.upgrade(configuration(connection), revision)
            _check_foreign_keys(connection)


@contextmanager
def without_cascades(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by copying and dropping it (Alembic's batch mode), and DROP TABLE
    deletes its rows first: with foreign keys enforced, everything that refers to them ON DELETE
    CASCADE would be deleted, too (an alert's history, a person's consents). Only outside of a
    transaction can that be switched off."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.dbapi_connection
    assert raw is not None  # noqa: S101 - a checked-out connection has one
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def _check_foreign_keys(connection: Connection) -> None:
    """What was not enforced meanwhile holds all the same, or nothing of the migration is kept."""
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise DatabaseOutdated(f"the migration would leave rows of nobody in: {tables}")


def check(engine: Engine) -> None:
    """Raises ``DatabaseOutdated`` where ``upgrade`` has something to do, ``DatabaseNewer``."""
    found, wanted = current(engine), head()
    if found == wanted:
        return
    _require_known(found)
    raise DatabaseOutdated(
        f"the database is at revision {found or 'none'}, this version needs {wanted}:"
        " run `vigil-cloud migrate`"
    )


def differences(connection: Connection) -> list[Any]:
    """What separates the database from the models; empty where they agree."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata()))
