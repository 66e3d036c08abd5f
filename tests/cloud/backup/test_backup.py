"""A city is copied into one file while it runs, lost with all its stores, and comes back."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import Engine, inspect, select, text

import servers
import street_file
from cloud_city import GATEWAY, NOON, SECRET, City, exceedance, sealed, visit
from revisions import bring_up
from vigil_cloud import cli
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.backup import archive, making, restoring, tables
from vigil_cloud.backup.archive import Manifest
from vigil_cloud.backup.errors import (
    BackupDamaged,
    BackupExists,
    BackupNewer,
    RestoreNotEmpty,
)
from vigil_cloud.capacity.disk import Disk, NoSpace, Usage
from vigil_cloud.config import load
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import DatabaseNewer, check, current, upgrade
from vigil_cloud.database.models import ClockMark
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity import audit, secret_key
from vigil_cloud.identity.models import AccountSession
from vigil_cloud.identity.secret_key import WrongSecretKey
from vigil_cloud.objects.folder import FolderObjects
from vigil_cloud.objects.port import ObjectsUnavailable
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services
from vigil_cloud.street_map import service as street_map
from vigil_cloud.timeseries.port import Point, Series, TimeSeriesRejected

NOT_BACK = {AccountSession.__tablename__, ClockMark.__tablename__}
WRITTEN_BY_IT = {"audit_log", "audit_head"}
SERIES = Series("water", GATEWAY, "probe-1", "pH")
POINTS = [Point(SERIES, 1_700_000_000_000_000 + n, n / 7 if n % 5 else None, 1) for n in range(50)]


def rows_of(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {
            table.name: sorted(
                (json.loads(line) for line in tables.lines(connection, table)), key=str
            )
            for table in tables.ordered()
        }


@pytest.fixture
def lived_in(either_city: City, tmp_path: Path) -> City:
    """With alerts, a person's visit, somebody signed in, a package and readings."""
    city = either_city
    secret_key.check(city.services.engine, city.services.sessions, SECRET, NOON)
    city.birth()
    city.send(exceedance(NOON), "mic-1")
    city.send(visit(NOON), "station-1")
    assert city.client("inspector").get("/api/v1/session").status_code == 200
    package = tmp_path / "package"
    package.write_bytes(sealed({"plate.png": b"a picture"})[1])
    city.services.objects.put("evidence/gw-a/one.zip", package)
    street_map.put(city.services, street_file.written(tmp_path), by="operator")
    city.services.timeseries.write(POINTS)
    (city.settings.data_dir / "streets.geojson").write_text("{}", "utf-8")
    return city


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Services]:
    services = build_services(load(None, data_dir=tmp_path / "new", secret_key=SECRET))
    yield services
    services.close()


@pytest.fixture
def backup(lived_in: City, tmp_path: Path) -> Path:
    path = tmp_path / "city.zip"
    making.make(lived_in.services, path, by="operator")
    return path


def test_everything_comes_back_on_either_kind_of_database(
    lived_in: City, backup: Path, empty: Services
) -> None:
    before = rows_of(lived_in.services.engine)
    assert backup.stat().st_mode & 0o777 == 0o600
    lived_in.services.timeseries.delete("probe-1")  # nothing of it is read from where it was

    manifest = restoring.restore(empty, backup, by="operator")

    after = rows_of(empty.engine)
    standing = {row["id"] for row in before["alerts"] if row["active"] and not row["momentary"]}
    history = after.pop("alert_history")
    noted = [row for row in history if row["action"] == "restored"]
    assert {row["alert_id"] for row in noted} == standing
    told_before = before.pop("alert_history")
    assert len(told_before) > 0
    assert [row for row in history if row["action"] != "restored"] == told_before
    assert {name for name in before if before[name] != after[name]} == {
        name for name in (*NOT_BACK, *WRITTEN_BY_IT) if before[name] or name in WRITTEN_BY_IT
    }
    assert all(not after[name] for name in NOT_BACK)
    with empty.sessions() as session:
        assert audit.verify(session)[0] == len(before["audit_log"]) + 1
        assert session.scalars(select(AlertRow.domain).order_by(AlertRow.domain)).all() == [
            "checkin",
            "noise",
        ]
    start = NOON - timedelta(days=10_000)
    read = empty.timeseries.read(SERIES, start, NOON + timedelta(days=10_000))
    assert [sample.value for sample in read] == [point.value for point in POINTS]
    name = "evidence/gw-a/one.zip"
    kept = b"".join(lived_in.services.objects.read(name))
    assert b"".join(empty.objects.read(name)) == kept
    assert (empty.settings.data_dir / "streets.geojson").read_text("utf-8") == "{}"
    with empty.sessions() as session:
        drawn = street_map.current(session)
    assert drawn is not None
    assert len(b"".join(empty.objects.read(drawn.object_name))) == drawn.size
    assert (manifest.readings, manifest.objects) == (len(POINTS), 2)


