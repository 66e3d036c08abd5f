"""Visits that cannot be one person's: kept, marked, and shown with the mark."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cloud_city import NOON, City, visit
from vigil_cloud.checkin.doubts import FASTEST_MPS, REACH_M, Stay, conflict, conflicts
from vigil_cloud.checkin.models import Visit
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.geodesy import distance_m

HERE, NEAR, FAR = (23.48, 120.44), (23.485, 120.44), (23.55, 120.44)


def stay(name: str, begin: float, end: float, place: tuple[float, float] | None = HERE) -> Stay:
    return Stay(name, NOON + timedelta(minutes=begin), NOON + timedelta(minutes=end), place)


@pytest.mark.parametrize(
    ("one", "other", "doubt"),
    [
        (stay("a", 0, 30), stay("b", 10, 20, FAR), "two-places"),
        (stay("a", 0, 30), stay("b", 31, 40, FAR), "too-fast"),
        (stay("a", 0, 30), stay("b", 40, 50, FAR), None),
        (stay("a", 0, 30), stay("b", 10, 20, NEAR), None),
        (stay("a", 0, 30), stay("b", 10, 20, None), None),
    ],
)
def test_what_nobody_can_do(one: Stay, other: Stay, doubt: str | None) -> None:
    assert conflict(one, other) == conflict(other, one) == doubt
    assert set(conflicts(one, [other])) == ({"a", "b"} if doubt else set())


@given(
    st.floats(0, 300), st.floats(0, 300), st.floats(0, 300), st.floats(0, 0.3), st.floats(0, 0.3)
)
def test_nobody_who_moves_as_people_do_is_doubted(
    begin: float, length: float, pause: float, north: float, east: float
) -> None:
    there = (HERE[0] + north, HERE[1] + east)
    away = distance_m(HERE, there)
    needed = max(away - REACH_M, 0) / FASTEST_MPS / 60
    one = stay("a", begin, begin + length)
    start = begin + length + needed + pause
    assert conflict(one, stay("b", start, start + 5, there)) is None


def test_a_copied_amulet_at_a_far_station_is_marked_in_the_footprint(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(Device, "station-2").latitude = FAR[0]
    city.consent("family")
    city.later(minutes=30)
    city.send(visit(NOON, "departed", "visit-own0"), "station-1")
    city.send(visit(NOON + timedelta(minutes=2), "departed", "visit-copy"), "station-2")
    city.send(visit(NOON + timedelta(minutes=20), "departed", "visit-late"), "station-1")

    shown = city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]

    # Which of the two is the copy nobody knows: both are marked, and the later one is not.
    assert [step["doubt"] for step in shown] == ["two-places", "two-places", None]
    with city.services.sessions() as session:
        assert len(session.scalars(select(Visit)).all()) == 3
