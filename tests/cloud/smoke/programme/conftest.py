"""A city with its programme of alarms."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_city import City
from fire_town import Home
from programme_town import Programme


@pytest.fixture
def programme(tmp_path: Path, home_folder: Path) -> Iterator[Programme]:
    city = City(Path(shutil.copytree(home_folder, tmp_path / "cloud")))
    yield Programme(Home(city, furnished=True))
    city.close()
