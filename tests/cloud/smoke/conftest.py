"""A home with two smoke alarms, and the emergency line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aed_town import Line119
from cloud_city import populated
from fire_town import Home


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
