"""Places lie where the map shows them, and chance is a function of the seed and its purpose."""

from __future__ import annotations

import pytest

from vigil_sim.scenario import load
from vigil_sim.world import World

NIGHT = load("city-night")


def test_the_same_seed_and_purpose_draw_the_same() -> None:
    one, two = World(NIGHT, 1), World(NIGHT, 1)
    assert one.random("passage").random() == two.random("passage").random()
    assert one.random("passage").random() != one.random("canal").random()
    assert one.random("passage").random() != World(NIGHT, 2).random("passage").random()


def test_places_lie_where_the_map_shows_them() -> None:
    world = World(NIGHT, 0)
    assert world.geographic((0.0, 0.0)) == (NIGHT.latitude, NIGHT.longitude)
    north, _ = world.geographic((0.0, 1112.0))
    assert north - NIGHT.latitude == pytest.approx(0.01, rel=1e-3)
    _, east = world.geographic((1020.0, 0.0))
    assert east - NIGHT.longitude == pytest.approx(0.01, rel=1e-3)
