"""Ways along the water, on graphs made up here, held against a plain search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.water.network import (
    Network,
    Place,
    Stretch,
    at_share,
    box_of,
    cycle,
    islands,
    length_of,
    nearest,
)

#  a ──r1 1000──▶ b ──r3 500──▶ c ──r4 800──▶ d
#  e ──r2  600──▶ b
REACHES = (
    Stretch("r1", "a", "b", 1000.0, travel_s=2000.0),
    Stretch("r2", "e", "b", 600.0),
    Stretch("r3", "b", "c", 500.0, travel_s=500.0),
    Stretch("r4", "c", "d", 800.0),
)
SPOTS = {
    "probe": Place("r3", 400.0),
    "near": Place("r3", 100.0),
    "side": Place("r2", 500.0),
    "far": Place("r1", 200.0),
    "below": Place("r4", 100.0),
}


def test_what_lies_upstream_and_downstream_nearest_first() -> None:
    network = Network(REACHES, SPOTS)
    assert [(way.spot, way.distance_m, way.travel_s) for way in network.upstream("probe")] == [
        ("near", 300.0, 300.0),
        ("side", 500.0, 400.0 + 200.0),  # a reach without a velocity: 0.5 m/s
        ("far", 1200.0, 400.0 + 1600.0),
    ]
    assert [(way.spot, way.distance_m) for way in network.downstream("probe")] == [("below", 200.0)]
    assert [way.spot for way in network.upstream("probe", 500.0)] == ["near", "side"]
    # The two arms of a confluence are no neighbours: no water goes from one to the other.
    assert "far" not in network.around("side", 10_000.0)
    assert network.upstream("nowhere") == []


def test_a_reach_that_turns_is_walked_both_ways() -> None:
    turning = (Stretch("r1", "a", "b", 100.0, reversible=True), Stretch("r2", "b", "c", 100.0))
    network = Network(turning, {"probe": Place("r1", 40.0), "above": Place("r1", 90.0)})
    assert [way.spot for way in network.upstream("probe")] == ["above"]
    assert [way.spot for way in network.downstream("above")] == ["probe"]


def test_circles_and_islands_are_found() -> None:
    assert cycle(REACHES) == []
    back = Stretch("r5", "d", "b", 10.0)
    assert cycle((*REACHES, back)) == ["b", "c", "d"]
    assert cycle((*REACHES, Stretch("r5", "d", "b", 10.0, reversible=True))) == []
    assert islands((*REACHES, Stretch("r9", "x", "y", 1.0))) == [["r1", "r2", "r3", "r4"], ["r9"]]


@given(
    ends=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=14),
    at=st.floats(0, 1),
)
def test_upstream_of_one_is_downstream_of_the_other(ends: list[tuple[int, int]], at: float) -> None:
    reaches = [
        Stretch(f"r{i}", str(min(a, b)), str(max(a, b)), 10.0 + i)
        for i, (a, b) in enumerate(ends)
        if a != b
    ]
    network = Network(reaches, {one.id: Place(one.id, at * one.length_m) for one in reaches})
    for here in reaches:
        for way in network.upstream(here.id):
            back = {one.spot: one for one in network.downstream(way.spot)}
            assert back[here.id].distance_m == pytest.approx(way.distance_m)


def test_a_position_is_put_on_a_line() -> None:
    line = [(120.0, 23.0), (120.01, 23.0), (120.01, 23.01)]
    found = nearest(line, (120.005, 23.0001))
    assert found.distance_m == pytest.approx(11.1, abs=0.1)
    assert at_share(line, found.share) == pytest.approx((120.005, 23.0), abs=1e-6)
    assert length_of(line) == pytest.approx(1023.6 + 1112.0, abs=1)


@given(
    line=st.lists(st.tuples(st.floats(120.0, 121.0), st.floats(23.0, 24.0)), min_size=2),
    position=st.tuples(st.floats(119.9, 121.1), st.floats(22.9, 24.1)),
)
def test_a_box_is_never_farther_than_its_line(
    line: list[tuple[float, float]], position: tuple[float, float]
) -> None:
    assert box_of(line).distance_m(position) <= nearest(line, position).distance_m