def test_the_restored_city_goes_on(
    backup: Path, tmp_path: Path, postgres: servers.Postgres
) -> None:
    services = build_services(
        load(
            None,
            data_dir=tmp_path / "new",
            secret_key=SECRET,
            database_url=postgres.create("restored" + tmp_path.name.replace("-", "")[-20:].lower()),
        )
    )
    restoring.restore(services, backup, by="operator")
    services.close()

    city = City(tmp_path / "new", services.settings.database_url)
    try:
        city.send(exceedance(city.later(hours=1), "exceedance-2"), "mic-1")
        assert city.client("inspector").get("/api/v1/alerts").status_code == 200
    finally:
        city.close()


def test_a_database_in_use_and_a_file_that_exists_are_left_alone(
    lived_in: City, backup: Path
) -> None:
    before = rows_of(lived_in.services.engine)

    with pytest.raises(RestoreNotEmpty):
        restoring.restore(lived_in.services, backup, by="operator")
    with pytest.raises(BackupExists):
        making.make(lived_in.services, backup, by="operator")

    assert rows_of(lived_in.services.engine) == before
    assert not list(backup.parent.glob("*.part"))


def test_another_key_is_refused_before_anything_is_written(backup: Path, tmp_path: Path) -> None:
    services = build_services(load(None, data_dir=tmp_path / "new", secret_key="0" * 40))
    try:
        with pytest.raises(WrongSecretKey):
            restoring.restore(services, backup, by="operator")
        assert list(services.timeseries.everything()) == []
        assert list(services.objects.names()) == []
    finally:
        services.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("small")
    services = build_services(load(None, data_dir=folder / "data", secret_key=SECRET))
    bring_up(services.engine)
    making.make(services, folder / "city.zip", by="operator")
    services.close()
    return (folder / "city.zip").read_bytes()


def test_the_stores_of_another_city_are_left_alone(backup: Path, empty: Services) -> None:
    other = Series("water", "gw-other", "probe-1", "pH")
    empty.timeseries.write([Point(other, 1, 7.0, 1)])
    with pytest.raises(RestoreNotEmpty, match="probe-1"):
        restoring.restore(empty, backup, by="operator")
    empty.timeseries.delete("probe-1")

    package = backup.with_name("package")
    empty.objects.put("evidence/gw-other/one.zip", package)
    with pytest.raises(RestoreNotEmpty, match="gw-other"):
        restoring.restore(empty, backup, by="operator")
    empty.objects.delete("evidence/gw-other/one.zip")

    empty.timeseries.write([Point(SERIES, n, 7.0, 1) for n in range(len(POINTS) + 1)])
    with pytest.raises(RestoreNotEmpty, match="it holds 51"):
        restoring.restore(empty, backup, by="operator")
    assert current(empty.engine) is None


def test_tables_of_a_later_version_are_left_alone(small: bytes, tmp_path: Path) -> None:
    """Migrations that also change rows have run already, over none."""
    path = tmp_path / "city.zip"
    older = _with_manifest(small, path, revision="0001")
    services = build_services(load(None, data_dir=tmp_path / "new", secret_key=SECRET))
    try:
        bring_up(services.engine)
        with pytest.raises(RestoreNotEmpty, match="0001"):
            restoring.restore(services, older, by="operator")
    finally:
        services.close()


