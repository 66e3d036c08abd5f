"""Cities for the tests of rooms that people meet, and benches for those of ingest."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from argon2 import PasswordHasher

import servers
import shared_statements
from cloud_city import City, populated
from ingest_bench import NOW, Bench, Recorder
from revisions import bring_up
from vigil_cloud.config import load
from vigil_cloud.identity import passwords
from vigil_cloud.services import Services
from vigil_cloud.stores import build_services
from webhook import Hook


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """argon2id with its smallest parameters: what costs an attacker costs several hundred
    sign-ins of the tests, too. The programs that tests start keep the real ones."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    nobodys = quick.hash("a password that no account has")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", quick)
        patch.setattr(passwords, "_nobodys_hash", lambda: nobodys)
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        shared_statements.share(patch)
        yield


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that runs in this process sets up its log, which ends with the test."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.get_config() != configured or root.handlers != handlers:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configured)


@pytest.fixture(scope="session")
def populated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, with its tables; each test takes a copy."""
    folder = tmp_path_factory.mktemp("populated")
    populated(folder).close()
    return folder


@pytest.fixture
def city(tmp_path: Path, populated_folder: Path) -> Iterator[City]:
    """On SQLite, with an account per role and one person."""
    made = City(Path(shutil.copytree(populated_folder, tmp_path / "cloud")))
    yield made
    made.close()


@pytest.fixture(scope="session")
def populated_postgres(
    postgres: servers.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The same on PostgreSQL: the folder, and the name of a database to copy."""
    folder = tmp_path_factory.mktemp("populated-postgres")
    populated(folder, postgres.create("populated")).close()
    return folder, "populated"


@pytest.fixture(params=["sqlite", "postgresql"])
def either_city(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[City]:
    """The same, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        folder, url = request.getfixturevalue("populated_folder"), ""
    else:
        folder, template = request.getfixturevalue("populated_postgres")
        server: servers.Postgres = request.getfixturevalue("postgres")
        url = server.create(f"t{uuid.uuid4().hex[:16]}", template)
    made = City(Path(shutil.copytree(folder, tmp_path / "cloud")), url)
    yield made
    made.close()


@pytest.fixture
def build_bench(tmp_path: Path, migrated_url: str) -> Iterator[Callable[[], Bench]]:
    """Writers over each kind of database, closed after the test."""
    built: list[Services] = []

    def build() -> Bench:
        clock = [NOW]
        settings = load(demo=True, data_dir=tmp_path / "cloud", database_url=migrated_url)
        services = build_services(settings, now=lambda: clock[0])
        built.append(services)
        bring_up(services.engine)
        return Bench(services, Recorder(), clock)

    yield build
    for services in built:
        services.close()


@pytest.fixture
def bench(build_bench: Callable[[], Bench]) -> Bench:
    return build_bench()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web hook that channels of the test lead to."""
    server = Hook()
    yield server
    server.close()
