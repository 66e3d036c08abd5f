"""Make a backup while the city runs.

The tables are read in one transaction: as they stood at one moment. Objects and readings are
copied after it. An object is stored before a row names it, and a reading before its receipt, so
whatever the tables speak of is in the copy; what came later is more, never less.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import structlog
from sqlalchemy import Connection

from vigil_cloud.backup import archive, files, tables
from vigil_cloud.backup.archive import Manifest, Writer
from vigil_cloud.capacity.disk import Level
from vigil_cloud.database.engine import writing
from vigil_cloud.database.migrate import check, require_head, revision_of
from vigil_cloud.identity import audit
from vigil_cloud.objects.port import ObjectMissing
from vigil_cloud.services import Services
from vigil_schemas.types import isoformat_utc

TABLES, READINGS, OBJECTS = "tables", "readings.jsonl", "objects"
_log = structlog.get_logger(__name__)
Told = Callable[[str], None]
"""Takes a line about how far it is."""


def make(services: Services, path: Path, *, by: str, told: Told = lambda _: None) -> Manifest:
    """Write everything into a new file at ``path``; what it holds.

    ``by`` is who the audit log says did it. Raises ``BackupExists``, ``DatabaseOutdated``,
    ``NoSpace``, ``OSError`` and what the stores raise.
    """
    check(services.engine)
    now = services.now()
    with archive.create(path, _room(services, path)) as writer:
        with writing(services.sessions) as session:
            audit.append(session, at=now, account=by, action="backup.made", subject=path.name)
        revision, rows = _tables(services, writer, told)
        objects, missing = _objects(services, writer, told)
        for name, path in files.kept(services.settings).items():
            writer.add(f"{files.FILES}/{name}", files.chunks(path))
        if left_out := files.left_out(services.settings):
            _log.warning("backup-leaves-out", files=left_out)
        readings = _readings(services, writer, told)
        return writer.finish(
            Manifest(
                made=isoformat_utc(now),
                version=version("vigil-city"),
                revision=revision,
                rows=rows,
                readings=readings,
                objects=objects,
                missing_objects=missing,
            )
        )


def _room(services: Services, path: Path) -> Callable[[], None]:
    """On the city's own disk a backup leaves as free what readings leave: alarms go first."""
    data_dir = services.settings.data_dir
    if not data_dir.is_dir() or data_dir.stat().st_dev != path.absolute().parent.stat().st_dev:
        return lambda: None
    return lambda: services.disk.require(Level.LOW)


def _tables(services: Services, writer: Writer, told: Told) -> tuple[str, dict[str, int]]:
    """Of which revision they are, and how many rows each has. The revision is of the same moment
    as the rows: of a city that is upgraded meanwhile a restore would otherwise leave out what the
    upgrade makes of them. Raises ``DatabaseNewer``."""
    rows = {}
    with _snapshot(services) as connection:
        revision = require_head(revision_of(connection))
        for table in tables.ordered():
            with closing(tables.lines(connection, table)) as lines:
                rows[table.name] = writer.add(f"{TABLES}/{table.name}.jsonl", lines)
            told(f"table {table.name}: {rows[table.name]} rows")
    return revision, rows


def _snapshot(services: Services) -> Connection:
    """A transaction that goes on seeing what it saw first: SQLite's always does."""
    connection = services.engine.connect()
    if connection.dialect.name == "postgresql":
        return connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    return connection


def _objects(services: Services, writer: Writer, told: Told) -> tuple[int, list[str]]:
    count, missing = 0, []
    for name in sorted(services.objects.names()):
        try:
            chunks = services.objects.read(name)
        except ObjectMissing:  # its retention ended meanwhile
            missing.append(name)
            continue
        writer.add(f"{OBJECTS}/{name}", chunks, packed=False)
        count += 1
        if count % 100 == 0:
            told(f"{count} objects")
    told(f"{count} objects")
    return count, missing


def _readings(services: Services, writer: Writer, told: Told) -> int:
    total = 0

    def lines() -> Iterator[bytes]:
        nonlocal total
        for points in services.timeseries.everything():
            total += len(points)
            told(f"{total} readings")
            batch = [[*point.series, point.time_us, point.value, point.flag] for point in points]
            yield json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    writer.add(READINGS, lines())
    return total
