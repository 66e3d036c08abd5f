"""A city with a cabinet, an emergency line and volunteers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aed_town import Line119, with_cabinet
from cloud_city import City


@pytest.fixture
def line() -> Iterator[Line119]:
    made = Line119()
    yield made
    made.close()


@pytest.fixture(scope="session")
def town_folder(populated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; each test takes a copy."""
    folder = Path(shutil.copytree(populated_folder, tmp_path_factory.mktemp("town") / "cloud"))
    with_cabinet(City(folder)).close()
    return folder


@pytest.fixture
def town(tmp_path: Path, line: Line119, town_folder: Path) -> Iterator[City]:
    folder = Path(shutil.copytree(town_folder, tmp_path / "cloud"))
    city = City(folder, emergency_url=line.url, emergency_token="of the line's own")
    yield city
    city.close()
