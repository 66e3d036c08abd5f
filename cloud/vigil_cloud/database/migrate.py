"""Bring a database to the tables that this version needs.

Several processes may start at once: the first migrates, the others wait for its lock
and then find nothing to do. On PostgreSQL whoever waits for a whole table keeps everybody out who
comes after, readers too: behind a copy of the database that takes an hour no alarm would be stored
for that hour. So a migration waits for a table for moments only, gives up whole, lets the others
pass, and tries again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from vigil_cloud.database.registry import metadata
from vigil_schemas.errors import VigilError

FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x5649_4749_4C
"""Key of PostgreSQL's advisory lock: "VIGIL"."""
LOCK_S: Final = 2.0
"""So long a migration waits for one table: so long an alarm may wait behind it."""
PATIENCE_S: Final = 600.0
PAUSE_FIRST_S: Final = 1.0
PAUSE_LAST_S: Final = 15.0
_IN_THE_WAY: Final = frozenset({"55P03", "40P01", "SQLITE_BUSY"})
"""A lock that was not given in time; a deadlock that ended with us."""
_OLDEST: Final = text(
    "SELECT pid, coalesce(nullif(application_name, ''), usename, backend_type) AS who, state,"
    " extract(epoch FROM clock_timestamp() - xact_start) AS for_s FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND xact_start < clock_timestamp() - make_interval(secs => :lock_s)"
    " ORDER BY xact_start LIMIT 3"
)
_log = structlog.get_logger(__name__)


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


class DatabaseBusy(VigilError):
    """Others use the tables for so long that they cannot be changed."""

    code: ClassVar[str] = "database-busy"
    remedy: ClassVar[str] = (
        "Nothing was changed. Wait for what the message names (a backup, a report), or end it, and"
        " run `vigil-cloud migrate` again."
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
        return revision_of(connection)


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
    """Run what is missing, all of it in one transaction; where somebody uses a table for long, it
    is given up and tried again. Raises ``DatabaseNewer``, ``DatabaseBusy`` and SQLAlchemy's
    errors."""
    ends, pause_s = time.monotonic() + PATIENCE_S, PAUSE_FIRST_S
    while True:
        try:
            _upgrade(engine, revision)
            return
        except DBAPIError as error:
            if not _in_the_way(error):
                raise
            said = _who(engine)
            if time.monotonic() + pause_s > ends:
                raise DatabaseBusy(f"the tables are in use by others{said}") from error
        _log.warning("database-busy", reason=f"the tables are in use{said}", again_in_s=pause_s)
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, PAUSE_LAST_S)


def _upgrade(engine: Engine, revision: str) -> None:
    with engine.connect() as plain, without_cascades(plain):
        connection = plain.execution_options(vigil_begin="IMMEDIATE")
        with connection.begin():
            if connection.dialect.name == "postgresql":
                # Whoever waits here waits for another migration and keeps nobody out.
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                patience = {"patience": f"{int(LOCK_S * 1000)}ms"}
                connection.execute(
                    text("SELECT set_config('lock_timeout', :patience, true)"), patience
                )
            _require_known(revision_of(connection))
            command.upgrade(configuration(connection), revision)
            _check_foreign_keys(connection)


def _in_the_way(error: DBAPIError) -> bool:
    said = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", "")
    return said in _IN_THE_WAY


def _who(engine: Engine) -> str:
    """Whose transactions are the oldest, as a clause; empty where nobody knows."""
    if engine.dialect.name != "postgresql":
        return ""
    with engine.connect() as connection:
        rows = connection.execute(_OLDEST, {"lock_s": LOCK_S}).all()
    told = [f"process {row.pid} ({row.who}, {row.state}, for {row.for_s:.0f} s)" for row in rows]
    return f": {', '.join(told)}" if told else ""


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
    require_head(current(engine))


def revision_of(connection: Connection) -> str | None:
    """The database's revision as this transaction sees it; ``None`` for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def require_head(found: str | None) -> str:
    """The newest revision, where it is the one that was found. Raises ``DatabaseOutdated``,
    ``DatabaseNewer``."""
    wanted = head()
    if found is not None and found == wanted:
        return found
    _require_known(found)
    raise DatabaseOutdated(
        f"the database is at revision {found or 'none'}, this version needs {wanted}:"
        " run `vigil-cloud migrate`"
    )


def differences(connection: Connection) -> list[Any]:
    """What separates the database from the models; empty where they agree."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata()))
