"""Put a backup back into empty stores.

Readings and objects first, which are idempotent, then the tables in one transaction. That it has
begun is noted before (``unfinished``): nothing of the city starts on half of it. A restore that was
interrupted before the tables were there is begun anew: what the stores of readings and objects hold
already must be of the same backup, or cities would be mixed. One that was interrupted after it,
given again, does what is left.

What must not come back with the rest: sessions that were ended since, and what was noted of
another machine's clock. What cannot be known here is said by the command that calls this:
consents withdrawn and people erased after the backup are back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import structlog
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    CursorResult,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Session

from vigil_cloud.alerts.history import RESTORED
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.backup import archive, files, tables, unfinished
from vigil_cloud.backup.archive import Manifest, Reader
from vigil_cloud.backup.errors import BackupDamaged, BackupNewer, RestoreNotEmpty
from vigil_cloud.backup.making import OBJECTS, READINGS, TABLES, Told
from vigil_cloud.certificates import issued
from vigil_cloud.certificates.models import AuthorityRow
from vigil_cloud.database.engine import writing
from vigil_cloud.database.migrate import FOLDER, current, upgrade, without_cascades
from vigil_cloud.database.models import ClockMark
from vigil_cloud.domain.registry import domains
from vigil_cloud.identity import audit, persons, secret_key
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.models import AccountSession, SecretKeyMark
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.services import Services
from vigil_cloud.timeseries.port import Point, Series, TimeSeriesRejected

_log = structlog.get_logger(__name__)

IN_USE: Final = ("accounts", "gateways", "devices", "alerts", "persons", "audit_log")
"""A database in which one of these has a row is somebody's."""
_WORKED: Final = timedelta(seconds=30)
"""Some job of a running city ends every ten seconds."""


def verify(path: Path) -> Manifest:
    """Read the whole file. Raises ``BackupDamaged``, ``BackupNewer``, ``OSError``."""
    with _checked(path) as reader:
        return reader.manifest


def restore(services: Services, path: Path, *, by: str, told: Told = lambda _: None) -> Manifest:
    """Fill the empty stores from the file; what it held. Given again it goes on.

    Raises ``BackupDamaged``, ``BackupNewer``, ``RestoreNotEmpty``, ``WrongSecretKey``, ``OSError``
    and what the stores raise.
    """
    with _checked(path) as reader:
        filled = unfinished.since(services.engine, reader.manifest)
        if filled is None:
            _require_empty(services, reader)
        else:
            with services.engine.connect() as connection:
                _require_nobody(connection, services.now(), filled)
        _require_key(services, reader)
        if filled is None:
            _require_same_objects(services, reader)
            _require_same_readings(services, reader)
            files.require_same(services.settings, reader)
            unfinished.begin(services.engine, reader.manifest)
        with files.workplace(services.settings.data_dir) as workplace:
            if filled is None:
                _fill(services, reader, workplace, told)
            _finish(services, path, reader.manifest, by, told)
    return reader.manifest


def _fill(services: Services, reader: Reader, workplace: Path, told: Told) -> None:
    _put_readings(services, reader, told)
    _put_objects(services, reader, workplace, told)
    if left_out := files.put(services.settings, reader, workplace):
        _log.warning("restore-leaves-out", files=left_out)
    if current(services.engine) is None:
        upgrade(services.engine, reader.manifest.revision)
    _put_tables(services, reader, told)


def _finish(services: Services, path: Path, manifest: Manifest, by: str, told: Told) -> None:
    """What follows the tables. Each step may have been done by a restore that was interrupted;
    the last takes the note of that away."""
    told("tables are brought up to this version")
    upgrade(services.engine)
    persons.give_own_keys(services)
    told("what stands is noted")
    with writing(services.sessions) as session:
        unfinished.end(session.connection())
        _note_what_stands(session, manifest, services.now())
        audit.append(
            session,
            at=services.now(),
            account=by,
            action="backup.restored",
            subject=path.name,
            detail={"made": manifest.made},
        )


def _note_what_stands(session: Session, manifest: Manifest, now: datetime) -> None:
    """In the history of each alert that its device would end: an end that came after the backup is
    told by nobody. None is closed for it."""
    at, word = literal(now, AlertHistory.at.type), literal(RESTORED)
    standing = select(AlertRow.id, at, word, literal(manifest.made)).where(
        AlertRow.active,
        AlertRow.momentary.is_(False),
        AlertRow.domain.in_([one.name for one in domains()]),
    )
    columns = ["alert_id", "at", "action", "comment"]
    found = session.execute(insert(AlertHistory).from_select(columns, standing))
    if count := cast("CursorResult[Any]", found).rowcount:
        _log.warning("restored-alerts-stand", alerts=count, made=manifest.made)


@contextmanager
def _checked(path: Path) -> Iterator[Reader]:
    with archive.opened(path) as reader:
        reader.verify()
        revision, known = reader.manifest.revision, {one.revision for one in _revisions()}
        if revision not in known:
            raise BackupNewer(
                f"made by version {reader.manifest.version} (tables {revision!r}), which this"
                " version does not know"
            )
        yield reader


def _revisions() -> list[Any]:
    return list(ScriptDirectory(str(FOLDER)).walk_revisions())


def _require_empty(services: Services, reader: Reader) -> None:
    """Nobody's, and without tables or with those of the backup: the migrations that come after
    them also change rows, which are not there yet."""
    found, wanted = current(services.engine), reader.manifest.revision
    if found is None:
        return
    with services.engine.connect() as connection:
        _require_no_rows(connection)
        _require_nobody(connection, services.now())
    if found != wanted:
        raise RestoreNotEmpty(f"the database has tables of revision {found}, the backup {wanted}")


