"""A restore that is killed (SIGKILL) anywhere is given again and fills the same city."""

from __future__ import annotations

import errno
import functools
import io
import json
import shutil
import sys
from contextlib import closing, redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

import servers
from cloud_city import NOON, SECRET, City, exceedance, excursion, sealed, visit
from revisions import bring_up
from vigil_cloud import cli
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.backup import making, restoring, tables
from vigil_cloud.backup.errors import RestoreNotEmpty, RestoreUnfinished
from vigil_cloud.config import load
from vigil_cloud.identity import persons
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.preparation import prepare_database
from vigil_cloud.stores import build_services
from vigil_cloud.timeseries.port import Point, Series

PROGRAM = Path(__file__).with_name("killed_restoring.py")
SERIES = Series("water", "gw-east", "probe-1", "pH")


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    city = City(folder)
    try:
        city.birth()
        city.send(exceedance(NOON), "mic-1")
        city.send(visit(NOON), "station-1")
        city.send(excursion(NOON), "sonde-1")  # its device ends it: it stands after a restore
        for number in range(3):
            (folder / "package").write_bytes(sealed({"plate.png": b"a picture"})[1])
            city.services.objects.put(f"evidence/gw-a/{number}.zip", folder / "package")
        points = [Point(SERIES, 1_700_000_000_000_000 + n, n / 7, 1) for n in range(20_000)]
        city.services.timeseries.write(points)
        (city.settings.data_dir / "streets.geojson").write_text("{}", "utf-8")
        path = folder / "city.zip"
        making.make(city.services, path, by="operator")
    finally:
        city.close()
    return path


@pytest.fixture(scope="module")
def whole(backup: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The city that nothing has disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "city"
    restored(folder, backup)
    assert [len(noted(folder)[0]), noted(folder)[1]] == [1, 1]
    return folder


@functools.cache
def undisturbed(whole: Path) -> tuple[dict[str, Any], tuple[list[str], int]]:
    """Read once: nobody writes there."""
    return contents(whole), noted(whole)


def contents(folder: Path) -> dict[str, Any]:
    """Everything but what the restore itself notes."""
    services = build_services(load(None, data_dir=folder, secret_key=SECRET))
    try:
        with services.engine.connect() as connection:
            rows = {
                table.name: sorted(
                    str(_without_moment(json.loads(one))) for one in tables.lines(connection, table)
                )
                for table in tables.ordered()
                if table.name not in ("audit_log", "audit_head", "certificate_authority")
            }
        objects = {n: b"".join(services.objects.read(n)) for n in services.objects.names()}
        readings = [point for some in services.timeseries.everything() for point in some]
        others = sorted(path.name for path in folder.iterdir() if "sqlite3" not in path.name)
        return {"rows": rows, "objects": objects, "readings": readings, "files": others}
    finally:
        services.close()


def _without_moment(row: dict[str, Any]) -> dict[str, Any]:
    """As it is whenever the restore notes it."""
    return row | {"at": None} if row.get("action") == "restored" else row


def noted(folder: Path) -> tuple[list[str], int]:
    """Which alerts have a restore in their history, and how often the audit log speaks of one."""
    services = build_services(load(None, data_dir=folder, secret_key=SECRET))
    try:
        with services.sessions() as session:
            histories = (
                select(AlertRow.kind).join(AlertHistory).where(AlertHistory.action == "restored")
            )
            lines = select(AuditEntry).where(AuditEntry.action == "backup.restored")
            return list(session.scalars(histories)), len(session.scalars(lines).all())
    finally:
        services.close()


def restored(folder: Path, backup: Path) -> None:
    services = build_services(load(None, data_dir=folder, secret_key=SECRET))
    try:
        restoring.restore(services, backup, by="operator")
    finally:
        services.close()


def refused(folder: Path, *command: str) -> str:
    """What a command that uses the city says, which ends at once."""
    words = [*command, str(folder / "file.zip")] if "backup" in command else command
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(io.StringIO()) as said:
        patch.setenv("VIGIL_DATA_DIR", str(folder))
        patch.setenv("VIGIL_SECRET_KEY", SECRET)
        assert cli.main(words) == 2
    return said.getvalue()


@pytest.mark.parametrize(
    ("word", "count"),
    [
        *(("readings", 1), ("readings", 2), ("objects", 2), ("table ", 1), ("table ", 60)),
        *(("tables are brought up", 1), ("what stands is noted", 1)),
    ],
)
def test_given_again_it_fills_the_same_city(
    backup: Path, whole: Path, tmp_path: Path, word: str, count: int
) -> None:
    killed = tmp_path / "killed"
    done = servers.run(
        [sys.executable, str(PROGRAM), str(killed), str(backup), SECRET, word, str(count)],
        text=True,
    )
    assert done.returncode == -9, done.stderr
    for command in ("serve", "migrate", "backup"):
        assert "restore-unfinished" in refused(killed, command)

    restored(killed, backup)

    assert (contents(killed), noted(killed)) == undisturbed(whole)
    services = build_services(load(None, data_dir=killed, secret_key=SECRET))
    with closing(services), pytest.raises(RestoreNotEmpty, match="the database is in use"):
        restoring.restore(services, backup, by="operator")


def test_another_backup_is_not_taken_for_the_one_that_was_interrupted(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk was full as the tables were to be brought up. A copy under another name is it."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    other = tmp_path / "other.zip"
    source = build_services(load(None, data_dir=tmp_path / "source", secret_key=SECRET))
    services = build_services(load(None, data_dir=tmp_path / "new", secret_key=SECRET))
    with closing(source), closing(services):
        bring_up(source.engine)
        making.make(source, other, by="operator")
        with monkeypatch.context() as patch:
            patch.setattr(persons, "give_own_keys", full)
            with pytest.raises(OSError, match="No space left"):
                restoring.restore(services, backup, by="operator")

        with pytest.raises(RestoreNotEmpty, match="was interrupted: give that one again"):
            restoring.restore(services, other, by="operator")
        with services.engine.begin() as connection:
            now = services.now()
            job = {"name": "a-job", "period_s": 10, "due": now, "finished": now}
            connection.execute(insert(JobRow), job)
        with pytest.raises(RestoreNotEmpty, match="a process of the city works"):
            restoring.restore(services, backup, by="operator")
        with services.engine.begin() as connection:
            connection.execute(delete(JobRow))
        copy = Path(shutil.copy(backup, tmp_path / "copy.zip"))
        restoring.restore(services, copy, by="operator")
    assert noted(tmp_path / "new")[1] == 1


def test_one_that_put_no_tables_gives_way_to_another_backup_of_the_same_stores(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stick with the backup was pulled out before anything was written."""

    def gone(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    other = tmp_path / "other.zip"
    source = build_services(load(None, data_dir=tmp_path / "source", secret_key=SECRET))
    services = build_services(load(None, data_dir=tmp_path / "new", secret_key=SECRET))
    with closing(source), closing(services):
        bring_up(source.engine)
        making.make(source, other, by="operator")
        with monkeypatch.context() as patch:
            patch.setattr(restoring, "_put_readings", gone)
            with pytest.raises(OSError, match="Input/output"):
                restoring.restore(services, backup, by="operator")
        with pytest.raises(RestoreUnfinished, match="is under way or was interrupted"):
            prepare_database(services, always=True)

        restoring.restore(services, other, by="operator")

        prepare_database(services, always=True)
    assert noted(tmp_path / "new")[1] == 1