def test_who_writes_meanwhile_loses_nothing(
    small: bytes, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service of the city that was started too early."""
    path = tmp_path / "city.zip"
    path.write_bytes(small)
    folder = tmp_path / "new"
    settings = load(None, data_dir=folder, secret_key=SECRET, database_url=migrated_url)
    services = build_services(settings)
    find_out = restoring._require_same_readings

    def then_somebody_writes(*given: Any) -> None:
        find_out(*given)
        with services.sessions.begin() as session:
            audit.append(session, at=NOON, account="gw-new", action="looked", subject="x")

    monkeypatch.setattr(restoring, "_require_same_readings", then_somebody_writes)
    try:
        with pytest.raises(RestoreNotEmpty, match="audit_log"):
            restoring.restore(services, path, by="operator")
        with services.sessions() as session:
            assert audit.verify(session)[0] == 1
    finally:
        services.close()


def test_readings_that_the_store_takes_no_more_do_not_stop_a_restore(
    backup: Path, empty: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """InfluxDB refuses what is older than its bucket keeps, and stores the rest."""
    write = empty.timeseries.write

    def keeps_the_later_half(points: Sequence[Point]) -> None:
        write(points[25:])
        raise TimeSeriesRejected("older than the retention", points[:25])

    monkeypatch.setattr(empty.timeseries, "write", keeps_the_later_half)
    with structlog.testing.capture_logs() as said:
        restoring.restore(empty, backup, by="operator")

    assert [one for one in said if one["event"] == "readings-not-restored"] == [
        {"event": "readings-not-restored", "log_level": "warning", "readings": 25, "of": 50}
    ]
    with empty.sessions() as session:
        assert session.scalars(select(AlertRow.id)).all()


def test_where_there_are_no_links_and_beside_earlier_backups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a stick with FAT, and in the city's own folder."""

    def refused(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr("os.link", refused)
    services = build_services(load(None, data_dir=tmp_path / "data", secret_key=SECRET))
    try:
        bring_up(services.engine)
        paths = [services.settings.data_dir / f"{name}.zip" for name in ("one", "two")]
        for path in paths:
            making.make(services, path, by="operator")
        assert restoring.verify(paths[1]).rows["audit_log"] == 2
        with zipfile.ZipFile(paths[1]) as file:
            assert not [name for name in file.namelist() if name.endswith(".zip")]
        with pytest.raises(BackupExists):
            making.make(services, paths[0], by="operator")
    finally:
        services.close()


def test_two_at_once_do_not_write_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "city.zip"
    with archive.create(path) as writer:
        writer.add("one", [b"1"])
        with pytest.raises(BackupExists, match="another process"), archive.create(path):
            pass
        writer.add("two", [b"2"])
        writer.finish(Manifest(made="", version="", revision="", rows={}, readings=0, objects=0))
    with archive.opened(path) as reader:
        reader.verify()
    assert [one.name for one in tmp_path.iterdir()] == ["city.zip"]


def test_a_backup_leaves_alarms_their_room(lived_in: City, tmp_path: Path) -> None:
    services = replace(
        lived_in.services,
        disk=Disk(
            lived_in.settings.data_dir,
            lived_in.settings.disk,
            usage=lambda _: Usage(10**12, 10**12 - 10**6, 10**6),
        ),
    )
    with pytest.raises(NoSpace):
        making.make(services, lived_in.settings.data_dir / "city", by="operator")
    assert not list(lived_in.settings.data_dir.glob("city*"))


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    assert list(objects.names()) == []
    (tmp_path / "package").write_bytes(b"x")
    objects.put("evidence/one.zip", tmp_path / "package")
    (tmp_path / "objects" / ".DS_Store").write_bytes(b"x")
    assert list(objects.names()) == ["evidence/one.zip"]

    with pytest.raises(ObjectsUnavailable):
        list(FolderObjects(tmp_path / "package").names())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_that_was_cut_is_none(small: bytes, share: float, tmp_path: Path) -> None:
    path = tmp_path / "city.zip"
    path.write_bytes(small[: int(len(small) * share)])

    with pytest.raises(BackupDamaged):
        restoring.verify(path)


def test_a_changed_or_an_added_member_is_found(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "city.zip"
    path.write_bytes(small)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("files/extra", "x")
    with pytest.raises(BackupDamaged, match="files/extra"):
        restoring.verify(path)

    changed = bytearray(small)
    at = changed.index(b"tables/accounts.jsonl") + len(b"tables/accounts.jsonl") + 22
    for place in range(at, at + 4000, 97):
        torn = bytearray(small)
        torn[place] ^= 1
        path.write_bytes(torn)
        try:
            manifest = restoring.verify(path)
        except BackupDamaged:
            continue
        # A byte that no content depends on: a name or a date of zip's own.
        assert manifest.rows


def test_a_backup_of_a_later_version_says_which(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "city.zip"
    with pytest.raises(BackupNewer, match=r"99\.1"):
        restoring.verify(_with_manifest(small, path, revision="9999", version="99.1"))


def test_a_backup_of_a_later_form_says_which(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "city.zip"
    with pytest.raises(BackupNewer, match=r"99\.1"):
        restoring.verify(_with_manifest(small, path, format=2, version="99.1", more=True))


def test_no_bit_of_a_header_that_flipped_is_a_crash(small: bytes, tmp_path: Path) -> None:
    """An entry that says "encrypted", or is packed in a way that nobody knows, is damage."""
    path, end = tmp_path / "city.zip", small.rfind(b"PK\x05\x06")
    directory = int.from_bytes(small[end + 16 : end + 20], "little")
    refused = 0
    for place in (*range(30), *range(directory, directory + 46), *range(end, len(small))):
        for bit in range(8):
            torn = bytearray(small)
            torn[place] ^= 1 << bit
            path.write_bytes(torn)
            try:
                restoring.verify(path)
            except BackupDamaged:
                refused += 1
    assert refused > 100


def test_a_backup_writes_through_no_link(tmp_path: Path) -> None:
    """In a folder of everybody the growing file may be laid out by somebody else."""
    path, other = tmp_path / "city.zip", tmp_path / "other"
    other.write_text("important", "utf-8")
    part = tmp_path / "city.zip.part"
    for lay in (part.symlink_to, part.hardlink_to):
        lay(other)
        with pytest.raises(BackupExists, match="no file of ours"), archive.create(path):
            pass
        part.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BackupExists, match="exists"), archive.create(path):
        pass
    path.unlink()
    part.touch(mode=0o666)  # of an interrupted one, under another umask
    with archive.create(path) as writer:
        writer.finish(Manifest(made="", version="", revision="", rows={}, readings=0, objects=0))

    assert other.read_text("utf-8") == "important"
    assert path.stat().st_mode & 0o777 == 0o600


def _with_manifest(small: bytes, path: Path, **changed: object) -> Path:
    with zipfile.ZipFile(io.BytesIO(small)) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == "manifest.json":
                content = json.dumps(json.loads(content) | changed).encode()
            new.writestr(info.filename, content)
    return path


def test_an_interrupted_restore_is_begun_anew(
    backup: Path, empty: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_require_references", killed)
        with pytest.raises(KeyboardInterrupt):
            restoring.restore(empty, backup, by="operator")

    restoring.restore(empty, backup, by="operator")

    with empty.sessions() as session:
        assert session.scalars(select(AlertRow.domain).order_by(AlertRow.domain)).all() == [
            "checkin",
            "noise",
        ]


def test_a_backup_of_an_older_version_is_brought_up(empty: Services, tmp_path: Path) -> None:
    engine = build_engine(f"sqlite:///{tmp_path / 'older.sqlite3'}")
    upgrade(engine, "0001")
    path = tmp_path / "older.zip"
    with archive.create(path) as writer, engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO gateways (gateway, added, connected, offline, software, lost,"
                " conflicts, updated) VALUES ('gw-old', :at, 0, 0, '0.1', 0, '[]', :at)"
            ),
            {"at": "2025-01-01 00:00:00.000000"},
        )
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
        rows = {
            table.name: writer.add(f"tables/{table.name}.jsonl", tables.lines(connection, table))
            for table in tables.as_they_stand(connection, names)
        }
        writer.add("readings.jsonl", [])
        writer.finish(
            Manifest(
                made="2025-01-02T00:00:00Z",
                version="0.1",
                revision="0001",
                rows=rows,
                readings=0,
                objects=0,
            )
        )
    engine.dispose()

    restoring.restore(empty, path, by="operator")

    with empty.sessions() as session:
        assert session.scalars(select(Gateway.gateway)).all() == ["gw-old"]
    check(empty.engine)


def test_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("VIGIL_SECRET_KEY", SECRET)
    monkeypatch.setenv("VIGIL_DATA_DIR", str(tmp_path / "one"))
    assert cli.main(["migrate"]) == 0
    assert cli.main(["gateway", "add", "gw-z"]) == 0
    file = str(tmp_path / "city.zip")
    capsys.readouterr()

    assert cli.main(["backup", file]) == 0
    made = capsys.readouterr()
    assert json.loads(made.out)["readings"] == 0
    assert "\r\033[Ktable " in made.err
    assert "\r\033[Kvigil-cloud: the secret key" in made.err, "the line of progress is taken away"
    shutil.rmtree(tmp_path / "one")
    assert cli.main(["restore", "--check", file]) == 0
    capsys.readouterr()
    assert cli.main(["restore", file]) == 0
    assert "Consents" in capsys.readouterr().err
    assert cli.main(["gateway", "list"]) == 0
    assert "gw-z" in capsys.readouterr().out
    assert cli.main(["restore", file]) == 2
    assert "restore-not-empty" in capsys.readouterr().err
    (tmp_path / "none").write_bytes(b"none")
    assert cli.main(["restore", str(tmp_path / "none")]) == 2
    assert "backup-damaged" in capsys.readouterr().err


def test_a_backup_is_of_the_revision_that_its_rows_are_of(lived_in: City, tmp_path: Path) -> None:
    """The city is upgraded while its backup is made: what a later revision makes of the rows has to
    be made of them again by a restore."""
    engine, path = lived_in.services.engine, tmp_path / "meanwhile.zip"
    before = current(engine)

    def upgraded(line: str) -> None:
        if line.endswith(" objects"):
            with engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))

    manifest = making.make(lived_in.services, path, by="operator", told=upgraded)

    assert current(engine) == "later"
    assert manifest.revision == before
    with pytest.raises(DatabaseNewer):
        making.make(lived_in.services, tmp_path / "another.zip", by="operator")
