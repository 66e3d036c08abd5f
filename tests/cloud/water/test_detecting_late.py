"""Readings that come late, ahead of the clock, or to a detector that has fallen behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, NOON, City
from followed_sonde import (
    QUARTER,
    SONDE,
    Floats,
    calls,
    detection,
    found,
    goes_on,
    judged,
    late,
    stored,
    told,
    water,
)
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.port import Readings
from vigil_cloud.jobs.port import Turn
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.timeseries.port import Point, Series
from vigil_cloud.water import following
from vigil_cloud.water.detecting import WATER_DETECTION
from vigil_cloud.water.models import DetectorState, Excursion
from vigil_schemas.senml import microseconds


def test_what_was_kept_through_an_outage_is_judged_and_marked(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    city.time = NOON + timedelta(hours=6)
    stored(city, values[:24], NOON)
    judged(city)
    (alert,) = water(city)
    assert alert["detail"]["late"]
    assert not alert["state"]["active"]


def test_late_readings_are_judged_and_what_was_judged_calls_nobody_again(
    learnt: tuple[City, Floats],
) -> None:
    """A gateway keeps six hours with a discharge in them, while a second one goes on."""
    city, values = learnt
    values[4:12, 1] += 150e-4
    values[60:66, 2] -= 1.2
    stored(city, values[:2], NOON)
    stored(city, values[30:72], NOON + 30 * QUARTER)
    city.time = NOON + 72 * QUARTER
    judged(city)
    (first,) = water(city)
    assert first["detail"]["parameter"] == "pH"
    before = {one.id for one in found(city)}

    stored(city, values[2:30], NOON + 2 * QUARTER)
    late(city, NOON + 2 * QUARTER, NOON + 29 * QUARTER)
    judged(city)
    shown = detection(city)
    assert (shown["late_waits"], shown["unjudged"]) == (False, None)
    assert shown["rejudged"] is not None
    assert shown["learns_until"] is None
    (newer,) = [one for one in water(city) if one["id"] != first["id"]]
    assert len(water(city)) == 2
    assert newer["detail"]["parameter"] == "specific_conductance"
    assert newer["detail"]["late"]
    assert not newer["state"]["active"]
    assert before <= {one.id for one in found(city)}


def test_late_readings_are_judged_once_an_hour_at_most(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:24], NOON)
    city.time = NOON + 24 * QUARTER
    judged(city)
    late(city, NOON, NOON + QUARTER)
    assert judged(city) > 1
    late(city, NOON + 2 * QUARTER, NOON + 3 * QUARTER)
    assert judged(city) == 1, "noted, and nothing more"
    assert detection(city)["late_waits"]
    city.later(hours=1)
    assert judged(city) > 1
    assert not detection(city)["late_waits"]


def test_a_backlog_in_order_has_nothing_judged_anew(learnt: tuple[City, Floats]) -> None:
    """A gateway that was away hands in its readings message by message, cut anywhere."""
    city, values = learnt
    city.time = NOON + timedelta(hours=6)
    worker = Worker(city.services, [WATER_DETECTION], "worker", processes=0)
    for number in range(4):
        first = NOON + number * QUARTER
        again = first + timedelta(seconds=30)  # of the minute in which the last message ended
        for at in (first, again):
            stored(city, values[number : number + 1], at)
            late(city, at, at)
            assert worker.do_one()
            while worker.do_one():
                pass
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert (row.late_from_us, row.rejudged_at, row.anew_us) == (0, None, 0)
        assert row.until_us == microseconds(NOON + 3 * QUARTER)
    city.later(minutes=1)
    judged(city)
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.until_us > microseconds(NOON + 3 * QUARTER), "the last minute as well"


def test_what_came_too_late_is_told(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:4], NOON)
    city.time = NOON + 4 * QUARTER
    judged(city)
    late(city, NOON - timedelta(days=40), NOON - timedelta(days=39))
    judged(city)
    shown = detection(city)
    assert shown["unjudged"] is not None
    assert not shown["late_waits"]


def test_readings_in_time_ask_for_nothing(city: City) -> None:
    handler = following.LateReadings(lambda: city.time)
    point = Point(Series("water", GATEWAY, SONDE, "pH"), microseconds(city.time), 7.9, 1)
    assert handler.fold(Readings(SONDE, "water", [point], city.time, False), None) is None


def test_late_readings_of_two_messages_are_one_piece() -> None:
    merge = WATER_DETECTION.merge
    one = {"device": SONDE, "late_from_us": 5, "late_until_us": 9}
    other = {"device": SONDE, "late_from_us": 2, "late_until_us": 3}
    both = {"device": SONDE, "late_from_us": 2, "late_until_us": 9}
    assert merge(one, other) == both
    assert merge({"device": SONDE}, both) == merge(both, {"device": SONDE}) == both


def test_a_detector_that_falls_behind_is_told_until_it_is_not(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:8], NOON)
    city.time = NOON + 8 * QUARTER
    following.follow(Turn(city.services, city.time))  # and no worker takes it
    city.later(minutes=11)
    following.follow(Turn(city.services, city.time))
    (alert,) = told(city, "detector-behind")
    assert "minutes behind" in alert.title
    judged(city)
    following.follow(Turn(city.services, city.time))
    assert told(city, "detector-behind") == []


def test_a_reading_ahead_of_our_clock_is_waited_for(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    city.time += timedelta(minutes=2)
    stored(city, values[:1], city.time + timedelta(minutes=5))
    following.follow(Turn(city.services, city.time))
    worker = Worker(city.services, [WATER_DETECTION], "worker", processes=0)
    assert [worker.do_one() for _ in range(3)] == [True, False, False], "not again and again"
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.until_us <= microseconds(city.time)
    city.later(minutes=7)
    assert judged(city) == 1


def test_a_clock_that_was_set_back_leaves_nobody_unasked(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).asked_us = microseconds(city.time + timedelta(days=1))
    stored(city, values[:1], NOON)
    city.time = NOON + timedelta(minutes=2)
    assert judged(city) == 1


@pytest.mark.parametrize("lasts", [12, 24])
def test_late_readings_of_an_event_call_nobody_for_it_again(
    learnt: tuple[City, Floats], lasts: int
) -> None:
    """They bring its beginning: it is found earlier than it was."""
    city, values = learnt
    values[4:lasts, 1] += 150e-4
    stored(city, values[:4], NOON)
    stored(city, values[6:24], NOON + 6 * QUARTER)
    city.time = NOON + 24 * QUARTER
    judged(city)
    (first,) = water(city)
    stored(city, values[4:6], NOON + 4 * QUARTER)
    late(city, NOON + 4 * QUARTER, NOON + 5 * QUARTER)
    judged(city)
    assert len({one.found for one in found(city) if one.type == "water"}) > 1
    (alert,) = water(city)
    assert alert["id"] == first["id"]
    assert alert["state"]["active"] is (lasts == 24)
    with city.services.sessions() as session:
        assert len(session.scalars(select(Excursion)).all()) == 1
    goes_on(city, values[24:44], 10)
    assert calls(city) == 1
    assert not water(city)[0]["state"]["active"]


def test_a_minute_that_is_not_over_is_not_asked_for(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    stored(city, values[:1], NOON)
    stored(city, values[1:2], NOON + timedelta(minutes=1))
    city.time = NOON + timedelta(seconds=63)
    following.follow(Turn(city.services, city.time))
    worker = Worker(city.services, [WATER_DETECTION], "worker", processes=0)
    assert [worker.do_one() for _ in range(3)] == [True, False, False], "not again and again"
