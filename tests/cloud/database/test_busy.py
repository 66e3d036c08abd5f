"""A migration in a city that goes on keeps nobody out for long, and is whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

import servers
from cloud.backup.test_full_disk import SmallDisk
from vigil_cloud.database import migrate
from vigil_cloud.database.engine import build_engine
from vigil_cloud.database.migrate import DatabaseBusy, current, differences, head, upgrade

OLDER = "0063"
"""The next one but one changes ``aed_volunteers`` and ``aed_patrols``."""
PROGRAM = str(Path(__file__).with_name("migrating.py"))


@pytest.fixture
def older(postgres: servers.Postgres) -> Iterator[Engine]:
    """PostgreSQL with the tables of an older release."""
    engine = build_engine(postgres.create(f"t{uuid.uuid4().hex[:16]}"))
    upgrade(engine, OLDER)
    yield engine
    engine.dispose()


def test_whoever_reads_for_long_keeps_a_migration_out_and_nobody_else(
    older: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a backup does. Behind a migration that waits, everybody else would wait as well."""
    monkeypatch.setattr(migrate, "LOCK_S", 0.3)
    monkeypatch.setattr(migrate, "PAUSE_FIRST_S", 0.1)
    monkeypatch.setattr(migrate, "PAUSE_LAST_S", 0.1)
    passed: list[float] = []
    with older.connect() as reader:
        reader.execute(text("SELECT count(*) FROM aed_volunteers"))
        with structlog.testing.capture_logs() as logs:
            migrating = threading.Thread(target=upgrade, args=(older,))
            migrating.start()
            servers.eventually(lambda: len(logs) >= 2, "it was given up twice")
            for _ in range(20):
                began = time.monotonic()
                with older.begin() as connection:
                    connection.execute(text("SELECT count(*) FROM aed_volunteers"))
                    connection.execute(text("UPDATE aed_volunteers SET account_id = account_id"))
                passed.append(time.monotonic() - began)
        assert current(older) == OLDER
        reader.rollback()
    migrating.join(60)
    assert current(older) == head()
    assert max(passed) < 5.0, "each waits for one attempt at most"
    assert {one["event"] for one in logs} == {"database-busy"}
    with older.connect() as connection:
        assert differences(connection) == []


def test_it_says_who_is_in_the_way_and_changes_nothing(
    older: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_S", 0.2)
    monkeypatch.setattr(migrate, "PATIENCE_S", 0.0)
    with older.connect() as reader:
        reader.execute(text("SET application_name = 'a report'"))
        reader.execute(text("SELECT count(*) FROM aed_volunteers"))
        with pytest.raises(DatabaseBusy, match=r"process \d+ \(a report, idle in transaction, for"):
            upgrade(older)
    assert current(older) == OLDER
    upgrade(older)
    assert current(older) == head()


def test_a_writer_that_stays_keeps_sqlite_s_migration_waiting(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = build_engine(f"sqlite:///{tmp_path_factory.mktemp('city') / 'vigil.sqlite3'}")
    monkeypatch.setattr(migrate, "PATIENCE_S", 0.0)
    try:
        upgrade(engine, OLDER)
        with closing(engine.raw_connection()) as writer, closing(engine.raw_connection()) as ours:
            ours.execute("PRAGMA busy_timeout = 50")
            ours.close()
            writer.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseBusy, match="in use by others"):
                upgrade(engine)
            writer.execute("ROLLBACK")
        upgrade(engine)
        assert current(engine) == head()
    finally:
        engine.dispose()


@pytest.mark.parametrize("count", [1, 12, 40])
def test_one_that_is_killed_has_changed_nothing(database_url: str, count: int) -> None:
    engine = build_engine(database_url)
    try:
        upgrade(engine, OLDER)
        done = servers.run([sys.executable, PROGRAM, database_url, str(count)], text=True)
        assert done.returncode == -9, done.stderr
        assert current(engine) == OLDER

        upgrade(engine)

        with engine.connect() as connection:
            assert differences(connection) == []
    finally:
        engine.dispose()


def test_two_that_migrate_at_once_do_it_once(database_url: str) -> None:
    engine = build_engine(database_url)
    try:
        upgrade(engine, OLDER)
        command = [sys.executable, PROGRAM, database_url]
        both = [servers.spawn(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [one.communicate(timeout=120)[1] for one in both]
        assert [one.returncode for one in both] == [0, 0], said
        with engine.connect() as connection:
            assert differences(connection) == []
    finally:
        engine.dispose()


def test_a_disk_that_is_full_in_the_midst_of_it_leaves_the_tables_as_they_were(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        servers.missing("root, who mounts", "run this as root")
    disk = SmallDisk(tmp_path / "disk")
    disk.mount(65_536)
    engine = build_engine(f"sqlite:///{disk.folder / 'vigil.sqlite3'}")
    try:
        upgrade(engine, OLDER)
        engine.dispose()
        used = sum(one.stat().st_size for one in disk.folder.iterdir()) // 1024
        disk.mount(used + 256)
        with pytest.raises(OperationalError, match=r"full|disk I/O"):
            upgrade(engine)
        assert current(engine) == OLDER

        disk.mount(65_536)
        upgrade(engine)

        with engine.connect() as connection:
            assert differences(connection) == []
    finally:
        engine.dispose()
        disk.close()
