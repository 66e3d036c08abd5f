"""One home for each test, on the session's broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import servers
from edge.smoke.home import Bridge, Home


@pytest.fixture
def home(mosquitto: servers.Mosquitto) -> Iterator[Home]:
    made = Home(mosquitto)
    yield made
    made.close()


@pytest.fixture
def bridge(home: Home, mosquitto: servers.Mosquitto) -> Iterator[Bridge]:
    made = Bridge(home, mosquitto)
    yield made
    made.close()
