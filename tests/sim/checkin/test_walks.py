"""Walks: nobody is faster than they can, and everybody is where the timetable says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_sim.checkin.scenario import Walk
from vigil_sim.checkin.walks import Walks, legs
from vigil_sim.scenario import load

NIGHT = load("city-night")


@given(t=st.floats(0, NIGHT.duration_s))
def test_a_tag_is_where_the_same_timetable_says(t: float) -> None:
    one, two = Walks(NIGHT), Walks(load("city-night"))
    assert one.tags == two.tags != []
    assert [one.position(tag, t) for tag in one.tags] == [two.position(tag, t) for tag in two.tags]


@given(
    points=st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=2, max_size=6),
    speed=st.floats(0.3, 10),
)
def test_nobody_walks_faster_than_they_can(points: list[tuple[float, float]], speed: float) -> None:
    walk = Walk(what="walk", at_s=5, tag="epc:00000001", speed_m_s=speed, path=tuple(points))
    for leg in legs(walk):
        length = math.dist(leg.start, leg.stop)
        assert length <= speed * (leg.ends_s - leg.begins_s) + 1e-6
        assert leg.at(leg.begins_s) == pytest.approx(leg.start)


def test_a_walker_rests_where_it_is_written() -> None:
    walk = Walk(
        what="walk",
        at_s=10,
        tag="epc:00000001",
        speed_m_s=2,
        path=((0.0, 0.0, 5.0), (20.0, 0.0, 30.0), (20.0, 10.0)),
    )
    assert [(leg.begins_s, leg.ends_s) for leg in legs(walk)] == [
        (10, 15),
        (15, 25),
        (25, 55),
        (55, 60),
    ]
