"""A city with its programme of alarms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_city import populated
from fire_town import Home
from programme_town import Programme


@pytest.fixture
def programme(tmp_path: Path) -> Iterator[Programme]:
    city = populated(tmp_path / "cloud")
    yield Programme(Home(city))
    city.close()
