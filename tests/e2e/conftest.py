"""The composition of docker-compose.yml, for the tests that play it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compose import Composition, variables


@pytest.fixture
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    # A short path: the private D-Bus has a Unix socket in there.
    made = Composition(tmp_path_factory.mktemp("c"), variables())
    yield made
    made.down()
