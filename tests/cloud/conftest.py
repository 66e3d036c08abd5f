"""Cities for the tests of rooms that people meet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_city import City, populated


@pytest.fixture(scope="session")
def populated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: hashing eight passwords takes long on purpose."""
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
