"""A home with two smoke alarms, and the emergency line; bridges with many."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from aed_town import Line119
from cloud.smoke.bridges import SINGLY, MakeTown, Town
from cloud_city import City
from fire_town import Home
from vigil_cloud.capacity.limits import Quotas


@pytest.fixture
def line() -> Iterator[Line119]:
    made = Line119()
    yield made
    made.close()


@pytest.fixture(scope="session")
def home_folder(populated_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; each test takes a copy."""
    folder = Path(shutil.copytree(populated_folder, tmp_path_factory.mktemp("home") / "cloud"))
    city = City(folder)
    Home(city)
    city.close()
    return folder


@pytest.fixture
def home(tmp_path: Path, line: Line119, home_folder: Path) -> Iterator[Home]:
    folder = Path(shutil.copytree(home_folder, tmp_path / "cloud"))
    city = City(folder, emergency_url=line.url, emergency_station="23.4801,120.4491")
    yield Home(city, furnished=True)
    city.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def make_town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeTown]:
    made: list[City] = []

    def make(each: int = 48) -> Town:
        url = ""
        if request.param == "postgresql":
            template: str = request.getfixturevalue("migrated_postgres")
            server: servers.Postgres = request.getfixturevalue("postgres")
            url = server.create(f"t{uuid.uuid4().hex[:16]}", template)
        quotas = Quotas(alerts_a_minute=SINGLY)
        made.append(City(tmp_path / f"town-{len(made)}", url, quotas=quotas))
        return Town(made[-1], each)

    yield make
    for city in made:
        city.close()
