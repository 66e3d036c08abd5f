"""A detector that is begun anew, and pieces of work that are done twice or overtaken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from sqlalchemy import select

from cloud_city import NOON, City
from followed_sonde import (
    DAY,
    NAMES,
    QUARTER,
    SONDE,
    Floats,
    calls,
    canal,
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
from vigil_cloud.jobs.port import Turn
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.water import detecting, following
from vigil_cloud.water.detecting import WATER_DETECTION
from vigil_cloud.water.minutes import Row
from vigil_cloud.water.models import DetectorState, Excursion
from vigil_schemas.senml import microseconds


def computed(asked: detecting.Asked, rows: Sequence[Row]) -> detecting.Judged:
    found = detecting.judge(asked, sorted(NAMES), rows, 0)
    assert isinstance(found, detecting.Judged)
    return found


def test_in_pieces_or_at_once_the_same_is_found(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    values[40:42, 0] = np.nan
    with city.services.sessions() as session:
        state = session.get_one(DetectorState, SONDE)
        asked = detecting.Asked(
            SONDE, state.version, state.state, city.services.timeseries, 0, 0, 0, 0.4
        )
    rows = [
        Row(
            (NOON + number * QUARTER).timestamp(),
            [float(row[NAMES.index(name)]) for name in sorted(NAMES)],
        )
        for number, row in enumerate(values[:DAY])
    ]
    whole = computed(asked, rows)
    keys: set[str] = set()
    for first in range(0, DAY, 7):
        part = computed(asked, rows[first : first + 7])
        asked = replace(asked, state=part.state)
        keys |= {one.key for one in part.changed}
    assert keys == {one.key for one in whole.changed}
    assert asked.state == whole.state


def test_work_that_was_overtaken_changes_nothing(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    values[1:9, 1] += 150e-4
    stored(city, values[:12], NOON)
    city.time = NOON + timedelta(hours=3)
    payload = {"device": SONDE}
    slow = detecting.compute(detecting.load(city.services, payload))
    judged(city)
    before = found(city)
    with writing(city.services.sessions) as session:
        detecting.store(session, payload, slow, city.time)
    assert [one.id for one in found(city)] == [one.id for one in before]
    assert len(water(city)) == 1


def test_a_state_that_cannot_be_read_is_begun_anew_and_told(learnt: tuple[City, Floats]) -> None:
    city, values = learnt
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).state = b"torn"
    stored(city, values[:4], NOON)
    city.time = NOON + timedelta(hours=1)
    worker = Worker(city.services, [WATER_DETECTION], "worker", processes=0)
    following.follow(Turn(city.services, city.time))
    assert worker.do_one()
    shown = detection(city)
    assert "error" in shown["error"]
    assert shown["learns_until"] is not None
    assert [one.device for one in told(city, "detector-anew")] == [SONDE]

    # it learns from what is stored, and then that is over
    judged(city)
    shown = detection(city)
    assert (shown["error"], shown["learns_until"]) == (None, None)
    assert shown["until"] >= NOON.isoformat()[:16]
    assert told(city, "detector-anew") == []


def tear(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(DetectorState, SONDE).state = b"torn"


def test_what_goes_on_when_the_detector_is_begun_anew_goes_on_and_ends(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    values[4:12, 1] += 150e-4
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["state"]["active"]
    tear(city)
    goes_on(city, values[8:10])
    assert [one["id"] for one in water(city)] == [alert["id"]], "nobody is called again"
    assert water(city)[0]["state"]["active"], "the discharge lasts"
    goes_on(city, values[10:40], 6)
    assert [one["id"] for one in water(city)] == [alert["id"]]
    assert not water(city)[0]["state"]["active"]
    with city.services.sessions() as session:
        assert all(row.ended for row in session.scalars(select(Excursion)))
    assert all(row.ended for row in found(city))


def test_what_is_not_found_again_ends_where_the_detector_is_begun_anew(
    learnt: tuple[City, Floats],
) -> None:
    """An alert must not stand for good: of what it was found in, nothing is stored any more."""
    city, values = learnt
    values[4:, 1] += 150e-4
    goes_on(city, values[:8])
    (alert,) = water(city)
    assert alert["state"]["active"]
    city.services.timeseries.delete(SONDE)
    tear(city)
    goes_on(city, canal(4, seed=9))
    (alert,) = water(city)
    assert not alert["state"]["active"]
    assert all(row.ended for row in found(city) if row.type == "water")


def test_a_detector_begun_anew_calls_nobody_while_it_learns(learnt: tuple[City, Floats]) -> None:
    """What is stored is gone, too: whatever it takes for unusual then is its own ignorance."""
    city, values = learnt
    city.services.timeseries.delete(SONDE)
    tear(city)
    wild = values[: 2 * DAY].copy()
    wild[30:40, 1] += 300e-4
    wild[60:70, 2] -= 2.0
    goes_on(city, wild, 16)
    assert calls(city) == 0
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert row.armed_us > row.until_us
    calm = np.concatenate([canal(3 * DAY, seed=11), canal(16, seed=12)])
    calm[-8:, 1] += 300e-4
    goes_on(city, calm, 16)
    assert calls(city) == 1, "and once it has learnt it calls"


def test_a_new_probe_learns_for_days_before_it_calls(city: City) -> None:
    values = canal(5 * DAY)
    values[100:110, 1] += 300e-4
    values[-8:, 1] += 300e-4
    city.time = NOON - QUARTER + timedelta(minutes=2)
    goes_on(city, values[: 2 * DAY], 8)
    assert calls(city) == 0
    goes_on(city, values[2 * DAY :], 8)
    assert calls(city) == 1


def test_what_goes_on_and_nobody_knew_of_calls_once_it_is_judged_anew(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    values[4:, 1] += 150e-4
    stored(city, values[:8], NOON)
    city.time = NOON + 8 * QUARTER
    with writing(city.services.sessions) as session:  # judged, and taken for nothing
        row = session.get_one(DetectorState, SONDE)
        row.state, row.until_us = b"torn", microseconds(NOON + 7 * QUARTER)
    judged(city)
    (alert,) = water(city)
    assert alert["state"]["active"]


def test_late_readings_of_before_are_nothing_new_to_a_detector_begun_anew(
    learnt: tuple[City, Floats],
) -> None:
    city, values = learnt
    stored(city, values[:8], NOON)
    city.time = NOON + 8 * QUARTER
    judged(city)
    late(city, NOON, NOON + QUARTER)
    judged(city)
    tear(city)
    goes_on(city, values[8:10])
    with city.services.sessions() as session:
        row = session.get_one(DetectorState, SONDE)
        assert (row.rejudged_from_us, row.rejudged_until_us) == (0, 0)