def _require_no_rows(connection: Connection) -> None:
    there = set(inspect(connection).get_table_names())
    for table in tables.ordered():
        if table.name not in IN_USE or table.name not in there:
            continue
        if connection.scalar(select(func.count()).select_from(table)):
            raise RestoreNotEmpty(f"the database is in use: table {table.name} has rows")


def _require_nobody(connection: Connection, now: datetime, filled: datetime | None = None) -> None:
    """No process of the city runs on this database, not even of a city without an account: it
    would go on with what it read before the restore. Jobs that ended before the tables were
    ``filled`` came with them."""
    found, table = inspect(connection), JobRow.__tablename__
    columns = found.get_columns(table) if found.has_table(table) else []
    if JobRow.finished.key not in {one["name"] for one in columns}:  # an older version's
        return
    last = connection.execute(
        select(JobRow.name, JobRow.finished)
        .where(
            JobRow.finished > max(now - _WORKED, filled or now - _WORKED),
            JobRow.finished < now + _WORKED,  # later: of before this clock was set back
        )
        .order_by(JobRow.finished.desc())
    ).first()
    if last is not None:
        raise RestoreNotEmpty(
            f"a process of the city works on this database: its job {last.name} ended at"
            f" {last.finished:%H:%M:%S} UTC"
        )


def _require_same_objects(services: Services, reader: Reader) -> None:
    ours = set(reader.names(OBJECTS))
    for name in services.objects.names():
        if name not in ours:
            raise RestoreNotEmpty(f"the object store is in use: {name} is not in the backup")


def _require_same_readings(services: Services, reader: Reader) -> None:
    there: set[Series] = set()
    count = 0
    for points in services.timeseries.everything():
        there.update(point.series for point in points)
        count += len(points)
    if not there:
        return
    for points in _readings(reader):
        there.difference_update(point.series for point in points)
    if there:
        raise RestoreNotEmpty(
            f"the store of readings is in use: device {min(there).device} has some that are not"
            " in the backup"
        )
    if count > reader.manifest.readings:
        raise RestoreNotEmpty(
            f"the store of readings is in use: it holds {count}, the backup"
            f" {reader.manifest.readings}"
        )


def _require_key(services: Services, reader: Reader) -> None:
    """Before anything is written. Raises ``WrongSecretKey``."""
    if SecretKeyMark.__tablename__ not in reader.manifest.rows:
        return  # older than the mark: found out by what the key opens, at the first start
    fingerprint = Cipher(services.settings.secret).fingerprint()
    for row in reader.lines(f"{TABLES}/secret_key.jsonl"):
        if tables.decode(row.get("fingerprint")) != fingerprint:
            raise secret_key.WrongSecretKey(
                "the backup is sealed with another VIGIL_SECRET_KEY; start with that one"
            )


def _readings(reader: Reader) -> Iterator[list[Point]]:
    for batch in reader.lines(READINGS):
        try:
            yield [Point(Series(*row[:4]), *row[4:]) for row in batch]
        except TypeError as error:
            raise BackupDamaged(f"{READINGS}: {error}") from error


def _put_readings(services: Services, reader: Reader, told: Told) -> None:
    count = refused = 0
    for points in _readings(reader):
        try:
            services.timeseries.write(points)
        except TimeSeriesRejected as error:  # older than the store keeps any: the rest is stored
            if not refused:
                _log.warning("readings-refused", reason=str(error))
            refused += len(error.points)
        count += len(points)
        told(f"{count} of {reader.manifest.readings} readings")
    if refused:
        _log.warning("readings-not-restored", readings=refused, of=count)


def _put_objects(services: Services, reader: Reader, workplace: Path, told: Told) -> None:
    for count, name in enumerate(reader.names(OBJECTS), 1):
        with tempfile.NamedTemporaryFile(dir=workplace) as file:
            for chunk in reader.chunks(f"{OBJECTS}/{name}"):
                file.write(chunk)
            file.flush()
            services.objects.put(name, Path(file.name))
        told(f"{count} of {reader.manifest.objects} objects")


def _put_tables(services: Services, reader: Reader, told: Told) -> None:
    with services.engine.connect() as plain, without_cascades(plain):
        connection = plain.execution_options(vigil_begin="IMMEDIATE")
        with connection.begin():
            _lock(connection)
            _require_no_rows(connection)
            for table in tables.as_they_stand(connection, reader.manifest.rows):
                member = f"{TABLES}/{table.name}.jsonl"
                count = tables.fill(connection, table, reader.lines(member))
                if count != reader.manifest.rows[table.name]:
                    raise BackupDamaged(f"{member}: {count} rows")
                told(f"table {table.name}: {count} rows")
            for model in (AccountSession, ClockMark):
                if model.__tablename__ in reader.manifest.rows:
                    connection.execute(delete(model))
            if AuthorityRow.__tablename__ in reader.manifest.rows:
                issued.advance_list(connection, services.now())
            _require_references(connection)
            unfinished.fill(connection, services.now())


def _lock(connection: Connection) -> None:
    """A process of the city that was started meanwhile must not write what is then deleted:
    SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        there = set(inspect(connection).get_table_names())
        named = ", ".join(name for name in IN_USE if name in there)
        connection.execute(text(f"LOCK TABLE {named} IN SHARE ROW EXCLUSIVE MODE"))


def _require_references(connection: Connection) -> None:
    """SQLite's were not enforced meanwhile."""
    if connection.dialect.name == "sqlite" and (
        broken := connection.execute(text("PRAGMA foreign_key_check")).all()
    ):
        names = ", ".join(sorted({str(row[0]) for row in broken}))
        raise BackupDamaged(f"rows that refer to nothing, in: {names}")
