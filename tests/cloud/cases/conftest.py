"""An office in a city."""

from __future__ import annotations

import pytest

from cases_office import Office
from cloud_city import City


@pytest.fixture
def office(city: City) -> Office:
    return Office(city)
