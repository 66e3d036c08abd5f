"""A home with two smoke alarms, and the emergency line; bridges with many."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import servers
from aed_town import Line119
from cloud.smoke.bridges import SINGLY, MakeTown, Town
from cloud_city import City, populated
from fire_town import Home
from vigil_cloud.capacity.limits import Quotas


@pytest.fixture
def line() -> Iterator[Line119]:
    made = Line119()
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path, line: Line119) -> Iterator[Home]:
    city = populated(
        tmp_path / "cloud", emergency_url=line.url, emergency_station="23.4801,120.4491"
    )
    yield Home(city)
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
