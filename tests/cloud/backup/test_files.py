"""Files beside the stores: which are copied, and what a restore does not write over."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import insert, select, update

import servers
from cloud_city import SECRET
from revisions import bring_up
from vigil_cloud.backup import archive, files, making, restoring
from vigil_cloud.backup.errors import BackupDamaged, RestoreNotEmpty
from vigil_cloud.config import load
from vigil_cloud.database.migrate import current
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services

Opened = Callable[..., Services]
STREETS = b'{"type": "FeatureCollection", "features": []}'


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Stores in a folder of this name."""
    made: list[Services] = []

    def open_(name: str, **settings: object) -> Services:
        services = build_services(
            load(None, data_dir=tmp_path / name, secret_key=SECRET, **settings)
        )
        made.append(services)
        services.settings.data_dir.mkdir(exist_ok=True)
        return services

    yield open_
    for services in made:
        services.close()


def names(path: Path) -> list[str]:
    with archive.opened(path) as reader:
        return reader.names(files.FILES)


def backup(services: Services, path: Path, added: dict[str, bytes]) -> Path:
    """Of an empty city, with these files as an earlier version copied them."""
    bring_up(services.engine)
    plain = making.make(services, path.with_suffix(".first"), by="operator")
    with archive.opened(path.with_suffix(".first")) as reader, archive.create(path) as writer:
        for member in reader.manifest.members:
            writer.add(member.name, reader.chunks(member.name))
        for name, content in added.items():
            writer.add(f"files/{name}", [content])
        writer.finish(plain)
    return path


def test_only_what_somebody_named_is_copied_and_the_rest_is_told(
    opened: Opened, tmp_path: Path
) -> None:
    """Also an earlier backup under any name, and the room that is laid by for alarms."""
    register = tmp_path / "city" / "owners.json"
    services = opened("city", vehicle_register_file=register)
    folder = services.settings.data_dir
    bring_up(services.engine)
    making.make(services, folder / "monday.zip", by="operator")
    (folder / "monday.zip").rename(folder / "monday.zip.bak")
    (folder / "streets.geojson").write_bytes(STREETS)
    register.write_text("{}")
    for name in (".DS_Store", "tmp1234", "reserve", "reserve.arriving", "monday.sqlite3-journal"):
        (folder / name).write_bytes(b"x")

    with structlog.testing.capture_logs() as said:
        making.make(services, tmp_path / "tuesday.zip", by="operator")

    assert names(tmp_path / "tuesday.zip") == ["owners.json", "streets.geojson"]
    (line,) = [one for one in said if one["event"] == "backup-leaves-out"]
    assert line["files"] == [".DS_Store", "monday.zip.bak", "tmp1234"]


def test_the_brokers_key_is_no_part_of_a_backup(opened: Opened, tmp_path: Path) -> None:
    key = tmp_path / "city" / "broker-key.pem"
    services = opened("city", broker_key_file=key)
    bring_up(services.engine)
    key.write_text("a key")
    making.make(services, tmp_path / "city.zip", by="operator")
    assert names(tmp_path / "city.zip") == []


def test_an_earlier_versions_backup_with_any_file_in_it_comes_back(
    opened: Opened, tmp_path: Path
) -> None:
    """They copied every file of the folder: one with a hidden file could not be restored."""
    old = {".DS_Store": b"x", "reserve": b"\0" * 100, "vigil.sqlite3-journal": b"x"}
    old |= {"monday.zip.bak": b"who was erased since", "broker-key.pem": b"a key"}
    path = backup(opened("one"), tmp_path / "old.zip", old | {"streets.geojson": STREETS})

    empty = opened("two")
    with structlog.testing.capture_logs() as said:
        restoring.restore(empty, path, by="operator")

    (line,) = [one for one in said if one["event"] == "restore-leaves-out"]
    assert line["files"] == sorted(old)
    folder = empty.settings.data_dir
    assert (folder / "streets.geojson").read_bytes() == STREETS
    assert (folder / "streets.geojson").stat().st_mode & 0o777 == 0o600
    assert not [name for name in old if (folder / name).exists()]
    assert not (folder / "restoring").exists()


def test_what_a_setting_names_comes_back_under_any_name(opened: Opened, tmp_path: Path) -> None:
    register = tmp_path / "one" / ".owners.json"
    services = opened("one", vehicle_register_file=register)
    bring_up(services.engine)
    register.write_bytes(b"{}")
    making.make(services, tmp_path / "city.zip", by="operator")
    assert names(tmp_path / "city.zip") == [".owners.json"]

    again = opened("two", vehicle_register_file=tmp_path / "two" / ".owners.json")
    restoring.restore(again, tmp_path / "city.zip", by="operator")
    assert (tmp_path / "two" / ".owners.json").read_bytes() == b"{}"

    other = opened("three")  # whose settings name none
    with structlog.testing.capture_logs() as said:
        restoring.restore(other, tmp_path / "city.zip", by="operator")
    (line,) = [one for one in said if one["event"] == "restore-leaves-out"]
    assert line["files"] == [".owners.json"]
    assert not (tmp_path / "three" / ".owners.json").exists()


