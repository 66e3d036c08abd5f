"""What tests of notifications share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_city import City
from escalation_stage import Stage, put
from reply_paths import PUBLIC


@pytest.fixture
def stage(city: City) -> Iterator[Stage]:
    made = Stage(city)
    put(city)
    yield made
    made.close()


@pytest.fixture
def linked(populated_folder: Path, tmp_path: Path) -> Iterator[City]:
    """A city that people reach under an address."""
    folder = Path(shutil.copytree(populated_folder, tmp_path / "linked"))
    made = City(folder, public_url=PUBLIC)
    yield made
    made.close()
