"""A city with a cabinet, an emergency line and volunteers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aed_town import Line119, with_cabinet
from cloud_city import City, populated


@pytest.fixture
def line() -> Iterator[Line119]:
    made = Line119()
    yield made
    made.close()


@pytest.fixture
def town(tmp_path: Path, line: Line119) -> Iterator[City]:
    city = populated(
        tmp_path / "cloud", emergency_url=line.url, emergency_token="of the line's own"
    )
    yield with_cabinet(city)
    city.close()