@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_is_there_is_not_written_over(
    opened: Opened, tmp_path: Path, link: bool
) -> None:
    path = backup(opened("one"), tmp_path / "city.zip", {"streets.geojson": STREETS})
    empty = opened("two")
    there = empty.settings.data_dir / "streets.geojson"
    if link:
        (tmp_path / "elsewhere").write_bytes(STREETS)
        there.symlink_to(tmp_path / "elsewhere")
    else:
        there.write_bytes(b"of this city")
    before = there.read_bytes()

    with pytest.raises(RestoreNotEmpty, match=r"streets\.geojson is there"):
        restoring.restore(empty, path, by="operator")
    assert there.read_bytes() == before
    assert current(empty.engine) is None

    there.unlink()
    there.write_bytes(STREETS)  # as an interrupted restore left it
    restoring.restore(empty, path, by="operator")


def test_a_name_that_leaves_the_folder_is_refused(opened: Opened, tmp_path: Path) -> None:
    path = backup(opened("one"), tmp_path / "city.zip", {"../outside": b"x"})
    empty = opened("two")
    with pytest.raises(BackupDamaged, match="leaves its folder"):
        restoring.restore(empty, path, by="operator")
    assert not (tmp_path / "outside").exists()
    assert current(empty.engine) is None


def test_two_restores_do_not_fill_one_folder(opened: Opened, tmp_path: Path) -> None:
    path = backup(opened("one"), tmp_path / "city.zip", {})
    empty = opened("two")
    folder = empty.settings.data_dir
    with files.workplace(folder), pytest.raises(RestoreNotEmpty, match="another restore"):
        restoring.restore(empty, path, by="operator")
    assert current(empty.engine) is None
    (folder / "restoring").mkdir()
    (folder / "restoring" / "tmp1").write_bytes(b"what a killed one left")
    restoring.restore(empty, path, by="operator")
    assert not (folder / "restoring").exists()


@pytest.mark.parametrize("anew", [True, False])
def test_a_folder_that_was_taken_away_meanwhile_holds_nobody_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    """One restore ends between another's opening and locking, and a third makes the folder anew."""
    place, lock = tmp_path / "restoring", fcntl.flock

    def late(number: int, kind: int) -> None:
        place.rename(tmp_path / "ended")
        if anew:
            place.mkdir()
        lock(number, kind)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        with pytest.raises(RestoreNotEmpty, match="another restore"), files.workplace(tmp_path):
            pass
    with files.workplace(tmp_path) as free:
        assert free.is_dir()


def test_a_job_that_ended_tomorrow_says_nothing(opened: Opened, tmp_path: Path) -> None:
    """The clock was set back: no wait would ever be long enough."""
    path = backup(opened("one"), tmp_path / "city.zip", {})
    empty = opened("two")
    bring_up(empty.engine)
    now = datetime.now(UTC)
    with empty.engine.begin() as connection:
        row = {"name": "a-job", "period_s": 10, "due": now, "finished": now}
        connection.execute(insert(JobRow), row)
    with pytest.raises(RestoreNotEmpty, match="a process of the city works") as refused:
        restoring.restore(empty, path, by="operator")
    assert "Stop the city's processes" in refused.value.remedy
    with empty.engine.begin() as connection:
        connection.execute(update(JobRow).values(finished=now + timedelta(days=1)))
    restoring.restore(empty, path, by="operator")


def test_a_city_that_runs_is_not_filled_behind_its_back(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one without an account: `serve` was started, and the backup remembered then."""
    path = backup(opened("one"), tmp_path / "city.zip", {})
    folder, port = tmp_path / "two", servers.free_port()
    running = servers.Server(
        "vigil-cloud",
        [sys.executable, "-m", "vigil_cloud", "serve"],
        lambda: '"kind": "ready"' in (tmp_path / "log").read_text(),
        tmp_path / "log",
        env={
            "VIGIL_DATA_DIR": str(folder),
            "VIGIL_SECRET_KEY": SECRET,
            "VIGIL_HTTP_PORT": str(port),
            "VIGIL_BROKER_LISTEN": f"127.0.0.1:{servers.free_port()}",
        },
    )
    running.start()
    try:
        services = opened("two")

        def a_job_ended() -> bool:
            with services.engine.connect() as connection:
                return bool(
                    connection.scalar(select(JobRow.name).where(JobRow.finished.is_not(None)))
                )

        servers.eventually(a_job_ended, "a job of the city")
        with pytest.raises(RestoreNotEmpty, match="a process of the city works"):
            restoring.restore(services, path, by="operator")
    finally:
        running.stop()
    later = datetime.now(UTC) + timedelta(minutes=1)
    restoring.restore(replace(services, now=lambda: later), path, by="operator")
