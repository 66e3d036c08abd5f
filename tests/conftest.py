"""Fixtures that every test may ask for: servers once per session, everything else per test."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

import servers

# Where Python may not keep what it compiled, each worker rewrites the assertions of all modules of
# the tests, and each process that a test starts compiles all of ours: seconds, hundreds of times.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says something about the machine, not about the code.
settings.register_profile("vigil", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vigil")

# structlog's own default draws every traceback with all its variables, which takes seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.dev.set_exc_info,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing of what is loaded for the collection is ever let go: no cycles are looked for in it.
    Whoever hands the tests to the workers collects none, and looks for them throughout."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes longest and waits most comes first: at the end it would leave processors idle.
    items.sort(key=lambda item: item.path.parent.name not in _LONGEST)
    if os.environ.get("VIGIL_FULL"):
        return
    for item in items:
        if item.get_closest_marker("full"):
            item.add_marker(pytest.mark.skip(reason="long form: run with VIGIL_FULL=1"))


_LONGEST = ("e2e", "faults")


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Mosquitto]:
    """One broker for the session: take a gateway id of your own, retained messages stay."""
    server = servers.mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Influx]:
    """One InfluxDB for the session: take device ids of your own."""
    server = servers.influxd(tmp_path_factory.mktemp("influxd"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def versitygw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.S3]:
    """One S3 server for the session."""
    server = servers.versitygw(tmp_path_factory.mktemp("versitygw"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Postgres]:
    """One PostgreSQL for the session; ``postgres.create(name)`` gives a fresh database."""
    server = servers.postgres(tmp_path_factory.mktemp("postgres"), durable=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def toxiproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Toxiproxy]:
    """One Toxiproxy for the session: take proxy names of your own."""
    server = servers.toxiproxy(tmp_path_factory.mktemp("toxiproxy"))
    yield server
    server.stop()


@pytest.fixture
def pulseaudio(tmp_path: Path) -> Iterator[servers.PulseAudio]:
    server = servers.pulseaudio(tmp_path / "pulse")
    yield server
    server.stop()


@pytest.fixture
def dbus(tmp_path: Path) -> Iterator[servers.DBus]:
    server = servers.dbus(tmp_path / "dbus")
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'vigil.sqlite3'}"
    server: servers.Postgres = request.getfixturevalue("postgres")
    return server.create(f"t{uuid.uuid4().hex[:16]}")


@pytest.fixture(scope="session")
def migrated_postgres(postgres: servers.Postgres) -> str:
    """The name of a database with all tables, made once; each test takes a copy."""
    from vigil_cloud.database.engine import build_engine
    from vigil_cloud.database.migrate import upgrade

    engine = build_engine(postgres.create("migrated"))
    upgrade(engine)
    engine.dispose()
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with all tables and nothing in them, on each kind."""
    if request.param == "sqlite":
        from revisions import migrated_file

        path = tmp_path / "vigil.sqlite3"
        shutil.copyfile(migrated_file(), path)
        return f"sqlite:///{path}"
    template: str = request.getfixturevalue("migrated_postgres")
    server: servers.Postgres = request.getfixturevalue("postgres")
    return server.create(f"t{uuid.uuid4().hex[:16]}", template)
