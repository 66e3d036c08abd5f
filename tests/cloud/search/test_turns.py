"""A step from the end of a link: each way out by how it is liked, and few turn round."""

from __future__ import annotations

import numpy as np
import pytest

from cloud.search.test_replay import street_lines
from vigil_cloud.search import ground, turns

TOWARDS, STRAIGHT, BACK = 2.0, 1.5, 0.1
LENGTHS = 2


@pytest.fixture(scope="module", params=["streets", "free ground"])
def place(request: pytest.FixtureRequest) -> ground.Ground:
    if request.param == "streets":
        return ground.streets([[(x, y) for x, y in line] for line in street_lines()])
    return ground.free_ground(ground.Centre(23.0, 120.0), (0.0, 0.0, 420.0, 360.0))


@pytest.mark.parametrize("kind", range(turns.HEADINGS + 1))
def test_ways_out_are_shared_by_their_likings(place: ground.Ground, kind: int) -> None:
    ways = turns.ways(place, TOWARDS, STRAIGHT, 1.0, LENGTHS)
    step = (place.nodes[place.end] - place.nodes[place.begin]) / place.length_m[:, None]
    links = len(step)
    for link in range(0, links, max(1, links // 40)):
        out = np.flatnonzero(place.begin == place.end[link])
        if kind < turns.HEADINGS:
            liking = np.exp(TOWARDS * step[out] @ turns.DIRECTIONS[kind])
        else:
            liking = np.exp(STRAIGHT * step[out] @ step[link])
        if len(out) > 1:
            liking[out == (link + links // 2) % links] *= BACK
        coming = np.zeros((links, (turns.HEADINGS + 1) * LENGTHS), dtype=np.float32)
        coming[link, kind * LENGTHS + 1] = 1.0
        there = np.zeros_like(coming)
        ways.go_on(there, coming * ways.shares, np.empty_like(coming))
        expected = np.zeros_like(coming)
        expected[out, kind * LENGTHS + 1] = liking / liking.sum()
        assert there == pytest.approx(expected, abs=1e-5)


def test_short_links_are_passed_and_nobody_is_lost(place: ground.Ground) -> None:
    ways = turns.ways(place, TOWARDS, STRAIGHT, 150.0, LENGTHS)
    assert ways.any_over
    random = np.random.default_rng(3)
    coming = random.random(ways.shares.shape, dtype=np.float32)
    there = np.zeros_like(coming)
    ways.go_on(there, coming * ways.shares, np.empty_like(coming))
    assert (there >= 0).all()
    assert there.sum(axis=0) == pytest.approx(coming.sum(axis=0), rel=1e-4)
