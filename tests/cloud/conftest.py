"""Cities for the tests of rooms that people meet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from cloud_city import City, populated
from vigil_cloud.identity import passwords


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """argon2id with its smallest parameters: what costs an attacker costs several hundred
    sign-ins of the tests, too. The programs that tests start keep the real ones."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", quick)
        patch.setattr(passwords, "_NOBODY", quick.hash("a password that no account has"))
        yield


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


@pytest.fixture
def either_city(tmp_path: Path, database_url: str) -> Iterator[City]:
    """The same, on SQLite and on PostgreSQL."""
    made = populated(tmp_path / "cloud", database_url)
    yield made
    made.close()
